"""Cron: the ticker. Looks at the clock and at the file of jobs, claims what is due, and starts a child for each firing.

    jobs.json ─ look ─▶ due (hermes.cron.misfire) ─▶ claims, one commit ─▶ firings (children) ─▶ Down
                                                        └▶ jobs.json, once: next_run_at, completed, last_*

A claim (job, instant) is unique for ever, and comes before anything else: neither a crash between two of these steps nor a
file that says an old time fires anything twice. Nothing here waits for a firing. What nobody carries out any more is
``interrupted`` when this actor begins; what can be gone on with without doing anything twice is.
"""

import logging
import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import islice
from typing import assert_never

import trio

from actors import firing
from actors.jobs_file import LOOK_S, JobsFile
from actors.ports.arrival import Arrival
from actors.ports.files import HomeFiles
from actors.ports.services import Services
from actors.receipts import Receipts
from hermes.cron import job as jobs
from hermes.cron.job import Job
from hermes.cron.misfire import due
from hermes.cron.schedule import BadSchedule, first
from hermes.store.cron_ops import (
    Claim,
    Claims,
    CronRun,
    EndRun,
    Reclaim,
    ReleaseClaims,
    RunEnd,
)
from hermes.types import texts
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reasons import describe, exception_of, is_clean
from supervisors.reply import Reply
from supervisors.spec import ChildSpec

log = logging.getLogger(__name__)

GRACE_S = 30.0
"""How long after its deadline a firing may take to end, before it is given up."""

MOST_ATTEMPTS = 3
"""Boots that may begin one run; then it stays interrupted."""

MOST_CLAIMS = 200
"""Jobs whose times are claimed in one commit; what else is due follows at once."""

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


@dataclass(frozen=True, slots=True)
class EndRuns:
    """End what runs of these jobs, and what waits; ``reply`` comes when nothing of them does any more."""

    job_ids: frozenset[str]
    reply: Reply[None]


Message = Look | RunNow | EndRuns | Stop | Down


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
class _Due:
    """What is to be claimed of a job that has run ``completed`` times; then it goes on at ``next_at``."""

    job: Job
    claim: Claim
    next_at: float | None
    completed: int


async def run(ctx: Context[Message], services: Services, files: HomeFiles, arrival: Arrival) -> None:
    """Ready at once; the file, which is the user's, is read after that, and written once a home that is new to us is saved."""
    ctx.ready()
    await arrival.here()
    file = JobsFile(files, services.clock, services.jobs.zone)
    try:
        await _run(ctx, _Ticker(ctx, services, files, file), file)
    finally:
        file.close()


async def _run(ctx: Context[Message], ticker: "_Ticker", file: JobsFile) -> None:
    await ticker.take_up()
    while True:
        wake_at = await ticker.tick()
        match message := await ctx.receive(by=wake_at):
            case None:
                pass
            case Look():
                file.look_at = -math.inf
            case RunNow():
                await ticker.run_now(message)
            case EndRuns():
                await ticker.end_runs(message)
            case Down():
                await ticker.ended(message)
            case Stop():
                await file.write_down()
                return
            case _:
                assert_never(message)


