"""What has become of the words of jobs: nothing but a platform's receipt says that they have arrived (AC-24).

    runs whose words are on their way ─ receipts ─▶ delivered | stored | failed, and a word to the failure target

Part of cron; a run's own state is another matter, and was known before.
"""

import logging
import math
from collections.abc import Mapping, Sequence

import trio

from actors.firing import Report, tell_undelivered
from actors.ports.services import Services
from hermes.cron.job import Job
from hermes.store import cron as reads
from hermes.store.cron_ops import DeliveryState, SettleDelivery
from hermes.store.sends import DeliveryStatus, delivery_statuses

log = logging.getLogger(__name__)

LOOK_S = 5.0
SOON_S = 1.0
"""A platform that is up has its receipt given by then."""


class Receipts:
    """Looks for those of all runs together."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.look_at = 0.0
        """When to look again, in Trio's time; infinite while nothing is on its way."""

    def expect(self) -> None:
        """A run has ended: there may be one soon."""
        self.look_at = min(self.look_at, trio.current_time() + SOON_S)

    async def look(self, jobs: Mapping[str, Job]) -> list[Report]:
        """Write down whose words have their end; returns what is to be told of those that did not arrive."""
        if trio.current_time() < self.look_at:
            return []
        store = self._services.store
        pending = await store.read(reads.pending)
        self.look_at = trio.current_time() + LOOK_S if pending else math.inf
        if not pending:
            return []
        names = [name for one in pending for name in one.deliveries]
        found = {str(one.delivery_id): one for one in await store.read(delivery_statuses, names)}
        reports = []
        for one in pending:
            statuses = [found.get(name) for name in one.deliveries]
            if all(status is None or status.ended for status in statuses):
                reports += await self._settle(one, statuses, jobs.get(one.job_id))
        return reports

    async def _settle(
        self, one: reads.Pending, statuses: Sequence[DeliveryStatus | None], job: Job | None
    ) -> list[Report]:
        lost = [
            status.failure if status else "gone"
            for status in statuses
            if not status or status.state == "dead"
        ]
        error = "; ".join(part for part in (one.error, *lost) if part)
        arrived = all(status is not None and status.delivered for status in statuses)
        state: DeliveryState = "failed" if error else "delivered" if arrived else "stored"
        # The word first: its name makes it one, and after the commit nobody would think of it any more.
        if error and job is not None:
            await tell_undelivered(self._services, job, one.due_at, error)
        if not await self._services.store.write(SettleDelivery(one.run_id, state, error)) or not error:
            return []
        log.warning("job %s: what it had to say did not arrive: %s", one.job_id, error)
        return [Report(one.job_id, self._services.clock.wall(), None, error)]
