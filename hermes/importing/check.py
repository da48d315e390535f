"""What becomes of each thing in a home of the original, said before anything is done. Only reads; blocks."""

import os
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Literal

from hermes.config.dotenv import NAME as DOTENV
from hermes.config.load import load
from hermes.config.paths import CONFIG_NAME, LEGACY_NAME
from hermes.config.unknown import unknown_keys
from hermes.hooks.programs import ALLOWLIST
from hermes.importing.findings import Finding, Level
from hermes.importing.old_home import MIRROR, OldHome
from hermes.importing.transcripts import DIRECTORY, ENDING
from hermes.ops import cron_files
from hermes.ops.channel_files import ALIASES, read_channels
from hermes.ops.channel_files import DIRECTORY as CHANNELS
from hermes.ops.dead_target_file import FILE as DEAD_TARGETS
from hermes.ops.dead_target_file import read_dead_targets
from hermes.ops.holder import Holder, holder
from hermes.ops.json_files import read_json
from hermes.ops.pairing_files import PairingFiles
from hermes.ops.whatsapp_aliases import DIRECTORIES, read_aliases
from hermes.store.original import NAME as STATE
from hermes.store.original import NEWEST_KNOWN
from hermes.types.errors import GatewayError

Verdict = Literal["understood", "ignored", "unreadable"]

MOST_NAMED = 5
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_PAIRING = ("pairing", "platforms/pairing")
_SECRET = (DOTENV, STATE, f"{STATE}-wal", "auth.json", MIRROR)
"""Files with tokens, or with what people wrote; and all of ``_PAIRING`` and the transcripts."""

_ITS_RUN = "what the original notes of its own runs"
_FIXED: Mapping[str, tuple[Verdict, str]] = {
    "SOUL.md": ("understood", "goes to the agent as it is"),
    "memories": ("understood", "MEMORY.md and USER.md go to the agent as they are"),
    "skills": ("ignored", "left for the original: the built-in agents have no skills"),
    "plugins": (
        "understood",
        "loaded when the gateway starts; `hermes plugins list` says what became of each",
    ),
    "scripts": ("understood", "run by the jobs that name them"),
    "logs": ("understood", "logs of ours go beside them"),
    "cache": ("understood", "files that people send go there"),
    "gateway.pid": ("understood", "written anew by each run"),
    "gateway.lock": ("understood", "the same lock is taken, so that only one gateway runs here"),
    "gateway_state.json": ("understood", "written anew by each run, as the original writes it"),
    "state.db-wal": ("understood", "part of state.db"),
    "state.db-shm": ("understood", "part of state.db"),
    "gateway": ("ignored", _ITS_RUN),
    "gateway-starts.log": ("ignored", _ITS_RUN),
    "cron.pid": ("ignored", _ITS_RUN),
    "cron": ("understood", "jobs go there"),
    "platforms": ("ignored", "files of its adapters"),
    "active_profile": ("understood", "which home is meant, where neither --home nor HERMES_HOME says"),
    "state": ("ignored", _ITS_RUN),
    "processes.json": ("ignored", _ITS_RUN),
    "sticker_cache.json": ("ignored", "stickers are not described"),
    "webhook_subscriptions.json": ("ignored", "there is no webhook platform yet"),
    DIRECTORY: ("understood", "transcripts that the database holds too"),
    "profiles": ("ignored", "never touched: each is a home of its own, for --home"),
    "auth.json": ("ignored", "never touched: signing in is the original's"),
    "kanban.db": ("ignored", "never touched"),
    "response_store.db": ("ignored", "never touched"),
    "checkpoints": ("ignored", "never touched"),
    "hermes-agent": ("ignored", "never touched: the original itself"),
}
_OURS = frozenset({"gateway.db", "gateway.db-wal", "gateway.db-shm", "run", "backups", "crashes"})


