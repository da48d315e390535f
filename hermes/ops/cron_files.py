"""The files of jobs, shared with the original: ``cron/jobs.json`` owns what the jobs are.

    look  ─▶ Book, if the file is another than before        change ─ lock ─▶ read ─▶ entries ─▶ write, synced, at once

Whoever writes holds ``cron/.jobs.lock`` (flock), as the original does. What a file holds that we do not understand is kept:
keys, entries, their order, a list without anything around it. One that cannot be read is never written over.
Answers are kept in ``cron/output/<job>/<Y-m-d_H-M-S>.md``.
"""

import contextlib
import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, TypeVar

from hermes.cron.job import BadJob, Entry, Job, read
from hermes.cron.schedule import BadSchedule, iso, zone_named
from hermes.ops.files import open_private, write_durable
from hermes.ops.json_files import read_json
from hermes.types.errors import GatewayError

log = logging.getLogger(__name__)

DIRECTORY, JOBS, LOCK, OUTPUT = "cron", "jobs.json", ".jobs.lock", "output"
LOCK_WAIT_S = 4.0
LOCK_AGAIN_S = 0.02
OUTPUTS_KEPT = 50
_STAMP = "%Y-%m-%d_%H-%M-%S"

Stamp = tuple[int, int, int] | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Book:
    """What the file holds: the jobs that are understood, by id, and what is wrong with the others. ``stamp`` tells this
    version of the file from others. ``unreadable`` says why, if it is; then nothing is known of the jobs.
    """

    jobs: dict[str, Job]
    faults: tuple[str, ...] = ()
    stamp: Stamp = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A run that is kept: when it ran, for which instant, and how it ended."""

    at: float
    due_at: float
    state: str


def zone_for(name: str) -> tzinfo:
    """The zone of jobs that name none: ``name``, as it is configured, else the machine's own; else UTC."""
    if name:
        try:
            return zone_named(name)
        except BadSchedule as wrong:
            log.warning("timezone: %s; the machine's own is used", wrong.failure.detail)
    name = (
        os.environ.get("TZ", "").lstrip(":") or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    )
    with contextlib.suppress(BadSchedule):
        return zone_named(name)
    return UTC


def look(home: Path, zone: tzinfo, seen: Stamp) -> Book | None:
    """The jobs of ``home``; None if the file is still the one of stamp ``seen``. Blocks on the disk, and raises nothing."""
    path = home / DIRECTORY / JOBS
    stamp = _stamp(path)
    if stamp is not None and stamp == seen:
        return None
    nothing: Any = []
    document, faults = read_json(path, _document, nothing)
    return Book({}, stamp=stamp, unreadable=faults[0]) if document is None else _book(document, zone, stamp)


def change(home: Path, zone: tzinfo, now: float, edit: Callable[[list[Any]], T]) -> tuple[T, Book]:
    """Have ``edit`` put other entries in the place of some, under the lock, and write them down if it has. What it returns, and
    the jobs as they are now. ``edit`` changes the list, and no entry that is in it.

    Blocks on the disk. Raises ``BadJob`` where the file cannot be read or locked, ``OSError`` where it cannot be written, and
    what ``edit`` raises; then nothing is changed.
    """
    path = home / DIRECTORY / JOBS
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with _locked(path.parent / LOCK):
        nothing: Any = {"jobs": []}
        document, faults = read_json(path, _document, nothing)
        if faults:
            raise BadJob(f"{faults[0]}; it is left as it is, and no job can be changed")
        entries = _entries(document)
        before = list(entries)
        result = edit(entries)
        if entries != before:
            if isinstance(document, dict):
                document["updated_at"] = iso(now, zone)
            write_durable(path, json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "replace"))
        return result, _book(document, zone, _stamp(path))


def entry_of(entries: list[Any], job_id: str) -> int:
    """Where the entry of a job is. Raises ``BadJob``."""
    for place, entry in enumerate(entries):
        if isinstance(entry, dict) and entry.get("id") == job_id:
            return place
    raise BadJob(f"there is no job {job_id!r:.80}; `hermes cron list` shows those there are")


