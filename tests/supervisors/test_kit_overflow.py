"""Law M4: a full mailbox does exactly what its spec declares, in the user lane only, and law M1 holds all the same."""

from typing import Any

import pytest
import trio
from kit_house import Book, House, Who, house, sleeps
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.letters import DeadLetters, Why
from supervisors.mailbox import Envelope, Mailbox, Outcome
from supervisors.reply import MailboxFullError, Reply
from supervisors.spec import MailboxSpec


async def busy(it: House, *messages: object) -> list[Outcome]:
    """What becomes of ``messages`` told to root/a while it is busy for ten seconds."""
    ref = it.ref("root/a")
    ref.tell_nowait(sleeps(10))
    await wait_all_tasks_blocked()
    return [ref.tell_nowait(message) for message in messages]


async def test_law_M4_drop_oldest_makes_room_for_the_newest(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a", mailbox=MailboxSpec(2, overflow="drop_oldest"))) as it:
        outcomes = await busy(it, 1, 2, 3, 4)
        stats = it.cell("root/a").mailbox.stats()
        await trio.sleep(20)

        assert outcomes == [Outcome.ACCEPTED] * 4
        assert (stats.used, stats.peak, stats.accepted, stats.taken, stats.discarded) == (2, 2, 5, 1, 2)
        assert stats.overflowed == 2
        assert book.of("root/a") == ["init", 3, 4]
        letters = it.system.letters.newest(10)
        assert [(letter.message, letter.why) for letter in letters] == [(1, Why.OVERFLOW), (2, Why.OVERFLOW)]


async def test_law_M4_drop_newest_keeps_what_is_in_and_never_holds_up_a_sender(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", mailbox=MailboxSpec(2, overflow="drop_newest"))) as it:
        outcomes = await busy(it, 1, 2, 3)
        t0 = trio.current_time()
        outcomes.append(await it.ref("root/a").tell(4))
        assert trio.current_time() == t0
        stats = it.cell("root/a").mailbox.stats()
        await trio.sleep(20)

        assert outcomes == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.FULL, Outcome.FULL]
        assert (stats.accepted, stats.taken, stats.used, stats.discarded) == (3, 1, 2, 0)
        assert stats.overflowed == 2
        assert book.of("root/a") == ["init", 1, 2]
        assert [letter.message for letter in it.system.letters.newest(10)] == [3, 4]


async def test_law_M4_park_hands_the_message_over_and_says_so(autojump_clock: MockClock) -> None:
    book = Book()
    parked: list[Any] = []
    spec = MailboxSpec(1, overflow="park", park=parked.append)
    async with house(book.spec("a", mailbox=spec)) as it:
        outcomes = await busy(it, 1, 2)
        outcomes.append(await it.ref("root/a").tell(3))
        stats = it.cell("root/a").mailbox.stats()

        assert outcomes == [Outcome.ACCEPTED, Outcome.PARKED, Outcome.PARKED]
        assert parked == [2, 3]
        assert (stats.parked, stats.overflowed, stats.accepted, stats.used) == (2, 0, 2, 1)
        assert it.system.letters.newest(10) == []


async def test_laws_A4_M4_a_park_that_fails_raises_into_no_sender(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def park(message: object) -> None:
        raise OSError("the disk is full")

    book = Book()
    async with house(book.spec("a", mailbox=MailboxSpec(1, overflow="park", park=park))) as it:
        outcomes = await busy(it, 1, 2)

        assert outcomes == [Outcome.ACCEPTED, Outcome.FULL]
        assert [letter.message for letter in it.system.letters.newest(10)] == [2]
        assert it.cell("root/a").mailbox.stats().overflowed == 1
        assert "the disk is full" in caplog.text


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "park"])
async def test_law_M4_the_control_lane_knows_no_overflow(autojump_clock: MockClock, overflow: Any) -> None:
    book = Book()
    parked: list[Any] = []
    spec = MailboxSpec(1, overflow=overflow, park=parked.append if overflow == "park" else None)
    async with house(book.spec("a", mailbox=spec)) as it:
        await busy(it, "user")
        for n in range(50):
            assert it.ref("root/a").urge(n) is Outcome.ACCEPTED
        await trio.sleep(20)

        assert book.of("root/a") == ["init", *range(50), "user"]
        assert parked == it.system.letters.newest(1) == []


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "park"])
async def test_law_Q3_a_question_that_finds_no_room_is_answered_at_once(
    autojump_clock: MockClock, overflow: Any
) -> None:
    book = Book()
    parked: list[Any] = []
    spec = MailboxSpec(1, overflow=overflow, park=parked.append if overflow == "park" else None)
    failed: list[float] = []

    async def ask(it: House) -> None:
        with pytest.raises(MailboxFullError):
            await it.ref("root/a").ask(Who, 1000)
        failed.append(trio.current_time())

    async with house(book.spec("a", mailbox=spec)) as it:
        await busy(it)
        t0 = trio.current_time()
        async with trio.open_nursery() as nursery:
            if overflow == "drop_oldest":
                nursery.start_soon(ask, it)
                await wait_all_tasks_blocked()
                it.ref("root/a").tell_nowait("newer")
            else:
                it.ref("root/a").tell_nowait("older")
                nursery.start_soon(ask, it)

        assert failed == [t0]
        assert parked == it.system.letters.newest(1) == []  # its asker knows, so it is no dead letter


async def test_a_question_that_is_dropped_counts_as_discarded() -> None:
    mailbox = Mailbox("a", MailboxSpec(1, overflow="drop_oldest"), DeadLetters())
    mailbox.offer(Envelope("question", Reply[None]()))
    mailbox.offer(Envelope("newer"))

    stats = mailbox.stats()
    assert (stats.accepted, stats.used, stats.discarded, stats.overflowed) == (2, 1, 1, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"capacity": 0},
        {"overflow": "park"},
        {"park": print},
        {"in_flight": "redeliver"},
        {"in_flight": "redeliver:0"},
        {"in_flight": "keep"},
    ],
    ids=str,
)
def test_a_mailbox_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="MailboxSpec"):
        MailboxSpec(**options)
