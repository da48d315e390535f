"""Many chats that are one conversation, all at once: their decisions come to an end, and a fresh start happens once."""

from collections import Counter
from collections.abc import Sequence

import pytest
import trio
from world import QUEUE, World

from actors import inbound
from hermes.config.model import Config, ResetPolicy
from hermes.store import ops
from hermes.store.memory import MemoryStore
from hermes.testing.fakes import EPOCH_S, FakeAdapter
from hermes.types import texts
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

CHATS = 50
SILENCE_S = 11 * 60.0
CONFIG = Config(display=QUEUE, session_reset=ResetPolicy(mode="idle", idle_minutes=10))
NOTICE = f"{texts.RESET_IDLE} {texts.NEW_CONVERSATION}"


def said(devices: Sequence[int], ago_s: float = 0.0, apart_s: float = 0.0) -> list[InboundEvent]:
    """One person's devices are chats of their own, and one conversation; each says something, the last of them so long ago."""
    at, last = EPOCH_S + trio.current_time() - ago_s, devices[-1]
    return [
        InboundEvent(
            event_id=f"e{device}",
            origin=Origin("whatsapp", f"15551234567:{device}@s.whatsapp.net", user_id="15551234567"),
            text=f"m{device}",
            received_at=at - (last - device) * apart_s,
            trace=TraceId(f"t{device}"),
        )
        for device in devices
    ]


class Routes:
    """Counts the attempts at each row; the first ``lost`` of all are told that the conversation has changed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tries = Counter[int]()
        self.lost = 0
        write = MemoryStore.write

        async def counted(store: MemoryStore, op: ops.Op[object]) -> object:
            if isinstance(op, ops.Route):
                self.tries[op.row_id] += 1
                if self.lost:
                    self.lost -= 1
                    await trio.lowlevel.checkpoint()
                    return "changed"
            return await write(store, op)

        monkeypatch.setattr(MemoryStore, "write", counted)


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Routes:
    return Routes(monkeypatch)


async def known(open_world, ago_s: float = 0.0) -> World:
    """A world in which the conversation has begun, so long before the boot."""
    world = await open_world(platform=FakeAdapter("whatsapp"), config=CONFIG)
    await world.platform.hand_in(*said([0], ago_s))
    await world.settle()
    return world


def heard(world: World) -> Counter[str]:
    return Counter(sent.part.text for sent in world.platform.sent)


async def test_fifty_chats_and_one_fresh_start_that_is_due(routes, open_world, autojump_clock):
    """All of them see it due; one begins it, and each of the others looks again once."""
    world = await known(open_world)
    await trio.sleep(SILENCE_S)
    routes.tries.clear()
    began = trio.current_time()
    await world.platform.hand_in(*said(range(1, CHATS + 1)))
    await world.until(lambda: world.rows("state").count("accepted") == 0, within_s=1)

    assert sorted(routes.tries.values()) == [1] + [2] * (CHATS - 1)
    assert trio.current_time() - began < 1
    await world.settle()
    assert heard(world) == Counter(["m0", NOTICE, *(f"m{n}" for n in range(1, CHATS + 1))])
    assert len(world.rows("started_at AS row_id", "stretches")) == 2
    assert len(set(world.rows("session_key"))) == 1


async def test_fifty_chats_and_a_fresh_start_due_before_each_of_them(routes, open_world, autojump_clock):
    """Silences in what a downtime has left. A stretch without an answer yet is not begun anew, so few are; how many depends on
    who is first.
    """
    world = await known(open_world, (CHATS + 1) * SILENCE_S)
    routes.tries.clear()
    world.services.store.post(ops.Accept(tuple(said(range(1, CHATS + 1), SILENCE_S, apart_s=SILENCE_S))))
    await world.until(lambda: world.rows("state").count("accepted") == 0, within_s=inbound.SWEEP_S + 1)

    assert 1 < max(routes.tries.values()) < inbound.ROUTE_TRIES
    assert sum(routes.tries.values()) < CHATS * CHATS / 2
    await world.settle()
    answers = heard(world)
    assert [answers[f"m{n}"] for n in range(CHATS + 1)] == [1] * (CHATS + 1)


async def test_a_conversation_that_never_stays_as_it_is_spins_nobody(routes, open_world, autojump_clock):
    """The chat waits for the next sweep; its message is not lost, and others are decided meanwhile."""
    world = await known(open_world)
    routes.lost = inbound.ROUTE_TRIES
    await world.platform.hand_in(*said([1]))
    await trio.sleep(0.5)
    assert world.rows("state") == ["answered", "accepted"]
    assert routes.tries[2] == inbound.ROUTE_TRIES

    await world.platform.hand_in(*said([2]))
    await world.until(lambda: world.rows("state")[2] == "answered", within_s=0.3)
    await world.until(lambda: world.rows("state")[1] == "answered", within_s=2 * inbound.RETRY_S)
    assert heard(world) == Counter(["m0", "m1", "m2"])
