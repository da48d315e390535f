"""Many chats that are one conversation, all at once: their decisions come to an end, and a fresh start happens once."""

import sqlite3
from collections import Counter
from collections.abc import Sequence

import pytest
import trio
from world import QUEUE, World

from actors import inbound
from hermes.config.model import Config, ResetPolicy
from hermes.store import ops
from hermes.store.apply import inbox
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
    """Counts the decisions about each row, of those that a session has to do with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tries = Counter[int]()
        route = inbox.route

        def counted(connection: sqlite3.Connection, op: ops.Route) -> object:
            self.tries[op.row_id] += 1
            return route(connection, op)

        monkeypatch.setattr(inbox, "route", counted)


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
    """Each is decided with the conversation as it stands in that commit: the first begins it anew, and nobody looks again."""
    world = await known(open_world)
    await trio.sleep(SILENCE_S)
    routes.tries.clear()
    began = trio.current_time()
    await world.platform.hand_in(*said(range(1, CHATS + 1)))
    await world.until(lambda: world.rows("state").count("accepted") == 0, within_s=1)

    assert routes.tries == Counter(range(2, CHATS + 2))
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

    assert routes.tries == Counter(range(2, CHATS + 2))
    await world.settle()
    answers = heard(world)
    assert [answers[f"m{n}"] for n in range(CHATS + 1)] == [1] * (CHATS + 1)
