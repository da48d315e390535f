"""Law A2 and its neighbours: whom a failure takes down, in which order, and who comes back; against a model of a few lines."""

import os
import random

import pytest
from otp_model import BOOM, idle

from supervisors import step
from supervisors.core import SupervisorCore
from supervisors.lint import check_child_specs
from supervisors.reasons import Crash, ExitReason, Failed, IntensityExceeded, Normal, Shutdown, Stuck
from supervisors.spec import AutoShutdown, Backoff, ChildSpec, Intensity, Limit, Restart, Strategy
from supervisors.step import (
    Action,
    Begin,
    Booted,
    Cancel,
    Disable,
    Enable,
    End,
    Event,
    Exited,
    Phase,
    Ready,
    Record,
    SoftStop,
    Start,
    State,
    Stop,
    Terminate,
    Tick,
)

Order = step.Restart
STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "one_for_all", "rest_for_one")
SEQUENCES = int(os.environ.get("KIT_SEQUENCES", "30000")) // 10


def spec(
    name: str, restart: Restart = "permanent", *, significant: bool = False, sync: bool = True
) -> ChildSpec:
    return ChildSpec(
        name,
        idle,
        restart=restart,
        start_mode="sync" if sync else "eventual",
        backoff=Backoff(1.0, 1.0, 1.0, reset_after=50.0),
        intensity=Intensity(1000, per=1.0),
        significant=significant,
    )


