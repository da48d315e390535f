"""The conversations of a home of the original, from wherever they stand.

state.db: gateway_routing ─┐                     state.db: sessions ─┐
sessions/sessions.json ────┴─▶ which are present ────────────────────┴─▶ stretches ─▶ messages: of state.db, or of
                                                                         sessions/<id>.jsonl where that has more
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hermes.importing.findings import Finding, Level, unreadable
from hermes.importing.history import stretches
from hermes.importing.routes import Unsafe, read_routes, safe_id
from hermes.importing.transcripts import DIRECTORY, messages, transcripts
from hermes.ops.json_files import read_json
from hermes.ops.whatsapp_aliases import read_aliases
from hermes.store.import_ops import OldConversation, OldStretch
from hermes.store.original import NAME, NEWEST_KNOWN, OriginalDatabase, Row, original_database, parsed
from hermes.types.errors import GatewayError
from hermes.types.ids import SessionId, SessionKey

MIRROR = f"{DIRECTORY}/sessions.json"


@dataclass(frozen=True, slots=True)
class OldHome:
    """``stretches`` in the order in which they began. ``files`` has the messages of these sessions, ``database`` those of the
    others. ``messages``: how many that are together. ``findings`` name what cannot be used, and what is strange.
    """

    database: OriginalDatabase | None
    stretches: Sequence[OldStretch]
    files: Mapping[SessionId, Path]
    messages: int
    findings: Sequence[Finding]

    @property
    def whole(self) -> bool:
        """No file is there that cannot be read."""
        return not any(one.level == "unreadable" for one in self.findings)

    @property
    def conversations(self) -> int:
        """How many there are."""
        return len({one.conversation.session_key for one in self.stretches})


def holds_conversations(home: Path) -> bool:
    """True if there may be some."""
    return (home / NAME).exists() or (home / DIRECTORY).is_dir()


@contextmanager
def old_home(home: Path) -> Iterator[OldHome]:
    """What ``home`` holds; nothing in it is changed. Blocks. What cannot be read is found to be so, and the rest is there.

    Raises ``OSError`` where the home itself cannot be read.
    """
    with ExitStack() as stack:
        try:
            database = stack.enter_context(original_database(home / NAME)) if (home / NAME).exists() else None
            found = _look(home, database)
        except GatewayError as wrong:
            words = wrong.failure.detail.removeprefix(f"{home / NAME}: ")
            found = _look(home, None, Finding(home / NAME, "unreadable", words))
        yield found


def _look(home: Path, database: OriginalDatabase | None, *before: Finding) -> OldHome:
    findings = list(before)
    aliases = read_aliases(home).aliases
    known = _mirrored(home, aliases, findings) | _routed(home, database, aliases, findings)
    rows = _sessions(home, database, findings)
    lengths = {} if database is None else database.lengths()
    counts = {
        one: (path, sum(1 for _ in messages(path, findings)))
        for one, path in transcripts(home, findings).items()
    }
    files = {
        one: path
        for one, (path, count) in counts.items()
        if one not in lengths or count > lengths[one].messages
    }
    found = stretches(known, rows, lengths, files, aliases)
    total = sum(
        counts[one][1] if one in files else lengths[one].messages
        for one in (stretch.session_id for stretch in found)
        if one in files or one in lengths
    )
    return OldHome(database, found, files, total, findings)


def _routed(
    home: Path, database: OriginalDatabase | None, aliases: Mapping[str, str], findings: list[Finding]
) -> dict[SessionKey, OldConversation]:
    """Routes of another directory count too, as those of a home that was moved; ours go before them."""
    if database is None:
        return {}
    ours, rows = str(home / DIRECTORY), database.routes()
    for old in sorted({scope for scope, _, _ in rows} - {"", ours}):
        words = f"its conversations are noted for {old}: the home was moved, and they are used all the same"
        findings.append(Finding(home / NAME, "remark", words))
    ordered = sorted(rows, key=lambda row: row[0] == ours)
    entries = [(str(key), parsed(entry)) for _, key, entry in ordered]
    return read_routes(entries, home / NAME, aliases, findings)


def _mirrored(
    home: Path, aliases: Mapping[str, str], findings: list[Finding]
) -> dict[SessionKey, OldConversation]:
    nothing: Mapping[str, object] = {}
    entries, faults = read_json(home / MIRROR, _entries, nothing)
    findings.extend(unreadable(home / MIRROR, faults))
    return read_routes((entries or nothing).items(), home / MIRROR, aliases, findings)


def _entries(document: object) -> Mapping[str, object]:
    if not isinstance(document, dict):
        raise ValueError("it holds no conversations")
    return document


def _sessions(home: Path, database: OriginalDatabase | None, findings: list[Finding]) -> dict[SessionId, Row]:
    if database is None:
        return {}
    file, found = home / NAME, dict[SessionId, Row]()
    if database.schema is not None and database.schema > NEWEST_KNOWN:
        words = f"it has schema {database.schema}, and {NEWEST_KNOWN} is the newest that is known"
        findings.append(Finding(file, "unsafe", f"{words}: what is called the same is read"))
    findings.extend(Finding(file, "skipped", words) for words in database.faults)
    for row in database.sessions():
        try:
            found[safe_id(row["id"])] = row
        except ValueError as wrong:
            level: Level = "unsafe" if isinstance(wrong, Unsafe) else "skipped"
            findings.append(Finding(file, level, f"{wrong}; not used"))
    return found
