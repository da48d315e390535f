"""The files of jobs, shared with the original: ``cron/jobs.json`` owns what the jobs are.

    look  ─▶ Book, if the file is another than before        change ─ lock ─▶ read ─▶ entries ─▶ write, synced, at once

Of a file that is still the one we know nothing is read again, and of one that is written anew only the entries that are
others are put into words: most of what a busy day costs. Whoever writes holds ``cron/.jobs.lock`` (flock), as the original
does. What a file holds that we do not understand is kept: keys, entries, their order, a list without anything around it. One
that cannot be read is never written over. Answers are kept in ``cron/output/<job>/<Y-m-d_H-M-S>.md``.
"""

import contextlib
import fcntl
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
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
_CUT = re.compile(r"_\d{8}_\d{6}(_\d+)?\.txt")
"""How the file of what had to be cut is called after its job (``hermes.ops.outputs``)."""

Stamp = tuple[int, int, int] | None
T = TypeVar("T")

_Document = tuple[list[Any], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Line:
    """An entry, never changed in place: as it stands in the file, and the job that it is or the fault that makes it none."""

    entry: Any
    text: str
    job: Job | None
    fault: str


@dataclass(frozen=True, slots=True)
class Book:
    """What the file holds: the jobs that are understood, by id, and what is wrong with the others. ``stamp`` tells this
    version of the file from others. ``unreadable`` says why, if it is; then nothing is known of the jobs. ``lines`` are all
    entries, in their order, and ``around`` is what stands about them; None: nothing, the file is a list.
    """

    jobs: Mapping[str, Job]
    faults: tuple[str, ...] = ()
    stamp: Stamp = None
    unreadable: str = ""
    lines: tuple[Line, ...] = ()
    around: Mapping[str, Any] | None = None


NOTHING = Book({}, around={"jobs": ()})
"""A home in which there are no jobs."""


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


def look(home: Path, zone: tzinfo, seen: Book = NOTHING) -> Book | None:
    """The jobs of ``home``; None if the file is still the one of ``seen``. Blocks on the disk, and raises nothing."""
    stamp = _stamp(home / DIRECTORY / JOBS)
    return None if stamp is not None and stamp == seen.stamp else _read(home, zone, seen, stamp)


def change(
    home: Path, zone: tzinfo, now: float, edit: Callable[[list[Any]], T], seen: Book = NOTHING
) -> tuple[T, Book]:
    """Have ``edit`` put other entries in the place of some, under the lock, and write them down if it has. What it returns, and
    the jobs as they are now. ``edit`` changes the list, and no entry that is in it. ``seen`` is what the caller knows of the
    file.

    Blocks on the disk. Raises ``BadJob`` where the file cannot be read or locked, ``OSError`` where it cannot be written, and
    what ``edit`` raises; then nothing is changed.
    """
    path = home / DIRECTORY / JOBS
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with _locked(path.parent / LOCK):
        book = look(home, zone, seen) or seen
        if book.unreadable:
            raise BadJob(f"{book.unreadable}; it is left as it is, and no job can be changed")
        before = [line.entry for line in book.lines]
        entries = list(before)
        result = edit(entries)
        if entries == before:
            return result, book
        around = None if book.around is None else {**book.around, "updated_at": iso(now, zone)}
        book = _book(entries, around, zone, book)
        write_durable(path, _written(book).encode("utf-8", "replace"))
        return result, replace(book, stamp=_stamp(path))


def entry_of(entries: list[Any], job_id: str) -> int:
    """Where the entry of a job is. Raises ``BadJob``."""
    for place, entry in enumerate(entries):
        if isinstance(entry, dict) and entry.get("id") == job_id:
            return place
    raise BadJob(f"there is no job {job_id!r:.80}")


def entries_in(home: Path) -> list[Entry]:
    """All entries as they are written. Blocks on the disk. Raises ``BadJob`` where they cannot be read."""
    book = _read(home, UTC, NOTHING, None)
    if book.unreadable:
        raise BadJob(book.unreadable)
    return [line.entry for line in book.lines if isinstance(line.entry, dict)]


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
    directory = home / DIRECTORY / OUTPUT / job.id
    if not directory.is_dir():
        for one in (directory.parent.parent, directory.parent, directory):
            one.mkdir(mode=0o700, exist_ok=True)
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
    for old in sorted(name for name in os.listdir(directory) if name.endswith(".md"))[:-OUTPUTS_KEPT]:
        (directory / old).unlink(missing_ok=True)
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


def drop_outputs(home: Path, job_ids: Iterable[str]) -> None:
    """Nothing of what these jobs have said is kept any more. Blocks on the disk. Raises ``OSError``."""
    directory = home / DIRECTORY / OUTPUT
    for job_id in job_ids:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(directory / job_id)
        for page in directory.glob(f"{job_id}_*.txt"):
            if _CUT.fullmatch(page.name.removeprefix(job_id)):
                page.unlink(missing_ok=True)


def _read(home: Path, zone: tzinfo, seen: Book, stamp: Stamp) -> Book:
    nothing: _Document = ([], NOTHING.around)
    document, faults = read_json(home / DIRECTORY / JOBS, _document, nothing)
    if document is None:
        return Book({}, stamp=stamp, unreadable=faults[0])
    entries, around = document
    return replace(_book(entries, around, zone, seen), stamp=stamp)


def _document(written: object) -> _Document:
    """The entries, and what stands around them; there, nothing stands for the entries."""
    match written:
        case {"jobs": list(entries)}:
            return entries, {**written, "jobs": ()}  # type: ignore[dict-item]
        case dict() if "jobs" not in written:
            return [], {**written, "jobs": ()}
        case list():
            return written, None
        case _:
            raise ValueError("it holds no list of jobs")


def _book(entries: list[Any], around: Mapping[str, Any] | None, zone: tzinfo, seen: Book) -> Book:
    """``seen`` is the book before it: what has not changed since is known."""
    known = {id(line.entry): line for line in seen.lines if line.job is not None}
    lines: list[Line] = []
    jobs: dict[str, Job] = {}
    for place, entry in enumerate(entries, 1):
        line = known.get(id(entry)) or _line(entry, place, zone)
        if line.job is not None and line.job.id in jobs:
            name = line.job.id
            line = Line(entry, line.text, None, _fault(name, f"another job before it has the id {name}"))
        if line.job is not None:
            jobs[line.job.id] = line.job
        lines.append(line)
    return Book(jobs, tuple(line.fault for line in lines if line.fault), lines=tuple(lines), around=around)


def _line(entry: Any, place: int, zone: tzinfo) -> Line:
    text = _json(entry)
    if not isinstance(entry, dict):
        return Line(entry, text, None, _fault(place, "it is no job"))
    try:
        return Line(entry, text, read(entry, zone), "")
    except GatewayError as wrong:
        return Line(entry, text, None, _fault(entry.get("id") or place, wrong.failure.detail))


def _fault(name: object, words: str) -> str:
    return f"job {name!r} of {JOBS} does not run: {words}"


def _written(book: Book) -> str:
    """As ``json.dumps(…, indent=2)`` writes it, to the byte."""
    entries = _block("[]", (line.text for line in book.lines))
    if book.around is None:
        return entries
    parts = {key: entries if key == "jobs" else _json(value) for key, value in book.around.items()}
    return _block("{}", (f"{_json(key)}: {text}" for key, text in parts.items()))


def _block(ends: str, parts: Iterable[str]) -> str:
    inside = ",\n".join(parts).replace("\n", "\n  ")  # within its texts JSON has no line ends
    return f"{ends[0]}\n  {inside}\n{ends[1]}" if inside else ends


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


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