class World:
    """Children that obey: they get ready when started, and stop when asked. ``log`` is what happened, in order."""

    def __init__(
        self,
        *specs: ChildSpec,
        strategy: Strategy = "one_for_one",
        limit: Limit | None = None,
        auto_shutdown: AutoShutdown = "never",
    ) -> None:
        self.core = SupervisorCore(
            specs, rng=random.Random(0), strategy=strategy, limit=limit, auto_shutdown=auto_shutdown
        )
        self.now = 0.0
        self.log: list[str] = []
        self.records: list[Record] = []
        self.ended: list[ExitReason] = []
        self.booted = 0
        self.feed(Begin())

    def feed(self, event: Event) -> None:
        """Take an event and let everybody obey until nothing moves."""
        queue = list(self.core.step(event, self.now))
        while queue:
            queue += self._obey(queue.pop(0))
            self._holds()

    def _obey(self, action: Action) -> list[Action]:
        match action:
            case Start(name, number):
                self.log.append(f"+{name}")
                return self.core.step(Ready(name, number), self.now)
            case SoftStop(name, number) | Cancel(name, number):
                self.log.append(f"-{name}")
                return self.core.step(Exited(name, number, Shutdown()), self.now)
            case Booted():
                self.booted += 1
            case End(reason):
                self.ended.append(reason)
            case Record():
                self.records.append(action)
            case _:
                pass
        return []

    def end(self, name: str, reason: ExitReason = BOOM) -> None:
        """A child ends by itself."""
        self.feed(Exited(name, self.core.children[name].incarnation, reason))

    def wait(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        until = self.now + seconds
        while (at := self.core.next_deadline) is not None and at <= until:
            self.now = at
            self.feed(Tick())
        self.now = until

    def numbers(self) -> dict[str, int]:
        return {name: child.incarnation for name, child in self.core.children.items()}

    def states(self) -> str:
        """One letter a child: the first of its state; a waiting one is '.'."""
        return "".join("." if c.waiting else c.state.value[0] for c in self.core.children.values())

    def take_log(self) -> str:
        log, self.log = " ".join(self.log), []
        return log

    def _holds(self) -> None:
        """Law C7 for groups: whoever waits waits for a sibling that is coming, going, or visibly disabled."""
        children = list(self.core.children.values())
        if self.core.phase is Phase.RUNNING:
            for child in children:
                if child.waiting:
                    assert any(o.holds or (o.alive and o.state is not State.RUNNING) for o in children), (
                        child.spec.id
                    )


def affected(strategy: Strategy, names: list[str], failed: str) -> list[str]:
    """OTP's rule, in start order."""
    match strategy:
        case "one_for_one":
            return [failed]
        case "one_for_all":
            return names
        case "rest_for_one":
            return names[names.index(failed) :]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_law_A2_exactly_the_dependent_ones_restart_in_order_and_temporary_ones_never(
    strategy: Strategy,
) -> None:
    for seed in range(SEQUENCES):
        rng = random.Random(seed)
        kinds: list[Restart] = ["permanent", "transient", "temporary"]
        world = World(
            *[spec(f"c{n}", rng.choice(kinds)) for n in range(rng.randint(1, 5))], strategy=strategy
        )
        for _ in range(rng.randint(1, 6)):
            up = [name for name, child in world.core.children.items() if child.state is State.RUNNING]
            if not up:
                break
            failed = rng.choice(up)
            before, names = world.numbers(), list(world.core.children)
            world.take_log()
            clean = world.core.children[failed].spec.restart == "transient" and rng.random() < 0.3
            world.end(failed, Normal() if clean else BOOM)
            went = world.take_log()
            world.wait(2.0)
            came = world.take_log()

            comes = not clean and world.core.children[failed].spec.restart != "temporary"
            group = affected(strategy, names, failed) if comes else []
            stops = [f"-{n}" for n in reversed(group) if n in up and n != failed]
            back = [n for n in group if world.core.children[n].spec.restart != "temporary"]
            repro = f"seed {seed}, {strategy}, {failed} of {names}"
            assert went.split() == stops, repro
            assert came.split() == [f"+{n}" for n in back], repro
            after = world.numbers()
            assert {n for n in names if after[n] != before[n]} == set(back), repro


@pytest.mark.parametrize(
    ("strategy", "failed", "down", "up"),
    [
        ("one_for_one", "b", "rbr", ""),
        ("rest_for_one", "b", "rb.", "-c"),
        ("one_for_all", "b", ".b.", "-c -a"),
        ("rest_for_one", "c", "rrb", ""),
        ("rest_for_one", "a", "b..", "-c -b"),
    ],
)
def test_law_A2_a_child_in_backoff_keeps_those_that_depend_on_it_down(
    strategy: Strategy, failed: str, down: str, up: str
) -> None:
    world = World(spec("a"), spec("b"), spec("c"), strategy=strategy)
    world.take_log()

    world.end(failed)

    assert (world.states(), world.take_log()) == (down, up)
    world.wait(0.9)
    assert (world.states(), world.take_log()) == (down, "")
    world.wait(0.2)
    assert world.states() == "rrr"


def test_one_failure_counts_once_also_when_its_siblings_crash_on_the_way_down() -> None:
    class Stubborn(World):
        """Nobody stops when asked."""

        def _obey(self, action: Action) -> list[Action]:
            return [] if isinstance(action, SoftStop | Cancel) else super()._obey(action)

    world = Stubborn(spec("a"), spec("b"), spec("c"), strategy="one_for_all", limit=Limit(1, 100.0))
    world.end("b")

    world.end("a")
    world.end("c")
    world.wait(2.0)

    assert (world.states(), world.ended) == ("rrr", [])
    assert [(record.child, record.decision) for record in world.records] == [
        ("b", "restart"),
        ("a", "restart"),
        ("c", "restart"),
    ]


def test_a_disabled_child_holds_those_that_depend_on_it_until_it_is_enabled_and_holds_up_no_boot() -> None:
    world = World(spec("a"), spec("b"), spec("c"), strategy="rest_for_one")

    world.end("b", Failed("token", "disable"))
    assert world.states() == "rd."
    world.wait(100.0)
    assert world.states() == "rd."
    world.feed(Enable("b"))

    assert (world.states(), world.booted) == ("rrr", 1)


def test_an_order_to_disable_takes_the_dependent_ones_along_and_terminate_does_not() -> None:
    world = World(spec("a"), spec("b"), strategy="rest_for_one")
    world.feed(Disable("a"))
    assert world.states() == "d."
    world.feed(Enable("a"))
    assert world.states() == "rr"

    world.feed(Terminate("a"))

    assert world.states() == "sr"


def test_a_child_stopped_by_order_is_not_brought_back_by_its_siblings_restart() -> None:
    world = World(spec("a", "transient"), spec("b", "transient"), spec("c"), strategy="one_for_all")
    world.feed(Terminate("a"))
    world.end("b", Normal())

    world.end("c")
    world.wait(2.0)

    assert world.states() == "srr"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_a_stop_while_a_group_goes_down_ends_it_in_order(strategy: Strategy) -> None:
    world = World(spec("a"), spec("b"), spec("c"), strategy=strategy)
    world.end("b")

    world.feed(Stop())

    assert world.ended == [Shutdown()]
    assert world.states() == "sss"


# --- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap", "gives_up"), [(4.0, True), (5.0, True), (5.1, False)])
def test_law_C1_more_than_the_limit_within_the_window_gives_up_once_and_in_order(
    gap: float, gives_up: bool
) -> None:
    world = World(spec("a"), spec("b"), limit=Limit(2, per=10.0))
    world.take_log()
    for name in ("a", "b", "a"):
        world.end(name)
        world.now += 0.0
        world.wait(gap)
        if world.ended:
            break

    if gives_up:
        assert [type(reason) for reason in world.ended] == [IntensityExceeded]
        assert world.take_log().split()[-1:] == ["-b"]
    else:
        assert world.ended == []
        assert world.states() == "rr"


def test_law_C1_exactly_the_limit_does_not_trip() -> None:
    world = World(spec("a"), limit=Limit(2, per=10.0))

    for _ in range(2):
        world.end("a")
        world.wait(1.0)

    assert (world.ended, world.states()) == ([], "r")


def test_law_C6_named_transient_failures_cost_no_limit() -> None:
    world = World(spec("a"), limit=Limit(0, per=10.0))

    world.end("a", Failed("net", "backoff"))
    world.wait(2.0)

    assert (world.ended, world.states()) == ([], "r")


PROBED = ChildSpec(
    "a", idle, backoff=Backoff(1, 1, 1, reset_after=20.0), intensity=Intensity(1, per=10.0, probe=100.0)
)


def probed_world() -> World:
    """``a`` has ended too often and is disabled; ``b`` is not concerned."""
    world = World(PROBED, spec("b"))
    for _ in range(2):
        world.end("a")
        world.wait(1.0)
    assert world.states() == "dr"
    return world


def test_law_C5_a_disabled_child_is_probed_and_one_more_end_disables_it_again() -> None:
    world = probed_world()
    world.wait(98.9)
    assert world.states() == "dr"

    world.wait(0.2)
    assert world.states() == "rr"
    world.wait(15.0)
    world.end("a")

    assert world.states() == "dr"
    world.wait(100.0)
    assert world.states() == "rr"


def test_law_C5_a_probe_that_stays_healthy_has_its_whole_budget_again() -> None:
    world = probed_world()
    world.wait(100.0)
    world.wait(20.0)

    world.end("a")
    assert world.states() == "br"
    world.wait(1.0)
    world.end("a")

    assert world.states() == "dr"


def test_law_C5_an_order_to_enable_ends_the_probe() -> None:
    world = probed_world()

    world.feed(Enable("a"))
    world.end("a")

    assert world.states() == "br"


def test_law_C5_a_child_that_needs_its_operator_is_not_probed() -> None:
    world = World(ChildSpec("a", idle, intensity=Intensity(5, probe=10.0)))

    world.end("a", Failed("token", "disable"))
    world.wait(1000.0)

    assert world.states() == "d"


# --- significance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auto_shutdown", "ends", "over"),
    [
        ("any_significant", ["a"], True),
        ("all_significant", ["a"], False),
        ("all_significant", ["a", "b"], True),
    ],
)
def test_significant_children_that_end_for_good_end_their_supervisor(
    auto_shutdown: AutoShutdown, ends: list[str], over: bool
) -> None:
    significant = [spec(name, "transient", significant=True) for name in "ab"]
    world = World(*significant, spec("c"), auto_shutdown=auto_shutdown)

    for name in ends:
        world.end(name, Normal())

    assert world.ended == ([Shutdown("auto_shutdown")] if over else [])


