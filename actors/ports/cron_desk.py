"""Jobs for the operator, through the running gateway: ``hermes cron``."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from actors.cron import Look, RunNow
from actors.firing import place_of
from actors.ports.files import HomeFiles
from actors.ports.services import Services
from hermes.cron import job as jobs
from hermes.cron import orders
from hermes.delivery.job_targets import targets
from hermes.ops import cron_files
from hermes.store import cron as reads
from hermes.types.errors import USAGE, Failure, GatewayError
from supervisors.ref import ActorRef

RUN_DEADLINE_S = 5.0
MOST_ROWS = 10_000


class CronDesk:
    """Changes the file as anybody may who holds its lock, and has cron look at once."""

    deadline_s = 10.0

    def __init__(self, services: Services, files: HomeFiles, cron: ActorRef[Any]) -> None:
        self._services = services
        self._files = files
        self._cron = cron
        self._zone = cron_files.zone_for(services.config.timezone)

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``: ``usage``, ``bad_job``, ``bad_schedule``."""
        now, zone, read = self._services.clock.wall(), self._zone, self._services.store.read
        match verb, args:
            case "cron_list", _:
                entries = await self._files.run(cron_files.entries_in)
                return {"jobs": [orders.document(one, zone) for one in entries]}
            case "cron_run", {"job": str(name)}:
                return await self._run(name)
            case "cron_runs", {"job": str() | None as name, "limit": int(limit)}:
                return {
                    "runs": await read(
                        reads.runs, name and await self._id(name), max(0, min(limit, MOST_ROWS))
                    )
                }
            case "cron_status", _:
                return await self._status()
            case _:
                order = orders.order(
                    verb.removeprefix("cron_"), args, self._services.ids.token(12), now, zone
                )
                if order is None:
                    raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about jobs"))
                return await self._change(order, now, check=verb != "cron_remove")

    async def _change(self, order: orders.Order, now: float, *, check: bool) -> Mapping[str, Any]:
        """Do it on a copy first: what leads nowhere is not made (AC-24)."""
        if check:
            tried = await self._files.run(cron_files.entries_in)
            entry = tried[orders.place(tried, order(tried)["id"])]
            await self._check_targets(jobs.read(entry, self._zone))
        try:
            document, _ = await self._files.run(cron_files.change, self._zone, now, order)
        except OSError as wrong:
            detail = f"{wrong.filename or cron_files.JOBS}: {wrong.strerror or wrong}; nothing was changed"
            raise jobs.BadJob(detail) from wrong
        self._cron.tell_nowait(Look())
        return {"job": document}

    async def _check_targets(self, job: jobs.Job) -> None:
        origin, router = place_of(job), self._services.router
        deliver = (*job.deliver, *filter(None, (job.failure_target,)))
        wanted = targets(deliver, origin, await router.homes())
        if wanted and (refused := await router.refused(wanted, origin)):
            raise jobs.BadJob("; ".join(refused))

    async def _run(self, name: str) -> Mapping[str, Any]:
        run = await self._cron.ask(partial(RunNow, await self._id(name)), RUN_DEADLINE_S)
        return {"run": asdict(run)}

    async def _id(self, name: str) -> str:
        """The id of the job that is called so; one that is gone is called by its id."""
        entries = await self._files.run(cron_files.entries_in)
        if await self._services.store.read(reads.runs, name, 1):
            return name
        return str(entries[orders.place(entries, name)]["id"])

    async def _status(self) -> Mapping[str, Any]:
        book = await self._files.run(cron_files.look, self._zone, None)
        counts = await self._services.store.read(reads.counts)
        return cron_files.status(book or cron_files.Book({}), counts)
