"""What a dossier is, how long it is kept, and how it is found again."""

import json
import os
import stat
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from hermes.ops import dossiers
from hermes.ops.dossiers import Dossier, NotADossier
from hermes.ops.redaction import REDACTED, Redaction

TOKEN = "123456789:" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
SECRET = "a-password-of-ours"
AT = 1_800_000_000.25

DOSSIER = Dossier(
    id="1a2b3c4d",
    at=AT,
    boot_id="b1",
    version="0.1.0",
    path="root/gateway/inbound",
    incarnation=3,
    reason="ValueError: no",
    decision="restart",
    delay_s=0.4,
    through=(),
    message="Wake",
    attempt=1,
    loop_lag_ms=0.3,
    traceback="Traceback (most recent call last):\nValueError: no",
    events=({"at": AT, "kind": "exited", "path": "root/gateway/inbound", "incarnation": 3},),
    tree={"path": "root/gateway/inbound", "last_error": None, "children": []},
    count=1,
    last_at=AT,
)


def as_is(text: str) -> str:
    return text


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def shown(error: BaseException) -> str:
    return dossiers.shown(dossiers.traceback_text(error), as_is, dossiers.TRACEBACK_BYTES)


def test_a_dossier_comes_back_as_it_was_written(tmp_path):
    directory = tmp_path / "crashes"

    assert dossiers.keep(directory, [DOSSIER], as_is) == []

    assert names(directory) == ["20270115T080000.250Z_1a2b3c4d.json"]
    assert dossiers.read(directory, "1a2b3c4d") == DOSSIER
    assert dossiers.read_all(directory) == ([DOSSIER], [])
    assert DOSSIER.to_json()["when"] == "2027-01-15T08:00:00.250+00:00"


def test_what_a_later_version_adds_is_passed_over():
    assert dossiers.from_json(DOSSIER.to_json() | {"mailbox": [1]}) == DOSSIER


def test_a_later_state_replaces_the_earlier_one(tmp_path):
    later = replace(DOSSIER, count=2_000, last_at=AT + 30)

    dossiers.keep(tmp_path, [DOSSIER], as_is)
    dossiers.keep(tmp_path, [later], as_is)

    assert dossiers.read_all(tmp_path) == ([later], [])


def test_S41_directory_and_files_are_private_whatever_the_umask(tmp_path):
    directory = tmp_path / "crashes"
    directory.mkdir(mode=0o777)
    before = os.umask(0)
    try:
        directory.chmod(0o777)
        dossiers.keep(directory, [DOSSIER], as_is)
    finally:
        os.umask(before)

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [stat.S_IMODE(entry.stat().st_mode) for entry in directory.iterdir()] == [0o600]


@pytest.mark.parametrize("planted", ["directory", "file"])
def test_S44_nothing_is_written_through_a_planted_link(tmp_path, planted):
    elsewhere, directory = tmp_path / "elsewhere", tmp_path / "crashes"
    if planted == "directory":
        elsewhere.mkdir()
        directory.symlink_to(elsewhere)
    else:
        elsewhere.write_text("mine")
        directory.mkdir()
        (directory / f"{dossiers.file_name(DOSSIER)}.new").symlink_to(elsewhere)

    failures = dossiers.keep(directory, [DOSSIER], as_is)

    assert [type(failure) for failure in failures] == [OSError if planted == "file" else NotADirectoryError]
    assert list(elsewhere.iterdir()) == [] if planted == "directory" else elsewhere.read_text() == "mine"


