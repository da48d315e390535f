"""Cron: the ticker. Looks at the clock and at the file of jobs, claims what is due, and starts a child for each firing.

    jobs.json ─ look ─▶ due (hermes.cron.misfire) ─▶ claim, one commit a job ─▶ firing (a child) ─▶ Down
                                                        └▶ jobs.json: next_run_at, completed, last_*

A claim (job, instant) is unique for ever, and comes before anything else: neither a crash between two of these steps nor a
file that says an old time fires anything twice. Nothing here waits for a firing. What nobody carries out any more is
``interrupted`` when this actor begins; what can be gone on with without doing anything twice is.
"""

import logging
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from typing import Any, assert_never

import trio

from actors import firing
from actors.ports.files import HomeFiles
from actors.ports.services import Services
from actors.receipts import Receipts
from hermes.cron import job as jobs
from hermes.cron.job import Job
from hermes.cron.misfire import due
from hermes.cron.schedule import BadSchedule, first
from hermes.ops import cron_files
from hermes.ops.cron_files import Book, entry_of
from hermes.store.cron_ops import (
    Claim,
    Claimed,
    CronRun,
    EndRun,
    Reclaim,
    ReleaseClaims,
    RunEnd,
)
from hermes.types import texts
from hermes.types.errors import GatewayError
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reasons import describe, exception_of, is_clean
from supervisors.reply import Reply
from supervisors.spec import ChildSpec

log = logging.getLogger(__name__)

LOOK_S = 10.0
"""How often the clock and the file are looked at, whatever is due: either may have been changed by others."""

GRACE_S = 30.0
"""How long after its deadline a firing may take to end, before it is given up."""

MOST_ATTEMPTS = 3
"""Boots that may begin one run; then it stays interrupted."""

MOST_WAITING = 100
"""Runs of one job that wait for the one before them; what is due beyond that is skipped."""

OVERLAP = "the run before it was not over"


@dataclass(frozen=True, slots=True)
class Look:
    """The file may have changed."""


@dataclass(frozen=True, slots=True)
class RunNow:
    """Fire a job at once, whatever its schedule says; ``reply`` gets its run, or the ``GatewayError`` why not."""

    job_id: str
    reply: Reply[CronRun]


Message = Look | RunNow | Stop | Down


@dataclass(slots=True)
class _Firing:
    """A live child."""

    job: Job
    run: CronRun
    until: float
    """When it is given up, in Trio's time."""
    report: list[firing.Report] = field(default_factory=list)
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """What has been claimed of a job, and is not in the file yet."""

    job: Job
    next_at: float | None
    completed: int


async def run(ctx: Context[Message], services: Services, files: HomeFiles) -> None:
    """Ready at once; the file, which is the user's, is read after that."""
    ctx.ready()
    ticker = _Ticker(ctx, services, files)
    await ticker.take_up()
    while True:
        wake_at = await ticker.tick()
        message: Message | None = None
        with trio.move_on_at(wake_at):
            message = await ctx.receive()
        match message:
            case None | Look():
                pass
            case RunNow():
                await ticker.run_now(message)
            case Down():
                await ticker.ended(message)
            case Stop():
                return
            case _:
                assert_never(message)


