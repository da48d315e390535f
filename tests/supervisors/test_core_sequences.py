"""The pure core against a second telling of OTP's rules: many seeded sequences, and Hypothesis to shrink what fails."""

import os
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from otp_model import BOOM, REASONS, Judge, idle, play, random_spec

from supervisors.core import SupervisorCore
from supervisors.reasons import ExitReason, Failed
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.step import (
    Add,
    Adjust,
    Begin,
    Disable,
    Enable,
    Exited,
    Fault,
    Phase,
    Ready,
    Record,
    Restart,
    Stop,
    Terminate,
    Tick,
)

SEQUENCES = int(os.environ.get("KIT_SEQUENCES", "100000"))
SEQUENCE_BLOCKS = 4
REPRO = "cd tests/supervisors && PYTHONPATH=../.. python -c 'from otp_model import play; play({seed})'"


@pytest.mark.parametrize("block", range(SEQUENCE_BLOCKS))
def test_law_C7_and_A3_and_S1_hold_after_every_event(block: int) -> None:
    ended = 0
    for seed in range(block * SEQUENCES // SEQUENCE_BLOCKS, (block + 1) * SEQUENCES // SEQUENCE_BLOCKS):
        try:
            ended += play(seed).ended
        except Exception as exc:
            pytest.fail(f"repro: {REPRO.format(seed=seed)}  # {exc!r}")
    assert ended > SEQUENCES // SEQUENCE_BLOCKS // 10, (
        "hardly any sequence came to an end: the events are too tame"
    )


def test_same_seed_same_sequence() -> None:
    first, second = play(7, 60), play(7, 60)

    assert first.now == second.now
    assert {n: (c.state, c.incarnation) for n, c in first.core.children.items()} == {
        n: (c.state, c.incarnation) for n, c in second.core.children.items()
    }


class Longest(random.Random):
    """Jitter that always draws the longest delay."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_law_C4_delays_grow_with_every_end_in_a_row_and_start_over_after_health() -> None:
    spec = ChildSpec("a", idle, backoff=Backoff(1, 10, 2, reset_after=60), intensity=Intensity(100))
    core = SupervisorCore([spec], rng=Longest())
    core.step(Begin(), 0.0)
    now = 0.0
    delays = []
    for healthy_for in (0.0, 1.0, 59.9, 0.0, 0.0, 60.0, 0.0):
        number = core.children["a"].incarnation
        core.step(Ready("a", number), now)
        now += healthy_for
        records = [a for a in core.step(Exited("a", number, BOOM), now) if isinstance(a, Record)]
        delays += [record.delay for record in records]
        now = core.children["a"].deadline or now
        core.step(Tick(), now)

    assert delays == [1, 2, 4, 8, 10, 1, 2]


def test_law_C4_and_AC10_a_wait_that_a_peer_names_neither_grows_nor_stops_the_growth_of_the_others() -> None:
    spec = ChildSpec("a", idle, backoff=Backoff(1, 300, 2))
    core = SupervisorCore([spec], rng=Longest())
    core.step(Begin(), 0.0)
    named, unnamed = Failed("conflict", "backoff", retry_after=35.0), Failed("dns", "backoff")
    now, delays = 0.0, []
    for reason in (unnamed, named, unnamed, named, named, unnamed):
        number = core.children["a"].incarnation
        records = [a for a in core.step(Exited("a", number, reason), now) if isinstance(a, Record)]
        delays += [record.delay for record in records]
        now = core.children["a"].deadline or now
        core.step(Tick(), now)

    assert delays == [1, 42, 2, 42, 42, 4]
    assert core.children["a"].streak == 6


class CoreMachine(RuleBasedStateMachine):
    """The same judge, with events that Hypothesis chooses and shrinks."""

    @initialize(seed=st.integers(0, 1 << 16), count=st.integers(0, 3), dynamic=st.booleans())
    def begin(self, seed: int, count: int, dynamic: bool) -> None:
        self.rng = random.Random(seed)
        specs = [random_spec(self.rng, f"c{i}") for i in range(0 if dynamic else count)]
        self.judge = Judge(specs, rng=self.rng, dynamic=dynamic)
        self.judge.feed(Begin())

    def _name(self, which: int) -> str:
        names = list(self.judge.core.children) or ["nobody"]
        return names[which % len(names)]

    def _number(self, name: str, late: bool) -> int:
        child = self.judge.core.children.get(name)
        return (child.incarnation if child else 1) - late

    def running(self) -> bool:
        return hasattr(self, "judge") and not self.judge.ended

    @precondition(running)
    @rule(which=st.integers(0, 3), late=st.booleans())
    def ready(self, which: int, late: bool) -> None:
        name = self._name(which)
        self.judge.feed(Ready(name, self._number(name, late)))

    @precondition(running)
    @rule(which=st.integers(0, 3), reason=st.sampled_from(REASONS), late=st.booleans(), waiting=st.booleans())
    def exited(self, which: int, reason: ExitReason, late: bool, waiting: bool) -> None:
        name = self._name(which)
        self.judge.feed(Exited(name, self._number(name, late), reason, waiting))

    @precondition(running)
    @rule(which=st.integers(0, 3), order=st.sampled_from([Terminate, Restart, Disable, Enable]))
    def order(self, which: int, order: type) -> None:
        self.judge.feed(order(self._name(which)))

    @precondition(running)
    @rule(which=st.integers(0, 3), late=st.booleans())
    def fault(self, which: int, late: bool) -> None:
        name = self._name(which)
        self.judge.feed(Fault(name, self._number(name, late), BOOM))

    @precondition(running)
    @rule(which=st.integers(0, 3))
    def beat(self, which: int) -> None:
        self.judge.beats[self._name(which)] = self.judge.now

    @precondition(running)
    @rule(which=st.integers(0, 3))
    def adjust(self, which: int) -> None:
        self.judge.feed(Adjust(random_spec(self.rng, self._name(which))))

    @precondition(running)
    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 3.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.judge.now += seconds
        self.judge.feed(Tick())

    @precondition(running)
    @rule(which=st.integers(0, 2))
    def add(self, which: int) -> None:
        self.judge.feed(Add(random_spec(self.rng, f"new{which}")))

    @precondition(running)
    @rule()
    def stop(self) -> None:
        self.judge.feed(Stop())

    @precondition(lambda self: not self.running())
    @rule(which=st.integers(0, 3), order=st.sampled_from([Terminate, Restart, Disable, Enable]))
    def order_too_late(self, which: int, order: type) -> None:
        names = list(self.judge.core.children)
        events = [order(names[which % len(names)])] if names else []
        self.judge.after_the_end([*events, Add(random_spec(self.rng, "late")), Stop(), Tick()])

    @invariant()
    def holds(self) -> None:
        if self.running():
            assert self.judge.core.phase is not Phase.NEW
            self.judge.invariant()


TestCoreMachine = CoreMachine.TestCase
TestCoreMachine.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, derandomize=True, database=None
)
