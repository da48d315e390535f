"""Laws M, and what a cancelled reader or writer leaves behind. The mailbox alone, then across restarts."""

import random
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, Leave, house, sleeps
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import FencedError
from supervisors.context import Context
from supervisors.letters import DeadLetters
from supervisors.mailbox import FAIRNESS_BATCH, Envelope, Mailbox, Outcome
from supervisors.reasons import Crash, Normal
from supervisors.reply import ActorDownError, Reply
from supervisors.spec import Backoff, ChildSpec, MailboxSpec

BOOM = ValueError("boom")


def a_mailbox(capacity: int) -> Mailbox:
    """One that nobody owns."""
    return Mailbox("a", MailboxSpec(capacity), DeadLetters())


async def take(mailbox: Mailbox) -> Any:
    """As ``Context.receive`` reads."""
    await trio.lowlevel.checkpoint_if_cancelled()
    while (envelope := mailbox.take()) is None:
        await mailbox.wait()
    return envelope.body


async def test_law_M4_offer_refuses_when_full_and_control_is_never_full() -> None:
    mailbox = a_mailbox(2)

    assert [mailbox.offer(Envelope(n)) for n in range(3)] == [
        Outcome.ACCEPTED,
        Outcome.ACCEPTED,
        Outcome.FULL,
    ]
    assert [mailbox.urge(Envelope(n)) for n in range(100)] == [Outcome.ACCEPTED] * 100
    assert (mailbox.stats().used, mailbox.stats().control) == (2, 100)


async def test_law_M5_control_comes_before_what_waits_in_the_user_lane() -> None:
    mailbox = a_mailbox(3)
    for n in range(3):
        mailbox.offer(Envelope(n))
    mailbox.urge(Envelope("urgent"))
    mailbox.urge(Envelope("urgent too"))

    assert [await take(mailbox) for _ in range(5)] == ["urgent", "urgent too", 0, 1, 2]


async def test_the_oldest_message_tells_its_age_whichever_lane_it_waits_in(autojump_clock: MockClock) -> None:
    mailbox = a_mailbox(3)
    assert mailbox.levels().oldest_s is None

    for n in range(3):
        mailbox.offer(Envelope(n))
        await trio.sleep(10)
    assert mailbox.levels().oldest_s == 30
    assert mailbox.offer(Envelope("one too many")) is Outcome.FULL
    await take(mailbox)
    assert mailbox.levels().oldest_s == 20

    mailbox.urge(Envelope("urgent"))
    await trio.sleep(5)
    assert mailbox.levels().oldest_s == 25  # what is urgent is read first, and has not waited longest
    assert [await take(mailbox) for _ in range(3)] == ["urgent", 1, 2]
    assert mailbox.levels().oldest_s is None

    mailbox.urge(Envelope("alone"))
    await trio.sleep(1)
    assert mailbox.levels().oldest_s == 1


async def test_law_M4_backpressure_holds_up_the_sender_only_and_writers_wait_in_order() -> None:
    mailbox = a_mailbox(1)
    mailbox.offer(Envelope("first"))
    async with trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(mailbox.put, Envelope(n))
            await wait_all_tasks_blocked()
        assert mailbox.stats().used == 1
        got = []
        for _ in range(6):
            got.append(await take(mailbox))
            await wait_all_tasks_blocked()

    assert got == ["first", 0, 1, 2, 3, 4]
    assert mailbox.stats().peak == 1


