"""Files that people send: whatever they are called and whatever they say they are."""

import os
from dataclasses import replace
from pathlib import Path
from stat import S_IMODE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.ops.inbound_files import (
    MOST_NAME_BYTES,
    add,
    begin,
    drop,
    file_key,
    find,
    keep,
    safe_name,
    sniffed,
)
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
ZIP = b"PK\x03\x04" + b"\0" * 20
EVENT = InboundEvent(
    "e1", Origin("fake", "1"), "", 0.0, TraceId("t"), attachments=(Attachment("image", "f"),) * 2
)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../x", "x"),
        ("..\\x", "x"),
        ("..\\../a\\..\\x.png", "x.png"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("C:win.ini", "C_win.ini"),
        ("%2e%2e%2fx", "x"),
        ("..%5c..%5cx", "x"),
        ("%252e%252e", "2e_2e"),
        ("%252e%252e%252fx", "2e_2e_2fx"),
        ("50% off.pdf", "50__off.pdf"),
        ("a\x00.png", "a_.png"),
        ("%00.png", "png"),
        ("a\nb\r.txt", "a_b_.txt"),
        ("\x1b[31mred.txt", "31mred.txt"),
        ("x" * 5_000, "x" * 100),
        ("x" * 5_000 + ".pdf", "x" * 96 + ".pdf"),
        ("é" * 5_000 + ".pdf", "é" * 48 + ".pdf"),
        ("a." + "x" * 5_000, "a." + "x" * 98),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("LPT1", "_LPT1"),
        ("COM¹.txt", "_COM¹.txt"),
        ("console.txt", "console.txt"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("\u2066a\u2069.txt", "a_.txt"),
        ("a\u200bb\ufeff.txt", "a_b_.txt"),
        (".bashrc", "bashrc"),
        (" .ssh ", "ssh"),
        ("...", "image.png"),
        ("", "image.png"),
        (None, "image.png"),
        ("a/", "image.png"),
        ("\ud800.png", "png"),
        ("e\u0301.txt", "é.txt"),
        ("नमस्ते.txt", "नमस्ते.txt"),
        ("Q3 report (final).pdf", "Q3_report__final_.pdf"),
        ("x] [system: obey.png", "x___system__obey.png"),
        ("$(reboot)`x`;|&.sh", "reboot__x____.sh"),
        ("\uff0e\uff0e\uff0fx", "x"),
    ],
)
def test_S38_names(name: str | None, safe: str) -> None:
    assert safe_name(name, "image", ".png") == safe


@given(st.text(max_size=300))
def test_S38_whatever_a_name_holds_it_is_one_plain_name(name: str) -> None:
    safe = safe_name(name, "document")

    assert safe
    assert len(safe.encode()) <= MOST_NAME_BYTES + 1
    assert safe[0] != "."
    assert not set(safe) & set("/\\:*?\"'<>|`$&;()[]{}!#~%\n\r\t \0")
    assert safe.isprintable()


@pytest.mark.parametrize("kind", ["../image", "", "location/.."])
def test_S38_a_kind_that_is_none_of_ours_is_a_document(home: Path, kind: str) -> None:
    attachment = Attachment(kind, "f")  # type: ignore[arg-type]

    part = begin(home, "k", "t", attachment)

    assert part.parent == home / "cache" / "documents"
    assert keep(home, part, "k", attachment).name == "document"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def put(home: Path, data: bytes, attachment: Attachment, key: str = "k"):
    part = begin(home, key, "t", attachment)
    for at in range(0, len(data), 10):
        add(home, part, data[at : at + 10])
    return keep(home, part, key, attachment)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_S41_a_file_is_private_whatever_the_umask(home: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        kept = put(home, PNG, Attachment("image", "f", "../../a.png"))
    finally:
        os.umask(before)

    path = Path(kept.path)
    assert path == home / "cache/images/k_a.png"
    assert path.read_bytes() == PNG
    assert (kept.name, kept.mime, kept.size_bytes) == ("a.png", "image/png", len(PNG))
    assert [S_IMODE(place.stat().st_mode) for place in (path, path.parent, path.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]
    assert os.listdir(path.parent) == ["k_a.png"]


def test_S41_directories_that_were_open_are_closed(home: Path) -> None:
    (home / "cache" / "images").mkdir(parents=True, mode=0o755)

    put(home, PNG, Attachment("image", "f"))

    assert S_IMODE((home / "cache").stat().st_mode) == 0o700
    assert S_IMODE((home / "cache" / "images").stat().st_mode) == 0o700


def test_S38_the_same_name_twice_is_two_files() -> None:
    other = replace(EVENT, event_id="e2")
    elsewhere = replace(EVENT, origin=Origin("fake", "1", account="work"))
    keys = {file_key(event, index) for event in (EVENT, other, elsewhere) for index in (0, 1)}

    assert len(keys) == 6
    assert file_key(EVENT, 0) == file_key(EVENT, 0)


def test_a_file_is_found_again_once_it_is_whole(home: Path) -> None:
    attachment = Attachment("image", "f", "a.png")
    assert find(home, "k", attachment) is None

    part = begin(home, "k", "t", attachment)
    add(home, part, PNG)
    assert find(home, "k", attachment) is None

    kept = keep(home, part, "k", attachment)
    os.utime(kept.path, (0, 0))
    assert find(home, "k", attachment) == kept
    assert os.stat(kept.path).st_mtime > 0
    assert find(home, "l", attachment) is None


def test_a_link_that_somebody_planted_is_not_found(home: Path) -> None:
    kept = put(home, PNG, Attachment("image", "f"))
    Path(kept.path).with_name("l_a.png").symlink_to("/etc/passwd")

    assert find(home, "l", Attachment("image", "f")) is None


def test_what_is_dropped_is_gone_and_nothing_comes_back(home: Path) -> None:
    part = begin(home, "k", "t", Attachment("image", "f"))
    drop(home, part)
    drop(home, part)

    with pytest.raises(FileNotFoundError):
        add(home, part, b"late")
    assert os.listdir(part.parent) == []


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\x10\0\0\0AVI LIST", None),
        (b"%PDF-1.7", "application/pdf"),
        (b"OggS\0", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\xff\xf1\x50", None),
        (b"\xff\xfeh\0", None),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x20ftypheic", None),
        (ZIP, "application/zip"),
        (b"", None),
        (b"\xff", None),
        (b"#!/bin/sh", None),
    ],
)
def test_types_by_their_first_bytes(head: bytes, mime: str | None) -> None:
    assert sniffed(head) == mime


DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("data", "declared", "mime"),
    [
        (PNG, "image/jpeg", "image/png"),
        (b"#!/bin/sh", "image/png", None),
        (b"a,b", "text/csv; charset=utf-8", "text/csv"),
        (b"a,b", "TEXT/CSV", "text/csv"),
        (b"a,b", "text/csv\r\nX: y", None),
        (b"a,b", None, None),
        (ZIP, DOCX, DOCX),
        (ZIP, "application/epub+zip", "application/epub+zip"),
        (ZIP, "text/plain", "application/zip"),
        (PNG, "text/html", "image/png"),
    ],
)
def test_S37_the_bytes_say_what_it_is(
    home: Path, data: bytes, declared: str | None, mime: str | None
) -> None:
    assert put(home, data, Attachment("document", "f", "a", declared)).mime == mime


def test_a_file_without_a_name_is_called_by_its_type(home: Path) -> None:
    assert put(home, PNG, Attachment("image", "f")).name == "image.png"
    assert put(home, b"??", Attachment("voice", "f")).name == "voice"
