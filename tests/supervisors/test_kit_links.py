"""Laws N3 and N4: one ``Down`` per monitor and life, nothing left behind, and links that carry bad ends only."""

from itertools import pairwise
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Leave, Run, deaf, downs, house
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import Down, FencedError, LinkDownError
from supervisors.context import Context
from supervisors.reasons import Crash, Normal
from supervisors.reply import ActorDownError
from supervisors.spec import Backoff, ChildSpec

BOOM = ValueError("boom")
LATER = Backoff(1, 1)


async def on(it: House, path: str, other: str, what: str) -> None:
    """Have the worker at ``path`` link with or monitor ``other``."""

    async def body(ctx: Context[Any]) -> None:
        getattr(ctx, what)(it.ref(other))

    it.ref(path).tell_nowait(Run(body))
    await wait_all_tasks_blocked()


def bonds(it: House, *paths: str) -> int:
    """How many watches there are, seen from both sides."""
    cells = [it.cell(path) for path in paths]
    return sum(len(cell.watches) + (0 if cell.life is None else len(cell.life.watching)) for cell in cells)


# --- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fails", "other"), [("root/a", "root/b"), ("root/b", "root/a")])
async def test_law_N4_a_bad_end_of_one_is_the_end_of_the_other_in_both_directions(
    autojump_clock: MockClock, fails: str, other: str
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=LATER), book.spec("b", backoff=LATER), book.spec("c")) as it:
        await on(it, "root/a", "root/b", "link")
        it.ref(fails).tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()

        assert it.exits(fails) == [("ValueError: boom", "restart")]
        assert it.exits(other) == [
            (f"LinkDownError: {fails}, linked with it, ended: ValueError: boom", "restart")
        ]
        reason = it.cell(other).last_reason
        assert isinstance(reason, Crash)
        assert isinstance(reason.exc, LinkDownError)
        assert (reason.exc.path, reason.exc.reason) == (fails, Crash(BOOM))
        assert it.exits("root/c") == []
        await trio.sleep(5)
        assert (it.ref("root/a").incarnation, it.ref("root/b").incarnation) == (2, 2)


@pytest.mark.parametrize("end", ["leave", "stop", "cancel"])
async def test_law_N4_an_end_in_good_order_harms_nobody(autojump_clock: MockClock, end: str) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b", shutdown=0 if end == "cancel" else 5)) as it:
        await on(it, "root/a", "root/b", "link")
        if end == "leave":
            it.ref("root/b").tell_nowait(Leave())
            await trio.sleep(1)
        else:
            await it.commands("root").restart_child("b", 10)

        assert it.ref("root/b").incarnation == 2
        assert it.ref("root/a").incarnation == 1
        assert bonds(it, "root/a", "root/b") == 0


