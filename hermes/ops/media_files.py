"""Files that an answer takes with it: which may go, and copies of those that do (S39). Everything here blocks on the disk.

    a path ─▶ its directory without links ─▶ below a root, and not denied? ─▶ opened, without a last link ─▶ the same still,
    a plain file, not too large ─▶ <home>/cache/outbound/<delivery id>.<token>/<n>_<name>

The copy is what is sent: nothing can be put in its place meanwhile, and a retry after a restart sends what was meant. A hard link
would share later changes.
"""

import logging
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO
from urllib.parse import quote, unquote

from hermes.config.model import Media as Config
from hermes.delivery import media_tags
from hermes.delivery.media_tags import Extracted, Named, Refusal
from hermes.ops.files import open_private
from hermes.ops.inbound_files import safe_name
from hermes.types.content import Capabilities, Media
from hermes.types.ids import DeliveryId

MOST_FILES = 10
"""Of one answer."""

MOST_LOOKED_AT = 100
"""So many names of an answer are looked for on the disk."""

OUTBOUND = ("cache", "outbound")
ROOTS = ("cache", "cron/output")
"""Below the home: what may go without being asked for."""

DENIED = ("/etc", "/proc", "/sys", "/dev", "/boot", "/run", "/var/run", "/var/log")
DENIED_OF_USER = (
    *(".ssh", ".aws", ".gnupg", ".kube", ".docker", ".azure", ".password-store", ".netrc", ".pgpass"),
    *(".config/gcloud", ".config/gh", ".mozilla"),
)
DENIED_OF_HOME = ("run", "logs", "pairing", "backups", "/".join(OUTBOUND))
"""And every file that lies in the home itself: its settings, its keys, its databases."""

PIECE_BYTES = 1 << 20