def test_an_insignificant_or_crashing_child_ends_nobody() -> None:
    world = World(
        spec("a", "transient", significant=True), spec("b", "transient"), auto_shutdown="any_significant"
    )

    world.end("b", Normal())
    world.end("a", Crash(ValueError()))
    world.wait(2.0)

    assert (world.ended, world.states()) == ([], "rs")


# --- lint --------------------------------------------------------------------------------------------------------------


def test_contradictory_specs_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="2 children are called 'a'"):
        SupervisorCore([spec("a"), spec("a")], rng=random.Random(0))
    with pytest.raises(ValueError, match="never ends for good"):
        World(spec("a", significant=True), auto_shutdown="any_significant")
    with pytest.raises(ValueError, match="nothing shuts down"):
        World(spec("a", "transient", significant=True))


@pytest.mark.parametrize(
    ("strategy", "limit", "problems"),
    [
        ("one_for_one", Limit(3, 60.0), 0),
        ("one_for_one", Limit(60, 60.0), 2),
        ("rest_for_one", Limit(9, 60.0), 1),
        ("one_for_all", Limit(9, 60.0), 2),
    ],
)
def test_law_C3_a_window_that_slow_stops_defeat_is_found(
    strategy: Strategy, limit: Limit, problems: int
) -> None:
    slow = [
        ChildSpec(name, idle, backoff=Backoff(1.0), intensity=Intensity(1, 60.0), shutdown=5.0, grace=1.0)
        for name in "ab"
    ]

    assert len(check_child_specs(slow, strategy=strategy, limit=limit)) == problems