class _Ticker:
    def __init__(self, ctx: Context[Message], services: Services, files: HomeFiles) -> None:
        self._ctx = ctx
        self._services = services
        self._files = files
        self._zone = cron_files.zone_for(services.config.timezone)
        self._book = Book({})
        self._steps: dict[str, _Step] = {}
        self._reports: list[firing.Report] = []
        self._live: dict[str, _Firing] = {}
        self._waiting: defaultdict[str, deque[CronRun]] = defaultdict(deque)
        self._receipts = Receipts(services)
        self._told: set[str] = set()

    # --- at the start -------------------------------------------------------------------------------------------------------

    async def take_up(self) -> None:
        """Go on with what others have left, where that does nothing twice."""
        services = self._services
        await self._look()
        for left in await services.store.write(ReleaseClaims(services.clock.wall())):
            job = self._book.jobs.get(left.job_id)
            begun = left.attempts > 0
            if job is None or left.attempts >= MOST_ATTEMPTS or (begun and job.kind == "script"):
                log.warning("the run of job %s that was due %s stays interrupted", left.job_id, left.due_at)
                self._reports.append(
                    firing.Report(left.job_id, services.clock.wall(), texts.CRON_INTERRUPTED, "")
                )
            elif await services.store.write(Reclaim(left.run_id, services.boot_id)):
                self._begin(job, left)

    # --- the tick -------------------------------------------------------------------------------------------------------------

    async def tick(self) -> float:
        """Claim and start what is due; returns when to look again, in Trio's time."""
        if self._services.intake.shut:
            return trio.current_time() + LOOK_S  # nothing new begins: the process is about to end
        await self._look()
        self._give_up()
        for job in list(self._book.jobs.values()):
            if self._is_due(job):
                await self._claim(job)
        self._reports += await self._receipts.look(self._book.jobs)
        await self._write_down()
        now = self._services.clock.wall()
        following = [at for job in self._book.jobs.values() if (at := self._next_at(job)) is not None]
        soon = min((at for at in following if at > now), default=now + LOOK_S) - now
        wake_at = trio.current_time() + min(soon, LOOK_S)
        return min([wake_at, self._receipts.look_at, *(one.until for one in self._live.values())])

    def _next_at(self, job: Job) -> float | None:
        step = self._steps.get(job.id)
        if step is not None and step.job == job:
            return step.next_at
        return job.next_at if job.enabled else None

    def _is_due(self, job: Job) -> bool:
        """What is enabled and has no time yet is looked at too: somebody has written it by hand."""
        step = self._steps.get(job.id)
        if step is not None and step.job == job:
            return step.next_at is not None and step.next_at <= self._services.clock.wall()
        return job.enabled and (job.next_at is None or job.next_at <= self._services.clock.wall())

    async def _claim(self, job: Job) -> None:
        now, step = self._services.clock.wall(), self._steps.get(job.id)
        held = step if step is not None and step.job == job else None
        since = held.next_at if held is not None else job.next_at
        completed = held.completed if held is not None else job.completed
        try:
            if since is None:
                since = first(job.schedule, now, job.zone)
            found = due(job.schedule, since, now, job.zone, job.misfire)
        except (BadSchedule, OverflowError, ValueError) as wrong:
            self._tell(f"job {job.id} does not run: {wrong}")
            self._steps[job.id] = _Step(job, None, completed)
            return
        if found.missed:
            log.warning(
                "job %s: %d of its times were missed (misfire: %s)", job.id, found.missed, job.misfire
            )
        left = None if job.times is None else max(0, job.times - completed)
        claimed = await self._claimed(job, since, found.run, left, now)
        completed += claimed.total
        over = found.next is None or (job.times is not None and completed >= job.times)
        self._steps[job.id] = _Step(job, None if over else found.next, completed)

    async def _claimed(
        self, job: Job, since: float, instants: tuple[float, ...], most: int | None, now: float
    ) -> Claimed:
        busy = any(one.job.id == job.id for one in self._live.values())
        skip = (busy and job.overlap == "skip") or len(self._waiting[job.id]) + len(instants) > MOST_WAITING
        claim = Claim(
            job.id,
            job.name,
            since,
            instants,
            most,
            self._services.boot_id,
            now,
            skipped=OVERLAP if skip else "",
        )
        claimed = await self._services.store.write(claim)
        if not skip:
            if claimed.runs and job.overlap == "cancel":
                await self._cancel(job)
            for run in claimed.runs:
                self._begin(job, run)
        return claimed

    async def run_now(self, asked: RunNow) -> None:
        """A run beside the schedule; it obeys the overlap policy, and is not counted."""
        services, now = self._services, self._services.clock.wall()
        await self._look()
        job = self._book.jobs.get(asked.job_id)
        if job is None:
            asked.reply.fail(
                jobs.BadJob(self._book.unreadable or f"there is no job {asked.job_id!r:.80} that can run")
            )
            return
        if services.intake.shut:
            asked.reply.fail(jobs.BadJob("the gateway is stopping"))
            return
        if any(one.job.id == job.id for one in self._live.values()) and job.overlap == "skip":
            asked.reply.fail(jobs.BadJob("it runs already, and its overlap is skip"))
            return
        claim = Claim(job.id, job.name, now, (now,), None, services.boot_id, now, by_hand=True)
        claimed = await services.store.write(claim)
        if not claimed.runs:
            asked.reply.fail(jobs.BadJob("it is run at this very moment"))
            return
        if job.overlap == "cancel":
            await self._cancel(job)
        self._begin(job, claimed.runs[0])
        asked.reply.send(claimed.runs[0])

    # --- firings --------------------------------------------------------------------------------------------------------------

    def _begin(self, job: Job, run: CronRun) -> None:
        """Start it, or have it wait for the one before."""
        if any(one.job.id == job.id for one in self._live.values()):
            self._waiting[job.id].append(run)
            return
        wait_s = max(0.0, run.due_at + job.jitter_s - self._services.clock.wall())
        live = _Firing(job, run, trio.current_time() + wait_s + job.deadline_s + GRACE_S)
        args = (self._services, self._files, firing.Order(job, run, live.report))
        ref = self._ctx.spawn_child(ChildSpec(_child(run), firing.run, args, restart="temporary"))
        self._live[ref.path] = live

    async def _cancel(self, job: Job) -> None:
        """Those before it are over, and those that waited."""
        services, now = self._services, self._services.clock.wall()
        for run in self._waiting.pop(job.id, ()):
            await services.store.write(EndRun(run.run_id, "cancelled", now))
        for one in self._live.values():
            if one.job.id == job.id and not one.cancelled:
                one.cancelled = True
                self._ctx.cancel_child(_child(one.run))
        if job.kind == "agent":
            await firing.halt(services, job)

    def _give_up(self) -> None:
        """What does not end by its deadline: it may run on, and can do nothing any more."""
        now = trio.current_time()
        for path, one in list(self._live.items()):
            if now >= one.until:
                log.error("job %s, due %s, does not end and is given up", one.job.id, one.run.due_at)
                self._ctx.abandon_child(_child(one.run))
                self._over(path, texts.CRON_DEADLINE.format(seconds=one.job.deadline_s))

    async def ended(self, down: Down) -> None:
        """A firing is over, in whatever way."""
        if down.path not in self._live:
            return
        words_of_it = ""
        if not is_clean(down.reason) and not self._live[down.path].cancelled:
            words_of_it = describe(down.reason)
            log.error("%s: %s", down.path, words_of_it, exc_info=exception_of(down.reason))
        self._over(down.path, words_of_it)

    def _over(self, path: str, error: str) -> None:
        services, one = self._services, self._live.pop(path)
        now = services.clock.wall()
        if one.report:
            self._reports += one.report
            self._receipts.expect()
        else:
            state: RunEnd = "cancelled" if one.cancelled else "error"
            services.store.post(EndRun(one.run.run_id, state, now, error))
            self._reports.append(firing.Report(one.job.id, now, error or "it was cancelled", ""))
        if waiting := self._waiting.get(one.job.id):
            run = waiting.popleft()
            self._begin(self._book.jobs.get(one.job.id, one.job), run)

    # --- the file ---------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        try:
            book = await self._files.run(cron_files.look, self._zone, self._book.stamp)
        except GatewayError as slow:
            self._tell(slow.failure.detail)
            return
        if book is not None:
            self._adopt(book)

    def _adopt(self, book: Book) -> None:
        for words_of_it in (*book.faults, *filter(None, (book.unreadable,))):
            self._tell(words_of_it)
        # A file that cannot be read now says nothing of the jobs it held: they stay as they were.
        self._book = (
            Book(self._book.jobs, stamp=book.stamp, unreadable=book.unreadable) if book.unreadable else book
        )

    async def _write_down(self) -> None:
        """What was claimed and what was reported. If it cannot be written now, it is kept for the next time."""
        steps, reports = dict(self._steps), list(self._reports)
        now = self._services.clock.wall()
        if not steps and not reports:
            return
        try:
            _, book = await self._files.run(
                cron_files.change,
                self._zone,
                now,
                partial(_edit, steps=steps, reports=reports, zone=self._zone),
            )
        except (OSError, GatewayError) as wrong:
            self._tell(f"the jobs' file could not be brought up to date: {wrong}")
            return
        self._told.clear()
        for name, step in steps.items():
            if self._steps.get(name) == step:
                del self._steps[name]
        del self._reports[: len(reports)]
        self._adopt(book)

    def _tell(self, words_of_it: str) -> None:
        if words_of_it not in self._told:
            self._told.add(words_of_it)
            log.warning("%s", words_of_it)


def _edit(entries: list[Any], *, steps: dict[str, _Step], reports: list[firing.Report], zone: tzinfo) -> None:
    """Only an entry that is still the one that was claimed by goes on; one that somebody has changed since begins anew."""
    for name, step in steps.items():
        try:
            place = entry_of(entries, name)
            if jobs.read(entries[place], zone) == step.job:
                entries[place] = jobs.advanced(entries[place], step.job, step.next_at, step.completed)
        except GatewayError:
            continue
    for report in reports:
        try:
            place = entry_of(entries, report.job_id)
        except GatewayError:
            continue
        entries[place] = jobs.reported(entries[place], report.at, zone, report.error, report.delivery_error)


def _child(run: CronRun) -> str:
    return f"{run.job_id}:{run.run_id}"