@dataclass(frozen=True, slots=True)
class Row:
    """One thing: ``words`` say what it holds and what becomes of it. ``unsafe``: what has to be put right, or looked at."""

    path: str
    verdict: Verdict
    words: str
    unsafe: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """``version`` is that of the original, as far as it can be told; ``holder`` runs on the home now."""

    home: Path
    version: str
    holder: Holder | None
    rows: tuple[Row, ...]

    @property
    def good(self) -> bool:
        """Nothing is in the way of taking it over."""
        return self.holder is None and not any(row.unsafe or row.verdict == "unreadable" for row in self.rows)


def check(home: Path, environ: Mapping[str, str], old: OldHome) -> Checked:
    """All there is in ``home``; ``old`` is what was found of its conversations. Raises ``OSError`` where it cannot be read."""
    rows: list[Row] = []
    for look in (_settings, _pairing, _jobs, _hooks, _channels, _whatsapp):
        rows += look(home, environ)
    rows += _conversations(home, old)
    seen = {Path(row.path).parts[0] for row in rows} | _OURS
    for name in sorted(os.listdir(home)):
        if name not in seen:
            rows.append(Row(name, *_FIXED.get(name, _other(name))))
    return Checked(home, _version(old), holder(home), tuple(_with_modes(home, row) for row in rows))


def _other(name: str) -> tuple[Verdict, str]:
    return "ignored", _ITS_RUN if name.startswith(".") else "not known, and left alone"


def _version(old: OldHome) -> str:
    schema = None if old.database is None else old.database.schema
    if schema is None:
        return "unknown"
    known = "0.19" if schema == NEWEST_KNOWN else "0.13" if schema <= 11 else "0.13 to 0.19"
    return f"{known if schema <= NEWEST_KNOWN else 'later than 0.19'} (schema {schema})"


def _settings(home: Path, environ: Mapping[str, str]) -> Iterator[Row]:
    there = [name for name in (DOTENV, CONFIG_NAME, LEGACY_NAME) if (home / name).exists()]
    try:
        settings = load(home, environ)
    except GatewayError as wrong:
        for name in there:
            lines = [line for line in wrong.failure.detail.splitlines() if line.startswith(str(home / name))]
            words = "; ".join(lines) or "not looked at, for the others cannot be used"
            yield Row(name, "unreadable" if lines or len(there) == 1 else "ignored", words)
        return
    for name in there:
        match name:
            case ".env":
                places = [place for place in settings.environ.places.values() if place.startswith(str(home))]
                faults = tuple(fault for fault in settings.environ.faults if "chmod" not in fault)
                yield Row(name, "understood", f"{many(len(places), 'variable')}", remarks=faults)
            case _:
                unknown = tuple(unknown_keys(settings.written)) if name == CONFIG_NAME else ()
                exposed = (settings.exposed,) if settings.exposed and name == CONFIG_NAME else ()
                yield Row(name, "understood", "settings; unknown keys are kept", exposed, unknown)


def _pairing(home: Path, _environ: Mapping[str, str]) -> Iterator[Row]:
    seen = PairingFiles(home, lambda _platform: str).look()
    there = [place for place in _PAIRING if (home / place).is_dir()]
    if not there:
        return
    people = sum(map(len, seen.grants.values()))
    waiting = sum(len(book.pending) for book in seen.books.values())
    words = f"{many(people, 'person', 'people')} let in, {many(waiting, 'code')} waiting"
    if len(there) > 1:
        words += f"; there are two, and what {there[0]} says goes first"
    for place in there:
        faults = [fault for fault in seen.faults.values() if fault.startswith(f"{home / place}/")]
        yield Row(place, "unreadable" if faults else "understood", "; ".join(faults) or words)


def _jobs(home: Path, _environ: Mapping[str, str]) -> Iterator[Row]:
    if not (home / cron_files.DIRECTORY / cron_files.JOBS).exists():
        return
    book = cron_files.look(home, UTC) or cron_files.NOTHING
    path = f"{cron_files.DIRECTORY}/{cron_files.JOBS}"
    if book.unreadable:
        yield Row(path, "unreadable", book.unreadable)
    else:
        yield Row(path, "understood", f"{many(len(book.jobs), 'job')} to go on with", remarks=book.faults)