# --- what the mutants showed -------------------------------------------------------------------------------------------


def test_an_end_over_the_limit_has_its_record_and_the_child_is_stopped() -> None:
    world = World(spec("a"), limit=Limit(0, per=10.0))

    world.end("a")

    assert [(record.child, record.decision) for record in world.records] == [("a", "escalate")]
    assert world.states() == "s"


def test_a_record_says_how_much_budget_is_left() -> None:
    world = World(ChildSpec("a", idle, backoff=Backoff(1, 1, 1), intensity=Intensity(2, per=100.0)))

    for _ in range(3):
        world.end("a")
        world.wait(1.0)

    assert [record.budget_left for record in world.records] == [1, 0, 0]


def test_a_child_that_ended_by_itself_and_was_then_terminated_stays_down() -> None:
    world = World(spec("a", "transient"), spec("b"), strategy="one_for_all")
    world.end("a", Normal())
    world.feed(Terminate("a"))

    world.end("b")
    world.wait(2.0)

    assert world.states() == "sr"


def test_an_order_to_restart_a_child_in_backoff_brings_its_dependents_along_at_once() -> None:
    world = World(spec("a", sync=False), spec("b", sync=False), strategy="rest_for_one")
    world.end("a")
    assert world.states() == "b."

    world.feed(Order("a"))

    assert world.states() == "rr"


def test_restarts_are_counted_for_the_failed_child_and_for_those_taken_along() -> None:
    world = World(spec("a"), spec("b"), spec("c"), strategy="rest_for_one")
    world.end("b")
    world.wait(2.0)

    assert [child.restarts for child in world.core.children.values()] == [0, 1, 1]

    world.feed(Order("b"))  # an order is no failure
    assert [child.incarnation for child in world.core.children.values()] == [1, 3, 2]
    assert [child.restarts for child in world.core.children.values()] == [0, 1, 1]

    world.end("b")
    world.wait(2.0)
    assert [child.restarts for child in world.core.children.values()] == [0, 2, 2]