async def test_law_X5_a_cancelled_writer_has_put_nothing() -> None:
    mailbox = a_mailbox(1)
    mailbox.offer(Envelope("first"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.put, Envelope("cancelled"))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert await take(mailbox) == "first"
    assert mailbox.stats().accepted == 1
    assert not mailbox.has_mail


async def test_a_writer_that_waits_is_sent_away_when_nobody_will_read() -> None:
    mailbox = a_mailbox(1)
    mailbox.offer(Envelope("first"))
    outcomes: list[Outcome] = []

    async def put() -> None:
        outcomes.append(await mailbox.put(Envelope("waits")))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(put)
        await wait_all_tasks_blocked()
        mailbox.refuse_new(Normal())

    assert outcomes == [Outcome.STOPPED] * 3
    assert mailbox.offer(Envelope(1)) is Outcome.STOPPED
    assert mailbox.urge(Envelope(1)) is Outcome.STOPPED
    assert mailbox.has_mail


async def test_law_X1_a_cancelled_reader_takes_nothing_more_however_much_waits() -> None:
    got: list[Any] = []
    left: list[int] = []

    async def reader(ctx: Context[int]) -> None:
        with trio.CancelScope() as scope:
            while True:
                got.append(await ctx.receive())
                if len(got) == 3:
                    scope.cancel()
        left.append(it.cell("root/a").mailbox.stats().used)
        await ctx.stopping()

    async with house(ChildSpec("a", reader)) as it:
        for n in range(100):
            it.ref("root/a").tell_nowait(n)
        await wait_all_tasks_blocked()

        assert (got, left) == ([0, 1, 2], [97])


async def test_law_M7_a_reader_that_never_waits_still_lets_others_run() -> None:
    mailbox = a_mailbox(1000)
    for n in range(1000):
        mailbox.offer(Envelope(n))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while mailbox.has_mail:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(1000):
            await take(mailbox)

    assert turns >= 1000 // FAIRNESS_BATCH - 1


async def test_law_M7_what_is_passed_over_is_no_reason_to_go_on_for_ever() -> None:
    turns = 0

    async def reader(ctx: Context[Any]) -> None:
        ctx.ready()
        await ctx.stopping()

    async with house(ChildSpec("a", reader)) as it:
        mailbox = it.cell("root/a").mailbox
        for _ in range(1000):
            mailbox.urge(Envelope("for another life", fence=99))
        while mailbox.waiting() != ([], []):
            turns += 1
            await trio.lowlevel.checkpoint()

        assert turns >= 1000 // FAIRNESS_BATCH - 1
        assert mailbox.handed_out == 0


async def test_two_readers_are_a_mistake() -> None:
    mailbox = a_mailbox(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take, mailbox)
        await wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="one reader"):
            await take(mailbox)
        mailbox.offer(Envelope(1))


@pytest.mark.parametrize("timed", [False, True])
async def test_a_reader_that_was_given_up_is_turned_away_and_takes_nothing(timed: bool) -> None:
    turned_away: list[Exception] = []

    async def reader(ctx: Context[str]) -> None:
        if timed:
            ctx.send_after(3600, "later")
        with trio.CancelScope(shield=True):
            try:
                await ctx.receive()
            except FencedError as error:
                turned_away.append(error)

    async with house(ChildSpec("a", reader)) as it:
        it.system.abandon(it.life("root/a"))
        it.ref("root/a").tell_nowait("for another")
        await wait_all_tasks_blocked()

        assert len(turned_away) == 1
        assert it.cell("root/a").mailbox.waiting() == ([], ["for another"])
        it.system.hurry(0)


@pytest.mark.parametrize("seed", range(30))
async def test_law_M1_and_M2_conservation_and_order_under_random_cancellation(seed: int) -> None:
    """Senders and reader are cancelled at random: nothing is lost, doubled or reordered."""
    rng = random.Random(seed)
    mailbox = a_mailbox(rng.randint(1, 4))
    told: dict[int, list[int]] = {}
    got: list[tuple[int, int]] = []
    senders = 3

    async def sender(number: int) -> None:
        told[number] = []
        for n in range(20):
            with trio.CancelScope() as scope:
                if rng.random() < 0.3:
                    scope.cancel()
                if await mailbox.put(Envelope((number, n))) is Outcome.ACCEPTED:
                    told[number].append(n)
            for _ in range(rng.randint(0, 2)):
                await trio.lowlevel.checkpoint()

    async def reader() -> None:
        while True:
            with trio.CancelScope() as scope:
                if rng.random() < 0.3:
                    scope.cancel()
                got.append(await take(mailbox))

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as writing:
            nursery.start_soon(reader)
            for number in range(senders):
                writing.start_soon(sender, number)
        while mailbox.has_mail:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    assert {number: [n for s, n in got if s == number] for number in range(senders)} == told
    stats = mailbox.stats()
    assert stats.accepted == stats.taken + stats.used + stats.discarded == len(got)


async def test_reply_answers_once_and_a_caller_that_left_is_no_trouble() -> None:
    reply: Reply[int] = Reply()
    with trio.move_on_after(0):
        await reply.wait()
    reply.send(1)
    reply.send(2)
    reply.fail(BOOM)

    assert await reply.wait() == 1


