"""How an adapter comes to be: made in a thread, for checks and factories may be foreign; not while starts come as a storm."""

from dataclasses import dataclass
from functools import partial

import trio

from actors.adapter import Account
from actors.ports.arrival import Arrival
from actors.ports.overview import TreeOverview
from hermes.registry.accounts import Accounts
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.types.errors import FACTORY_FAILED, Failure, GatewayError
from hermes.types.ports import Adapter

MAKE_DEADLINE_S = 10.0
"""How long an adapter may take to be made; it connects later. The first time an SDK may have to be imported."""

STORM = "respawn_storm"


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes adapters of ``accounts``, whose platforms ``registry`` knows."""

    accounts: Accounts
    registry: PlatformRegistry
    overview: TreeOverview
    arrival: Arrival

    def account(self, platform: str, account: str) -> Account:
        """What the shell of its adapter runs."""
        return Account(platform, account, partial(self.make, platform, account))

    async def make(self, platform: str, account: str) -> Adapter | Unavailable:
        """A new adapter. What connects to a platform waits while too many starts have not lasted, and for old conversations;
        what is only called upon, as web chat, never does. Raises ``GatewayError``, transient: ``respawn_storm``, ``taking_over``.
        """
        entry = self.registry.get(platform)
        if not (entry and entry.always):
            await self.arrival.wait()
        if (held_s := self.overview.held_for_s) and not (entry and entry.always):
            starts = self.overview.storm.starts
            detail = f"{starts} starts in a row have not lasted; it connects in {held_s:.0f} s"
            raise GatewayError(Failure(STORM, "transient", "adapter", held_s, detail))
        with trio.move_on_after(MAKE_DEADLINE_S):
            return await trio.to_thread.run_sync(
                self.accounts.create,
                platform,
                account,
                abandon_on_cancel=True,
                limiter=trio.CapacityLimiter(1),
            )
        return Unavailable(FACTORY_FAILED, f"its adapter was not made within {MAKE_DEADLINE_S:g} s")
