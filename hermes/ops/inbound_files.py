"""Files that people send, in the home's cache: under safe names, private, and there only if they are whole.

    <home>/cache/<kind>s/<key>_<safe name>                      while it comes: <key>.<token>.part

``key`` says which file of which message it is. So a turn that is run again finds what it has fetched before, nobody finds what
was sent elsewhere, and no name that a sender chose decides where a file goes or what it replaces. Every function blocks on
the disk and raises ``OSError``. Pieces are written by path, not through a descriptor that is held: a call that nobody waits
for any more can then end at any time, and does no harm.
"""

import hashlib
import json
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import get_args, get_type_hints
from urllib.parse import unquote

from hermes.ops.files import open_private
from hermes.types.events import Attachment, InboundEvent

CACHE = "cache"
MOST_NAME_BYTES = 100
MOST_SUFFIX_BYTES = 16
KEY_DIGITS = 24
HEAD_BYTES = 16

KINDS = frozenset(get_args(get_type_hints(Attachment)["kind"]))
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
_MIME = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
_SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/mp4": ".m4a",
    "video/mp4": ".mp4",
    "application/zip": ".zip",
}
"""The types that are known by their first bytes."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole file: ``path`` is absolute, ``name`` its safe name, ``mime`` what its bytes say, else what its sender says."""

    path: str
    name: str
    mime: str | None
    size_bytes: int


def file_key(event: InboundEvent, index: int) -> str:
    """Which file it is: the same in every attempt, and no other's."""
    origin, ref = event.origin, event.attachments[index].ref
    whole = json.dumps([origin.platform, origin.account, event.event_id, index, ref])
    return hashlib.sha256(whole.encode()).hexdigest()[:KEY_DIGITS]


def find(home: Path, key: str, attachment: Attachment) -> Kept | None:
    """The file, if it has been fetched before. It counts as new: nobody cleans it away before it is read."""
    directory = _directory(home, attachment)
    if not directory.is_dir():
        return None
    for path in directory.glob(f"{key}_*"):
        if S_ISREG(path.lstat().st_mode):
            os.utime(path)
            return _kept(path, key, attachment)
    return None


def begin(home: Path, key: str, token: str, attachment: Attachment) -> Path:
    """An empty file for what will come."""
    directory = _directory(home, attachment)
    for place in (directory.parent, directory):
        place.mkdir(mode=0o700, exist_ok=True)
        place.chmod(0o700)
    part = directory / f"{key}.{token}.part"
    os.close(open_private(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    return part


def add(_home: Path, part: Path, data: bytes) -> None:
    """Put ``data`` at its end. Synced, so that a file that is there is whole after a power cut too."""
    with open(open_private(part, os.O_WRONLY | os.O_APPEND), "wb") as file:
        file.write(data)
        file.flush()
        os.fdatasync(file.fileno())


def keep(_home: Path, part: Path, key: str, attachment: Attachment) -> Kept:
    """All of it has come: from now on it is there."""
    name = safe_name(attachment.name, attachment.kind, _SUFFIXES.get(_mime(part, attachment) or "", ""))
    path = part.replace(part.with_name(f"{key}_{name}"))
    return _kept(path, key, attachment)


def drop(_home: Path, part: Path) -> None:
    """It will not come."""
    part.unlink(missing_ok=True)


def safe_name(name: str | None, kind: str, suffix: str = "") -> str:
    """What a sender calls a file, as a name that means nothing to a shell, a path, a terminal or Windows (S38): its last part,
    decoded once, of letters, digits, dots, dashes and underscores. ``kind`` and ``suffix`` make one where nothing is left.
    """
    last = unquote(name or "").replace("\\", "/").rpartition("/")[2]
    plain = "".join(map(_plain, unicodedata.normalize("NFC", last))).strip("._")
    short = _cut(plain).strip("._") or f"{kind if kind in KINDS else 'document'}{suffix}"
    return f"_{short}" if _DEVICE.match(short) else short


def sniffed(head: bytes) -> str | None:
    """The type that a file's first bytes say; None for what is not told by them."""
    for begins, mime in (
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"OggS", "audio/ogg"),
        (b"ID3", "audio/mpeg"),
        (b"PK\x03\x04", "application/zip"),
    ):
        if head.startswith(begins):
            return mime
    match head[:4], head[4:8], head[8:12]:
        case b"RIFF", _, b"WEBP":
            return "image/webp"
        case b"RIFF", _, b"WAVE":
            return "audio/wav"
        case _, b"ftyp", b"M4A ":
            return "audio/mp4"
        case _, b"ftyp", brand if brand[:3] in (b"mp4", b"iso", b"avc", b"M4V", b"3gp", b"das"):
            return "video/mp4"  # other brands are pictures (HEIC, AVIF) or QuickTime's
    # A frame of MPEG audio, layer III.
    return "audio/mpeg" if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 else None


def _kept(path: Path, key: str, attachment: Attachment) -> Kept:
    return Kept(str(path), path.name.removeprefix(f"{key}_"), _mime(path, attachment), path.stat().st_size)


def _mime(path: Path, attachment: Attachment) -> str | None:
    """The bytes decide. What the sender says counts for types that they do not tell, and for what a zip holds."""
    with path.open("rb") as file:
        found = sniffed(file.read(HEAD_BYTES))
    declared = (attachment.mime or "").partition(";")[0].strip().lower()
    if not _MIME.fullmatch(declared) or declared in _SUFFIXES:
        return found
    if found == "application/zip":
        return declared if declared.startswith("application/vnd.") or declared.endswith("+zip") else found
    return found or declared


def _directory(home: Path, attachment: Attachment) -> Path:
    return home / CACHE / f"{attachment.kind if attachment.kind in KINDS else 'document'}s"


def _plain(character: str) -> str:
    """Marks are parts of letters in many scripts; all else that is not seen or means something is an underscore."""
    return character if character in ".-" or unicodedata.category(character)[0] in "LMN" else "_"


def _cut(name: str) -> str:
    """At most ``MOST_NAME_BYTES`` of UTF-8, with its extension."""
    if len(name.encode()) <= MOST_NAME_BYTES:
        return name
    stem, dot, end = name.rpartition(".")
    suffix = f"{dot}{end}".encode()
    if not stem or len(suffix) > MOST_SUFFIX_BYTES:
        stem, suffix = name, b""
    return (stem.encode()[: MOST_NAME_BYTES - len(suffix)] + suffix).decode(errors="ignore")
