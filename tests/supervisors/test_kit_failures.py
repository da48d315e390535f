"""Laws C2, C8 and K4: what a failure costs, whom it concerns, and that one with a name goes the way of one without."""

import random
from dataclasses import replace
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, house
from otp_model import BOOM, random_spec
from trio.testing import MockClock

from supervisors.context import Context
from supervisors.core import SupervisorCore
from supervisors.reasons import ExitReason, Failed, Normal, crash
from supervisors.spec import Backoff, ChildSpec, Intensity, Strategy
from supervisors.step import Action, Begin, Booted, End, Event, Exited, Ready, Record, Removed, Tick
from supervisors.supervisor import supervisor

SOON = Backoff(0.1, 0.1)
STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "one_for_all", "rest_for_one")


async def test_law_C2_a_restart_that_fails_counts_as_one(autojump_clock: MockClock) -> None:
    """Whether it raises before it is ready, or is never ready: one more end, and one only."""

    async def once(ctx: Context[Any]) -> None:
        match ctx.incarnation:
            case 1:
                ctx.ready()
                raise BOOM.exc
            case 2:
                raise BOOM.exc
            case _:
                await trio.sleep_forever()

    child = ChildSpec("a", once, backoff=SOON, ready_timeout=5, intensity=Intensity(2, 600))
    async with house(child) as it:
        await trio.sleep(1)
        assert it.node("root/a").restarts_in_window == 2
        await trio.sleep(10)

        assert [decision for _, decision in it.exits("root/a")] == ["restart", "restart", "disable"]
        assert [e.detail["budget_left"] for e in it.log if e.kind == "exited"] == [1, 0, 0]
        assert it.node("root/a").restarts_in_window == 3
        assert it.cell("root/a").last_incarnation == 3


@pytest.mark.parametrize("verdict", ["backoff", "disable"])
@pytest.mark.parametrize("code", ["network", "config_invalid", "no_such_code"])
async def test_law_C8_a_failure_changes_its_own_child_only_whatever_its_code(
    autojump_clock: MockClock, code: str, verdict: Any
) -> None:
    def classify(exc: BaseException) -> ExitReason:
        return Failed(code, verdict, exc=exc)

    book = Book()
    siblings = [book.spec("b"), book.spec("c")]
    failing = book.spec("a", classify=classify, backoff=SOON, intensity=Intensity(0, 1e6, "escalate"))
    async with house(supervisor("mid", [siblings[0], failing, siblings[1]])) as it:
        others = ("root", "root/mid", "root/mid/b", "root/mid/c")
        before = [it.life(path) for path in others]
        it.ref("root/mid/c").tell_nowait("kept")
        it.ref("root/mid/a").tell_nowait(Fail(ValueError("boom")))
        await trio.sleep(1)

        assert it.state("root/mid/a") == ("running" if verdict == "backoff" else "disabled")
        assert [it.life(path) for path in others] == before
        assert book.of("root/mid/c") == ["init", "kept"]
    assert it.outcome is not None
    assert it.outcome.code == 0


# --- one path ----------------------------------------------------------------------------------------------------------


class Midway(random.Random):
    """Chance that does not depend on how often it was asked."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_law_K4_a_failure_and_a_crash_lead_to_the_same_actions() -> None:
    """Two cores live through the same; where one child fails with a name, its twin crashes. Only the budget tells."""
    assert sum(map(_failures_of_twins, range(300))) > 500


def _failures_of_twins(seed: int) -> int:
    rng = random.Random(seed)
    strategy = rng.choice(STRATEGIES)
    specs = [_unlimited(random_spec(rng, f"c{n}")) for n in range(rng.randint(1, 4))]
    named, unnamed = (SupervisorCore(specs, rng=Midway(), strategy=strategy) for _ in range(2))
    now, failures = 0.0, 0

    def feed(event: Event, twin: Event) -> list[Action]:
        actions = named.step(event, now)
        assert _without_reasons(actions) == _without_reasons(unnamed.step(twin, now)), seed
        return actions

    booted = any(isinstance(action, Booted) for action in feed(Begin(), Begin()))
    for _ in range(60):
        name = rng.choice(list(named.children))
        number = named.children[name].incarnation
        match rng.randrange(3):
            case 0:
                now += rng.choice((0.5, 2.0, 30.0))
                actions = feed(Tick(), Tick())
            case 1:
                actions = feed(Ready(name, number), Ready(name, number))
            case _ if booted:
                failures += named.children[name].alive
                failed: ExitReason = Failed("network", "backoff")
                actions = feed(Exited(name, number, failed), Exited(name, number, BOOM))
            case _:
                actions = feed(Exited(name, number, Normal()), Exited(name, number, Normal()))
        booted = booted or any(isinstance(action, Booted) for action in actions)
    return failures


def _unlimited(spec: ChildSpec) -> ChildSpec:
    return replace(spec, intensity=Intensity(10_000, 1.0))


def _without_reasons(actions: list[Action]) -> list[Action]:
    def without(action: Action) -> Action:
        match action:
            case Record():
                return replace(action, reason=Normal(), budget_left=0)
            case End() | Removed():
                return replace(action, reason=Normal())
            case _:
                return action

    return [without(action) for action in actions]


async def test_law_K4_a_failure_and_a_crash_look_the_same_from_outside(autojump_clock: MockClock) -> None:
    stories = []
    for classify in (crash, lambda exc: Failed("network", "backoff", exc=exc)):
        book = Book()
        parts = [book.spec(name, classify=classify, backoff=SOON) for name in "abc"]
        async with house(supervisor("mid", parts, strategy="rest_for_one")) as it:
            it.ref("root/mid/b").tell_nowait(Fail(ValueError("boom")))
            it.ref("root/mid/b").tell_nowait("waits")
            await trio.sleep(5)
            paths = [f"root/mid/{name}" for name in "abc"]
            stories.append({path: (_told(it, path), book.of(path)) for path in paths})

    assert stories[0] == stories[1]
    assert stories[0]["root/mid/b"][0] == [
        ("started", 1),
        ("ready", 1),
        ("restart", 1),
        ("started", 2),
        ("ready", 2),
    ]


def _told(it: House, path: str) -> list[tuple[str, int]]:
    return [(e.detail.get("decision", e.kind), e.incarnation) for e in it.log if e.path == path]
