"""Laws M8, O4 and M6: what nobody will handle is kept, counted and told of, never raised and never flooding a log."""

import logging
from typing import Any

import pytest
import trio
from kit_house import Book, Leave, Run, house, sleeps
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.context import Context
from supervisors.letters import LOG_EVERY_S, DeadLetter, DeadLetters, Why
from supervisors.mailbox import Outcome
from supervisors.supervisor import supervisor

BOOM = ValueError("boom")
LOG = "supervisors.letters"


def gist(letters: list[DeadLetter]) -> list[tuple[str, object, Why]]:
    return [(letter.path, letter.message, letter.why) for letter in letters]


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_law_O4_the_ring_keeps_the_newest_and_counts_the_others() -> None:
    letters = DeadLetters(size=3, now=Clock())
    for n in range(5):
        letters.add("a", n, Why.NOBODY)

    assert [letter.message for letter in letters.newest(10)] == [2, 3, 4]
    assert [letter.message for letter in letters.newest(2)] == [3, 4]
    assert letters.newest(0) == []
    assert letters.dropped == 2


def test_law_M8_the_log_has_one_line_per_path_and_time_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    letters = DeadLetters(now=clock)
    with caplog.at_level(logging.INFO, LOG):
        for _ in range(50):
            letters.add("a", "secret", Why.NOBODY)
        letters.add("b", 1, Why.CLOSED)
        clock.now += LOG_EVERY_S / 2
        letters.add("a", "secret", Why.NOBODY)
        clock.now += LOG_EVERY_S / 2
        letters.add("b", 1, Why.CLOSED)
        letters.add("a", "secret", Why.NOBODY)

    assert caplog.messages == [
        "a: a message of type str is a dead letter: nobody lives there",
        "b: a message of type int is a dead letter: its reader ended for good",
        "a: 50 more dead letters",
        "b: a message of type int is a dead letter: its reader ended for good",
    ]


def test_law_O4_the_log_forgets_a_path_that_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    letters = DeadLetters(now=clock)
    for n in range(1000):
        letters.add(f"a{n}", 1, Why.NOBODY)
        clock.now += LOG_EVERY_S / 2

    assert len(letters._quiet) <= 3


def test_law_O5_the_text_of_a_message_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    letters = DeadLetters(now=Clock())
    with caplog.at_level(logging.INFO, LOG):
        letters.add("a", "secret", Why.POISON)

    assert "secret" not in caplog.text
    assert "secret" not in repr(letters.newest(1))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_law_M8_a_message_to_nobody_is_a_dead_letter_and_no_error(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a", restart="temporary")) as it:
        it.ref("root/a").tell_nowait(Leave())
        await wait_all_tasks_blocked()
        for path in ("root/nobody", "root/a"):
            ref = it.ref(path)
            assert ref.tell_nowait("nowait") is Outcome.STOPPED
            assert await ref.tell("tell") is Outcome.STOPPED
            assert ref.urge("urge") is Outcome.STOPPED

        assert gist(it.system.letters.newest(10)) == [
            (path, message, Why.NOBODY)
            for path in ("root/nobody", "root/a")
            for message in ("nowait", "tell", "urge")
        ]
        assert it.system.letters.newest(1)[0].at == trio.current_time()


async def test_law_M1_what_an_actor_that_is_gone_for_good_did_not_read_are_dead_letters_in_order(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(dynamic=True) as it:
        ref = await it.commands("root").start_child(book.spec("s"), 5)
        ref.tell_nowait(sleeps(1))
        await wait_all_tasks_blocked()
        for n in range(3):
            ref.tell_nowait(n)
        await it.commands("root").terminate_child("s", 10)

        assert gist(it.system.letters.newest(10)) == [("root/s", n, Why.CLOSED) for n in range(3)]


async def test_law_M6_at_the_end_of_the_run_all_that_is_left_are_dead_letters(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(supervisor("mid", [book.spec("a")]), book.spec("b")) as it:
        for path, seconds in (("root/mid/a", 3), ("root/b", 1)):  # b is stopped first
            it.ref(path).tell_nowait(sleeps(seconds))
            await wait_all_tasks_blocked()
            it.ref(path).tell_nowait("left")
        it.stop()
        await it.over.wait()

    assert sorted(gist(it.system.letters.newest(10))) == [
        ("root/b", "left", Why.CLOSED),
        ("root/mid/a", "left", Why.CLOSED),
    ]
    assert it.ref("root/b").tell_nowait("late") is Outcome.STOPPED
    for path in ("root/mid/a", "root/b"):
        stats = it.cell(path).mailbox.stats()
        assert (stats.accepted, stats.taken, stats.used, stats.discarded) == (2, 1, 0, 1)


async def test_mail_for_a_disabled_child_waits_for_it_and_is_no_dead_letter(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a")) as it:
        it.ref("root/a").tell_nowait(sleeps(1))
        await wait_all_tasks_blocked()
        it.ref("root/a").tell_nowait("waits")
        await it.commands("root").disable_child("a", 10)
        it.ref("root/a").tell_nowait("refused")
        await it.commands("root").enable_child("a", 10)
        await wait_all_tasks_blocked()

        assert book.of("root/a")[-1] == "waits"
        assert gist(it.system.letters.newest(10)) == [("root/a", "refused", Why.NOBODY)]


async def test_law_N1_when_a_dynamic_supervisor_child_goes_so_do_the_names_and_the_mail_below_it(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(dynamic=True) as it:
        await it.commands("root").start_child(supervisor("mid", [supervisor("low", [book.spec("a")])]), 5)
        it.ref("root/mid/low/a").tell_nowait(sleeps(1))
        await wait_all_tasks_blocked()
        it.ref("root/mid/low/a").tell_nowait("left")
        await it.commands("root").terminate_child("mid", 10)

        assert len(it.system.registry) == 1
        assert gist(it.system.letters.newest(10)) == [("root/mid/low/a", "left", Why.CLOSED)]


async def test_signals_and_mail_for_one_life_alone_are_no_dead_letters(autojump_clock: MockClock) -> None:
    book = Book()

    async def remind(ctx: Context[Any]) -> None:
        ctx.monitor(ctx.system.registry.ref("root/nobody"))
        ctx.remind("for this life")
        raise BOOM

    async with house(book.spec("a", restart="temporary")) as it:
        it.ref("root/a").tell_nowait(Run(remind))
        await wait_all_tasks_blocked()
        it.ref("root/a").stop()

    assert book.of("root/a") == ["init"]

    assert it.system.letters.newest(10) == []
