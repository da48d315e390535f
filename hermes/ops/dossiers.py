"""Crash dossiers: one private file for each crash, in ``<home>/logs/crashes``; how it is named, kept and found again.

20261122T013305.123Z_1a2b3c4d.json        when (UTC), and the id that people type
"""

import json
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hermes.ops.files import write_private

DIRECTORY = Path("logs", "crashes")
"""Below the home."""

KEPT_FILES = 100
KEPT_BYTES = 20_000_000
"""The newest that fit into both; a storm of crashes fills no disk."""

TRACEBACK_BYTES = 64_000
TEXT_BYTES = 2_000
TEXT_LINES = 200
ID_DIGITS = 8

_MARK_BYTES = 32
"""More than half of what says that something was left out."""

_SUFFIX = ".json"
_NEAR = 3
_YEAR_9000 = 221_845_392_000
"""Later than any date that can be shown."""


class NotADossier(ValueError):
    """A file among the dossiers that holds something else; the message names it."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """What was known when an actor crashed. ``at`` and ``last_at`` are seconds since the epoch.

    ``through`` are the children the reason came up by, outermost first. ``message`` is the type of the message in work,
    never the message. ``events`` are supervision events of the actor and its relatives, oldest first; ``tree`` is its node
    of ``hermes tree --json``. ``count`` crashes of the same kind, the last one at ``last_at``, share the first one's details.
    """

    id: str
    at: float
    boot_id: str
    version: str
    path: str
    incarnation: int
    reason: str
    decision: str
    delay_s: float | None
    through: tuple[str, ...]
    message: str | None
    attempt: int | None
    loop_lag_ms: float
    traceback: str
    events: tuple[Mapping[str, Any], ...]
    tree: Mapping[str, Any] | None
    count: int
    last_at: float

    @property
    def when(self) -> str:
        """``at`` as ISO 8601, in UTC."""
        return _utc(self.at).isoformat(timespec="milliseconds")

    def to_json(self) -> dict[str, Any]:
        """As in the file, and as documented for ``hermes crashes show --json``."""
        return {"id": self.id, "when": self.when, **asdict(self)}


def from_json(document: Any) -> Dossier:
    """The inverse of ``to_json``; fields it does not know are passed over. Raises ``NotADossier``."""
    match document:
        case {
            "id": str(),
            "at": int() | float(),
            "boot_id": str(),
            "version": str(),
            "path": str(),
            "incarnation": int(),
            "reason": str(),
            "decision": str(),
            "delay_s": int() | float() | None,
            "through": [*through],
            "message": str() | None,
            "attempt": int() | None,
            "loop_lag_ms": int() | float(),
            "traceback": str(),
            "events": [*events],
            "tree": dict() | None,
            "count": int(),
            "last_at": int() | float(),
        } if all(isinstance(event, dict) for event in events) and all(
            0 <= document[name] < _YEAR_9000 for name in ("at", "last_at")
        ):
            known = {name: document[name] for name in Dossier.__dataclass_fields__}
            return Dossier(**known | {"through": tuple(map(str, through)), "events": tuple(events)})
        case _:
            raise NotADossier("it is not a crash dossier")


# --- text --------------------------------------------------------------------------------------------------------------


def traceback_text(error: BaseException) -> str:
    """The traceback of ``error`` with its causes, of a bounded size. Never raises: the exception is foreign code."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception as wrong:
        return f"The traceback of this {type(error).__name__} cannot be made: {type(wrong).__name__}"
    return _ends(text, TRACEBACK_BYTES)


def shown(text: str, redact: Callable[[str], str], size: int = TEXT_BYTES) -> str:
    """``text`` as it may be written: redacted, and of at most ``size`` bytes and ``TEXT_LINES`` lines."""
    return _clip(redact(_ends(text, size)), size)


def _ends(text: str, size: int) -> str:
    """Twice what will be kept of the two ends of ``text``: a secret that is cut in two here, before it is redacted, lies in
    the part that goes afterwards.
    """
    return text if len(text) <= 2 * size else f"{text[:size]}\n…\n{text[-size:]}"


def _clip(text: str, size: int) -> str:
    kept = text.splitlines()
    if len(kept) > TEXT_LINES:
        head, tail = TEXT_LINES // 2, TEXT_LINES - TEXT_LINES // 2 - 1
        kept[head:-tail] = [f"… {len(kept) - head - tail:,} lines left out …"]
    data = "\n".join(kept).encode(errors="replace")
    if len(data) <= size:
        return "\n".join(kept)
    half = size // 2 - _MARK_BYTES
    mark = f"\n… {len(data) - 2 * half:,} bytes left out …\n"
    return data[:half].decode(errors="ignore") + mark + data[-half:].decode(errors="ignore")


