"""Laws M3, C9 and M1: what becomes of the message in work when its reader ends."""

import random
from dataclasses import replace
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, Run, deaf, house
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import Stop
from supervisors.context import Context
from supervisors.letters import Why
from supervisors.mailbox import Outcome
from supervisors.reply import ActorDownError
from supervisors.spec import Backoff, ChildSpec, Intensity, MailboxSpec

BOOM = ValueError("boom")
NOW = Backoff(0, 0)
ALWAYS = Intensity(1000, 1.0)


async def picky(ctx: Context[Any], log: list[tuple[int, Any, int]], fails: dict[Any, int]) -> None:
    """Writes down (incarnation, message, attempt); fails on a message as often as ``fails`` says."""
    ctx.ready()
    while True:
        message = await ctx.receive()
        if isinstance(message, Stop):
            return
        log.append((ctx.incarnation, message, ctx.attempt))
        if fails.get(message, 0) > 0:
            fails[message] -= 1
            raise ValueError("boom")  # a new one: an old one would collect tracebacks


def spec(in_flight: str, log: list[tuple[int, Any, int]], fails: dict[Any, int], **options: Any) -> ChildSpec:
    return ChildSpec(
        "a",
        picky,
        (log, fails),
        backoff=NOW,
        intensity=ALWAYS,
        mailbox=MailboxSpec(10, in_flight=in_flight),
        **options,
    )


async def test_law_M3_redelivered_mail_comes_first_and_says_which_attempt_it_is(
    autojump_clock: MockClock,
) -> None:
    log: list[tuple[int, Any, int]] = []
    async with house(spec("redeliver:3", log, {"b": 2})) as it:
        for message in "abc":
            it.ref("root/a").tell_nowait(message)
        await trio.sleep(1)

        assert log == [(1, "a", 1), (1, "b", 1), (2, "b", 2), (3, "b", 3), (3, "c", 1)]
        stats = it.cell("root/a").mailbox.stats()
        assert (stats.accepted, stats.taken, stats.used, stats.discarded) == (3, 3, 0, 0)
        assert (stats.redelivered, stats.dropped_in_flight, stats.poisoned) == (2, 0, 0)


async def test_a_message_that_came_back_waits_since_it_first_came(autojump_clock: MockClock) -> None:
    slow = spec("redeliver:3", [], {"b": 1}, start_mode="eventual")
    async with house(replace(slow, backoff=Backoff(10, 10))) as it:
        it.ref("root/a").tell_nowait("b")
        await trio.sleep(4)
        it.ref("root/a").tell_nowait("c")
        await trio.sleep(1)

        node = it.node("root/a")
        mailbox = node.to_json()["mailbox"]
        assert (node.state, mailbox["used"]) == ("backoff", 1)  # "b" takes nobody's place
        assert mailbox["oldest_s"] == 5.0


async def test_law_M3_dropped_mail_is_handled_at_most_once(autojump_clock: MockClock) -> None:
    log: list[tuple[int, Any, int]] = []
    async with house(spec("drop", log, {"b": 2})) as it:
        for message in "abc":
            it.ref("root/a").tell_nowait(message)
        await trio.sleep(1)

        assert log == [(1, "a", 1), (1, "b", 1), (2, "c", 1)]
        assert it.cell("root/a").mailbox.stats().dropped_in_flight == 1
        assert it.system.letters.newest(10) == []


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_law_C9_poison_goes_to_the_dead_letters_and_the_actor_goes_on(
    autojump_clock: MockClock, attempts: int
) -> None:
    log: list[tuple[int, Any, int]] = []
    async with house(spec(f"redeliver:{attempts}", log, {"b": 1000})) as it:
        for message in "abc":
            it.ref("root/a").tell_nowait(message)
        await trio.sleep(1)

        assert [message for _, message, _ in log] == ["a", *"b" * attempts, "c"]
        assert [(x.path, x.message, x.why) for x in it.system.letters.newest(10)] == [
            ("root/a", "b", Why.POISON)
        ]
        stats = it.cell("root/a").mailbox.stats()
        assert (stats.accepted, stats.taken, stats.discarded, stats.poisoned) == (3, 2, 1, 1)
        assert stats.redelivered == attempts - 1
        assert it.ref("root/a").incarnation == attempts + 1


