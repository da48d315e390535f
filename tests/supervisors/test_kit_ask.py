"""Laws Q3, Q4 and Q5: who asks is never left waiting for nothing, in a circle, or longer than his own asker waits."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Run, Who, house, sleeps
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import Stop
from supervisors.context import Context
from supervisors.reasons import Crash
from supervisors.reply import ActorDownError, DeadlockError, Reply, RestartingError
from supervisors.spec import Backoff, ChildSpec, MailboxSpec

BOOM = ValueError("boom")
Answer = Callable[[Context[Any], Reply[Any]], Awaitable[None]]


async def server(ctx: Context[Any], answer: Answer) -> None:
    """Answers every question (a ``Reply``) by ``answer``."""
    ctx.ready()
    while not isinstance(message := await ctx.receive(), Stop):
        await answer(ctx, message)


def asks(path: str, timeout_s: float = 1000, log: list[Any] | None = None) -> Answer:
    """Passes the question on to ``path``, and the answer or the error back."""

    async def answer(ctx: Context[Any], reply: Reply[Any]) -> None:
        if log is not None:
            log.append((ctx.path, ctx.deadline))
        try:
            reply.send(await ctx.ask(ctx.system.registry.ref(path), lambda r: r, timeout_s))
        except (DeadlockError, trio.TooSlowError) as error:
            reply.fail(error)

    return answer


async def says_yes(ctx: Context[Any], reply: Reply[Any]) -> None:
    reply.send(f"yes from {ctx.path}")


async def question(it: House, path: str, timeout_s: float = 1000) -> Any:
    return await it.ref(path).ask(lambda reply: reply, timeout_s)


# --- between two lives, and after the last -----------------------------------------------------------------------------


async def test_law_Q3_who_asks_between_two_lives_is_told_so_at_once_and_may_ask_again(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(5, 5))) as it:
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()
        t0 = trio.current_time()
        with pytest.raises(RestartingError) as raised:
            await it.ref("root/a").ask(Who, 1000)

        assert (raised.value.path, raised.value.reason) == ("root/a", Crash(BOOM))
        assert trio.current_time() == t0
        assert not it.cell("root/a").mailbox.has_mail  # it was never sent
        await trio.sleep(6)
        assert await it.ref("root/a").ask(Who, 1) == ("root/a", 2)


@pytest.mark.parametrize("urgent", [False, True])
async def test_law_Q3_questions_that_wait_at_a_crash_were_never_seen_and_are_told_so(
    autojump_clock: MockClock, urgent: bool
) -> None:
    """The one in work gets ``ActorDownError``, the ones in the lane or waiting for room get ``RestartingError``."""
    book = Book()
    errors: list[tuple[float, str]] = []

    async def ask(it: House, question: Callable[[Any], Any]) -> None:
        with pytest.raises(ActorDownError) as raised:
            await it.ref("root/a").ask(question, 1000, urgent=urgent)
        errors.append((trio.current_time() - t0, type(raised.value).__name__))

    async def crash(ctx: Context[Any]) -> None:
        await trio.sleep(2)
        raise BOOM

    async with house(book.spec("a", backoff=Backoff(50, 50), mailbox=MailboxSpec(2))) as it:
        t0 = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, it, lambda _: Run(crash))
            await wait_all_tasks_blocked()
            it.ref("root/a").tell_nowait("told")
            for _ in range(3):
                nursery.start_soon(ask, it, Who)
                await wait_all_tasks_blocked()

        assert sorted(errors) == [(2, "ActorDownError"), *3 * [(2, "RestartingError")]]
        stats = it.cell("root/a").mailbox.stats()
        assert (stats.used, stats.control) == (1, 0)
        assert stats.accepted == stats.taken + stats.used + stats.discarded
        await trio.sleep(60)
        assert book.of("root/a") == ["init", "init", "told"]


async def test_law_Q3_a_sender_that_waits_for_room_is_not_troubled_by_a_crash(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(1, 1), mailbox=MailboxSpec(1))) as it:
        ref = it.ref("root/a")
        ref.tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()
        ref.tell_nowait(0)
        async with trio.open_nursery() as nursery:
            for n in (1, 2):
                nursery.start_soon(ref.tell, n)
                await wait_all_tasks_blocked()
        await trio.sleep(5)

        assert book.of("root/a") == ["init", "init", 0, 1, 2]


async def test_law_B3_who_asks_before_the_first_life_is_ready_waits_for_it(autojump_clock: MockClock) -> None:
    book = Book()

    async def slow(ctx: Context[Any]) -> None:
        await trio.sleep(5)
        await book.worker(ctx)

    async with house(ChildSpec("a", slow)) as it:
        assert await it.ref("root/a").ask(Who, 10) == ("root/a", 1)


async def test_law_N5_a_question_that_meets_an_end_in_good_order_is_for_the_next_life(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(2, 2))) as it:
        it.ref("root/a").stop()
        await wait_all_tasks_blocked()
        assert it.state("root/a") == "backoff"

        assert await it.ref("root/a").ask(Who, 10) == ("root/a", 2)


@pytest.mark.parametrize("order", ["disable", "terminate"])
async def test_law_Q3_questions_at_a_child_that_is_stopped_are_answered_at_once(
    autojump_clock: MockClock, order: str
) -> None:
    book = Book()
    down: list[float] = []

    async def ask(it: House) -> None:
        with pytest.raises(ActorDownError) as raised:
            await it.ref("root/a").ask(Who, 1000)
        assert not isinstance(raised.value, RestartingError)
        down.append(trio.current_time() - t0)

    async with house(book.spec("a", mailbox=MailboxSpec(1))) as it:
        it.ref("root/a").tell_nowait(sleeps(3))
        await wait_all_tasks_blocked()
        t0 = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(3):  # one is in, the others wait for room
                nursery.start_soon(ask, it)
            await wait_all_tasks_blocked()
            await getattr(it.commands("root"), f"{order}_child")("a", 10)
        await ask(it)

        assert down == [3, 3, 3, 3]


# --- circles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 1, 2, 5])
async def test_law_Q4_a_circle_of_questions_is_found_at_once_and_named(
    autojump_clock: MockClock, others: int
) -> None:
    names = [f"n{n}" for n in range(others + 1)]
    children = [
        ChildSpec(name, server, (asks(f"root/{names[(n + 1) % len(names)]}"),))
        for n, name in enumerate(names)
    ]
    async with house(*children) as it:
        t0 = trio.current_time()
        with pytest.raises(DeadlockError) as raised:
            await question(it, "root/n0")

        # The last one of the circle notices: it is the one that asks the first.
        expected = [f"root/{name}" for name in (names[-1], *names)]
        assert list(raised.value.path) == expected
        assert trio.current_time() == t0
        assert [it.ref(f"root/{name}").incarnation for name in names] == [1] * len(names)


async def test_law_Q4_a_circle_that_two_begin_at_once_is_found_too(autojump_clock: MockClock) -> None:
    """No chain of messages leads round it: each was told to ask the other."""
    book = Book()
    outcomes: dict[str, Any] = {}

    def to_ask(other: str, wait_s: float) -> Run:
        async def body(ctx: Context[Any]) -> None:
            await trio.sleep(wait_s)
            try:
                outcomes[ctx.path] = await ctx.ask(it.ref(other), Who, 100)
            except DeadlockError as error:
                outcomes[ctx.path] = error.path

        return Run(body)

    async with house(book.spec("a"), book.spec("b")) as it:
        it.ref("root/a").tell_nowait(to_ask("root/b", 1))
        it.ref("root/b").tell_nowait(to_ask("root/a", 2))
        await trio.sleep(5)

        assert outcomes == {"root/b": ("root/b", "root/a", "root/b"), "root/a": ("root/b", 1)}


async def test_law_Q4_no_false_alarm_where_the_question_was_answered(autojump_clock: MockClock) -> None:
    """b answers a and then asks it, before a has come to run: a waits for nobody any more."""
    book = Book()

    async def answers_then_asks(ctx: Context[Any], reply: Reply[Any]) -> None:
        reply.send("answer")
        got.append(await ctx.ask(it.ref("root/a"), Who, 10))

    async def body(ctx: Context[Any]) -> None:
        got.append(await ctx.ask(it.ref("root/b"), lambda reply: reply, 10))

    got: list[Any] = []
    async with house(book.spec("a"), ChildSpec("b", server, (answers_then_asks,))) as it:
        it.ref("root/a").tell_nowait(Run(body))
        await trio.sleep(5)

        assert got == ["answer", ("root/a", 1)]


async def test_law_Q4_no_false_alarm_where_the_actor_goes_on_reading(autojump_clock: MockClock) -> None:
    """a asks b in a task beside its own, so b may well ask a."""

    async def reads_on(ctx: Context[Any]) -> None:
        async def ask() -> None:
            got.append(await ctx.ask(it.ref("root/b"), lambda reply: reply, 10))

        async with trio.open_nursery() as nursery:
            ctx.ready()
            while not isinstance(message := await ctx.receive(), Stop):
                if isinstance(message, Reply):
                    message.send("from a")
                else:
                    nursery.start_soon(ask)
            nursery.cancel_scope.cancel()

    got: list[Any] = []
    async with house(ChildSpec("a", reads_on), ChildSpec("b", server, (asks("root/a"),))) as it:
        it.ref("root/a").tell_nowait("go")
        await trio.sleep(5)

        assert got == ["from a"]


async def test_law_Q4_a_question_that_failed_or_was_cancelled_waits_for_nobody(
    autojump_clock: MockClock,
) -> None:
    book = Book()

    async def body(ctx: Context[Any]) -> None:
        with trio.move_on_after(1):
            await ctx.ask(it.ref("root/b"), Who, 100)

    async with house(book.spec("a"), book.spec("b")) as it:
        it.ref("root/b").tell_nowait(sleeps(5))
        await wait_all_tasks_blocked()
        it.ref("root/a").tell_nowait(Run(body))
        await trio.sleep(2)

        assert it.life("root/a").asking is None


# --- deadlines ---------------------------------------------------------------------------------------------------------


async def test_law_Q5_nested_questions_wait_no_longer_than_the_first_asker(autojump_clock: MockClock) -> None:
    log: list[Any] = []

    async def never(ctx: Context[Any], reply: Reply[Any]) -> None:
        log.append((ctx.path, ctx.deadline))

    async with house(
        ChildSpec("a", server, (asks("root/b", 1000, log),)),
        ChildSpec("b", server, (asks("root/c", 1000, log),)),
        ChildSpec("c", server, (never,)),
    ) as it:
        t0 = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await question(it, "root/a", 7)
        assert trio.current_time() - t0 == 7
        await wait_all_tasks_blocked()

        assert [(path, at - t0) for path, at in log] == [("root/a", 7), ("root/b", 7), ("root/c", 7)]
        assert it.life("root/a").asking is None  # both have given up with it
        assert it.life("root/b").asking is None


async def test_law_Q5_a_nested_question_may_wait_shorter(autojump_clock: MockClock) -> None:
    log: list[Any] = []

    async def never(ctx: Context[Any], reply: Reply[Any]) -> None:
        log.append(ctx.deadline)

    async with house(ChildSpec("a", server, (asks("root/b", 3),)), ChildSpec("b", server, (never,))) as it:
        t0 = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await question(it, "root/a", 7)

        assert trio.current_time() - t0 == 3
        assert log == [t0 + 3]


async def test_law_Q5_what_is_asked_after_the_asker_has_left_is_not_sent(autojump_clock: MockClock) -> None:
    seen: list[Any] = []

    async def late(ctx: Context[Any], reply: Reply[Any]) -> None:
        await trio.sleep(5)
        await asks("root/b")(ctx, reply)

    async def counts(ctx: Context[Any], reply: Reply[Any]) -> None:
        seen.append(reply)
        reply.send("yes")

    async with house(ChildSpec("a", server, (late,)), ChildSpec("b", server, (counts,))) as it:
        with pytest.raises(trio.TooSlowError):
            await question(it, "root/a", 2)
        await trio.sleep(10)

        assert seen == []
        assert it.ref("root/a").incarnation == 1


async def test_law_Q5_a_message_that_was_told_bounds_nothing(autojump_clock: MockClock) -> None:
    book = Book()
    deadlines: list[float] = []
    answers: list[Any] = []

    async def body(ctx: Context[Any]) -> None:
        deadlines.append(ctx.deadline)
        answers.append(await ctx.ask(it.ref("root/b"), lambda reply: reply, 10))

    async with house(book.spec("a"), ChildSpec("b", server, (says_yes,))) as it:
        it.ref("root/a").tell_nowait(Run(body))
        await trio.sleep(1)

        assert deadlines == [math.inf]
        assert answers == ["yes from root/b"]