def _hooks(home: Path, _environ: Mapping[str, str]) -> Iterator[Row]:
    if (home / "hooks").is_dir():
        count = sum(1 for path in (home / "hooks").iterdir() if (path / "HOOK.yaml").exists())
        yield Row(
            "hooks", "understood", f"{many(count, 'hook')}; `hermes hooks list` says what became of each"
        )
    if (home / ALLOWLIST).exists():
        _, faults = read_json(home / ALLOWLIST, lambda found: found, None)
        words = "; ".join(faults) or "what may be run is run"
        yield Row(ALLOWLIST, "unreadable" if faults else "understood", words)


def _channels(home: Path, _environ: Mapping[str, str]) -> Iterator[Row]:
    read = read_channels(home)
    rows = {
        CHANNELS: f"{many(sum(map(len, read.directory.values())), 'chat')} by name; made anew while the gateway runs",
        ALIASES: "names that you have given to chats",
    }
    for name, words in rows.items():
        if (home / name).exists():
            faults = [fault for fault in read.faults if fault.startswith(str(home / name))]
            yield Row(name, "unreadable" if faults else "understood", "; ".join(faults) or words)
    if (home / DEAD_TARGETS).exists():
        dead, wrong = read_dead_targets(home)
        words = "; ".join(wrong) or f"{many(len(dead), 'chat')} in which nobody is reached"
        yield Row(str(DEAD_TARGETS), "unreadable" if wrong else "understood", words)


def _whatsapp(home: Path, _environ: Mapping[str, str]) -> Iterator[Row]:
    for place in DIRECTORIES:
        if (home / place).is_dir():
            found = read_aliases(home)
            words = f"{many(len(found.aliases), 'address', 'addresses')} that belong together"
            yield Row(str(place), "understood", words, remarks=found.faults)
            return


def _conversations(home: Path, old: OldHome) -> Iterator[Row]:
    if (home / STATE).exists():
        words = f"{many(old.conversations, 'conversation')}, {many(old.messages, 'message')} with those of {DIRECTORY}/;"
        words += " never written to"
        if old.database is not None and (left := old.database.undelivered()):
            words += f"; {many(left, 'answer')} that may not have arrived: not sent again"
        yield _found(STATE, words, [one for one in old.findings if one.file == home / STATE])
    if (home / MIRROR).exists():
        words = "which conversation is where; what the database says goes before it"
        yield _found(MIRROR, words, [one for one in old.findings if one.file == home / MIRROR])
    files = [one for one in old.findings if one.file.suffix == ENDING]
    if old.files or files:
        said = [Finding(one.file, one.level, str(one)) for one in files]
        words = f"{many(len(old.files), 'transcript')} with more than the database has"
        yield _found(f"{DIRECTORY}/*{ENDING}", words, said)


def _found(path: str, words: str, findings: Sequence[Finding]) -> Row:
    def of(*levels: Level) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.words for one in findings if one.level in levels))

    if of("unreadable"):
        return Row(path, "unreadable", "; ".join(of("unreadable")), of("unsafe"), of("skipped", "remark"))
    return Row(path, "understood", words, of("unsafe"), of("skipped", "remark"))


def _with_modes(home: Path, row: Row) -> Row:
    """With a word for each of its files that others may read, if it keeps secrets. Into a home that is private nobody gets."""
    if not home.stat().st_mode & _OTHERS:
        return row
    private = [home / row.path] if row.path in _SECRET else []
    if row.path in _PAIRING:
        private = sorted((home / row.path).glob("*.json"))
    elif row.path.endswith(ENDING):
        private = sorted((home / DIRECTORY).glob(f"*{ENDING}"))
    found = tuple(words for path in private if (words := _exposed(path)))
    more = (f"and {len(found) - MOST_NAMED} more",) if len(found) > MOST_NAMED else ()
    return replace(row, unsafe=(*row.unsafe, *found[:MOST_NAMED], *more))


def _exposed(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    if not found.st_mode & _OTHERS:
        return ""
    return f"other users of this machine may look into it: chmod 600 {shlex.quote(str(path))}"


def many(count: int, one: str, more: str = "") -> str:
    """How many of what, in words; ``more``: where an s is not enough."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"
