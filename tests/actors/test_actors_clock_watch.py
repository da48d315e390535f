"""AC-49: the machine has slept, or its clock was set. Both clocks are the test's."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock
from world import QUEUE, World

from actors import clock_watch
from hermes.config.model import Config
from hermes.store.approvals import latest
from hermes.testing import fakes
from hermes.testing.fakes import FakeAdapter, FakeAgent, Reply
from hermes.types.agent import AgentIO, ApprovalRequest, Approved, Failed, Final, Turn

SLEPT_S = 8 * 3600.0


class Polling(FakeAdapter):
    """Keeps a connection, on which something comes all the time."""

    receive_deadline_s = 40.0

    async def connect(self, io, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:

            async def beat() -> None:
                while True:
                    io.beat()
                    await trio.sleep(5.0)

            nursery.start_soon(beat)
            await super().connect(io, task_status=task_status)
            nursery.cancel_scope.cancel()


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch):
    """Let the wall clock go on by so much, and no other."""
    ahead = [0.0]
    monkeypatch.setattr(fakes.TrioClock, "wall", lambda _: fakes.EPOCH_S + trio.current_time() + ahead[0])

    def by(seconds: float) -> None:
        ahead[0] += seconds

    return by


async def test_AC49_after_a_sleep_what_holds_a_connection_makes_a_new_one_within_ten_seconds(
    open_world, autojump_clock: MockClock, jump
) -> None:
    called = FakeAdapter("called")
    world = await open_world(platform=Polling(), others=(called, Polling("third")))
    before = world.incarnations()
    await trio.sleep(60.0)
    assert world.incarnations() == before
    jump(SLEPT_S)
    begun = trio.current_time()
    paths = [f"root/gateway/adapters/{name}:default" for name in ("fake", "third")]
    await world.until(
        lambda: (
            all(world.incarnations()[path] == before[path] + 1 for path in paths)
            and all(world.state(path) == "running" for path in paths)
        ),
        10.0,
    )
    assert trio.current_time() - begun <= 10.0
    await trio.sleep(60.0)
    after = world.incarnations()
    changed = {path for path, incarnation in before.items() if after.get(path) != incarnation}
    assert changed == set(paths)
    await world.say("still there?")
    await world.settle()
    assert world.heard() == ["still there?"]


@pytest.mark.parametrize("by_s", [4.0, -4.0])
async def test_AC49_a_clock_that_is_set_right_by_a_little_is_no_sleep(
    open_world, autojump_clock: MockClock, jump, by_s: float
) -> None:
    world = await open_world(platform=Polling())
    before = world.incarnations()
    jump(by_s)
    await trio.sleep(60.0)
    assert world.incarnations() == before


class Asks(FakeAgent):
    async def run(self, turn: Turn, io: AgentIO) -> Final | Failed:
        decision = await io.approve(ApprovalRequest("go on"))
        return Final("yes" if isinstance(decision, Approved) else "no")


@pytest.mark.parametrize("by_s", [SLEPT_S, -SLEPT_S])
async def test_AC49_deadlines_are_as_far_away_as_they_were(
    open_world, autojump_clock: MockClock, jump, by_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_watch, "LOOK_S", 30.0)  # the turn that waits looks first
    world: World = await open_world(Asks(), config=Config(display=QUEUE))
    await world.say("do it")
    await world.until(lambda: bool(world.heard()))
    await trio.sleep(100.0)
    jump(by_s)
    await trio.sleep(60.0)
    (asked,) = world.look(latest, 10)
    assert asked.state == "pending"
    await world.say("/approve")
    await world.settle()
    assert world.heard()[-1] == "yes"


async def test_AC49_a_turn_does_not_end_because_the_machine_has_slept(
    open_world, autojump_clock: MockClock, jump
) -> None:
    config = Config(display=QUEUE)
    config = replace(config, agent=replace(config.agent, no_progress_s=100.0, turn_timeout_s=200.0))
    world = await open_world(FakeAgent(Reply(delay_s=90.0)), config=config)
    await world.say("one")
    await trio.sleep(30.0)
    jump(SLEPT_S)
    await world.settle()
    assert world.heard() == ["one"]