async def test_law_N4_a_link_is_between_two_lives_and_binds_no_later_ones(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b")) as it:
        await on(it, "root/a", "root/b", "link")
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(5)
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(5)

        assert (it.ref("root/a").incarnation, it.ref("root/b").incarnation) == (3, 2)
        assert bonds(it, "root/a", "root/b") == 0


async def test_law_N4_a_bad_end_goes_along_a_chain_of_links_and_keeps_its_way(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    names = "abcd"
    async with house(*(book.spec(name, restart="temporary") for name in names)) as it:
        for one, other in pairwise(names):
            await on(it, f"root/{one}", f"root/{other}", "link")
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()

        reason = it.cell("root/d").last_reason
        for path in ("root/c", "root/b", "root/a"):
            assert isinstance(reason, Crash)
            assert isinstance(reason.exc, LinkDownError)
            assert reason.exc.path == path
            reason = reason.exc.reason
        assert reason == Crash(BOOM)


async def test_law_N4_who_says_nothing_about_the_cancellation_has_ended_badly_all_the_same(
    autojump_clock: MockClock,
) -> None:
    book = Book()

    async def swallows(ctx: Context[Any]) -> None:
        ctx.link(ctx.system.registry.ref("root/a"))
        ctx.ready()
        with trio.move_on_after(1000) as scope:
            await trio.sleep_forever()
        assert scope.cancelled_caught is False

    async def returns(ctx: Context[Any]) -> None:
        ctx.link(ctx.system.registry.ref("root/a"))
        ctx.ready()
        with trio.CancelScope(shield=True):
            await trio.sleep(3)

    options: dict[str, Any] = {"restart": "temporary"}
    async with house(
        book.spec("a", **options), ChildSpec("s", swallows, **options), ChildSpec("r", returns, **options)
    ) as it:
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(10)

        for path in ("root/s", "root/r"):
            assert [reason.split(":")[0] for reason, _ in it.exits(path)] == ["LinkDownError"]


async def test_law_N4_to_link_with_nobody_fails_in_the_linker(autojump_clock: MockClock) -> None:
    book = Book()
    failed: list[tuple[str, object]] = []

    async def body(ctx: Context[Any]) -> None:
        for path in ("root/b", "root/nobody"):
            with pytest.raises(ActorDownError) as raised:
                ctx.link(it.ref(path))
            failed.append((raised.value.path, type(raised.value.reason).__name__))

    async with house(book.spec("a"), book.spec("b", backoff=LATER)) as it:
        it.ref("root/b").tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()
        it.ref("root/a").tell_nowait(Run(body))
        await wait_all_tasks_blocked()

        assert failed == [("root/b", "Crash"), ("root/nobody", "Shutdown")]


async def test_law_N4_a_life_that_is_given_up_takes_its_linked_one_down_once(
    autojump_clock: MockClock,
) -> None:
    book = Book()

    async def stuck(ctx: Context[Any]) -> None:
        if ctx.incarnation > 1:
            await book.worker(ctx)
        else:
            ctx.link(it.ref("root/a"))
            await deaf(ctx)

    it: House
    child = ChildSpec("s", stuck, shutdown=1, grace=1, start_mode="eventual")
    async with house(book.spec("a")) as it:
        await it.commands("root").start_child(child, 10)
        await it.commands("root").restart_child("s", 60)
        await trio.sleep(10_000)

        assert it.exits("root/a") == [("LinkDownError: root/s, linked with it, ended: stuck", "restart")]
        assert it.ref("root/s").incarnation == 2
        assert not it.system.zombies


# --- monitors ----------------------------------------------------------------------------------------------------------


async def test_law_N3_every_life_that_is_monitored_is_one_down_and_each_monitor_its_own(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("w")) as it:
        for number in (1, 2, 3):
            await on(it, "root/w", "root/a", "monitor")
            await on(it, "root/w", "root/a", "monitor")
            it.ref("root/a").tell_nowait(Leave() if number == 3 else Fail(BOOM))
            await trio.sleep(5)

        assert downs(book, "root/w") == [
            *2 * [Down("root/a", 1, Crash(BOOM))],
            *2 * [Down("root/a", 2, Crash(BOOM))],
            *2 * [Down("root/a", 3, Normal())],
        ]
        assert bonds(it, "root/a", "root/w") == 0


@pytest.mark.parametrize("what", ["monitor", "link"])
async def test_law_N6_a_life_that_was_given_up_watches_nobody(autojump_clock: MockClock, what: str) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b")) as it:
        fenced: list[str] = []

        async def body(ctx: Context[Any]) -> None:
            it.system.abandon(it.life("root/a"))
            with pytest.raises(FencedError):
                getattr(ctx, what)(it.ref("root/b"))
            fenced.append("yes")

        it.ref("root/a").tell_nowait(Run(body))
        await wait_all_tasks_blocked()

        assert fenced == ["yes"]
        assert bonds(it, "root/b") == 0


async def test_law_N3_a_watcher_that_ends_first_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("w"), book.spec("l", restart="temporary")) as it:
        for _ in range(20):
            await on(it, "root/w", "root/a", "monitor")
            await it.commands("root").restart_child("w", 10)
        assert bonds(it, "root/a", "root/w") == 0
        await on(it, "root/l", "root/a", "link")
        it.ref("root/l").tell_nowait(Leave())
        await wait_all_tasks_blocked()

        assert bonds(it, "root/a", "root/w", "root/l") == 0
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()
        assert downs(book, "root/w") == []
