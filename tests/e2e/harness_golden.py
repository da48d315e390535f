"""A home of the original, as people have it, and what may become of it: every entry compared with what it was.

settle(golden, home) … before = look(home) … a gateway runs … compare(name, before, look(home)) ─▶ Report
"""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hermes.testing.telegram import TOKEN

GOLDEN = Path(__file__).parents[3] / "shared/reference"
"""Not in the repository: what needs it says so where it is missing."""

GENERATIONS = ("golden_home_0_13", "golden_home_0_19")

BESIDE: Mapping[str, bytes] = {
    "SOUL.md": b"You are calm.\n",
    "auth.json": b'{"openai": {"token": "not ours"}}',
    "kanban.db": b"SQLite format 3\0 not ours",
    "response_store.db": b"SQLite format 3\0 not ours",
    "processes.json": b"[]",
    "cron.pid": b"4711",
    "active_profile": b"default\n",
    "sticker_cache.json": b'{"AgAD": {"description": "a cat"}}',
    "webhook_subscriptions.json": b"{}",
    "shell-hooks-allowlist.json": b'{"approvals": []}',
    "channel_aliases.json": b'{"telegram": {"111": "my own chat"}}',
    "checkpoints/a1b2/HEAD": b"ref: refs/heads/main\n",
    "gateway/dead_targets.json": b"{}",
    "gateway/restart_loop.json": b'{"restarts": []}',
    "state/gateway.heartbeat": b"1795292754.1",
    ".clean_shutdown": b"",
    ".restart_failure_counts": b"{}",
    "gateway-starts.log": b"2026-11-21T20:26:15\n",
    "memories/MEMORY.md": b"# What I know\n",
    "memories/USER.md": b"# Alice\n",
    "skills/greet/SKILL.md": b"---\nname: greet\n---\nSay hello.\n",
    "hooks/audit/HOOK.yaml": b"name: audit\ndescription: nothing\nevents: [agent:end]\n",
    "hooks/audit/handler.py": b"async def handle(event_type, context):\n    return None\n",
    "profiles/coder/config.yaml": b"model: {default: another}\n",
    "profiles/coder/.env": b"TELEGRAM_BOT_TOKEN=8888888888:AAF0000000000000000000000000000000\n",
    "profiles/coder/platforms/pairing/telegram-approved.json": b'{"999": {"user_name": "Mallory", "approved_at": 1.0}}',
    "profiles/coder/cron/jobs.json": b'{"jobs": [], "updated_at": null}',
    "logs/agent.log": b"2026-11-21 20:26:15 INFO of the original\n",
    "cache/images/0123.png": b"of the original",
    "node_modules/bridge/index.js": b"// not ours\n",
}
"""What people have in such a home besides, in part of other programs."""

ENV = (
    "\ufeff# my tokens\r\nexport TELEGRAM_BOT_TOKEN={token}\r\n\r\n  # kept\r\nOPENAI_API_KEY='sk-1 # no remark'\r\n"
    'MULTI="one\r\ntwo"\r\nDISCORD_BOT_TOKEN=\r\nODD LINE\r\nLAST=1'
)
"""As an editor on Windows leaves it: a mark at the beginning, its line ends, none at the end."""

LINES_OF_SETHOME = re.compile(r"TELEGRAM_HOME_CHANNEL(_NAME|_THREAD_ID)?=.*")

