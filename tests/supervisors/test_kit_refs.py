"""Laws N and Q: names, questions, monitors and linked children."""

from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Leave, Run, Who, deaf, downs, hangs_in_init, house, sleeps
from trio.testing import wait_all_tasks_blocked

from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.mailbox import Outcome
from supervisors.reasons import Cancelled, Crash, Normal
from supervisors.ref import ActorRef
from supervisors.reply import ActorDownError
from supervisors.spec import Backoff, ChildSpec, MailboxSpec
from supervisors.supervisor import supervisor

BOOM = ValueError("boom")


async def test_law_N1_a_ref_stays_valid_across_restarts_without_a_gap(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(0.5, 0.5))) as it:
        ref = it.ref("root/a")
        for n in range(30):
            assert ref.tell_nowait(Fail(BOOM) if n % 10 == 5 else n) is Outcome.ACCEPTED
            assert it.system.registry.whereis("root/a") is not None
            await trio.sleep(0.1)
        await trio.sleep(5)

        assert [what for what in book.of("root/a") if what != "init"] == [n for n in range(30) if n % 10 != 5]
        assert it.ref("root/a").incarnation == 4


@pytest.mark.parametrize("callers", [1, 2, 20])
async def test_law_N2_n_callers_at_once_run_one_init(
    autojump_clock: trio.testing.MockClock, callers: int
) -> None:
    book = Book()
    inits: list[int] = []
    refs: list[ActorRef[Any]] = []

    async def slow(ctx: Context[Any]) -> None:
        inits.append(ctx.incarnation)
        await trio.sleep(1)
        await book.worker(ctx)

    async def call(it: House, wait: float) -> None:
        await trio.sleep(wait)
        refs.append(await it.commands("root/dyn").start_child(ChildSpec("key", slow), 10))

    async with house(supervisor("dyn", dynamic=True)) as it:
        async with trio.open_nursery() as nursery:
            for n in range(callers):
                nursery.start_soon(call, it, 0.1 * n)

        assert inits == [1]
        assert {ref.path for ref in refs} == {"root/dyn/key"}
        assert len(refs) == callers


async def test_ids_become_path_segments(autojump_clock: trio.testing.MockClock) -> None:
    book = Book()
    async with house(dynamic=True) as it:
        ref = await it.commands("root").start_child(book.spec("irc #a/b 100%"), 5)

        assert ref.path == "root/irc%20#a%2Fb%20100%25"
        assert await ref.ask(Who, 1) == (ref.path, 1)
        await it.commands("root").terminate_child("irc #a/b 100%", 5)
        with pytest.raises(LookupError):
            await it.commands("root").terminate_child("irc #a/b 100%", 5)


# --- questions ---------------------------------------------------------------------------------------------------------


async def test_law_Q1_the_timeout_covers_waiting_for_room_and_the_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", mailbox=MailboxSpec(1))) as it:
        ref = it.ref("root/a")
        ref.tell_nowait(sleeps(10))
        await wait_all_tasks_blocked()
        t0 = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await ref.ask(Who, 2)
        assert trio.current_time() - t0 == 2
        ref.tell_nowait("full")
        with pytest.raises(trio.TooSlowError):
            await ref.ask(Who, 2)
        assert trio.current_time() - t0 == 4


async def test_law_Q2_a_caller_that_left_harms_nobody(autojump_clock: trio.testing.MockClock) -> None:
    book = Book()
    async with house(book.spec("a")) as it:
        ref = it.ref("root/a")
        ref.tell_nowait(sleeps(3))
        with trio.move_on_after(1):
            await ref.ask(Who, 100)
        await trio.sleep(5)

        assert ref.incarnation == 1
        assert await ref.ask(Who, float("inf")) == ("root/a", 1)