def test_S46_no_text_of_it_holds_a_secret(tmp_path):
    url = f"https://api.telegram.org/bot{TOKEN}/getUpdates"
    loud = replace(
        DOSSIER,
        path=f"root/{SECRET}",
        reason=f"HTTPError: {url}",
        message=SECRET,
        through=(SECRET,),
        traceback=f"  raise HTTPError({url!r})\nHTTPError: {SECRET}",
        events=({"kind": "exited", "reason": f"HTTPError: {url}", "odd": Path(SECRET)},),
        tree={"last_error": url, "policy": {"restart": SECRET}, "children": [{"last_error": SECRET}]},
    )

    dossiers.keep(tmp_path, [loud], Redaction([SECRET]).redact)

    (file,) = tmp_path.iterdir()
    text = file.read_text()
    assert TOKEN.partition(":")[2] not in text
    assert SECRET not in text
    assert text.count(REDACTED) == 11


@pytest.mark.parametrize("size", [dossiers.TEXT_BYTES, dossiers.TRACEBACK_BYTES])
@pytest.mark.parametrize("nearer", [1, 2])
@pytest.mark.parametrize("behind", [False, True])
def test_S46_a_secret_across_a_cut_is_not_left_in_half(size, nearer, behind):
    redact = Redaction([SECRET]).redact
    for before in range(size // nearer - 60, size // nearer + 30, 6):
        words = ["-" * before, "-" * (3 * size)]

        text = dossiers.shown(SECRET.join(reversed(words) if behind else words), redact, size)

        assert "left out" in text
        assert not any(part in text for part in (SECRET[:4], SECRET[-4:])), before


# --- text --------------------------------------------------------------------------------------------------------------


def test_the_traceback_has_the_causes():
    def fail() -> None:
        try:
            raise KeyError("deep")
        except KeyError as cause:
            raise ValueError("high") from cause

    with pytest.raises(ValueError, match="high") as raised:
        fail()

    text = dossiers.traceback_text(raised.value)

    assert text == "".join(traceback.format_exception(raised.value))
    assert text.index("KeyError: 'deep'") < text.index("direct cause") < text.index("ValueError: high")


class Hostile(Exception):
    """Its texts raise."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Worse(Exception):
    """Not even its cause can be had."""

    @property
    def __cause__(self) -> BaseException:  # type: ignore[override]
        raise RuntimeError("no cause")


@pytest.mark.parametrize("error", [Hostile(), Worse(), ExceptionGroup("g", [Hostile(), Worse()])])
def test_to_format_a_traceback_never_raises(error):
    assert type(error).__name__ in dossiers.traceback_text(error)


def test_a_recursion_is_bounded_and_keeps_its_last_line():
    def down(n: int) -> None:
        return up(n)

    def up(n: int) -> None:
        return down(n + 1)

    try:
        down(0)
    except RecursionError as error:
        text = shown(error)

    lines = text.splitlines()
    assert len(lines) == dossiers.TEXT_LINES
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("RecursionError")
    assert sum("left out" in line for line in lines) == 1


@pytest.mark.parametrize("text", ["x" * 10_000_000, "\N{PILE OF POO}" * 1_000_000, "\udc80" * 1_000_000])
def test_an_endless_message_is_bounded_in_bytes(text):
    error = ValueError(text)
    kept = shown(error)

    assert len(dossiers.traceback_text(error)) < 3 * dossiers.TRACEBACK_BYTES, "it waits in memory"
    assert dossiers.TRACEBACK_BYTES - 100 < len(kept.encode(errors="replace")) <= dossiers.TRACEBACK_BYTES
    assert kept.count(" bytes left out ") == 1


def test_no_text_makes_a_dossier_large(tmp_path):
    endless = "x" * 1_000_000
    large = replace(DOSSIER, reason=endless, traceback=endless, events=({"reason": endless},) * 30)

    dossiers.keep(tmp_path, [large], as_is)

    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < dossiers.TRACEBACK_BYTES + 35 * dossiers.TEXT_BYTES


def test_a_lone_surrogate_is_written_and_read(tmp_path):
    odd = replace(DOSSIER, reason="OSError: a\udc80b")

    assert dossiers.keep(tmp_path, [odd], as_is) == []
    assert dossiers.read(tmp_path, odd.id) == odd


# --- how long ----------------------------------------------------------------------------------------------------------


def test_the_newest_are_kept_by_number_and_by_size():
    small = [(f"2027{n:04}", 1) for n in range(dossiers.KEPT_FILES + 2)]
    assert dossiers.outlived(small[::-1]) == ["20270001", "20270000"]
    assert dossiers.outlived(small[2:]) == []

    half = dossiers.KEPT_BYTES // 2
    assert dossiers.outlived([("a", half), ("b", half), ("c", 1)]) == ["a"]
    assert dossiers.outlived([("a", half), ("b", half)]) == []


def test_only_dossiers_are_ever_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(dossiers, "KEPT_FILES", 2)
    ours = [replace(DOSSIER, id=f"{n:08x}", at=AT + n) for n in range(5)]
    for name in ("notes.txt", "20000101T000000.000Z_old.txt", "a_b.json.new"):
        (tmp_path / name).write_text("")

    assert dossiers.keep(tmp_path, ours, as_is) == []

    assert dossiers.ids(tmp_path) == ["00000004", "00000003"]
    assert {name for name in names(tmp_path) if not name.endswith(".json")} == {
        "notes.txt",
        "20000101T000000.000Z_old.txt",
    }


def test_each_that_cannot_be_written_is_one_error_and_the_others_are_kept(tmp_path, monkeypatch):
    real = dossiers.write_private

    def full(path: Path, data: bytes) -> None:
        if "_00000001" in path.name:
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(dossiers, "write_private", full)

    failures = dossiers.keep(tmp_path, [replace(DOSSIER, id=f"{n:08x}") for n in range(3)], as_is)

    assert [failure.errno for failure in failures] == [28]
    assert sorted(dossiers.ids(tmp_path)) == ["00000000", "00000002"]


# --- reading -----------------------------------------------------------------------------------------------------------


def test_where_nothing_was_written_nothing_is_names(tmp_path):
    assert dossiers.read_all(tmp_path / "none") == ([], [])
    assert dossiers.ids(tmp_path / "none") == []
    with pytest.raises(LookupError):
        dossiers.read(tmp_path / "none", "1a")


BROKEN = ["", "{", "[]", "null", "{}", "[" * 100_000, '{"id": "1a2b3c4d"}']
WRONG = [
    {"at": "now"},
    {"at": float("nan")},
    {"last_at": 1e300},
    {"events": [1]},
    {"tree": []},
    {"count": None},
]


@pytest.mark.parametrize("text", [*BROKEN, *(json.dumps(DOSSIER.to_json() | wrong) for wrong in WRONG)])
def test_a_file_that_is_none_is_named_and_the_others_are_read(tmp_path, text):
    dossiers.keep(tmp_path, [DOSSIER], as_is)
    broken = tmp_path / "20990101T000000.000Z_00000000.json"
    broken.write_text(text)

    found, unreadable = dossiers.read_all(tmp_path)

    assert found == [DOSSIER]
    (why,) = unreadable
    assert str(broken) in why
    with pytest.raises(NotADossier, match="00000000"):
        dossiers.read(tmp_path, "00000000")


def test_the_list_is_newest_first(tmp_path):
    three = [replace(DOSSIER, id=f"{n:08x}", at=AT + n) for n in (1, 0, 2)]
    dossiers.keep(tmp_path, three, as_is)

    assert [dossier.id[-1] for dossier in dossiers.read_all(tmp_path)[0]] == ["2", "1", "0"]


def test_a_prefix_finds_and_a_miss_names_near_ones():
    known = ["1a2b3c4d", "1a000000", "ffff0000", "99999999"]

    assert dossiers.matching(known, "1a2") == ["1a2b3c4d"]
    assert dossiers.matching(known, "1a") == ["1a2b3c4d", "1a000000"]
    assert dossiers.matching(known, "2") == []
    assert dossiers.near(known, "1a2b3c4e") == ["1a2b3c4d"]
    assert dossiers.near(known, "zzz") == known[:3]
    assert dossiers.near([], "zzz") == []
