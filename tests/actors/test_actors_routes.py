"""The live route table: an adapter's handlers run in the web server's tasks, fenced by its incarnation."""

import pytest
import trio
from world import ADAPTER

from actors.ports.routes import HANDLER_DEADLINE_S
from hermes.testing.fakes import FakeAdapter
from hermes.types.errors import Failure, GatewayError, SocketClosed
from hermes.types.ports import Request, Response, Route, SocketRoute


class Web(FakeAdapter):
    """Mounts what it is given."""

    def __init__(self, *routes, platform="fake"):
        super().__init__(platform)
        self._routes = routes

    def routes(self):
        return self._routes


class FakeSocket:
    """Records how it was closed."""

    closed = None

    async def receive(self):
        raise SocketClosed

    async def send(self, text):
        pass

    async def close(self, code=1000, reason=""):
        self.closed = (code, reason)


async def ok(request):
    return Response(body=request.path.encode())


async def hangs(request):
    await trio.sleep_forever()


async def raises(request):
    raise ValueError("a bug")


def get(path):
    return Request("GET", path)


async def call(world, path, method="GET"):
    return await world.services.routes.find(method, path).call(get(path))


async def test_a_path_is_found_exactly_else_by_the_longest_subtree_above_it(open_world, autojump_clock):
    async def named(name):
        return Response(body=name)

    world = await open_world(
        platform=Web(
            Route("/a/b", "own", lambda _: named(b"exact")),
            Route("/a/*", "token", lambda _: named(b"wide")),
            Route("/a/b/*", "own", lambda _: named(b"narrow"), frozenset({"GET", "POST"})),
            SocketRoute("/socket", "token", hangs),
        )
    )
    routes = world.services.routes

    assert (await call(world, "/a/b")).body == b"exact"
    assert (await call(world, "/a/b/c")).body == b"narrow"
    assert (await call(world, "/a/c/d")).body == b"wide"
    assert routes.find("GET", "/a/c").auth == "token"
    assert routes.find("GET", "/b") is None
    assert routes.find("POST", "/a/c") is None
    assert routes.find("GET", "/socket") is None
    assert routes.find(None, "/socket") is not None


async def test_a_route_is_503_while_its_adapter_is_down_and_comes_back_with_it(open_world, autojump_clock):
    world = await open_world(platform=Web(Route("/x", "own", ok)))

    world.platform.crash(ValueError("a bug"))
    await world.until(lambda: world.state(ADAPTER) == "backoff")
    down = await call(world, "/x")
    assert world.services.routes.find("GET", "/x").port is None
    await world.up()

    assert (down.status, down.headers["Retry-After"]) == (503, "5")
    assert (await call(world, "/x")).status == 200


async def test_a_route_is_503_until_its_adapter_is_connected(open_world, autojump_clock):
    class Slow(Web):
        """Connects after a while."""

        async def connect(self, io, *, task_status):
            await trio.sleep(20)
            await super().connect(io, task_status=task_status)

    world = await open_world(platform=Slow(Route("/x", "own", ok)), wait=False)
    await trio.sleep(1)
    assert (await call(world, "/x")).status == 503

    await world.up()

    assert (await call(world, "/x")).status == 200


async def test_a_handler_that_takes_too_long_is_504(open_world, autojump_clock):
    world = await open_world(platform=Web(Route("/x", "own", hangs)))
    began = trio.current_time()

    assert (await call(world, "/x")).status == 504
    assert trio.current_time() - began == pytest.approx(HANDLER_DEADLINE_S)
    assert world.incarnations()[ADAPTER] == 1


async def test_a_handler_that_raises_is_500_and_a_fault_of_its_adapter_alone(open_world, autojump_clock):
    world = await open_world(
        platform=Web(Route("/x", "own", raises)), others=[Web(Route("/y", "own", ok), platform="other")]
    )
    before = world.incarnations()

    assert (await call(world, "/x")).status == 500
    await world.until(lambda: world.incarnations()[ADAPTER] == 2)

    assert world.incarnations() == {**before, ADAPTER: 2}
    assert (await call(world, "/y")).status == 200


async def test_a_failure_that_a_handler_has_a_name_for_is_503_and_no_fault(open_world, autojump_clock):
    async def busy(request):
        raise GatewayError(Failure("busy", retry_after=2.5))

    world = await open_world(platform=Web(Route("/x", "own", busy)))
    answer = await call(world, "/x")
    await trio.sleep(5)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "3")
    assert world.incarnations()[ADAPTER] == 1


@pytest.mark.parametrize("kind", ["request", "socket"])
async def test_the_end_of_an_incarnation_cuts_its_handlers(kind, open_world, autojump_clock, nursery):
    world = await open_world(
        platform=Web(Route("/x", "own", hangs), SocketRoute("/s", "own", holds := Holds()))
    )
    socket, ended = FakeSocket(), trio.Event()

    async def visit():
        if kind == "socket":
            await world.services.routes.find(None, "/s").open(get("/s"), socket)
        else:
            assert (await call(world, "/x")).status == 504
        ended.set()

    nursery.start_soon(visit)
    await trio.sleep(1)
    world.platform.crash(ValueError("a bug"))
    with trio.fail_after(0.1):
        await ended.wait()

    if kind == "socket":
        assert (holds.cut, socket.closed[0]) == (True, 1001)


class Holds:
    """A socket handler that stays."""

    cut = False

    async def __call__(self, request, socket):
        try:
            await trio.sleep_forever()
        finally:
            self.cut = True


async def test_a_socket_whose_handler_raises_is_closed_as_an_error_and_a_fault(open_world, autojump_clock):
    async def broken(request, socket):
        raise ValueError("a bug")

    world = await open_world(platform=Web(SocketRoute("/s", "own", broken)))
    socket = FakeSocket()

    await world.services.routes.find(None, "/s").open(get("/s"), socket)
    await world.until(lambda: world.incarnations()[ADAPTER] == 2)

    assert socket.closed == (1011, "failed")


async def test_a_socket_whose_peer_leaves_is_no_fault(open_world, autojump_clock):
    async def polite(request, socket):
        await socket.receive()

    world = await open_world(platform=Web(SocketRoute("/s", "own", polite)))

    await world.services.routes.find(None, "/s").open(get("/s"), FakeSocket())
    await trio.sleep(5)

    assert world.incarnations()[ADAPTER] == 1


async def test_two_adapters_may_not_claim_one_path(open_world, autojump_clock):
    world = await open_world(platform=Web(Route("/x", "own", ok)), others=[])
    port = world.services.adapters.find("fake", "default")

    with pytest.raises(ValueError, match="taken"):
        world.services.routes.mount((Route("/x", "own", raises),), object())

    assert world.services.routes.find("GET", "/x").port is port
