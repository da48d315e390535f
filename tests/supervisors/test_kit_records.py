"""Law O1: every end has exactly one record, whoever is responsible for the life and however it ends."""

from collections import Counter
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Run, deaf, hangs_in_init, house
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.commands import ChildNotUpError
from supervisors.context import Context
from supervisors.reasons import Crash
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.supervisor import supervisor

BOOM = ValueError("boom")
SOON = Backoff(0.1, 0.1)
FIELDS = {"reason", "decision", "delay_s", "budget_left", "message", "attempt"}


def check(it: House) -> None:
    """When the run is over: as many records as lives, each whole, each after the start of its life."""
    balance: Counter[tuple[str, int]] = Counter()
    for event in it.log:
        life = (event.path, event.incarnation)
        if event.kind == "started":
            balance[life] += 1
        elif event.kind == "exited":
            balance[life] -= 1
            assert balance[life] == 0, life
            assert set(event.detail) == FIELDS
            assert event.detail["reason"]
            assert (event.detail["delay_s"] is None) or event.detail["decision"] == "restart"
    assert not +balance, "lives without a record"


def ends(it: House, path: str) -> list[tuple[str, str]]:
    check(it)
    return it.exits(path)


async def test_law_O1_a_stop_by_order_a_crash_and_the_end_of_the_run(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a", backoff=SOON), book.spec("b")) as it:
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(1)
        await it.commands("root").terminate_child("b", 5)

    assert ends(it, "root/a") == [("ValueError: boom", "restart"), ("returned", "stop")]
    assert ends(it, "root/b") == [("returned", "stop")]
    assert ends(it, "root") == [("stopped (the test is over)", "stop")]
    [record] = [e for e in it.log if e.kind == "exited" and e.detail["reason"] == "ValueError: boom"]
    assert record.detail["message"] == "Fail"
    assert record.detail["budget_left"] == 4
    assert record.detail["delay_s"] == pytest.approx(0.1)


async def test_law_O1_a_start_that_fails_or_takes_too_long(autojump_clock: MockClock) -> None:
    async def fails(ctx: Context[Any]) -> None:
        raise BOOM

    async with house(supervisor("dyn", dynamic=True)) as it:
        commands = it.commands("root/dyn")
        late = ChildSpec("late", hangs_in_init, ready_timeout=2, restart="temporary")
        for spec in (ChildSpec("x", fails, restart="temporary"), late):
            with pytest.raises(ChildNotUpError):
                await commands.start_child(spec, 10)

    assert ends(it, "root/dyn/x") == [("ValueError: boom", "remove")]
    assert ends(it, "root/dyn/late") == [("TimeoutError: not ready within 2 s", "remove")]


async def test_law_O1_a_life_that_is_given_up_has_its_record_then_and_none_when_it_ends_after_all(
    autojump_clock: MockClock,
) -> None:
    async with house(ChildSpec("a", deaf, shutdown=1, grace=1)) as it:
        await it.commands("root").disable_child("a", 10)
        assert it.exits("root/a") == [("stuck", "disable")]
        await trio.sleep(4000)
        assert not it.system.zombies

    assert ends(it, "root/a") == [("stuck", "disable")]


async def test_law_O1_linked_children_by_themselves_with_their_owner_and_given_up(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(ctx: Context[Any]) -> None:
        raise BOOM

    async def spawn(ctx: Context[Any]) -> None:
        for spec in (
            ChildSpec("fails", fails),
            ChildSpec("waits", hangs_in_init),
            ChildSpec("deaf", deaf),
        ):
            ctx.spawn_child(spec)

    book = Book()
    async with house(book.spec("a", backoff=SOON)) as it:
        it.ref("root/a").tell_nowait(Run(spawn))
        await trio.sleep(1)
        assert it.exits("root/a/fails") == [("ValueError: boom", "remove")]
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(10)

    assert ends(it, "root/a/waits") == [("cancelled with root/a/waits", "remove")]
    assert ends(it, "root/a/deaf") == [("stuck", "remove")]
    assert "root/a/fails#1 remove: ValueError: boom" in caplog.text


@pytest.mark.parametrize("how", ["crash", "hurry", "unread"])
async def test_law_O1_the_children_of_a_supervisor_that_is_no_more(
    autojump_clock: MockClock, how: str
) -> None:
    """Its core hears of their ends no more; some of them ended before, and their notice was not read."""
    book = Book()
    tree = supervisor("mid", [book.spec("a"), ChildSpec("deaf", deaf, grace=1)], backoff=SOON)
    async with house(tree) as it:
        if how == "unread":
            it.ref("root/mid/a").tell_nowait(Run(_crash_the_supervisor_and_fail))
        elif how == "crash":
            it.ref("root/mid").urge("what no supervisor takes")
        else:
            it.system.hurry(130)
        await trio.sleep(5)

    first = {"crash": "cancelled with root/mid/a", "hurry": "cancelled with root/mid/a"}
    assert ends(it, "root/mid/a")[0] == (first.get(how, "ValueError: boom"), "stop")
    assert ends(it, "root/mid/deaf")[0] == ("stuck", "stop")


async def _crash_the_supervisor_and_fail(ctx: Context[Any]) -> None:
    ctx.system.registry.ref("root/mid").urge("what no supervisor takes")
    raise BOOM


async def test_law_O1_whom_a_sibling_takes_along_and_who_goes_over_budget(autojump_clock: MockClock) -> None:
    book = Book()
    parts = [book.spec("a", backoff=SOON, intensity=Intensity(1, 60, "escalate")), book.spec("b")]
    async with house(supervisor("mid", parts, strategy="one_for_all", backoff=SOON)) as it:
        for _ in range(2):
            it.ref("root/mid/a").tell_nowait(Fail(BOOM))
            await trio.sleep(1)
        assert isinstance(it.cell("root/mid/a").last_reason, Crash)
        await wait_all_tasks_blocked()

    assert ends(it, "root/mid/a") == [
        ("ValueError: boom", "restart"),
        ("ValueError: boom", "escalate"),
        ("returned", "stop"),
    ]
    assert ends(it, "root/mid/b") == [("returned", "restart"), ("returned", "stop"), ("returned", "stop")]
    assert [decision for _, decision in ends(it, "root/mid")] == ["restart", "stop"]
