"""The web server's actor while the store is away."""

from types import SimpleNamespace
from typing import Any, cast

import trio
from told import Told

from actors import web
from actors.ports.routes import RouteTable
from actors.ports.web import WebPort
from hermes.config import model
from hermes.store.memory import MemoryStore
from hermes.testing.fakes import FakeClock, FakeIds


class Degraded(MemoryStore):
    """Its disk takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = trio.Event()

    async def write(self, op: Any) -> Any:
        """Wait."""
        self.asked.set()
        await trio.sleep_forever()


async def test_a_stop_does_not_wait_for_a_link_that_waits_for_the_disk() -> None:
    store, told = Degraded(), Told()
    port = WebPort(store, FakeClock(), FakeIds())
    config = model.Config(web=model.Web(port=0))
    services = cast("Any", SimpleNamespace(config=config, routes=RouteTable(), overview=None))
    metrics = cast("Any", SimpleNamespace(document=None))

    async def announce(link: str) -> None:
        raise AssertionError(link)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(web.run, cast("Any", told), services, metrics, port, announce)
            await store.asked.wait()
            told.stop.set()
    assert port.port is None
    store.close()
