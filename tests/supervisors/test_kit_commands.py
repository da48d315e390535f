"""Orders about children: how many there may be, who is there, and a new spec without a restart."""

from collections import Counter
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, house
from trio.testing import MockClock

from supervisors.letters import Why
from supervisors.reasons import Failed
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.step import State, TooManyChildrenError
from supervisors.supervisor import supervisor

CROWD = "root/crowd"


def crowd(most: int) -> ChildSpec:
    return supervisor("crowd", dynamic=True, max_children=most)


async def start(it: House, book: Book, *names: str) -> None:
    for name in names:
        await it.commands(CROWD).start_child(book.spec(name), 1.0)


async def test_law_N7_one_child_too_many_is_refused_and_nobody_else_troubled(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(crowd(2)) as it:
        await start(it, book, "a", "b")
        with pytest.raises(TooManyChildrenError, match="there are 2 children"):
            await start(it, book, "c")
        assert await it.commands(CROWD).start_child(book.spec("a"), 1.0)  # it is there already
        assert it.system.registry.whereis(f"{CROWD}/c") is None
        assert await it.commands(CROWD).count_children(1.0) == Counter({State.RUNNING: 2})


async def test_law_N7_who_goes_makes_room(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(crowd(1)) as it:
        await start(it, book, "a")
        await it.commands(CROWD).terminate_child("a", 1.0)
        await start(it, book, "b")
        assert it.state(f"{CROWD}/b") == "running"


async def test_law_N7_a_refusal_that_nobody_waits_for_is_a_dead_letter(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(crowd(1)) as it:
        await start(it, book, "a")
        it.commands(CROWD).start_child_soon(book.spec("b"))
        await trio.sleep(1.0)
        ((path, why),) = [(letter.path, letter.why) for letter in it.system.letters.newest(9)]
        assert (path, why) == (f"{CROWD}/b", Why.REFUSED)


def test_law_N7_the_limit_is_for_dynamic_supervisors() -> None:
    for options in ({"dynamic": False, "max_children": 3}, {"dynamic": True, "max_children": 0}):
        with pytest.raises(ValueError, match="max_children is for a dynamic supervisor"):
            supervisor("crowd", **options)


async def test_which_children_tells_them_in_start_order(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a"), crowd(5), book.spec("b")) as it:
        await it.ref("root/b").tell(Fail(ValueError("boom")))
        await trio.sleep(0.01)
        children = await it.commands("root").which_children(1.0)
        assert [(child.id, child.kind, child.state) for child in children] == [
            ("a", "worker", State.RUNNING),
            ("crowd", "supervisor", State.RUNNING),
            ("b", "worker", State.BACKOFF),
        ]
        await trio.sleep(1.0)
        assert [child.restarts for child in await it.commands("root").which_children(1.0)] == [0, 0, 1]


async def test_a_new_spec_holds_from_the_next_end_and_restarts_nothing(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a", intensity=Intensity(5, 60.0))) as it:
        strict = book.spec("a", intensity=Intensity(0, 60.0), backoff=Backoff(9.0, 9.0))
        await it.commands("root").adjust_child(strict, 1.0)
        assert it.ref("root/a").incarnation == 1
        assert it.node("root/a").spec is strict
        await it.ref("root/a").tell(Fail(ValueError("boom")))
        await trio.sleep(0.01)
        assert it.state("root/a") == "disabled"


async def test_a_new_spec_for_nobody_or_against_itself_changes_nothing(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a")) as it:
        with pytest.raises(LookupError, match="root has no child 'b'"):
            await it.commands("root").adjust_child(book.spec("b"), 1.0)
        with pytest.raises(ValueError, match="a is significant but permanent"):
            await it.commands("root").adjust_child(book.spec("a", significant=True), 1.0)
        assert not it.node("root/a").spec.significant


async def test_a_child_that_waits_in_backoff_keeps_its_time_and_gets_the_new_rules(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(10.0, 10.0))) as it:
        await it.ref("root/a").tell(Fail(ValueError("boom")))
        await trio.sleep(1.0)
        await it.commands("root").adjust_child(book.spec("a", backoff=Backoff(1.0, 20.0)), 1.0)
        await trio.sleep(8.0)
        assert it.state("root/a") == "backoff"
        await trio.sleep(1.5)
        assert it.ref("root/a").incarnation == 2
        await it.commands("root").adjust_child(book.spec("a", backoff=Backoff(1.0, 1.0)), 1.0)
        await it.ref("root/a").tell(Fail(ValueError("boom")))
        await trio.sleep(0.5)
        assert 0.4 < (it.node("root/a").next_start_in_s or 0.0) <= 0.5


async def test_a_child_in_backoff_waits_no_longer_than_a_new_maximum(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(10.0, 10.0))) as it:
        await it.ref("root/a").tell(Fail(ValueError("boom")))
        await trio.sleep(1.0)
        await it.commands("root").adjust_child(book.spec("a", backoff=Backoff(1.0, 2.0)), 1.0)
        assert it.node("root/a").next_start_in_s == pytest.approx(2.0)
        await trio.sleep(2.1)
        assert it.ref("root/a").incarnation == 2


async def test_a_wait_that_a_peer_asked_for_is_not_cut_short(autojump_clock: MockClock) -> None:
    book = Book()

    def flood(error: BaseException) -> Failed:
        return Failed("flood", "backoff", retry_after=30.0, exc=error)

    async with house(book.spec("a", classify=flood)) as it:
        await it.ref("root/a").tell(Fail(ValueError("boom")))
        await trio.sleep(1.0)
        before = it.node("root/a").next_start_in_s
        await it.commands("root").adjust_child(book.spec("a", backoff=Backoff(1.0, 2.0)), 1.0)
        assert before == it.node("root/a").next_start_in_s >= 28.9


async def test_a_spec_that_is_sync_no_more_holds_up_no_boot(autojump_clock: MockClock) -> None:
    book = Book()

    async def slow(ctx: Any) -> None:
        await trio.sleep(20.0)
        await book.worker(ctx)

    first = ChildSpec("slow", slow, start_mode="sync")
    async with house(first, book.spec("next")) as it:
        assert book.of("root/next") == []
        await it.commands("root").adjust_child(ChildSpec("slow", slow), 1.0)
        await trio.sleep(0.01)
        assert book.of("root/next") == ["init"]
