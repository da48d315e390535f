"""Verbs of adapters on the control socket: a real socket, the route table, and an adapter that owns the connections."""

import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from told import Told

from actors import control
from actors.ports.adapters import AdapterPort, AdapterTable
from actors.ports.routes import RouteTable
from hermes.ops.control import client, frames
from hermes.types.content import Capabilities
from hermes.types.errors import Failure
from hermes.types.ports import ControlVerb, Socket

DEADLINE_S = 20.0


class Echo:
    """An adapter of one verb: says every text back, with the name it was opened with."""

    platform = "echo"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.open = 0

    async def handle(self, args: Mapping[str, Any], socket: Socket) -> None:
        self.open += 1
        try:
            while (text := await socket.receive()) != "raise":
                await socket.send(f"{args.get('name')}: {text}")
            raise ValueError("a bug")
        finally:
            self.open -= 1


class Overview:
    """Knows why the echo is away; its restart of the control actor waits for that one's end, as the real one does."""

    def __init__(self, told: Told) -> None:
        self.why = Failure("unavailable", detail="echo:default is not up at the moment")
        self._told = told

    def not_up(self, platform: str) -> Failure:
        assert platform == "echo"
        return self.why

    async def restart(self, path: str) -> None:
        assert path == Told.path
        self._told.stop.set()
        await trio.sleep_forever()