async def test_law_Q3_the_end_of_the_asked_is_told_at_once(autojump_clock: trio.testing.MockClock) -> None:
    book = Book()
    async with house(book.spec("a", backoff=Backoff(5, 5))) as it:
        t0 = trio.current_time()
        with pytest.raises(ActorDownError) as raised:
            await it.ref("root/a").ask(lambda _: Fail(BOOM), 1000)
        assert raised.value.reason == Crash(BOOM)
        assert trio.current_time() == t0
        with pytest.raises(ActorDownError):
            await it.ref("root/nobody").ask(Who, 1000)
        assert trio.current_time() == t0


# --- monitors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "reason"), [(Leave(), Normal()), (Fail(BOOM), Crash(BOOM))], ids=["leave", "fail"]
)
async def test_law_N3_each_monitor_yields_exactly_one_down(
    autojump_clock: trio.testing.MockClock, end: object, reason: object
) -> None:
    book = Book()

    async def watch(ctx: Context[Any]) -> None:
        ctx.monitor(ctx.system.registry.ref("root/a"))

    async with house(book.spec("a"), book.spec("w1"), book.spec("w2")) as it:
        for watcher in ("root/w1", "root/w2"):
            await it.ref(watcher).tell(Run(watch))
        await wait_all_tasks_blocked()
        for _ in range(2):
            it.ref("root/a").tell_nowait(end)
            await trio.sleep(5)

        assert downs(book, "root/w1") == downs(book, "root/w2") == [Down("root/a", 1, reason)]  # type: ignore[arg-type]


async def test_law_N3_a_monitor_of_nobody_yields_its_down_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()

    async def watch(ctx: Context[Any]) -> None:
        ctx.monitor(ctx.system.registry.ref("root/a"))
        ctx.monitor(ctx.system.registry.ref("root/nobody"))

    async with house(book.spec("a", restart="temporary"), book.spec("w")) as it:
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()
        await it.ref("root/w").tell(Run(watch))
        await wait_all_tasks_blocked()

        assert downs(book, "root/w") == [
            Down("root/a", 1, Crash(BOOM)),
            Down("root/nobody", 0, Normal()),
        ]