def test_a_start_by_order_after_an_end_that_nobody_ordered_is_counted_and_after_one_by_order_is_not() -> None:
    world = World(spec("a"), spec("b"))
    world.end("a", Failed("token", "disable"))
    world.feed(Enable("a"))
    world.feed(Disable("b"))
    world.feed(Enable("b"))

    assert [child.incarnation for child in world.core.children.values()] == [2, 2]
    assert [child.restarts for child in world.core.children.values()] == [1, 0]


@pytest.mark.parametrize(
    ("reason", "state"), [(Failed("token", "disable"), "d"), (Failed("net", "backoff"), "."), (BOOM, ".")]
)
def test_a_dependent_that_ends_before_it_is_told_to_is_judged_only_by_what_is_its_own(
    reason: ExitReason, state: str
) -> None:
    class Slow(World):
        """Nobody stops when asked."""

        def _obey(self, action: Action) -> list[Action]:
            return [] if isinstance(action, SoftStop | Cancel) else super()._obey(action)

    world = Slow(spec("a"), spec("b"), spec("c"), strategy="rest_for_one")
    world.end("a")

    world.end("b", reason)

    assert world.states()[1] == state


def test_the_lint_names_what_a_restart_takes() -> None:
    slow = ChildSpec(
        "slow", idle, backoff=Backoff(1.0), intensity=Intensity(1, 60.0), shutdown=5.0, grace=1.0
    )
    quick = ChildSpec(
        "quick", idle, backoff=Backoff(1.0), intensity=Intensity(1, 60.0), shutdown=0.0, grace=0.5
    )

    assert check_child_specs([slow, quick], strategy="rest_for_one", limit=Limit(40, 60.0)) == [
        "slow can never exceed the supervisor's limit of 40 ends in 60 s: each takes 1.5 s or more"
    ]
    assert check_child_specs([quick, slow], strategy="rest_for_one", limit=Limit(9, 60.0)) == [
        "quick can never exceed the supervisor's limit of 9 ends in 60 s: each takes 7 s or more"
    ]


def test_a_fault_of_an_earlier_life_is_not_held_against_a_later_one() -> None:
    core = SupervisorCore([spec("a"), spec("b"), spec("c")], rng=random.Random(0), strategy="rest_for_one")
    core.step(Begin(), 0.0)
    for name in "abc":
        core.step(Ready(name, 1), 0.0)
    core.step(step.Fault("b", 1, BOOM), 0.0)
    core.step(Exited("c", 1, Shutdown()), 0.0)
    core.step(Exited("b", 1, Shutdown()), 0.0)
    core.step(Exited("c", 1, Shutdown()), 0.0)
    core.step(Tick(), 1.0)
    core.step(Ready("b", 2), 1.0)
    core.step(Ready("c", 2), 1.0)

    core.step(Exited("a", 1, BOOM), 2.0)  # c is asked to stop; b, doomed, ends before its turn
    (record,) = [a for a in core.step(Exited("b", 2, BOOM), 2.0) if isinstance(a, Record)]

    assert (record.decision, record.delay) == ("restart", None), (
        "as its sibling's, not for a fault of its own"
    )


def test_a_dependent_that_is_disabled_on_its_way_down_runs_like_any_other_once_it_is_enabled() -> None:
    class Stubborn(World):
        """Nobody stops when asked."""

        def _obey(self, action: Action) -> list[Action]:
            return [] if isinstance(action, SoftStop | Cancel) else super()._obey(action)

    world = Stubborn(spec("a"), spec("b"), spec("c"), strategy="rest_for_one")
    world.end("a")
    world.end("b", Failed("token", "disable"))
    world.end("c")
    world.wait(2.0)
    assert world.states() == "rd."

    world.feed(Enable("b"))

    assert world.states() == "rrr"