class Desk:
    """The control socket of a home, with the echo's verb on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.echo = Echo()
        self.adapters, self.routes = AdapterTable("root/gateway/delivery/lanes"), RouteTable()
        self.adapters.configure("echo", Capabilities())
        self.faults: list[BaseException] = []

    def mount(self) -> AdapterPort:
        unused = cast("Any", None)
        port = AdapterPort(
            cast("Any", self.echo),
            account="default",
            boot_id=unused,
            incarnation=1,
            store=unused,
            intake=unused,
            moves=unused,
            now=unused,
            identified=unused,
            commands=unused,
            wake_inbound=unused,
            wake_lane=unused,
            fault=self.faults.append,
            raised=unused,
        )
        self.routes.mount([ControlVerb("echo", self.echo.handle)], port)
        port.up = True
        return port

    async def stream(self, name: str = "ann") -> client.Stream:
        return await trio.to_thread.run_sync(client.open_stream, self.home, "echo", {"name": name})

    async def refusal(self) -> client.ControlError:
        with pytest.raises(client.ControlError) as caught:
            await self.stream()
        return caught.value

    async def alive(self) -> bool:
        return await trio.to_thread.run_sync(client.ask, self.home, "ping") == {"ok": True}


@asynccontextmanager
async def desk(home: Path, *, mounted: bool = True) -> AsyncIterator[Desk]:
    (home / "run").mkdir(mode=0o700)
    told, at, unused = Told(), Desk(home), cast("Any", None)
    at.overview = Overview(told)
    seen = cast("Any", at.overview)
    door = control.ControlDoor(unused, seen, unused, str, unused, at.adapters, at.routes, {})
    if mounted:
        at.mount()
    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(control.run, cast("Any", told), door, home / "run")
            await told.up.wait()
            yield at
            told.stop.set()


async def hears(stream: client.Stream) -> str | None:
    return await trio.to_thread.run_sync(stream.receive, DEADLINE_S)


async def ends(stream: client.Stream) -> tuple[int | None, str]:
    with pytest.raises(client.StreamClosed) as caught:
        await hears(stream)
    stream.close()
    return caught.value.close_code, caught.value.failure.detail


async def test_a_verb_of_an_adapter_takes_the_connection_over(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        ann, bob = await at.stream("ann"), await at.stream("bob")
        ann.send("hello")
        bob.send("é" * 100_000)

        assert await hears(ann) == "ann: hello"
        assert await hears(bob) == "bob: " + "é" * 100_000
        ann.close()
        bob.close()


async def test_an_adapter_that_is_not_up_is_said_to_be_so(tmp_path: Path) -> None:
    async with desk(tmp_path, mounted=False) as at:
        never = await at.refusal()
        port = at.mount()
        (await at.stream()).close()
        at.routes.unmount(port)
        gone = await at.refusal()

    assert [never.failure.code, gone.failure.code] == ["unavailable"] * 2
    assert "not up" in gone.failure.detail
    assert "hermes status" in gone.hint


@pytest.mark.parametrize("state", ["paused", "disabled"])
async def test_an_adapter_that_somebody_has_to_resume_is_said_to_be_so(tmp_path: Path, state: str) -> None:
    async with desk(tmp_path, mounted=False) as at:
        at.overview.why = Failure(state, detail=f"echo:default is {state}")
        refused = await at.refusal()

    assert (refused.failure.code, refused.failure.detail) == (state, f"echo:default is {state}")
    assert "hermes adapter resume echo" in refused.hint


async def test_a_restart_of_the_one_who_answers_is_answered_before_it_is_done(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        ask = partial(client.ask, at.home, "restart", {"path": Told.path})
        begun = await trio.to_thread.run_sync(ask)

    assert begun == {"path": Told.path, "old_incarnation": 1, "incarnation": None}


async def test_a_verb_that_nobody_has_is_refused_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(str(tmp_path / "run" / "control.sock"))
            peer.sendall(frames.encode({"id": 1, "verb": "dance", "args": {}}))
            peer.sendall(frames.encode({"id": 2, "verb": "ping", "args": {}}))
            replies = await trio.to_thread.run_sync(_read, peer, 2)
        assert await at.alive()

    assert [reply["ok"] for reply in replies] == [False, True]
    assert replies[0]["error"]["type"] == control.UNKNOWN_VERB


def _read(peer: socket.socket, count: int) -> list[dict[str, Any]]:
    decoder, found = frames.FrameDecoder(frames.REPLY), []
    while len(found) < count:
        found += decoder.feed(peer.recv(1 << 16))
    return found


async def test_what_was_sent_right_behind_the_request_is_not_lost(tmp_path: Path) -> None:
    async with desk(tmp_path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(str(tmp_path / "run" / "control.sock"))
            request = frames.encode({"id": 1, "verb": "echo", "args": {"name": "ann"}})
            peer.sendall(request + frames.encode({"text": "at once"}))
            replies = await trio.to_thread.run_sync(_read, peer, 2)

    assert replies == [{"id": 1, "ok": True, "result": {"ok": True}}, {"text": "ann: at once"}]


def _no_cbor(peer: socket.socket) -> None:
    peer.sendall(struct.pack(">I", 3) + b"\xff\xff\xff")


def _no_text(peer: socket.socket) -> None:
    peer.sendall(frames.encode({"text": 7}))


def _too_long(peer: socket.socket) -> None:
    peer.sendall(struct.pack(">I", frames.REQUEST.frame_bytes + 1))


@pytest.mark.parametrize("garbage", [_no_cbor, _no_text, _too_long])
async def test_garbage_ends_its_own_connection_with_the_reason(
    garbage: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    async with desk(tmp_path) as at:
        stream, other = await at.stream(), await at.stream()
        garbage(stream._connection)
        code, words = await ends(stream)
        other.send("still here")
        assert await hears(other) == "ann: still here"
        other.close()

    assert (code, at.faults) == (1003, [])
    assert words


async def test_more_streams_than_allowed_are_refused_in_words_and_requests_go_on(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        streams = [await at.stream() for _ in range(control.MAX_STREAMS)]
        refusal = await at.refusal()
        assert await at.alive()
        streams.pop().close()
        while at.echo.open == control.MAX_STREAMS:
            await trio.sleep(0.01)
        streams.append(await at.stream())
        for stream in streams:
            stream.close()

    assert refusal.failure.code == control.BUSY
    assert str(control.MAX_STREAMS) in refusal.failure.detail


async def test_the_end_of_the_incarnation_closes_its_streams(tmp_path: Path) -> None:
    async with desk(tmp_path, mounted=False) as at:
        port = at.mount()
        stream = await at.stream()
        port.close()

        assert await ends(stream) == (1001, "bye")
        assert (await at.refusal()).failure.code == "unavailable"


async def test_what_a_handler_raises_is_its_adapters_failure(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        stream = await at.stream()
        stream.send("raise")

        assert await ends(stream) == (1011, "failed")
        assert await at.alive()

    assert [type(fault) for fault in at.faults] == [ValueError]


def test_an_adapter_mounts_verbs_of_its_own_platform_only() -> None:
    at = Desk(Path("home"))
    port = at.mount()

    at.routes.mount([ControlVerb("echo.more", at.echo.handle)], port)
    with pytest.raises(ValueError, match="no verb of echo"):
        at.routes.mount([ControlVerb("status", at.echo.handle)], port)


def test_a_verb_of_another_live_adapter_is_taken() -> None:
    at = Desk(Path("home"))
    at.mount()

    with pytest.raises(ValueError, match="taken"):
        at.mount()
