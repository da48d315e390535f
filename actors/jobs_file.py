"""The jobs as cron knows them: what the file says, and what has become of them that it does not say yet.

    jobs.json ─ look ─▶ Book ─▶ due          claimed · report ─▶ kept ─ write_down ─▶ jobs.json, all of it at once

Part of cron. What is kept may be lost in a crash: the claims are in the store, and a time that is claimed is not fired again.
So it may wait a moment for more of its kind, and a minute in which many jobs are due writes the file once.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import Any

import trio

from actors.firing import Report
from actors.ports.files import HomeFiles
from hermes.cron import job as jobs
from hermes.cron.job import Job
from hermes.ops import cron_files, cron_ticker
from hermes.ops.cron_files import NOTHING, Book, entry_of
from hermes.types.errors import GatewayError
from hermes.types.ids import Clock

log = logging.getLogger(__name__)

LOOK_S = 10.0
"""How often the file is looked at, whatever is due: others may change it."""

WRITE_S = 2.0
"""How long what is to be written may wait for more of its kind."""

OTHERS = "another program runs the jobs of this home; they are run here as soon as it has ended"


@dataclass(frozen=True, slots=True)
class _Step:
    """What has been claimed of a job."""

    job: Job
    next_at: float | None
    completed: int


class JobsFile:
    """Owned by one incarnation of cron."""

    def __init__(self, files: HomeFiles, clock: Clock, zone: tzinfo) -> None:
        self._files = files
        self._clock = clock
        self._zone = zone
        self._book = NOTHING
        self._steps: dict[str, _Step] = {}
        self._reports: list[Report] = []
        self._told: set[str] = set()
        self._lock = cron_ticker.TickerLock()
        self._due_at: float | None = None
        self._beaten_at = -math.inf
        self.ours = True
        """No other program runs these jobs."""
        self.look_at = -math.inf
        self.write_at = math.inf

    @property
    def jobs(self) -> Mapping[str, Job]:
        """Those that are understood, by id."""
        return self._book.jobs

    @property
    def unreadable(self) -> str:
        """Why the file is not, if it is not; the jobs are then those of before."""
        return self._book.unreadable

    # --- what is due ----------------------------------------------------------------------------------------------------

    @property
    def due_at(self) -> float:
        """When the next job is due, by the clock; infinite for none."""
        if self._due_at is None:
            self._due_at = min(map(self._at, self.jobs.values()), default=math.inf)
        return self._due_at

    def due(self, now: float) -> Iterator[Job]:
        """Jobs that are due. One that is enabled and has no time is too: somebody has written it by hand."""
        if self.due_at <= now:
            yield from (job for job in self.jobs.values() if self._at(job) <= now)

    def stands(self, job: Job) -> tuple[float | None, int]:
        """When it is next due and how often it has run, as far as that is claimed."""
        step = self._step(job)
        return (job.next_at, job.completed) if step is None else (step.next_at, step.completed)

    def claimed(self, job: Job, next_at: float | None, completed: int) -> None:
        """Its times until ``next_at`` are; None: it is over."""
        self._steps[job.id] = _Step(job, next_at, completed)
        self._due_at = None
        self._to_write()

    def report(self, *reports: Report) -> None:
        """What became of firings."""
        if reports:
            self._reports += reports
            self._to_write()

    def _step(self, job: Job) -> _Step | None:
        step = self._steps.get(job.id)
        return step if step is not None and _times(step.job) == _times(job) else None

    def _at(self, job: Job) -> float:
        if not job.enabled:
            return math.inf
        step = self._step(job)
        if step is None:
            return -math.inf if job.next_at is None else job.next_at
        return math.inf if step.next_at is None else step.next_at

    def _to_write(self) -> None:
        self.write_at = min(self.write_at, trio.current_time() + WRITE_S)

    # --- the file ---------------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Read it, if it is another than before."""
        self.look_at = trio.current_time() + LOOK_S
        try:
            self.ours, book = await self._files.run(self._look, self._clock.wall())
        except GatewayError as slow:
            self._tell(slow.failure.detail)
            return
        if not self.ours:
            self._tell(OTHERS)
        if book is not None:
            self._adopt(book)

    def _look(self, home: Path, now: float) -> tuple[bool, Book | None]:
        """In a thread."""
        ours = self._lock.take(home)
        book = cron_files.look(home, self._zone, self._book)
        if ours and not 0 <= now - self._beaten_at < cron_ticker.BEAT_S:
            self._beaten_at = now
            cron_ticker.beat(home, now, well=not (book or self._book).unreadable)
        return ours, book

    def _adopt(self, book: Book) -> None:
        for words in (*book.faults, *filter(None, (book.unreadable,))):
            self._tell(words)
        # A file that cannot be read now says nothing of the jobs it held: they stay as they were.
        self._book = (
            Book(self._book.jobs, stamp=book.stamp, unreadable=book.unreadable) if book.unreadable else book
        )
        self._due_at = None

    async def write_down(self) -> None:
        """What is kept. If it cannot be written now, it stays so until the next time."""
        steps, reports = dict(self._steps), list(self._reports)
        self.write_at = math.inf
        if not steps and not reports:
            return
        edit = partial(_edit, steps=steps, reports=reports, zone=self._zone)
        try:
            _, book = await self._files.run(
                cron_files.change, self._zone, self._clock.wall(), edit, self._book
            )
        except (OSError, GatewayError) as wrong:
            self._tell(f"the jobs' file could not be brought up to date: {wrong}")
            self.write_at = trio.current_time() + LOOK_S
            return
        self._told.clear()
        for name, step in steps.items():
            if self._steps.get(name) == step:
                del self._steps[name]
        del self._reports[: len(reports)]
        self._adopt(book)

    def close(self) -> None:
        """Others may run the jobs."""
        self._lock.release()

    def _tell(self, words: str) -> None:
        if words not in self._told:
            self._told.add(words)
            log.warning("%s", words)


def _times(job: Job) -> object:
    """What a claim is about; whatever else somebody has changed since, it goes on."""
    return job.schedule, job.zone, job.next_at, job.times, job.completed


def _edit(entries: list[Any], *, steps: Mapping[str, _Step], reports: list[Report], zone: tzinfo) -> None:
    """An entry goes on only if its times are still those that were claimed; one with other times begins anew."""
    for name, step in steps.items():
        try:
            place = entry_of(entries, name)
            if _times(jobs.read(entries[place], zone)) == _times(step.job):
                entries[place] = jobs.advanced(entries[place], step.job, step.next_at, step.completed)
        except GatewayError:
            continue
    for report in reports:
        try:
            place = entry_of(entries, report.job_id)
        except GatewayError:
            continue
        entries[place] = jobs.reported(entries[place], report.at, zone, report.error, report.delivery_error)
