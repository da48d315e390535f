"""Law N6 and ``send_after``: in order, in time, cancelled for good, gone with the life that set them, and no tasks."""

import random
from itertools import pairwise
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Run, house, sleeps
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import Stop
from supervisors.context import Context
from supervisors.spec import Backoff, ChildSpec
from supervisors.timers import SWEEP_MIN, Timer, Timers

BOOM = ValueError("boom")


async def do(it: House, body: Any) -> None:
    """Have the worker at root/a run ``body``."""

    async def run(ctx: Context[Any]) -> None:
        body(ctx)

    it.ref("root/a").tell_nowait(Run(run))
    await wait_all_tasks_blocked()


async def listener(ctx: Context[Any], log: list[tuple[float, Any]], first: Any) -> None:
    """Does ``first``, then writes down what comes and when, counted from its start."""
    start = trio.current_time()
    first(ctx)
    ctx.ready()
    while not isinstance(message := await ctx.receive(), Stop):
        log.append((trio.current_time() - start, message))


async def test_timers_come_when_they_are_due_and_equal_ones_in_the_order_they_were_set(
    autojump_clock: MockClock,
) -> None:
    log: list[tuple[float, Any]] = []

    def set_them(ctx: Context[Any]) -> None:
        for seconds, message in ((3, "c"), (1, "a"), (2, "b1"), (2, "b2"), (0, "now"), (2, "b3")):
            ctx.send_after(seconds, message)

    async with house(ChildSpec("a", listener, (log, set_them))) as it:
        await trio.sleep(1.5)
        it.ref("root/a").tell_nowait("told")
        await trio.sleep(5)

        assert log == [(0, "now"), (1, "a"), (1.5, "told"), (2, "b1"), (2, "b2"), (2, "b3"), (3, "c")]


async def test_law_M5_what_fell_due_while_the_actor_was_busy_comes_before_the_user_lane_and_after_the_stop(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a")) as it:
        await do(it, lambda ctx: [ctx.send_after(2, "second"), ctx.send_after(1, "first")])
        it.ref("root/a").tell_nowait(sleeps(3))
        await wait_all_tasks_blocked()
        it.ref("root/a").tell_nowait("user")
        await trio.sleep(5)
        assert book.of("root/a") == ["init", "first", "second", "user"]

        await do(it, lambda ctx: ctx.send_after(1, "too late"))
        it.ref("root/a").tell_nowait(sleeps(3))
        await wait_all_tasks_blocked()
        it.ref("root/a").stop()
        await trio.sleep(5)
        assert book.of("root/a")[4:] == ["stop", "init"]


async def test_a_timer_that_is_cancelled_never_comes_also_when_it_was_due_already(
    autojump_clock: MockClock,
) -> None:
    log: list[tuple[float, Any]] = []
    handles: dict[str, Timer] = {}

    def set_them(ctx: Context[Any]) -> None:
        for seconds, name in ((1, "kept"), (2, "early"), (3, "canceller"), (3, "due")):
            handles[name] = ctx.send_after(seconds, name)
        assert handles["early"].cancel() is True
        assert handles["early"].cancel() is False

    async def cancels(ctx: Context[Any]) -> None:
        set_them(ctx)
        ctx.ready()
        while not isinstance(message := await ctx.receive(), Stop):
            log.append((trio.current_time(), message))
            if message == "canceller":
                assert handles["due"].pending
                assert handles["due"].cancel() is True
                assert handles["canceller"].cancel() is False

    async with house(ChildSpec("a", cancels)):
        await trio.sleep(10)

        assert log == [(1, "kept"), (3, "canceller")]
        assert not any(timer.pending for timer in handles.values())


@pytest.mark.parametrize("end", ["crash", "restart"])
async def test_law_N6_timers_die_with_the_life_that_set_them(autojump_clock: MockClock, end: str) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(0, 0))) as it:
        await do(it, lambda ctx: [ctx.send_after(n, n) for n in (0.5, 5)])
        it.ref("root/a").tell_nowait(sleeps(1))  # one is due at its end, and one is not
        await wait_all_tasks_blocked()
        if end == "crash":
            it.ref("root/a").urge(Fail(BOOM))
        else:
            await it.commands("root").restart_child("a", 10)
        await trio.sleep(20)

        assert it.ref("root/a").incarnation == 2
        assert [what for _, number, what in book.lines if number == 2] == ["init"]
        assert it.system.letters.newest(1) == []


