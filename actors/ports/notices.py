"""What the gateway says of itself, to people: through the outbox, and of one kind to one chat at most once in a while (AC-58)."""

from collections.abc import Callable

from actors.ports.adapters import AdapterTable
from actors.ports.delivery import Delivery
from actors.ports.router import Router
from hermes.delivery.notices import EVERY_S, elsewhere, notice
from hermes.delivery.targets import Place
from hermes.store.notice_ops import Notify
from hermes.store.port import Store
from hermes.types.ids import Clock


class Notices:
    """Says it or not, and counts nothing itself: what was said stands in the outbox, whoever has crashed since."""

    def __init__(
        self, *, store: Store, delivery: Delivery, adapters: AdapterTable, router: Router, clock: Clock
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._adapters = adapters
        self._router = router
        self._clock = clock

    async def tell(self, kind: str, place: Place, text: str, every_s: float = EVERY_S) -> bool:
        """Put ``text`` on its way to ``place``, unless a notice of that ``kind`` went there less than ``every_s`` ago."""
        now = self._clock.wall()
        one = notice(kind, place, text, now, every_s)
        said = await self._store.write(Notify(one, now))
        if said:
            self._delivery.wake(one.message.lane)
        return said

    async def tell_homes(
        self, kind: str, text: str, wanted: Callable[[Place], bool], every_s: float = EVERY_S
    ) -> None:
        """``tell`` every home channel that is ``wanted``."""
        for home in await self._router.homes():
            if wanted(home):
                await self.tell(kind, home, text, every_s)

    async def tell_elsewhere(self, platform: str, kind: str, text: str, every_s: float = EVERY_S) -> bool:
        """``tell`` the home channel of another platform than ``platform``, which is in trouble. False also if there is none."""
        place = elsewhere(await self._router.homes(), platform, self._is_up)
        return place is not None and await self.tell(kind, place, text, every_s)

    def _is_up(self, place: Place) -> bool:
        port = self._adapters.find(place.platform, place.account)
        return port is not None and port.up