def _shown(value: Any, redact: Callable[[str], str]) -> Any:
    """``value`` as plain data, every text in it as it may be written."""
    match value:
        case str():
            return shown(value, redact)
        case dict():
            return {name: _shown(one, redact) for name, one in value.items()}
        case list() | tuple():
            return [_shown(one, redact) for one in value]
        case None | bool() | int() | float():
            return value
        case _:
            return shown(repr(value), redact)


# --- files -------------------------------------------------------------------------------------------------------------


def file_name(dossier: Dossier) -> str:
    """Names sort by time."""
    moment = _utc(dossier.at)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z_{dossier.id}{_SUFFIX}"


def keep(directory: Path, dossiers: Iterable[Dossier], redact: Callable[[str], str]) -> list[OSError]:
    """Write ``dossiers`` into ``directory``, over their earlier states, and delete what has outlived its time.

    Returns one error for each that could not be written. One caller at a time.
    """
    failures = []
    for dossier in dossiers:
        document = _shown(dossier.to_json(), redact)
        document["traceback"] = shown(dossier.traceback, redact, TRACEBACK_BYTES)
        try:
            _open_directory(directory)
            write_private(directory / file_name(dossier), json.dumps(document).encode() + b"\n")
        except OSError as error:
            failures.append(error)
    with suppress(OSError):  # a disk that is as bad as that takes no dossier either
        _prune(directory)
    return failures


def outlived(files: Iterable[tuple[str, int]]) -> list[str]:
    """Of dossiers by name and size in bytes: the names of those that are too many or too much, the oldest."""
    gone, total = [], 0
    for number, (name, size) in enumerate(sorted(files, reverse=True), start=1):
        total += size
        if number > KEPT_FILES or total > KEPT_BYTES:
            gone.append(name)
    return gone


def _open_directory(directory: Path) -> None:
    """Make ``directory`` where it is missing, for this user alone; it may not be a symbolic link."""
    directory.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _prune(directory: Path) -> None:
    files = [entry for entry in os.scandir(directory) if entry.is_file(follow_symlinks=False)]
    ours = [(file.name, file.stat(follow_symlinks=False).st_size) for file in files if _id_in(file.name)]
    unfinished = [file.name for file in files if file.name.endswith(f"{_SUFFIX}.new")]
    for name in [*outlived(ours), *unfinished]:
        (directory / name).unlink(missing_ok=True)


# --- reading -----------------------------------------------------------------------------------------------------------


def ids(directory: Path) -> list[str]:
    """The ids of all dossiers, newest first; none where there is no directory. Raises ``OSError``."""
    return [_id_in(name) for name in _names(directory)]


def read_all(directory: Path) -> tuple[list[Dossier], list[str]]:
    """All dossiers, newest first, and of those that cannot be read why, with the file's name. Raises ``OSError``."""
    dossiers, unreadable = [], []
    for name in _names(directory):
        try:
            dossiers.append(_read(directory / name))
        except FileNotFoundError:
            pass  # its time was over between the look and the reading
        except (OSError, NotADossier) as error:
            unreadable.append(str(error))
    return sorted(dossiers, key=lambda dossier: dossier.at, reverse=True), unreadable


def read(directory: Path, id: str) -> Dossier:
    """The newest dossier of that id. Raises ``OSError``, ``NotADossier``; ``LookupError`` where there is none."""
    for name in _names(directory):
        if _id_in(name) == id:
            return _read(directory / name)
    raise LookupError(id)


def matching(known: Sequence[str], wanted: str) -> list[str]:
    """Which of ``known`` begin with ``wanted``."""
    return [one for one in known if one.startswith(wanted)]


def near(known: Sequence[str], wanted: str) -> list[str]:
    """A few of ``known`` that ``wanted`` may have meant; the first ones where nothing resembles it."""
    alike = get_close_matches(wanted, known, _NEAR, cutoff=0.4)
    return alike or list(known[:_NEAR])


def _names(directory: Path) -> list[str]:
    try:
        return sorted(filter(_id_in, os.listdir(directory)), reverse=True)
    except FileNotFoundError:
        return []


def _id_in(name: str) -> str:
    """The id in a dossier's file name; empty for other files."""
    moment, separator, rest = name.partition("_")
    return rest.removesuffix(_SUFFIX) if moment and separator and rest.endswith(_SUFFIX) else ""


def _read(path: Path) -> Dossier:
    data = path.read_bytes()
    try:
        return from_json(json.loads(data))
    except (ValueError, RecursionError) as wrong:
        detail = wrong if isinstance(wrong, NotADossier) else "it is not JSON"
        raise NotADossier(f"{path}: {detail}") from wrong


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
