from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from hermes.testing.fakes import (
    EPOCH_S,
    Crash,
    FakeAdapter,
    FakeAgent,
    FakeClock,
    FakeIds,
    GiveUp,
    Hang,
    Reply,
    TrioClock,
)
from hermes.types.agent import AgentEvent, Delta, Failed, Final, Step, Turn
from hermes.types.content import Draft, Part
from hermes.types.errors import AGENT_CRASHED, Failure, SendError
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId, DeliveryId, SessionKey, TraceId, TurnId
from hermes.types.origin import Origin
from hermes.types.ports import Accepted, Drafts
from hermes.types.records import FeedItem

TURN = Turn(TurnId("t"), SessionKey("k"), 1, (InboundEvent("1", Origin("p", "c"), "hi", 0.0, TraceId("x")),))


class IO:
    """Both ports at once: what an agent and what an adapter may do."""

    account = "default"
    boot_id = BootId("b")
    incarnation = 1

    def __init__(self) -> None:
        self.accepted: list[InboundEvent] = []
        self.emitted: list[AgentEvent] = []

    async def accept(self, events: Sequence[InboundEvent]) -> Sequence[Accepted]:
        self.accepted.extend(events)
        return [Accepted(len(self.accepted), duplicate=False)]

    def beat(self) -> None: ...

    def chat_up(self, chat_id: str) -> None: ...

    def commands(self) -> Sequence[tuple[str, str]]:
        return ()

    async def chat_moved(self, chat_id: str, moved_to: str) -> None: ...

    async def feed(self, chat_id: str, since: str | None, limit: int) -> Sequence[FeedItem]:
        return ()

    async def emit(self, event: AgentEvent) -> None:
        self.emitted.append(event)

    async def step(self, step: Step) -> None: ...


def test_clock_stands_still_until_told() -> None:
    clock = FakeClock()
    assert (clock.wall(), clock.mono()) == (EPOCH_S, 0.0)
    clock.advance(2)
    clock.jump(-10)
    assert (clock.wall(), clock.mono()) == (EPOCH_S - 8, 2.0)


async def test_trio_clock_follows_virtual_time(autojump_clock: MockClock) -> None:
    clock = TrioClock()
    wall, mono = clock.wall(), clock.mono()
    await trio.sleep(5)
    assert (clock.wall() - wall, clock.mono() - mono) == pytest.approx((5, 5))


def test_ids_are_hex_of_that_length() -> None:
    ids = FakeIds()
    names = [ids.token(8) for _ in range(100)]
    assert len(set(names)) == 100
    assert all(len(name) == 8 and int(name, 16) >= 0 for name in names)


async def test_agent_follows_its_script(autojump_clock: MockClock) -> None:
    io = IO()
    failure = Failure(AGENT_CRASHED)
    agent = FakeAgent(Reply(lambda _: "", delay_s=3), GiveUp(failure), Crash(RuntimeError("bug")), Hang())
    assert await agent.run(TURN, io) == Final("")
    assert trio.current_time() >= 3
    assert await agent.run(TURN, io) == Failed(failure)
    with pytest.raises(RuntimeError, match="bug"):
        await agent.run(TURN, io)
    with trio.move_on_after(60) as scope:
        await agent.run(TURN, io)
    assert scope.cancelled_caught
    assert await agent.run(TURN, io) == Final("hi")
    assert io.emitted[-1] == Delta("hi")
    assert len(agent.turns) == 5


async def test_adapter_receives_sends_and_crashes() -> None:
    adapter, io = FakeAdapter(), IO()
    assert isinstance(adapter, Drafts)
    with pytest.RaisesGroup(trio.BrokenResourceError):
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: adapter.connect(io, task_status=task_status))
            await adapter.receive("hello")
            await adapter.receive("again", event_id="e1")
            assert [(event.event_id, event.text) for event in io.accepted] == [
                ("e1", "hello"),
                ("e1", "again"),
            ]
            adapter.crash(trio.BrokenResourceError())
    assert adapter.connects == 1


async def test_adapter_fails_as_told() -> None:
    adapter = FakeAdapter()
    part = Part(DeliveryId("d"), 0, 1, "x")

    async def send(text: str) -> None:
        await adapter.send("c", Part(DeliveryId("d"), 0, 1, text), reply_to=None, metadata={})

    lost = SendError(Failure("timeout"), "unknown")
    adapter.failures = [None, SendError(Failure("down"), "not_sent"), lost]
    await send("1")
    with pytest.raises(SendError):
        await send("2")
    with pytest.raises(SendError):
        await send("3")
    assert adapter.texts == ["1", "3"]

    adapter.failures, adapter.unknown_arrives = [lost], False
    with pytest.raises(SendError):
        await send("4")
    assert adapter.texts == ["1", "3"]
    await adapter.draft("c", Draft("d", "…"))
    assert adapter.drafts == [("c", Draft("d", "…"))]
    assert (await adapter.send("c", part, reply_to=None, metadata={})).message_id == "m3"