async def test_law_M3_an_urgent_message_goes_back_to_its_own_lane(autojump_clock: MockClock) -> None:
    log: list[tuple[int, Any, int]] = []
    async with house(spec("redeliver:2", log, {"urgent": 1, "poison": 9})) as it:
        ref = it.ref("root/a")
        ref.tell_nowait("user")
        for message in ("urgent", "poison", "urgent too"):
            ref.urge(message)
        await trio.sleep(1)

        assert [message for _, message, _ in log] == [
            *("urgent", "urgent"),
            *("poison", "poison"),
            *("urgent too", "user"),
        ]
        stats = it.cell("root/a").mailbox.stats()
        assert (stats.accepted, stats.taken, stats.discarded, stats.poisoned) == (1, 1, 0, 1)


async def test_law_M4_a_message_that_came_back_takes_nobodys_place(autojump_clock: MockClock) -> None:
    log: list[tuple[int, Any, int]] = []
    child = ChildSpec(
        "a", picky, (log, {"x": 1}), backoff=Backoff(1, 1), mailbox=MailboxSpec(2, in_flight="redeliver:2")
    )
    async with house(child) as it:
        ref = it.ref("root/a")
        ref.tell_nowait("x")
        await wait_all_tasks_blocked()
        assert it.state("root/a") == "backoff"
        assert [ref.tell_nowait(n) for n in range(3)] == ["accepted", "accepted", Outcome.FULL]
        assert it.cell("root/a").mailbox.stats().used == 2
        await trio.sleep(5)

        assert [message for _, message, _ in log] == ["x", "x", 0, 1]


async def test_law_X1_an_order_is_no_crash_its_message_comes_back_and_is_not_held_against_it(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    seen: list[int] = []

    async def body(ctx: Context[Any]) -> None:
        seen.append(ctx.attempt)
        await trio.sleep(1000 if len(seen) < 5 else 0)

    async with house(book.spec("a", shutdown=0, mailbox=MailboxSpec(in_flight="redeliver:1"))) as it:
        it.ref("root/a").tell_nowait(Run(body))
        it.ref("root/a").tell_nowait("next")
        for _ in range(4):
            await it.commands("root").restart_child("a", 10)
            await trio.sleep(1)

        assert seen == [1, 2, 3, 4, 5]
        assert book.of("root/a")[-1] == "next"
        assert it.system.letters.newest(10) == []


async def test_law_C9_a_message_that_makes_its_reader_stuck_is_poison_too(autojump_clock: MockClock) -> None:
    book = Book()
    child = book.spec("a", shutdown=1, grace=1, mailbox=MailboxSpec(in_flight="redeliver:1"))
    async with house(child) as it:
        poison = Run(deaf)
        it.ref("root/a").tell_nowait(poison)
        it.ref("root/a").tell_nowait("next")
        await wait_all_tasks_blocked()
        await it.commands("root").restart_child("a", 60)
        await wait_all_tasks_blocked()

        assert book.of("root/a") == ["init", "init", "next"]
        assert [letter.message for letter in it.system.letters.newest(10)] == [poison]


async def test_law_M3_a_child_that_returns_has_handled_its_last_message(autojump_clock: MockClock) -> None:
    seen: list[Any] = []

    async def one(ctx: Context[Any]) -> None:
        ctx.ready()
        seen.append(await ctx.receive())

    async with house(ChildSpec("a", one, backoff=NOW, mailbox=MailboxSpec(in_flight="redeliver:3"))) as it:
        for n in range(3):
            it.ref("root/a").tell_nowait(n)
        await trio.sleep(1)

        assert seen == [0, 1, 2]


async def test_law_N5_a_child_that_leaves_before_it_reads_what_came_back_is_started_again(
    autojump_clock: MockClock,
) -> None:
    seen: list[tuple[int, int]] = []

    async def hasty(ctx: Context[Any]) -> None:
        ctx.ready()
        if ctx.incarnation == 2:
            return
        await ctx.receive()
        seen.append((ctx.incarnation, ctx.attempt))
        if ctx.incarnation == 1:
            raise BOOM

    child = ChildSpec(
        "a", hasty, restart="transient", backoff=NOW, mailbox=MailboxSpec(in_flight="redeliver:3")
    )
    async with house(child) as it:
        it.ref("root/a").tell_nowait("x")
        await trio.sleep(1)

        assert seen == [(1, 1), (3, 2)]
        assert it.state("root/a") == "stopped"


async def test_law_Q3_a_question_in_work_at_a_crash_is_told_its_asker_and_not_asked_again(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=NOW, mailbox=MailboxSpec(in_flight="redeliver:3"))) as it:
        with pytest.raises(ActorDownError):
            await it.ref("root/a").ask(lambda _: Fail(BOOM), 10)
        await trio.sleep(1)

        assert it.ref("root/a").incarnation == 2
        assert it.cell("root/a").mailbox.stats().dropped_in_flight == 1


