"""Laws O2, O3 and what A4 says of those who look on: the tree, get_state, statistics, trace, suspend, top."""

from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Leave, Run, deaf, house, sleeps
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.introspect import (
    By,
    NothingRevealedError,
    get_state,
    resume,
    statistics,
    suspend,
    top,
    trace,
)
from supervisors.mailbox import Outcome
from supervisors.reply import ActorDownError, RestartingError
from supervisors.spec import Backoff, ChildSpec, MailboxSpec
from supervisors.supervisor import supervisor
from supervisors.trace import Traced

NOW = Backoff(0, 0)


async def counter(ctx: Context[Any]) -> None:
    """Adds up numbers and reveals the sum; a number of seconds as text keeps it busy; raises exceptions."""
    total = 0
    ctx.reveal(lambda: total)
    ctx.ready()
    while True:
        match await ctx.receive():
            case int(number):
                total += number
            case str(seconds):
                await trio.sleep(float(seconds))
            case Exception() as error:
                raise error
            case Stop() | Down():
                return


class Poll(trio.abc.Instrument):
    """Counts the steps of all tasks."""

    steps = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1


# --- the tree ----------------------------------------------------------------------------------------------------------


async def test_law_O2_a_snapshot_is_one_instant_awaits_nobody_and_costs_no_step(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(
        book.spec("busy"), ChildSpec("deaf", deaf, shutdown=0, grace=0.1), supervisor("dyn", dynamic=True)
    ) as it:
        it.ref("root/busy").tell_nowait(sleeps(10))
        await it.commands("root/dyn").start_child(book.spec("s"), 1)
        await trio.sleep(3)
        poll = Poll()
        trio.lowlevel.add_instrument(poll)
        tree = it.system.snapshot()  # sync, so no task can have run

        assert poll.steps == 0
        assert tree is not None
        assert [node.path for node in tree.walk()] == [
            "root",
            "root/busy",
            "root/deaf",
            "root/dyn",
            "root/dyn/s",
        ]
        busy = tree.find("root/busy")
        assert busy is not None
        assert (busy.current, busy.busy_s) == (("Run", 3), 3)
        assert it.node("root/dyn/s") == it.system.snapshot("root/dyn/s")
        await trio.sleep(1)
        assert busy.busy_s == 3  # it is a picture, not a window
        trio.lowlevel.remove_instrument(poll)


# --- get_state ---------------------------------------------------------------------------------------------------------


async def test_law_O3_the_state_is_told_between_two_messages_before_what_waits() -> None:
    async with house(ChildSpec("a", counter)) as it:
        for number in (1, 2, 3):
            it.ref("root/a").tell_nowait(number)
        assert await get_state(it.system, "root/a", 1) == 0  # asked before they were read
        assert await get_state(it.system, "root/a", 1) == 6


async def test_law_O3_a_busy_actor_makes_its_asker_wait_and_nobody_else(autojump_clock: MockClock) -> None:
    async with house(ChildSpec("a", counter), ChildSpec("b", counter)) as it:
        it.ref("root/a").tell_nowait("10")
        await wait_all_tasks_blocked()
        t0 = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await get_state(it.system, "root/a", 2)
        assert trio.current_time() - t0 == 2
        assert it.node("root/a").mailbox.control == 0  # type: ignore[union-attr]  # nothing is left behind
        assert await get_state(it.system, "root/b", 1) == 0
        assert trio.current_time() - t0 == 2

        assert await get_state(it.system, "root/a", 20) == 0
        assert trio.current_time() - t0 == 10


async def test_law_O3_a_question_whose_asker_has_left_is_not_put(autojump_clock: MockClock) -> None:
    calls = []

    async def actor(ctx: Context[Any]) -> None:
        ctx.reveal(lambda: calls.append("called"))
        ctx.ready()
        with trio.CancelScope(shield=True):
            await trio.sleep(5)
        await ctx.stopping()

    async with house(ChildSpec("a", actor)) as it:
        for timeout_s in (0, 1):
            with pytest.raises(trio.TooSlowError):
                await get_state(it.system, "root/a", timeout_s)
        await trio.sleep(10)

        assert calls == []


async def test_an_actor_that_only_waits_for_its_stop_answers_too(autojump_clock: MockClock) -> None:
    async def actor(ctx: Context[Any]) -> None:
        ctx.reveal(lambda: "first")
        ctx.reveal(lambda: "last")
        ctx.send_after(60, None)
        ctx.ready()
        await ctx.stopping()

    async with house(ChildSpec("a", actor)) as it:
        assert await get_state(it.system, "root/a", 1) == "last"


async def test_law_A4_a_reveal_that_raises_is_the_askers_error() -> None:
    async def actor(ctx: Context[Any]) -> None:
        ctx.reveal(lambda: {}["x"])
        ctx.ready()
        await ctx.stopping()

    async with house(ChildSpec("a", actor)) as it:
        for _ in range(2):
            with pytest.raises(KeyError):
                await get_state(it.system, "root/a", 1)

        assert (it.state("root/a"), it.node("root/a").incarnation) == ("running", 1)


async def test_nothing_revealed_and_a_reveal_dies_with_its_life(autojump_clock: MockClock) -> None:
    async def once(ctx: Context[Any]) -> None:
        if ctx.incarnation == 1:
            ctx.reveal(lambda: "first life")
        ctx.ready()
        match await ctx.receive():
            case Exception() as error:
                raise error

    async with house(ChildSpec("a", once, backoff=NOW)) as it:
        assert await get_state(it.system, "root/a", 1) == "first life"
        it.ref("root/a").tell_nowait(ValueError())
        await wait_all_tasks_blocked()
        with pytest.raises(NothingRevealedError):
            await get_state(it.system, "root/a", 1)
        with pytest.raises(NothingRevealedError):
            await get_state(it.system, "root", 1)  # a supervisor: look at the tree


async def test_who_asks_nobody_is_told_so_at_once(autojump_clock: MockClock) -> None:
    failed: list[Exception] = []

    async def ask(it: House) -> None:
        with pytest.raises(RestartingError) as caught:
            await get_state(it.system, "root/a", 100)
        failed.append(caught.value)

    async with house(ChildSpec("a", counter, backoff=Backoff(5, 5)), Book().spec("b")) as it:
        t0 = trio.current_time()
        with pytest.raises(ActorDownError):
            await get_state(it.system, "root/nobody", 100)
        await it.commands("root").terminate_child("b", 1)
        with pytest.raises(ActorDownError):
            await get_state(it.system, "root/b", 100)
        it.ref("root/a").tell_nowait("1")
        it.ref("root/a").tell_nowait(ValueError())
        async with trio.open_nursery() as nursery:
            await trio.sleep(0.5)
            it.ref("root/a").urge(ValueError())  # before the question: it falls with the life
            nursery.start_soon(ask, it)
        assert trio.current_time() - t0 == 1
        with pytest.raises(RestartingError):  # between two lives
            await get_state(it.system, "root/a", 100)
        assert trio.current_time() - t0 == 1
    assert len(failed) == 1


async def test_an_actor_that_has_left_is_not_started_again_for_being_looked_at(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with house(dynamic=True) as it:
        ref = await it.commands("root").start_child(book.spec("s", restart="transient"), 1)
        ref.tell_nowait(sleeps(1))
        await wait_all_tasks_blocked()
        ref.urge(Leave())
        with pytest.raises(ActorDownError):
            await get_state(it.system, "root/s", 100)
        await trio.sleep(5)

        assert book.of("root/s") == ["init"]


# --- statistics --------------------------------------------------------------------------------------------------------


async def test_statistics_of_several_lives(autojump_clock: MockClock) -> None:
    async with house(ChildSpec("a", counter, backoff=Backoff(4, 4))) as it:
        ref = it.ref("root/a")
        await trio.sleep(1)
        assert await get_state(it.system, "root/a", 1) == 0  # no message
        ref.tell_nowait("2")
        ref.tell_nowait("3")
        await trio.sleep(10)
        assert it.node("root/a").current is None
        ref.tell_nowait(ValueError())
        await trio.sleep(10)
        ref.tell_nowait("100")
        ref.tell_nowait(1)
        await trio.sleep(7)

        found = statistics(it.system, "root/a")
        assert (found.path, found.incarnation, found.restarts) == ("root/a", 2, 1)
        assert found.messages == 4
        assert found.busy_s == 2 + 3 + 7  # in work included, waiting and backoff not
        assert found.started_s == found.ready_s == 10 - 4 + 7
        assert not found.suspended
        assert found.mailbox == it.cell("root/a").mailbox.stats()
        assert found.mailbox.used == 1
        assert it.node("root/a").busy_s == found.busy_s
        it.system.hurry(0)


async def test_statistics_without_a_life(autojump_clock: MockClock) -> None:
    async def slow(ctx: Context[Any]) -> None:
        await trio.sleep_forever()

    async with house(ChildSpec("slow", slow), Book().spec("gone")) as it:
        await it.commands("root").disable_child("gone", 1)
        await trio.sleep(3)
        slow_one, gone = statistics(it.system, "root/slow"), statistics(it.system, "root/gone")

        assert (slow_one.started_s, slow_one.ready_s, slow_one.messages) == (3, None, 0)
        assert (gone.started_s, gone.ready_s, gone.incarnation) == (None, None, 1)
        assert statistics(it.system, "root").restarts == 0
        for look in (statistics, suspend, resume):
            with pytest.raises(LookupError, match="root/nobody"):
                look(it.system, "root/nobody")


async def test_letting_others_run_is_not_being_busy(autojump_clock: MockClock) -> None:
    """What others do while a reader with a full mailbox steps back for a moment is theirs."""

    async def spend(ctx: Context[Any], seconds: float) -> None:
        """Seconds of the processor for every message."""
        ctx.ready()
        while not isinstance(await ctx.receive(), Stop):
            autojump_clock.jump(seconds)

    async with house(ChildSpec("a", spend, (1,)), ChildSpec("b", spend, (1000,))) as it:
        for number in range(100):
            it.ref("root/a").tell_nowait(number)
            it.ref("root/b").tell_nowait(number)
        await wait_all_tasks_blocked()

        assert statistics(it.system, "root/a").busy_s == 100
        assert statistics(it.system, "root/b").busy_s == 100_000


# --- trace -------------------------------------------------------------------------------------------------------------


def gist(told: list[Traced]) -> list[tuple[int, Any, float | None]]:
    return [(one.incarnation, one.message, one.handled_s) for one in told]


async def test_a_trace_tells_every_message_across_restarts_and_ends_by_itself(
    autojump_clock: MockClock,
) -> None:
    told: list[Traced] = []
    boom = ValueError("boom")
    async with house(ChildSpec("a", counter, backoff=Backoff(1, 1))) as it:
        ref = it.ref("root/a")
        ref.tell_nowait("5")
        await trio.sleep(1)
        t0 = trio.current_time() - 1
        running = trace(it.system, "root/a", told.append, limit=4, per_s=100)
        for message in (7, boom, 8, 9):
            ref.tell_nowait(message)
        await trio.sleep(20)

        assert gist(told) == [(1, "5", 5), (1, 7, 0), (1, boom, None), (2, 8, 0)]
        assert [(one.path, one.at - t0) for one in told] == [("root/a", at) for at in (0, 5, 5, 6)]
        assert (running.on, running.told, running.passed_over) == (False, 4, 0)
        assert it.cell("root/a").trace is None


async def test_a_trace_tells_signals_timers_and_a_message_that_was_the_last(
    autojump_clock: MockClock,
) -> None:
    told: list[Traced] = []

    async def actor(ctx: Context[Any]) -> None:
        ctx.send_after(1, "tick")
        ctx.send_after(1, "never").cancel()
        ctx.ready()
        while not isinstance(await ctx.receive(), Stop):
            pass
        await trio.sleep(2)

    async with house(ChildSpec("a", actor)) as it:
        trace(it.system, "root/a", told.append, limit=10, per_s=10)
        it.ref("root/a").urge("urgent")
        with pytest.raises(NothingRevealedError):
            await get_state(it.system, "root/a", 1)
        await trio.sleep(3)

    assert gist(told) == [(1, "urgent", 0), (1, "tick", 0), (1, Stop(), 2)]


async def test_a_trace_tells_no_more_than_so_many_a_second(autojump_clock: MockClock) -> None:
    told: list[Traced] = []
    async with house(ChildSpec("a", counter)) as it:
        running = trace(it.system, "root/a", told.append, limit=1000, per_s=10)

        async def burst() -> int:
            before = len(told)
            for number in range(100):
                it.ref("root/a").tell_nowait(number)
            await wait_all_tasks_blocked()
            return len(told) - before

        assert await burst() == 10
        assert await burst() == 0
        await trio.sleep(0.55)
        assert await burst() == 5
        await trio.sleep(100)
        assert await burst() == 10
        assert (running.told, running.passed_over) == (25, 375)
        running.stop()
        running.stop()
        await trio.sleep(1)
        assert await burst() == 0
        assert not running.on


async def test_law_A4_the_listener_of_a_trace_that_raises_ends_the_trace_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def listener(_: Traced) -> None:
        raise ValueError("the listener's fault")

    async with house(ChildSpec("a", counter, backoff=NOW)) as it:
        running = trace(it.system, "root/a", listener, limit=10, per_s=10)
        it.ref("root/a").tell_nowait(1)
        it.ref("root/a").tell_nowait(2)
        await wait_all_tasks_blocked()

        assert (running.on, running.told) == (False, 1)
        assert await get_state(it.system, "root/a", 1) == 3
        assert it.node("root/a").incarnation == 1

        trace(it.system, "root/a", listener, limit=10, per_s=10)
        it.ref("root/a").tell_nowait(ValueError("boom"))  # told by the supervisor's side of the end
        await wait_all_tasks_blocked()
        assert (it.state("root/a"), it.node("root/a").incarnation) == ("running", 2)
    assert sum("the listener of a trace failed" in line for line in caplog.messages) == 2


async def test_an_actor_has_one_trace_the_last() -> None:
    first: list[Traced] = []
    second: list[Traced] = []
    async with house(ChildSpec("a", counter)) as it:
        old = trace(it.system, "root/a", first.append, limit=10, per_s=10)
        new = trace(it.system, "root/a", second.append, limit=10, per_s=10)
        it.ref("root/a").tell_nowait(1)
        await wait_all_tasks_blocked()
        old.stop()

        assert (old.on, new.on) == (False, True)
        assert (first, [one.message for one in second]) == ([], [1])


@pytest.mark.parametrize("bounds", [{"limit": 0, "per_s": 1}, {"limit": 1, "per_s": 0}])
async def test_a_trace_without_bounds_is_refused(bounds: dict[str, Any]) -> None:
    async with house(ChildSpec("a", counter)) as it:
        with pytest.raises(ValueError, match="limit"):
            trace(it.system, "root/a", print, **bounds)
        with pytest.raises(LookupError):
            trace(it.system, "root/nobody", print, limit=1, per_s=1)


# --- suspend -----------------------------------------------------------------------------------------------------------


async def test_a_suspended_actor_reads_its_control_lane_only_until_it_is_resumed(
    autojump_clock: MockClock,
) -> None:
    book = Book()

    async def timed(ctx: Context[Any]) -> None:
        ctx.send_after(1, "timer")
        await book.worker(ctx)

    async with house(ChildSpec("a", timed, mailbox=MailboxSpec(2))) as it:
        ref = it.ref("root/a")
        suspend(it.system, "root/a")
        suspend(it.system, "root/a")
        assert [ref.tell_nowait(number) for number in range(3)] == ["accepted", "accepted", Outcome.FULL]
        ref.urge("urgent")
        await trio.sleep(5)

        assert book.of("root/a") == ["init", "urgent", "timer"]
        assert statistics(it.system, "root/a").suspended
        mailbox = it.node("root/a").to_json()["mailbox"]
        assert mailbox == {
            "used": 2,
            "peak": 2,
            "capacity": 2,
            "control": 0,
            "suspended": True,
            "oldest_s": 5.0,
        }

        resume(it.system, "root/a")
        await wait_all_tasks_blocked()
        assert book.of("root/a") == ["init", "urgent", "timer", 0, 1]
        assert it.node("root/a").to_json()["mailbox"]["suspended"] is False


async def test_what_is_in_work_goes_on_and_a_suspension_outlives_a_restart(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a", backoff=NOW)) as it:
        ref = it.ref("root/a")
        ref.tell_nowait(sleeps(1))
        await wait_all_tasks_blocked()
        suspend(it.system, "root/a")
        assert it.node("root/a").current is not None
        ref.tell_nowait("later")
        ref.urge(Fail(ValueError()))
        await trio.sleep(5)

        assert it.node("root/a").incarnation == 2
        assert book.of("root/a") == ["init"] * 2
        resume(it.system, "root/a")
        await wait_all_tasks_blocked()
        assert book.of("root/a") == [*["init"] * 2, "later"]


async def test_a_message_that_came_back_waits_for_the_resume_too(autojump_clock: MockClock) -> None:
    book = Book()
    spec = book.spec("a", backoff=NOW, mailbox=MailboxSpec(in_flight="redeliver:9"))
    async with house(spec) as it:
        ref = it.ref("root/a")

        async def suspend_and_fail_once(_: Context[Any]) -> None:
            suspend(it.system, "root/a")
            if it.node("root/a").incarnation == 1:
                raise ValueError

        ref.tell_nowait(run := Run(suspend_and_fail_once))
        await trio.sleep(1)
        assert it.node("root/a").incarnation == 2
        assert it.cell("root/a").mailbox.waiting() == ([], [run])
        assert it.node("root/a").current is None
        resume(it.system, "root/a")
        await wait_all_tasks_blocked()
        assert it.cell("root/a").mailbox.waiting() == ([], [])


async def test_a_suspended_actor_stops_as_any_other(autojump_clock: MockClock) -> None:
    book = Book()
    async with house(book.spec("a")) as it:
        suspend(it.system, "root/a")
        it.ref("root/a").tell_nowait("unread")
    assert book.of("root/a") == ["init", "stop"]


# --- top ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "first"),
    [("mailbox", "root/full"), ("restarts", "root/restless"), ("busy", "root/busy")],
)
async def test_top(by: By, first: str, autojump_clock: MockClock) -> None:
    async with house(
        ChildSpec("idle", counter),
        ChildSpec("full", counter),
        ChildSpec("restless", counter, backoff=NOW),
        ChildSpec("busy", counter),
    ) as it:
        suspend(it.system, "root/full")
        for number in range(3):
            it.ref("root/full").tell_nowait(number)
        for _ in range(2):
            it.ref("root/restless").tell_nowait(ValueError())
        it.ref("root/busy").tell_nowait("9")
        await trio.sleep(10)
        tree = it.system.snapshot()

        assert tree is not None
        found = top(tree, by, 2)
        assert (found[0].path, len(found)) == (first, 2)
        assert len(top(tree, by, 100)) == 5
        assert top(tree, by, 0) == []
