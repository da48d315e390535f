"""One firing of a job: a child of cron, with a deadline of its own.

    jitter ─▶ started (commit) ─▶ what it says ─▶ file ─▶ router ─▶ ended (commit)
                                   ├ message: as it stands
                                   ├ script:  what it writes
                                   └ agent:   an internal event into the job's own conversation, and its answer

Everything is handed over under the one name of the firing, so a boot that goes on with it does nothing twice. A script is
the exception: whether it has done its work nobody knows, so it is not run again.
"""

import logging
from dataclasses import dataclass

import trio

from actors.ports.files import HomeFiles
from actors.ports.internal import internal
from actors.ports.jobs import place_of, wanted_of
from actors.ports.services import Services
from hermes.cron import words
from hermes.cron.job import Job
from hermes.cron.names import run_name, stretch_id
from hermes.delivery.results import Result
from hermes.delivery.silence import is_marker
from hermes.ops.cron_files import Kept, keep_output, last_answer
from hermes.ops.processes import Finished
from hermes.ops.scripts import SCRIPTS, script_command
from hermes.store import cron as reads
from hermes.store import ops
from hermes.store.cron_ops import CronRun, DeliveryState, EndRun, RunEnd, StartRun
from hermes.types import texts
from hermes.types.errors import GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TraceId
from hermes.types.origin import ITSELF, Origin
from supervisors.context import Context

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often the answer is looked for. Asking the store answers also across a crash of the session."""

MOST_SCRIPT_BYTES = 256_000


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a firing: of its run at once, of its words as far as that is known."""

    job_id: str
    at: float
    error: str | None
    """None: nothing new is known of the run itself."""
    delivery_error: str


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be carried out; its report is added to ``reports``."""

    job: Job
    run: CronRun
    reports: list[Report]


@dataclass(frozen=True, slots=True)
class _Said:
    """What there is to be told; ``error`` in place of it."""

    text: str = ""
    error: str = ""
    silent: bool = False


async def run(ctx: Context[None], services: Services, files: HomeFiles, order: Order) -> None:
    """Carry out a claimed run, if it still is."""
    ctx.ready()
    job, claimed, clock = order.job, order.run, services.clock
    if not claimed.by_hand:
        await trio.sleep(max(0.0, claimed.due_at + job.jitter(claimed.due_at) - clock.wall()))
    if not await services.store.write(StartRun(claimed.run_id, services.boot_id, clock.wall())):
        return
    firing = _Firing(services, files, job, claimed)
    said = _Said(error=texts.CRON_DEADLINE.format(seconds=job.deadline_s))
    with trio.move_on_after(job.deadline_s) as limit:
        said = await firing.say()
    if limit.cancelled_caught:
        await firing.halt()
    order.reports.append(await firing.tell(said))


async def tell_undelivered(services: Services, job: Job, due_at: float, error: str) -> None:
    """Tell the failure target, if there is one, that the words of a run did not arrive; once, however often."""
    if not job.failure_target:
        return
    text = texts.CRON_NOT_DELIVERED.format(name=job.name, error=error)
    name = f"{run_name(job.id, due_at)}:undelivered"
    try:
        wanted = await wanted_of(services.router, (job.failure_target,), place_of(job))
        await services.router.deliver(text, wanted, name=name, job_id=job.id, by_person=True)
    except GatewayError as wrong:
        log.warning("job %s: its failure target was not told: %s", job.id, wrong)


async def halt(services: Services, job: Job) -> None:
    """End what the agent does for a job, if anything."""
    key = services.people.session_key(_origin(job))
    await services.store.write(ops.StopTurn(key, "stopped:cron", services.clock.wall()))
    services.conversations.interrupt(key)


class _Firing:
    def __init__(self, services: Services, files: HomeFiles, job: Job, claimed: CronRun) -> None:
        self._services = services
        self._files = files
        self._job = job
        self._run = claimed
        self._name = run_name(job.id, claimed.due_at)

    async def say(self) -> _Said:
        """What the job says."""
        job = self._job
        try:
            match job.kind:
                case "message":
                    return _Said(job.message)
                case "script":
                    finished = await self._script()
                    text = finished.output.strip()
                    return _Said(text, error=_fault(finished), silent=not text)
                case "agent":
                    return await self._agent()
        except GatewayError as wrong:
            return _Said(error=wrong.failure.detail or wrong.failure.code)

    async def halt(self) -> None:
        """Its time is over."""
        if self._job.kind == "agent":
            await halt(self._services, self._job)

    async def tell(self, said: _Said) -> Report:
        """Keep it, deliver it, and write down how it ended."""
        job, services = self._job, self._services
        end: RunEnd = "error" if said.error else "silent" if said.silent else "ok"
        output, fault = "", ""
        try:
            now = services.clock.wall()
            kept = Kept(now, self._run.due_at, end)
            output = await self._files.run(keep_output, job, kept, said.error or said.text)
        except (OSError, GatewayError) as lost:
            fault = f"its answer could not be kept: {lost}"
            log.warning("job %s: %s", job.id, fault)
        posted, wrong = ((), "") if end == "silent" else await self._hand_over(said)
        state: DeliveryState = "pending" if posted else "failed" if wrong else "none"
        if state == "failed":
            await tell_undelivered(services, job, self._run.due_at, wrong)
        now = services.clock.wall()
        await services.store.write(
            EndRun(self._run.run_id, end, now, said.error or fault, state, wrong, posted, output)
        )
        log.info("job %s, due %s: %s", job.id, self._run.due_at, end)
        return Report(job.id, now, said.error, wrong)

    async def _hand_over(self, said: _Said) -> tuple[tuple[str, ...], str]:
        """The names of what is on its way now, and in words what is not."""
        try:
            results = await self._deliver(said)
        except GatewayError as wrong:
            return (), wrong.failure.detail or wrong.failure.code
        posted = tuple(str(one.delivery_id) for one in results if one.delivery_id is not None)
        refused = [f"{one.target}: {one.error or one.skipped}" for one in results if not one.success]
        return posted, "; ".join(refused)

    async def _deliver(self, said: _Said) -> list[Result]:
        job, services = self._job, self._services
        deliver = (job.failure_target,) if said.error and job.failure_target else job.deliver
        origin = place_of(job)
        wanted = await wanted_of(services.router, deliver, origin)
        if not wanted:
            return []
        text = said.text
        if said.error:
            text = words.failed(job.name, said.error)
        elif job.kind == "agent" and services.config.cron.wrap_response:
            text = words.wrapped(job, said.text)
        return await services.router.deliver(
            text,
            wanted,
            name=self._name,
            job_id=job.id,
            job_name=job.name,
            mirror="user" if job.mirror else None,
            origin=origin,
            by_person=True,
            with_files=job.kind != "message" and not said.error,
        )

    async def _script(self) -> Finished:
        directory = self._services.overview.home / SCRIPTS
        command = await self._files.run(script_command, self._job.script)
        return await self._services.processes.run(
            command,
            deadline_s=self._job.deadline_s,
            env={},
            cwd=directory,
            most_output_bytes=MOST_SCRIPT_BYTES,
        )

    async def _agent(self) -> _Said:
        job, services = self._job, self._services
        written: str | None = None
        origin, name = _origin(job), internal(self._name)
        key = services.people.session_key(origin)
        known = await services.store.read(reads.is_known, origin.platform, origin.account, name)
        if not known:
            if job.script:
                if self._run.attempts:
                    return _Said(error=texts.CRON_INTERRUPTED)
                finished = await self._script()
                if fault := _fault(finished):
                    return _Said(error=fault)
                written = finished.output
                if not words.wakes(written):
                    return _Said(silent=True)
            fresh = stretch_id(job.id, self._run.due_at, job.zone)
            await services.store.write(ops.StopTurn(key, "stopped:cron", services.clock.wall(), fresh))
        prompt = words.asked(job.prompt, written, await self._earlier())
        now = services.clock.wall()
        event = InboundEvent(self._name, origin, prompt, now, TraceId(self._name), message_id=self._name)
        (accepted,) = await services.internal_events.accept([event])
        asked = await self._answer(accepted.row_id, key)
        if asked.state != "answered" or asked.role != "assistant":
            return _Said(error=asked.text or asked.rule or asked.state)
        if not asked.text.strip():
            return _Said(error=texts.CRON_EMPTY)
        return _Said(asked.text, silent=is_marker(asked.text) or words.is_silent(asked.text))

    async def _answer(self, row_id: int, key: SessionKey) -> reads.Asked:
        while True:
            asked = await self._services.store.read(reads.asked, row_id, key)
            if asked.ended:
                return asked
            await trio.sleep(LOOK_S)

    async def _earlier(self) -> dict[str, str]:
        if not self._job.context_from:
            return {}
        paths = await self._services.store.read(reads.last_outputs, self._job.context_from)
        return {
            name: await self._files.run(last_answer, path, words.CONTEXT_CHARACTERS)
            for name, path in paths.items()
        }


def _origin(job: Job) -> Origin:
    """The job's own conversation, in which nobody else speaks; each firing begins a new stretch of it."""
    return Origin(ITSELF, job.id, chat_name=job.name)


def _fault(finished: Finished) -> str:
    if finished.timed_out:
        return "its script took too long"
    last = finished.output.strip().rpartition("\n")[2]
    return f"its script ended with {finished.code}: {last}" if finished.code else ""