# --- across lives ------------------------------------------------------------------------------------------------------


async def test_law_M1_and_M2_mail_outlives_a_crash_in_order_and_the_one_in_flight_is_declared(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(1, 1))) as it:
        ref = it.ref("root/a")
        for n in range(3):
            ref.tell_nowait(n)
        ref.tell_nowait(Fail(BOOM))
        for n in range(3, 6):
            ref.tell_nowait(n)
        await wait_all_tasks_blocked()
        assert it.state("root/a") == "backoff"
        for n in range(6, 9):
            assert ref.tell_nowait(n) is Outcome.ACCEPTED
        await trio.sleep(2)

        assert [(number, what) for _, number, what in book.lines if what != "init"] == [
            *((1, n) for n in range(3)),
            *((2, n) for n in range(3, 9)),
        ]
        stats = it.cell("root/a").mailbox.stats()
        assert (stats.accepted, stats.taken, stats.used, stats.discarded) == (10, 10, 0, 0)
        assert stats.dropped_in_flight == 1


async def test_law_M1_what_a_child_that_is_gone_for_good_did_not_read_is_counted_and_its_asker_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(dynamic=True) as it:
        ref = await it.commands("root").start_child(book.spec("s"), 5)
        cell = it.cell("root/s")
        ref.tell_nowait(sleeps(3))
        await wait_all_tasks_blocked()
        ref.tell_nowait("unread")
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(ActorDownError):
                    await ref.ask(lambda _: "unread too", 100)

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            t0 = trio.current_time()
            await it.commands("root").terminate_child("s", 60)

        assert trio.current_time() - t0 == 3
        stats = cell.mailbox.stats()
        assert stats.accepted == stats.taken + stats.discarded == 3
        assert stats.discarded == 2
        assert ref.tell_nowait("to nobody") is Outcome.STOPPED


async def test_a_child_that_returns_has_handled_its_last_message(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", restart="transient")) as it:
        it.ref("root/a").tell_nowait(Leave())
        await wait_all_tasks_blocked()

        assert it.state("root/a") == "stopped"
        assert it.cell("root/a").mailbox.stats().dropped_in_flight == 0


async def test_law_M5_a_stop_reaches_an_actor_whose_user_lane_is_full(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", mailbox=MailboxSpec(2))) as it:
        it.ref("root/a").tell_nowait(sleeps(1))
        await wait_all_tasks_blocked()
        assert [it.ref("root/a").tell_nowait(n) for n in range(3)] == ["accepted", "accepted", "full"]

    assert book.of("root/a") == ["init", "stop"]
    assert it.cell("root/a").mailbox.stats().discarded == 2


async def test_law_M4_tell_waits_for_room_and_for_nothing_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("slow", mailbox=MailboxSpec(1)), book.spec("other")) as it:
        it.ref("root/slow").tell_nowait(sleeps(5))
        await wait_all_tasks_blocked()
        it.ref("root/slow").tell_nowait(1)
        t0 = trio.current_time()
        assert await it.ref("root/other").tell("free") is Outcome.ACCEPTED
        assert trio.current_time() == t0
        assert await it.ref("root/slow").tell(2) is Outcome.ACCEPTED
        assert trio.current_time() - t0 == 5


async def test_a_sender_that_waits_for_a_child_that_is_terminated_is_refused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    outcomes: list[Outcome] = []

    async def tell(it: object, n: int) -> None:
        outcomes.append(await ref.tell(n))

    async with house(book.spec("a", mailbox=MailboxSpec(1))) as it:
        ref = it.ref("root/a")
        ref.tell_nowait(sleeps(2))
        await wait_all_tasks_blocked()
        ref.tell_nowait(0)
        async with trio.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(tell, it, n)
            await wait_all_tasks_blocked()
            await it.commands("root").terminate_child("a", 60)

    assert outcomes == [Outcome.STOPPED] * 3


async def test_an_urgent_question_in_work_at_a_crash_is_answered_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a")) as it:
        t0 = trio.current_time()
        with pytest.raises(ActorDownError) as raised:
            await it.ref("root/a").ask(lambda _: Fail(BOOM), 1000, urgent=True)

        assert raised.value.reason == Crash(BOOM)
        assert trio.current_time() == t0
