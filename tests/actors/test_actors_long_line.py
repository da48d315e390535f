"""A conversation with a thousand messages that wait: no turn reads or answers all of them, none is lost, every number is true."""

import pytest
import trio
from world import World

from actors import inbound
from hermes.config.model import Config, Display, Limits
from hermes.routing.busy import MOST_TOGETHER
from hermes.store import ops, queries
from hermes.testing.fakes import EPOCH_S
from hermes.types import texts
from hermes.types.agent import AgentIO, Delta, Final, Step, Turn
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionId, TraceId
from hermes.types.origin import Origin
from hermes.types.records import BusyMode

LONG = 1_000
MODES = ("interrupt", "queue", "steer", "collect")


class Steady:
    """Takes a second for its step and answers all it was told; ``told`` says how many messages each turn had."""

    name = "steady"

    def __init__(self) -> None:
        self.told: list[int] = []

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Ask once what there is besides."""
        await io.emit(Delta("…"))
        await trio.sleep(1)
        await io.step(Step("result", f"look {len(turn.steps)}", ""))
        heard = [event.text for event in (*turn.events, *await io.steered())]
        self.told.append(len(heard))
        return Final("\n".join(heard))


def config(mode: str, *, busy_ack: bool = False) -> Config:
    display = Display(busy_input_mode=mode, busy_ack=busy_ack)  # type: ignore[arg-type]
    return Config(display=display, limits=Limits(waiting=2 * LONG))


def post(world: World, *said: str) -> None:
    """Messages that were decided about already, as after a restart; their session is woken once."""
    origin, store = Origin("fake", "1", user_id="u1"), world.services.store
    chat = ("fake", "default", "1")
    for text in said:
        event = InboundEvent(text, origin, text, EPOCH_S, TraceId(text), message_id=text)
        store.post(ops.Accept((event,)))
        row_id = world.look(queries.accepted_of, [chat], 100)[chat][-1].row_id
        store.post(ops.Route(row_id, world.key(), SessionId("s"), "allowed", EPOCH_S, origin))
    world.services.conversations.wake(world.key())


@pytest.mark.parametrize("mode", MODES)
async def test_a_thousand_that_wait_are_answered_in_order_by_turns_of_bounded_size(
    mode: BusyMode, found: list[int], open_world, autojump_clock
):
    agent = Steady()
    world = await open_world(agent, config=config(mode))
    said = [f"m{n}" for n in range(LONG)]
    post(world, *said)
    await world.settle(within_s=3 * LONG)

    assert "\n".join(world.heard()).split("\n") == said
    assert sum(agent.told) == LONG
    assert max(agent.told) == (1 if mode == "queue" else MOST_TOGETHER)
    assert max(found) <= 2 * MOST_TOGETHER, "what a turn has begun, and as much as it may have"


async def test_what_one_turn_has_no_room_for_needs_no_sweep(open_world, autojump_clock, monkeypatch):
    monkeypatch.setattr(inbound, "SWEEP_S", 1e9)
    agent = Steady()
    world = await open_world(agent, config=config("collect"))
    post(world, *[f"m{n}" for n in range(2 * MOST_TOGETHER + 50)])
    await world.settle(within_s=60)

    assert agent.told == [MOST_TOGETHER, MOST_TOGETHER, 50]


async def test_a_turn_that_was_interrupted_often_enough_is_let_finish(open_world, autojump_clock):
    """Else somebody who keeps writing would never hear anything."""
    agent = Steady()
    world = await open_world(agent, config=config("interrupt"))
    said = [f"m{n}" for n in range(MOST_TOGETHER + 50)]
    for text in said:
        post(world, text)
        await trio.sleep(0.01)
    await world.settle()

    assert agent.told == [MOST_TOGETHER, 50]
    assert "\n".join(world.heard()).split("\n") == said


async def test_AC18_the_place_in_line_is_true_behind_a_thousand(open_world, autojump_clock):
    world = await open_world(Steady(), config=config("queue", busy_ack=True))
    post(world, "first")
    await trio.sleep(0.1)
    post(world, *(f"m{n}" for n in range(LONG)))
    await trio.sleep(0.1)

    assert world.heard() == [texts.QUEUED.format(position=LONG)]


async def test_AC37_stop_counts_all_of_a_thousand(open_world, autojump_clock):
    world = await open_world(Steady(), config=config("queue"))
    post(world, *(f"m{n}" for n in range(LONG)))
    await trio.sleep(0.5)
    await world.say("/stop")
    await world.settle()

    assert world.heard() == [f"{texts.STOPPED} {texts.DROPPED_TOO.format(count=LONG - 1)}"]
    assert world.counts.stopped == LONG


@pytest.mark.parametrize("how", ["kill", "restart of the session"])
@pytest.mark.parametrize("mode", ["interrupt", "steer", "collect"])
async def test_a_turn_of_many_that_is_taken_up_again_leaves_none_behind(
    mode, how, open_world, autojump_clock
):
    world = await open_world(Steady(), config=config(mode))
    said = [f"m{n}" for n in range(LONG)]
    post(world, *said)
    for _ in range(3):
        await trio.sleep(1.5)
        await (world.kill() if how == "kill" else world.services.overview.restart(world.session()))
    await world.settle(within_s=3 * LONG)

    assert "\n".join(world.heard()).split("\n") == said