class _Ticker:
    def __init__(self, ctx: Context[Message], services: Services, files: HomeFiles, file: JobsFile) -> None:
        self._ctx = ctx
        self._services = services
        self._files = files
        self._file = file
        self._live: dict[str, _Firing] = {}
        self._waiting: defaultdict[str, deque[CronRun]] = defaultdict(deque)
        self._ending: list[EndRuns] = []
        self._receipts = Receipts(services)

    # --- at the start -------------------------------------------------------------------------------------------------------

    async def take_up(self) -> None:
        """Go on with what others have left, where that does nothing twice."""
        services = self._services
        await self._file.look()
        for left in await services.store.write(ReleaseClaims(services.clock.wall())):
            job = self._file.jobs.get(left.job_id)
            begun = left.attempts > 0
            if job is None or left.attempts >= MOST_ATTEMPTS or (begun and job.kind == "script"):
                log.warning("the run of job %s that was due %s stays interrupted", left.job_id, left.due_at)
                self._file.report(
                    firing.Report(left.job_id, services.clock.wall(), texts.CRON_INTERRUPTED, "")
                )
            elif await services.store.write(Reclaim(left.run_id, services.boot_id)):
                self._begin(job, left)

    # --- the tick -------------------------------------------------------------------------------------------------------------

    async def tick(self) -> float:
        """Claim and start what is due; returns when to look again, in Trio's time."""
        file = self._file
        if self._services.intake.shut:
            return trio.current_time() + LOOK_S  # nothing new begins: the process is about to end
        if trio.current_time() >= file.look_at:
            await file.look()
        self._give_up()
        if file.ours:
            await self._claim()
        file.report(*await self._receipts.look(file.jobs))
        if trio.current_time() >= file.write_at:
            await file.write_down()
        soon = file.due_at - self._services.clock.wall() if file.ours else math.inf
        wake_at = min(trio.current_time() + max(soon, 0.0), file.look_at, file.write_at)
        return min([wake_at, self._receipts.look_at, *(one.until for one in self._live.values())])

    async def _claim(self) -> None:
        now = self._services.clock.wall()
        found = (one for job in self._file.due(now) if (one := self._due(job, now)) is not None)
        due_now = list(islice(found, MOST_CLAIMS))
        if not due_now:
            return
        results = await self._services.store.write(Claims(tuple(one.claim for one in due_now)))
        for one, claimed in zip(due_now, results, strict=True):
            job, completed = one.job, one.completed + claimed.total
            over = one.next_at is None or (job.times is not None and completed >= job.times)
            self._file.claimed(job, None if over else one.next_at, completed)
            if one.claim.skipped:
                continue
            if claimed.runs and job.overlap == "cancel":
                await self._cancel(job)
            for run in claimed.runs:
                self._begin(job, run)

    def _due(self, job: Job, now: float) -> _Due | None:
        since, completed = self._file.stands(job)
        try:
            if since is None:
                since = first(job.schedule, now, job.zone)
            found = due(job.schedule, since, now, job.zone, job.misfire)
        except (BadSchedule, OverflowError, ValueError) as wrong:
            log.warning("job %s does not run: %s", job.id, wrong)
            self._file.claimed(job, None, completed)
            return None
        if found.missed:
            log.warning(
                "job %s: %d of its times were missed (misfire: %s)", job.id, found.missed, job.misfire
            )
        busy = any(one.job.id == job.id for one in self._live.values())
        waiting = len(self._waiting.get(job.id, ())) + len(found.run)
        claim = Claim(
            job.id,
            job.name,
            since,
            found.run,
            None if job.times is None else max(0, job.times - completed),
            self._services.boot_id,
            now,
            skipped=OVERLAP if (busy and job.overlap == "skip") or waiting > MOST_WAITING else "",
        )
        return _Due(job, claim, found.next, completed)

    async def run_now(self, asked: RunNow) -> None:
        """A run beside the schedule; it obeys the overlap policy, and is not counted."""
        services, now = self._services, self._services.clock.wall()
        await self._file.look()
        job = self._file.jobs.get(asked.job_id)
        if job is None:
            asked.reply.fail(
                jobs.BadJob(self._file.unreadable or f"there is no job {asked.job_id!r:.80} that can run")
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

    async def end_runs(self, asked: EndRuns) -> None:
        """Whoever asks has seen to it that they rest; so nothing of them begins any more."""
        await self._file.look()
        live = [one for one in self._live.values() if one.job.id in asked.job_ids]
        for one in live:
            one.until = min(one.until, trio.current_time() + GRACE_S)
            await self._cancel(one.job)
        self._ending.append(asked)
        self._answer()

    def _answer(self) -> None:
        live = {one.job.id for one in self._live.values()}
        for asked in [one for one in self._ending if not one.job_ids & live]:
            asked.reply.send(None)
            self._ending.remove(asked)

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
            self._file.report(*one.report)
            self._receipts.expect()
        else:
            state: RunEnd = "cancelled" if one.cancelled else "error"
            services.store.post(EndRun(one.run.run_id, state, now, error))
            self._file.report(firing.Report(one.job.id, now, error or "it was cancelled", ""))
        if waiting := self._waiting.get(one.job.id):
            run = waiting.popleft()
            self._begin(self._file.jobs.get(one.job.id, one.job), run)
        self._answer()


def _child(run: CronRun) -> str:
    return f"{run.job_id}:{run.run_id}"