async def test_law_M1_a_message_that_waits_for_its_next_attempt_is_not_lost_when_none_comes(
    autojump_clock: MockClock,
) -> None:
    log: list[tuple[int, Any, int]] = []
    async with house(spec("redeliver:3", log, {"x": 1}, restart="temporary"), dynamic=True) as it:
        await it.commands("root").start_child(spec("redeliver:3", log, {"x": 1}, restart="temporary"), 5)
        cell = it.cell("root/a")
        for message in "xy":
            it.ref("root/a").tell_nowait(message)
        await trio.sleep(1)

        assert it.system.registry.cell("root/a") is None
        assert [(letter.message, letter.why) for letter in it.system.letters.newest(10)] == [
            ("x", Why.CLOSED),
            ("y", Why.CLOSED),
        ]
        stats = cell.mailbox.stats()
        assert (stats.accepted, stats.taken, stats.used, stats.discarded) == (2, 0, 0, 2)


@pytest.mark.parametrize("seed", range(40))
async def test_laws_M1_M2_M3_conservation_under_random_crashes_orders_and_poison(
    autojump_clock: MockClock, seed: int
) -> None:
    """accepted = handled ⊎ queued ⊎ dead letters, nothing is dropped, and first attempts are in order."""
    rng = random.Random(seed)
    first: list[int] = []
    handled: list[int] = []
    poison = {n for n in range(60) if rng.random() < 0.1}
    attempts = rng.randint(1, 4)

    async def worker(ctx: Context[Any]) -> None:
        ctx.ready()
        while True:
            number = await ctx.receive()
            if isinstance(number, Stop):
                return
            if ctx.attempt == 1:
                first.append(number)
            await trio.sleep(rng.choice((0.0, 0.3)))
            if number in poison or (attempts > 2 and ctx.attempt == 1 and rng.random() < 0.2):
                raise ValueError("boom")
            handled.append(number)

    child = ChildSpec(
        "a",
        worker,
        shutdown=rng.choice((0.0, 5.0)),
        backoff=Backoff(0, 0.5),
        intensity=ALWAYS,
        mailbox=MailboxSpec(rng.randint(1, 5), in_flight=f"redeliver:{attempts}"),
    )
    async with house(child) as it:

        async def orders() -> None:
            for _ in range(10):
                await trio.sleep(rng.uniform(0, 2))
                await it.commands("root").restart_child("a", 60)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(orders)
            for n in range(60):
                assert await it.ref("root/a").tell(n) is Outcome.ACCEPTED
        await trio.sleep(rng.choice((0, 100)))
    stats = it.cell("root/a").mailbox.stats()
    dead = [letter.message for letter in it.system.letters.newest(100)]

    assert first == list(range(len(first)))
    assert sorted(handled + dead) == list(range(60))
    assert stats.accepted == stats.taken + stats.discarded == 60
    assert (stats.taken, stats.discarded) == (len(handled), len(dead))
    assert stats.dropped_in_flight == 0
