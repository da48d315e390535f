"""Jobs for the operator, through the running gateway: ``hermes cron``."""

from collections.abc import Mapping
from typing import Any

from actors.ports.services import Services
from hermes.cron import orders
from hermes.ops import cron_files
from hermes.store import cron as reads
from hermes.types.errors import USAGE, Failure, GatewayError

CHECKED = ("cron_create", "cron_edit", "cron_resume")
"""After these a job is to run; it may be paused and removed whatever has become of its targets and its script."""


class CronDesk:
    """Answers the control socket."""

    deadline_s = 10.0

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``: ``usage``, ``bad_job``, ``bad_schedule``."""
        services, jobs = self._services, self._services.jobs
        match verb, args:
            case "cron_list", _:
                return {"jobs": [orders.document(one, jobs.zone) for one in await jobs.entries()]}
            case "cron_run", {"job": str(name)}:
                return await jobs.run(await self._id(name))
            case "cron_runs", {"job": str() | None as name, "limit": int(limit)}:
                return await jobs.runs(name and await self._id(name), limit)
            case "cron_status", _:
                book = await jobs.book()
                return cron_files.status(book, await services.store.read(reads.counts))
            case _:
                now = services.clock.wall()
                order = orders.order(verb.removeprefix("cron_"), args, services.ids.token(12), now, jobs.zone)
                if order is None:
                    raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about jobs"))
                return await jobs.change(order, check=verb in CHECKED)

    async def _id(self, name: str) -> str:
        """The id of the job that is called so; one that is gone is called by its id."""
        entries = await self._services.jobs.entries()
        if await self._services.store.read(reads.runs, name, 1):
            return name
        return str(entries[orders.place(entries, name)]["id"])