_COPIES = re.compile(r"[A-Za-z0-9_.%~-]+\.[0-9a-f]{8}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """What may go besides the home's own: what lies in ``allow_dirs`` (relative ones: below the home), and what was changed at
    most ``recent_s`` ago, wherever it is. Nothing hidden ever, and nothing that is denied. ``user_home`` stands for ``~``.
    """

    user_home: str
    allow_dirs: tuple[str, ...] = ()
    recent_s: float | None = None


def media_policy(config: Config) -> Policy:
    """The policy of the configuration, for this user of the machine."""
    recent_s = config.trust_recent_files_seconds if config.trust_recent_files else None
    # An empty entry, perhaps a variable that is not set, would be the home itself.
    allowed = tuple(one for one in config.allow_dirs if one.strip())
    return Policy(os.path.expanduser("~"), allowed, recent_s)


def gather(
    home: Path,
    policy: Policy,
    text: str,
    media: Sequence[Media],
    *,
    copies: str,
    capabilities: Capabilities,
    now: float,
) -> Extracted:
    """What of an answer is read, and its files as they are sent: those that ``text`` names, then ``media``. ``copies`` is where
    the copies go, a name that ``copies_name`` has made; ``now`` is in epoch seconds. Of a file that does not go, the log says
    which, and why.
    """
    look = _Look(home, policy, home.joinpath(*OUTBOUND, copies), capabilities, now)
    found = media_tags.extract(text, policy.user_home, look)
    named = (Named(one.ref, one.kind, one.name, one.caption) for one in media if one.ref not in look.sent)
    verdicts = [look(one) for one in named]
    look.sync()
    handed = tuple(one for one in verdicts if isinstance(one, Media))
    refused = tuple(one for one in verdicts if not isinstance(one, Media))
    return replace(found, media=(*found.media, *handed), refused=(*found.refused, *refused))


def copies_name(delivery_id: DeliveryId, token: str) -> str:
    """Where the copies for a message go; ``token`` is eight hex digits, and new in every attempt, because one that was given up
    may still be writing.
    """
    return f"{quote(delivery_id, safe='')}.{token}"


def copied(home: Path) -> dict[str, tuple[DeliveryId, float]]:
    """All copies there are: for which message, and since when, in epoch seconds."""
    found: dict[str, tuple[DeliveryId, float]] = {}
    directory = home.joinpath(*OUTBOUND)
    if _is_directory(directory):
        for one in directory.iterdir():
            if _COPIES.fullmatch(one.name) and _is_directory(one):
                delivery_id = DeliveryId(unquote(one.name.rpartition(".")[0]))
                found[one.name] = delivery_id, one.lstat().st_mtime
    return found


def drop_copies(home: Path, names: Sequence[str]) -> None:
    """Remove copies that ``copied`` has told of."""
    for name in names:
        shutil.rmtree(home.joinpath(*OUTBOUND, name), ignore_errors=True)


def open_copy(ref: str, max_bytes: int) -> BinaryIO:
    """A copy, open for reading. Raises ``OSError``; also if it is no plain file, or larger than ``max_bytes``."""
    file = open(os.open(ref, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: SIM115
    info = os.fstat(file.fileno())
    if not S_ISREG(info.st_mode) or info.st_size > max_bytes:
        file.close()
        raise OSError(f"{ref} is not what was sent")
    return file


def read_copy(ref: str, max_bytes: int) -> bytes:
    """The bytes of a copy. Raises what ``open_copy`` does."""
    with open_copy(ref, max_bytes) as file:
        return file.read(max_bytes)


class _Look:
    """``media_tags.Look``: copies what may go. ``sent`` are the names of what has been."""

    def __init__(
        self, home: Path, policy: Policy, directory: Path, capabilities: Capabilities, now: float
    ) -> None:
        self.sent: set[str] = set()
        self._looked_at = 0
        self._directory, self._capabilities = directory, capabilities
        self._recent_s, self._now = policy.recent_s, now
        self._home = os.path.realpath(home)
        of_user = (f"{policy.user_home}/{one}" for one in DENIED_OF_USER)
        of_home = (f"{self._home}/{one}" for one in DENIED_OF_HOME)
        self._denied = [os.path.realpath(one) for one in (*DENIED, *of_user, *of_home)]
        allowed = (re.sub("^~(?=/|$)", lambda _: policy.user_home, one) for one in policy.allow_dirs)
        self._roots = [os.path.realpath(home.joinpath(one)) for one in (*ROOTS, *allowed)]

    def __call__(self, named: Named) -> Media | Refusal:
        kind = media_tags.fitting(named.kind, self._capabilities)
        name = "".join(filter(str.isprintable, named.name or named.ref.rpartition("/")[2]))
        media = Media(kind or named.kind, named.ref, name, media_tags.mime_of(name), named.caption)
        if kind is None or (kind != named.kind and named.ref.startswith("https://")):
            return "unsupported"
        try:
            if len(self.sent) >= MOST_FILES:
                raise _NotSent("denied", f"an answer takes {MOST_FILES} files at most")
            sent = media if named.ref.startswith("https://") else self._copied(media)
        except _NotSent as why:
            return self._refused(named, why.refusal, str(why))
        except (OSError, ValueError) as wrong:
            return self._refused(named, "denied", str(wrong))
        self.sent.add(named.ref)
        return sent

    def sync(self) -> None:
        """The names of the copies last through a power cut, as the copies do."""
        if self._directory.exists():
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _refused(self, named: Named, refusal: Refusal, why: str) -> Refusal:
        if named.sure:  # a path in a sentence need not be a file at all
            log.warning("%r is not sent: %s", named.ref, why)
        return refusal

    def _copied(self, media: Media) -> Media:
        self._looked_at += 1
        if self._looked_at > MOST_LOOKED_AT:
            raise _NotSent("denied", f"{MOST_LOOKED_AT} names of an answer are looked for at most")
        with open(self._open(media.ref), "rb") as file:
            for directory in (self._directory.parent.parent, self._directory.parent, self._directory):
                directory.mkdir(mode=0o700, exist_ok=True)
            copy = self._directory / f"{len(self.sent)}_{safe_name(media.name, 'document')}"
            with open(open_private(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as target:
                try:
                    size = 0
                    while piece := file.read(PIECE_BYTES):
                        size += len(piece)
                        if size > (most := self._capabilities.max_media_bytes):
                            raise _NotSent("too_large", f"the platform takes {most:,} bytes at most")
                        target.write(piece)
                    target.flush()
                    os.fsync(target.fileno())
                except BaseException:
                    copy.unlink(missing_ok=True)
                    raise
        return replace(media, ref=str(copy), size_bytes=size)

    def _open(self, path: str) -> int:
        """A descriptor of ``path``, which may go. Raises ``_NotSent``, ``OSError``, ``ValueError``."""
        directory, name = os.path.split(path)
        if not directory.startswith("/") or name in ("", ".", ".."):
            raise _NotSent("denied", "it is not the whole path of a file")
        real = os.path.join(os.path.realpath(directory), name)
        if not (in_root := self._in_root(real)) and self._recent_s is None:
            raise _NotSent("denied", "it lies in no directory from which files may go")
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            info = os.fstat(descriptor)
            if not S_ISREG(info.st_mode):
                raise _NotSent("denied", "it is no plain file")
            if os.readlink(f"/proc/self/fd/{descriptor}") != real:
                raise _NotSent("denied", "it was moved while it was opened")
            if not in_root and not self._is_recent(info.st_mtime):
                raise _NotSent("denied", "it lies in no directory from which files may go, and is not new")
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _in_root(self, real: str) -> bool:
        """Whether it lies below a root. Raises ``_NotSent`` if it may not go wherever it lies."""
        if os.path.dirname(real) == self._home or any(_below(real, one) is not None for one in self._denied):
            raise _NotSent("denied", "nothing of what lies there is ever sent")
        at_home = _below(real, self._home) is not None
        roots = [root for root in self._roots if not at_home or _below(root, self._home) is not None]
        inside = [part for root in roots if (part := _below(real, root)) is not None]
        if at_home and not inside:
            raise _NotSent("denied", "what is open around the home does not open the home")
        if all(map(_is_hidden, inside or [real])):
            raise _NotSent("denied", "it is hidden")
        return bool(inside)

    def _is_recent(self, modified_at: float) -> bool:
        return self._recent_s is not None and abs(self._now - modified_at) <= self._recent_s


class _NotSent(Exception):
    """Why a file does not go, for the log."""

    def __init__(self, refusal: Refusal, why: str) -> None:
        super().__init__(why)
        self.refusal: Refusal = refusal


def _below(path: str, directory: str) -> str | None:
    """What of ``path`` comes after ``directory``; None if it lies elsewhere."""
    if path == directory:
        return ""
    return (
        path.removeprefix(f"{directory.rstrip('/')}/")
        if path.startswith(f"{directory.rstrip('/')}/")
        else None
    )


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _is_directory(path: Path) -> bool:
    """As such, not by a link: what is dropped must be ours."""
    try:
        return S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