async def test_a_timer_wakes_nobody_else_and_needs_no_task(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b")) as it:
        before = trio.lowlevel.current_statistics().tasks_living
        await do(it, lambda ctx: [ctx.send_after(n, n) for n in range(1, 100)])

        assert trio.lowlevel.current_statistics().tasks_living == before
        await trio.sleep(200)
        assert book.of("root/a") == ["init", *range(1, 100)]
        assert book.of("root/b") == ["init"]


async def test_law_X1_a_receive_that_is_cancelled_loses_no_timer(autojump_clock: MockClock) -> None:
    log: list[tuple[float, Any]] = []

    async def impatient(ctx: Context[Any]) -> None:
        ctx.send_after(1, "timer")
        ctx.ready()
        while True:
            with trio.move_on_after(0.3):
                message = await ctx.receive()
                if isinstance(message, Stop):
                    return
                log.append((trio.current_time(), message))

    async with house(ChildSpec("a", impatient)):
        await trio.sleep(5)

        assert log == [(1, "timer")]


async def test_a_timer_that_a_task_beside_the_actor_sets_is_in_time_also_while_the_actor_waits(
    autojump_clock: MockClock,
) -> None:
    log: list[tuple[float, Any]] = []

    async def beside(ctx: Context[Any], delay: float) -> None:
        await trio.sleep(delay)
        ctx.send_after(1, f"set after {delay:g}")

    async def owner(ctx: Context[Any]) -> None:
        async with trio.open_nursery() as nursery:
            for delay in (0.25, 3):  # while there are no timers, and while the next one is far
                nursery.start_soon(beside, ctx, delay)
            ctx.ready()
            while not isinstance(message := await ctx.receive(), Stop):
                log.append((trio.current_time(), message))
                if len(log) == 1:
                    ctx.send_after(100, "far")

    async with house(ChildSpec("a", owner)):
        await trio.sleep(10)

        assert log == [(1.25, "set after 0.25"), (4, "set after 3")]


async def test_the_tree_names_the_message_of_a_timer_not_the_timer(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a")) as it:
        await do(it, lambda ctx: ctx.send_after(1, sleeps(10)))
        await trio.sleep(3)

        assert it.node("root/a").current == ("Run", 2)


async def test_a_life_that_was_given_up_sets_no_timers(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a")) as it:
        raised: list[str] = []

        def body(ctx: Context[Any]) -> None:
            it.system.abandon(it.life("root/a"))
            try:
                ctx.send_after(1, "never")
            except Exception as error:
                raised.append(type(error).__name__)

        await do(it, body)

        assert raised == ["FencedError"]


# --- the heap alone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_timers_give_what_a_sorted_list_would_give(seed: int) -> None:
    rng = random.Random(seed)
    timers, model, got, expected = Timers(), [], [], []
    for now in range(100):
        for _ in range(rng.randint(0, 5)):
            timer = timers.add(now + rng.randint(0, 20), len(model))
            model.append(timer)
        if model and rng.random() < 0.5:
            rng.choice(model).cancel()
        expected += sorted((t for t in model if t.pending and t.at <= now), key=lambda t: (t.at, t.message))
        got += [timer for timer in timers.due(now) if timer.cancel()]
    assert got == expected
    assert all(a.at <= b.at for a, b in pairwise(got))


def test_cancelled_timers_are_not_hoarded() -> None:
    timers = Timers()
    kept = [timers.add(1e6, "kept") for _ in range(100)]
    for _ in range(10_000):
        timers.add(1e6, "again").cancel()

    assert len(timers) <= 2 * len(kept) + SWEEP_MIN
    assert [timer for timer in timers.due(1e6) if timer.pending] == kept