Check = Callable[[str, str], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """What may become other than it was, or appear: ``path`` matches it. ``check`` says what is wrong with it then."""

    path: str
    why: str
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory as it is on disk."""

    mode: int
    content: bytes | None
    """None: a directory."""


@dataclass
class Report:
    """What has become of one home."""

    name: str
    unchanged: int = 0
    changed: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [f"  {path:<44} {why}" for path, why in self.changed]
        ends = [f"  WRONG: {one}" for one in self.wrong] or ["  nothing else is new, gone or other"]
        return "\n".join([f"{self.name}: {self.unchanged} entries byte for byte as they were", *rows, *ends])


# --- a home, as it was ---------------------------------------------------------------------------------------------------


def settle(golden: Path, home: Path, config: str = "_config_version: 33\n") -> None:
    """A copy of ``golden`` with what people have beside it, private as the original keeps it."""
    shutil.copytree(golden, home)
    for name, content in BESIDE.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(content)
    (home / ".env").write_bytes(ENV.format(token=TOKEN).encode())
    (home / "config.yaml").write_text(config)
    for path in (home, *home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    (home / "SOUL.md").chmod(0o644)
    (home / "config.yaml").chmod(0o640)
    _open_log(home / "state.db")


def _open_log(database: Path) -> None:
    """As a program leaves it that was killed: with rows that stand in the write-ahead log alone."""
    log = database.with_name("state.db-wal")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO state_meta VALUES ('left', 'in the log')")
        connection.commit()
        kept = {path: path.read_bytes() for path in (database, log)}
    for path, content in kept.items():
        path.write_bytes(content)
        path.chmod(0o600)


def look(home: Path) -> dict[str, Entry]:
    """Everything in it."""
    return {
        str(path.relative_to(home)): Entry(
            path.lstat().st_mode & 0o7777, path.read_bytes() if path.is_file() else None
        )
        for path in sorted(home.rglob("*"))
        if not path.is_socket()
    }


# --- what may become of it -----------------------------------------------------------------------------------------------


def _env(before: str, after: str) -> Iterator[str]:
    """All lines are there, byte for byte and in order; what is new is what /sethome sets."""
    left = before.splitlines(keepends=True)
    for line in after.splitlines(keepends=True):
        if left and line.rstrip("\r\n") == left[0].rstrip("\r\n") and (line == left[0] or len(left) == 1):
            left.pop(0)
        elif not LINES_OF_SETHOME.fullmatch(line.strip()):
            yield f"a line that was not there: {line!r}"
    yield from (f"a line that is gone: {line!r}" for line in left)


RUNNING = {
    "repeat",
    "state",
    "enabled",
    "next_run_at",
    "last_run_at",
    "last_status",
    "last_error",
    "last_delivery_error",
}
"""What a run changes in a job."""


def _jobs(before: str, after: str) -> Iterator[str]:
    """Each job with all its fields, in their order; only what a run changes is other, and of the same kind."""
    old, new = json.loads(before), json.loads(after)
    if new.keys() != old.keys():
        yield f"around the jobs stand {sorted(new)}, not {sorted(old)}"
    theirs, ours = ([job["id"] for job in document["jobs"]] for document in (old, new))
    if ours != theirs:
        yield f"the jobs were {theirs}, are {ours}"
    for was, now in zip(old["jobs"], new["jobs"], strict=False):
        if [key for key in now if key in was] != list(was):
            yield f"job {was['id']}: its fields were {list(was)}, are {list(now)}"
        for key in was.keys() & now.keys() - RUNNING:
            if was[key] != now[key]:
                yield f"job {was['id']}: {key} was {was[key]!r}, is {now[key]!r}"
        if more := now.keys() - was.keys():
            yield f"job {was['id']}: fields that the original does not know: {sorted(more)}"
        for key in ("next_run_at", "last_run_at", "created_at"):
            if now[key] is not None and datetime.fromisoformat(now[key]).tzinfo is None:
                yield f"job {was['id']}: {key} names no zone: {now[key]}"
        if now["repeat"].keys() != {"times", "completed"}:
            yield f"job {was['id']}: repeat is {now['repeat']}"


GRANT = {"user_name": str, "approved_at": float}
CODE = {"user_id": str, "user_name": str, "created_at": float}
HASHED = {"hash": str, "salt": str, **CODE}


def _approved(before: str, after: str) -> Iterator[str]:
    """Whoever was let in is, as it was written; the others look the same."""
    was, now = json.loads(before or "{}"), json.loads(after)
    yield from (f"{user} was {row}, is {now.get(user)}" for user, row in was.items() if now.get(user) != row)
    yield from _rows(now, GRANT)


def _pending(before: str, after: str) -> Iterator[str]:
    """Codes in the shape of either generation; those that were there stand as they were, or are past their hour."""
    was, now = json.loads(before or "{}"), json.loads(after)
    for key, row in now.items():
        if row != was.get(key):
            yield from _rows({key: row}, HASHED)
            if not re.fullmatch("[0-9a-f]{16}", key) or not re.fullmatch("[0-9a-f]{32}", row["salt"]):
                yield f"{key} is no name of a code, or its salt is none"


def _limits(before: str, after: str) -> Iterator[str]:
    for key, value in json.loads(after).items():
        if not isinstance(value, int | float) or ":" not in key:
            yield f"{key} is {value!r}"


def _rows(rows: Mapping[str, Any], shape: Mapping[str, type]) -> Iterator[str]:
    for key, row in rows.items():
        if not row.keys() >= shape.keys() or any(
            not isinstance(row[name], kind) for name, kind in shape.items()
        ):
            yield f"{key} is {row}"


def _channels(before: str, after: str) -> Iterator[str]:
    document = json.loads(after)
    if document.keys() != {"updated_at", "platforms"}:
        yield f"it holds {sorted(document)}"
    for chat in (one for chats in document["platforms"].values() for one in chats):
        if not {"id", "name", "type", "thread_id"} <= chat.keys() or not isinstance(chat["id"], str):
            yield f"a chat is {chat}"


def _state(before: str, after: str) -> Iterator[str]:
    document = json.loads(after)
    wanted = json.loads(before or "{}").keys()
    if missing := wanted - document.keys():
        yield f"it says nothing of {sorted(missing)}"


RULES = (
    Rule(r"gateway\.(pid|lock)", "who runs; the lock is the kernel's"),
    Rule(r"gateway_state\.json", "how it is, in the original's schema", _state),
    Rule(r"logs(/.*)?", "logs"),
    Rule(r"gateway\.db(-wal|-shm)?|run(/.*)?|crashes(/.*)?", "ours"),
    Rule(r"channel_directory\.json", "names of chats, in its shape", _channels),
    Rule(r"platforms/pairing/telegram-approved\.json", "the stranger is in", _approved),
    Rule(r"platforms/pairing/[a-z]+-pending\.json", "codes, hashed", _pending),
    Rule(r"platforms/pairing/_rate_limits\.json", "when codes were asked for", _limits),
    Rule(r"cron/jobs\.json", "what runs change in jobs, and nothing else", _jobs),
    Rule(
        r"cron/(\.jobs\.lock|\.tick\.lock|ticker_heartbeat|ticker_last_success)",
        "the original's marks of a ticker",
    ),
    Rule(r"cron/output(/.*)?", "answers of jobs"),
    Rule(r"\.env", "/sethome's variables, all other lines byte for byte", _env),
    Rule(r"hooks/[^/]+/__pycache__(/.*)?", "Python's own"),
    Rule(r"backups(/.*)?", "the home as it was before the import"),
)


def compare(
    name: str, before: Mapping[str, Entry], after: Mapping[str, Entry], rules: Sequence["Rule"] = ()
) -> Report:
    """What is other by now, and which of it may not be by ``rules``."""
    report = Report(name)
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was == now:
            report.unchanged += 1
            continue
        rule = next((rule for rule in rules if re.fullmatch(rule.path, path)), None)
        what = "new" if was is None else "gone" if now is None else "other"
        if rule is None:
            report.wrong.append(f"{path} is {what}{_modes(was, now)}")
            continue
        report.changed.append((path, f"{what}: {rule.why}"))
        if now is None:
            if path not in ("gateway.pid", "gateway.db-wal", "gateway.db-shm"):
                report.wrong.append(f"{path} is gone")
        elif now.mode & 0o077:
            report.wrong.append(f"{path} can be read by others: {now.mode:o}")
        elif now.content is not None and rule.check is not None:
            texts = (((was and was.content) or b"").decode(), now.content.decode())
            report.wrong += [f"{path}: {one}" for one in rule.check(*texts)]
    return report


def _modes(was: Entry | None, now: Entry | None) -> str:
    return f", its mode {was.mode:o} is {now.mode:o}" if was and now and was.mode != now.mode else ""