async def test_law_N6_a_down_for_a_watcher_that_ended_never_reaches_its_successor(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()

    async def watch(ctx: Context[Any]) -> None:
        ctx.monitor(ctx.system.registry.ref("root/a"))

    async with house(book.spec("a"), book.spec("w")) as it:
        it.ref("root/w").tell_nowait(Run(watch))
        it.ref("root/w").tell_nowait(Fail(BOOM))
        await trio.sleep(1)
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(1)

        assert it.ref("root/w").incarnation == 2
        assert downs(book, "root/w") == []


# --- linked children ---------------------------------------------------------------------------------------------------


async def linked(ctx: Context[Any], spec: ChildSpec) -> None:
    """Body of a ``Run``: spawn ``spec``."""
    ctx.spawn_child(spec)


@pytest.mark.parametrize("end", [Leave(), Fail(BOOM)], ids=["leave", "fail"])
async def test_a_linked_child_ends_with_its_owner_and_before_the_owners_next_life(
    autojump_clock: trio.testing.MockClock, end: object
) -> None:
    book = Book()
    log: list[str] = []

    async def turn(ctx: Context[Any]) -> None:
        try:
            ctx.ready()
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            log.append(f"turn ended in life {it.cell('root/a').last_incarnation}")

    async with house(book.spec("a", backoff=Backoff(0, 0)), book.spec("b")) as it:
        await it.ref("root/a").tell(Run(lambda ctx: linked(ctx, ChildSpec("turn", turn))))
        await wait_all_tasks_blocked()
        assert it.state("root/a/turn") == "running"
        it.ref("root/a").tell_nowait(end)
        await trio.sleep(2)

        assert log == ["turn ended in life 1"]
        assert it.system.registry.whereis("root/a/turn") is None
        assert it.ref("root/a").incarnation == 2
        assert downs(book, "root/a") == []


async def test_the_end_of_a_linked_child_is_one_down_and_harms_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()

    async def cancel(ctx: Context[Any]) -> None:
        ctx.cancel_child("turn")
        ctx.cancel_child("nobody")

    async with house(book.spec("a")) as it:
        spawn = Run(lambda ctx: linked(ctx, ChildSpec("turn", book.worker)))
        await it.ref("root/a").tell(spawn)
        await wait_all_tasks_blocked()
        it.ref("root/a/turn").tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()
        await it.ref("root/a").tell(spawn)
        await wait_all_tasks_blocked()
        await it.ref("root/a").tell(Run(cancel))
        await wait_all_tasks_blocked()

        assert downs(book, "root/a") == [
            Down("root/a/turn", 1, Crash(BOOM)),
            Down("root/a/turn", 1, Cancelled("root/a/turn")),
        ]
        assert it.ref("root/a").incarnation == 1


async def test_a_second_linked_child_of_that_name_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    book = Book()
    refused: list[str] = []

    async def twice(ctx: Context[Any]) -> None:
        ctx.spawn_child(ChildSpec("turn", hangs_in_init))
        with pytest.raises(ValueError, match="already"):
            ctx.spawn_child(ChildSpec("turn", hangs_in_init))
        refused.append("yes")

    async with house(book.spec("a")) as it:
        await it.ref("root/a").tell(Run(twice))
        await wait_all_tasks_blocked()

        assert refused == ["yes"]


@pytest.mark.parametrize("by", ["cancel", "crash", "stop"])
async def test_a_stuck_linked_child_is_given_up_not_its_owner(
    autojump_clock: trio.testing.MockClock, by: str
) -> None:
    book = Book()

    async def spawn_again(ctx: Context[Any]) -> None:
        ctx.spawn_child(ChildSpec("turn", book.worker))

    async with house(book.spec("a", shutdown=0 if by == "cancel" else 5)) as it:
        await it.ref("root/a").tell(Run(lambda ctx: linked(ctx, ChildSpec("turn", deaf))))
        await wait_all_tasks_blocked()
        old = it.life("root/a/turn")
        if by == "crash":
            it.ref("root/a").tell_nowait(Fail(BOOM))
            await trio.sleep(5)
        else:
            await it.commands("root").restart_child("a", 60)

        assert it.ref("root/a").incarnation == 2
        assert old.fenced
        assert "stuck" not in it.kinds("root/a")
        await it.ref("root/a").tell(Run(spawn_again))
        await trio.sleep(60)
        assert await it.ref("root/a/turn").ask(Who, 1) == ("root/a/turn", 1)


async def test_the_linked_children_of_a_stuck_owner_are_given_up_with_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Else the owner's next life would meet them under the names it needs, and lose its own to their late end."""
    book = Book()

    async def owner(ctx: Context[Any]) -> None:
        ctx.spawn_child(ChildSpec("turn", deaf if ctx.incarnation == 1 else book.worker))
        await (deaf(ctx) if ctx.incarnation == 1 else book.worker(ctx))

    async with house(ChildSpec("a", owner, shutdown=1, grace=1)) as it:
        old = it.life("root/a/turn")
        await it.commands("root").restart_child("a", 60)

        assert old.fenced
        assert await it.ref("root/a/turn").ask(Who, 1) == ("root/a/turn", 1)
        await trio.sleep(5000)
        assert await it.ref("root/a/turn").ask(Who, 1) == ("root/a/turn", 1)
        assert not it.system.zombies


async def test_stop_of_a_ref_is_a_soft_stop_and_the_supervisor_decides(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("t", restart="transient")) as it:
        it.ref("root/a").stop()
        it.ref("root/t").stop()
        it.ref("root/nobody").stop()
        await trio.sleep(1)

        assert (it.state("root/a"), it.state("root/t")) == ("running", "stopped")
        assert it.ref("root/a").incarnation == 2
        assert Stop not in [type(what) for _, _, what in book.lines]