def entries_in(home: Path) -> list[Entry]:
    """All entries as they are written. Blocks on the disk. Raises ``BadJob`` where they cannot be read."""
    nothing: Any = []
    document, faults = read_json(home / DIRECTORY / JOBS, _document, nothing)
    if faults:
        raise BadJob(faults[0])
    return [one for one in _entries(document) if isinstance(one, dict)]


def status(book: Book, counts: Mapping[str, int]) -> Mapping[str, Any]:
    """How things stand, as the command line prints it."""
    waiting = [job for job in book.jobs.values() if job.enabled and job.next_at is not None]
    following = min(waiting, key=lambda job: job.next_at or 0.0, default=None)
    return {
        "jobs": len(book.jobs),
        "enabled": sum(job.enabled for job in book.jobs.values()),
        "next": None
        if following is None
        else {"job": following.id, "name": following.name, "at": following.next_at},
        "faults": [*book.faults, *filter(None, (book.unreadable,))],
        "runs": dict(counts),
    }


def keep_output(home: Path, job: Job, run: Kept, text: str) -> str:
    """Keep what a run has said; returns the path. Beyond ``OUTPUTS_KEPT`` the oldest of the job go. The same run has one file,
    however often it is kept. Blocks on the disk. Raises ``OSError``.
    """
    directory = home / DIRECTORY
    for name in (None, OUTPUT, job.id):
        directory = directory / name if name else directory
        directory.mkdir(mode=0o700, exist_ok=True)
    title = " ".join(job.name.split())
    facts = {
        "Job ID": job.id,
        "Due": iso(run.due_at, job.zone),
        "Run": iso(run.at, job.zone),
        "Schedule": job.schedule.display,
        "State": run.state,
    }
    page = "\n".join(
        [f"# {title}", "", *(f"**{key}:** {value}" for key, value in facts.items()), "", "---", "", text, ""]
    )
    path = directory / f"{datetime.fromtimestamp(run.due_at, job.zone):{_STAMP}}.md"
    with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(page.encode("utf-8", "replace"))
    for old in sorted(one for one in directory.iterdir() if one.suffix == ".md")[:-OUTPUTS_KEPT]:
        old.unlink(missing_ok=True)
    return str(path)


def last_answer(home: Path, path: str, most: int) -> str:
    """What a run has said, as ``keep_output`` has written it down; empty if it is gone. Blocks on the disk."""
    found = Path(path)
    if not found.is_relative_to(home / DIRECTORY / OUTPUT):
        return ""
    try:
        with open(
            os.open(found, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="utf-8", errors="replace"
        ) as file:
            return file.read(most + 4_096).partition("\n---\n\n")[2].strip()[:most]
    except OSError:
        return ""


def _document(written: object) -> Any:
    if isinstance(written, dict) and isinstance(written.get("jobs", []), list):
        written.setdefault("jobs", [])
        return written
    if isinstance(written, list):
        return written
    raise ValueError("it holds no list of jobs")


def _entries(document: Any) -> list[Any]:
    found: list[Any] = document["jobs"] if isinstance(document, dict) else document
    return found


def _book(document: Any, zone: tzinfo, stamp: Stamp) -> Book:
    jobs: dict[str, Job] = {}
    faults: list[str] = []
    for place, entry in enumerate(_entries(document), 1):
        try:
            if not isinstance(entry, dict):
                raise BadJob("it is no job")
            job = read(entry, zone)
            if job.id in jobs:
                raise BadJob(f"another job before it has the id {job.id}")
            jobs[job.id] = job
        except GatewayError as wrong:
            name = entry.get("id") if isinstance(entry, dict) else None
            faults.append(f"job {name or place!r} of {JOBS} does not run: {wrong.failure.detail}")
    return Book(jobs, tuple(faults), stamp)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
    try:
        until = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise BadJob("another program keeps the jobs' file locked; nothing was changed") from None
                time.sleep(LOCK_AGAIN_S)
        yield
    finally:
        os.close(descriptor)