def test_a_stuck_child_is_seen_to_be_stuck() -> None:
    core = SupervisorCore([spec("a")], rng=random.Random(0))
    assert core.phase is Phase.NEW
    core.step(Begin(), 0.0)
    core.step(step.Fault("a", 1, BOOM), 0.0)

    actions = core.step(Tick(), 2.0)

    assert [a.state for a in actions if isinstance(a, step.Changed)] == [State.STUCK, State.STOPPED]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_an_order_to_restart_waits_for_those_it_depends_on(strategy: Strategy) -> None:
    world = World(spec("a"), spec("b"), strategy=strategy)
    world.feed(Disable("a"))
    assert world.states() == "d."

    world.feed(Order("b"))
    assert world.states() == "d."
    world.feed(Enable("a"))
    assert world.states() == "rr"


def test_a_stuck_child_that_escalates_is_remembered_as_stuck() -> None:
    world = World(ChildSpec("a", idle, on_stuck="escalate", start_mode="sync"))
    world.core.step(step.Fault("a", 1, BOOM), 0.0)

    world.wait(2.0)

    assert world.core.children["a"].history == [Stuck()]
    assert world.ended == [Stuck(("a",))]


def test_a_child_that_never_beats_owes_progress_since_it_was_ready() -> None:
    core = SupervisorCore([ChildSpec("a", idle, stall_s=4.0)], rng=random.Random(0))
    core.step(Begin(), 0.0)
    core.step(Ready("a", 1), 0.0)

    actions = core.step(Tick(), 4.0)

    assert Cancel("a", 1) in actions


def test_a_probe_is_off_once_the_supervisor_stops() -> None:
    core = SupervisorCore(
        [ChildSpec("a", idle, intensity=Intensity(0, probe=10.0)), ChildSpec("b", idle, shutdown=60.0)],
        rng=random.Random(0),
    )
    core.step(Begin(), 0.0)
    core.step(Ready("b", 1), 0.0)
    core.step(Exited("a", 1, BOOM), 0.0)
    core.step(Stop(), 1.0)

    assert core.next_deadline == 61.0, "b's own, and no other"
    assert core.step(Tick(), 11.0) == []


def test_the_last_eight_reasons_are_kept() -> None:
    world = World(spec("a"))
    for n in range(10):
        world.end("a", Failed(f"code{n}", "backoff"))
        world.wait(2.0)

    assert [r.code for r in world.core.children["a"].history if isinstance(r, Failed)] == [
        f"code{n}" for n in range(2, 10)
    ]


def test_a_disabled_child_stays_down_when_one_it_depends_on_comes_back() -> None:
    world = World(spec("a"), spec("b"), spec("c"), strategy="rest_for_one")
    world.feed(Disable("b"))
    world.end("a")
    world.wait(2.0)

    assert world.states() == "rd."


def test_an_order_to_enable_after_a_failed_probe_is_no_probe() -> None:
    world = probed_world()
    world.wait(100.0)
    world.end("a")
    assert world.states() == "dr"

    world.feed(Enable("a"))
    world.end("a")

    assert world.states() == "br"


def test_a_healthy_probe_makes_earlier_ends_count_no_more_however_wide_the_window() -> None:
    child = ChildSpec(
        "a", idle, backoff=Backoff(1.0, 1.0, reset_after=5.0), intensity=Intensity(1, 1000.0, probe=10.0)
    )
    world = World(child)
    world.end("a")
    world.wait(1.0)
    world.end("a")
    assert world.states() == "d"
    world.wait(20.0)

    world.end("a")

    assert world.states() == "b"


@pytest.mark.parametrize(("strategy", "seconds"), [("rest_for_one", 41), ("one_for_all", 48)])
def test_the_lint_counts_the_stops_of_exactly_those_that_go_down_along(
    strategy: Strategy, seconds: int
) -> None:
    def slow(name: str, shutdown: float) -> ChildSpec:
        policy = Intensity(1, 30.0 if name == "b" else 1000.0)
        return ChildSpec(name, idle, backoff=Backoff(1.0), intensity=policy, shutdown=shutdown, grace=0.0)

    (problem,) = check_child_specs([slow("a", 7.0), slow("b", 20.0), slow("c", 40.0)], strategy=strategy)

    assert problem.endswith(f"each takes {seconds} s or more")
