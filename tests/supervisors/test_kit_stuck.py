"""What cannot be stopped is given up, fenced, and replaced; and a supervisor that fails itself leaves no loose end."""

from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Run, Who, deaf, hangs_in_init, house, sleeps, slow_stop
from trio.testing import wait_all_tasks_blocked

from supervisors.cell import FencedError, Stop
from supervisors.commands import ChildNotUpError
from supervisors.context import Context
from supervisors.reasons import Stuck
from supervisors.reply import ActorDownError
from supervisors.spec import Backoff, ChildSpec, MailboxSpec
from supervisors.supervisor import supervisor

BOOM = ValueError("boom")
SOON = Backoff(0.1, 0.1)


async def test_a_stuck_child_is_given_up_and_its_successor_starts(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    book = Book()

    async def stuck_once(ctx: Context[Any]) -> None:
        await (deaf(ctx) if ctx.incarnation == 1 else book.worker(ctx))

    async with house(ChildSpec("a", stuck_once, shutdown=3, grace=2), book.spec("b")) as it:
        old = it.life("root/a")
        t0 = trio.current_time()
        await it.commands("root").restart_child("a", 60)

        assert trio.current_time() - t0 == 5
        assert it.ref("root/a").incarnation == 2
        assert old.fenced
        assert old in it.system.zombies
        assert it.exits("root/a") == [("stuck", "restart")]
        assert it.ref("root/b").incarnation == 1
        assert any("sleep" in line for line in caplog.text.splitlines() if "trio" in line), (
            "its stack is logged"
        )
        await trio.sleep(4000)
        assert not it.system.zombies


async def test_on_stuck_escalate_ends_the_supervisor(autojump_clock: trio.testing.MockClock) -> None:
    async with house(ChildSpec("a", deaf, shutdown=1, grace=1, on_stuck="escalate")) as it:
        with pytest.raises(ChildNotUpError):
            await it.commands("root").restart_child("a", 60)
        await it.over.wait()

    assert it.outcome is not None
    assert it.outcome.reason == Stuck(("a",))
    assert it.outcome.code == 70


async def test_law_N1_a_life_that_was_given_up_can_no_longer_act(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It sits in receive() behind a shield: the message that comes is its successor's, and whatever it tries is refused."""
    refused: list[str] = []

    async def lingers(ctx: Context[Any]) -> None:
        if ctx.incarnation > 1:
            await book.worker(ctx)
            return
        ctx.ready()
        with trio.CancelScope(shield=True):
            for name, act in [
                ("receive", lambda: ctx.receive()),
                ("receive again", lambda: ctx.receive()),
                ("spawn", lambda: spawn(ctx)),
            ]:
                while True:
                    try:
                        match await act():
                            case Stop():
                                continue
                            case stolen:
                                book.lines.append(("stolen", 1, stolen))
                    except FencedError:
                        refused.append(name)
                    break
            await trio.sleep(1000)

    async def spawn(ctx: Context[Any]) -> None:
        ctx.spawn_child(book.spec("x"))

    book = Book()
    async with house(ChildSpec("a", lingers, shutdown=1, grace=1)) as it:
        await it.commands("root").restart_child("a", 60)
        it.ref("root/a").tell_nowait("for the second")
        await trio.sleep(1)

        assert book.lines == [("root/a", 2, "init"), ("root/a", 2, "for the second")]
        assert refused == ["receive", "receive again", "spawn"]


async def test_law_N3_and_M1_who_waits_for_a_stuck_life_is_told_when_it_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    errors: list[ActorDownError] = []

    async def ask(it: House) -> None:
        with pytest.raises(ActorDownError) as raised:
            await it.ref("root/a").ask(lambda _: Run(shielded), 1000)
        errors.append(raised.value)

    async def shielded(_: Context[Any]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(500)

    async def watch(ctx: Context[Any]) -> None:
        ctx.monitor(ctx.system.registry.ref("root/a"))

    async with house(book.spec("a", shutdown=1, grace=1), book.spec("w")) as it:
        await it.ref("root/w").tell(Run(watch))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, it)
            await wait_all_tasks_blocked()
            t0 = trio.current_time()
            await it.commands("root").restart_child("a", 60)
        await wait_all_tasks_blocked()

        assert trio.current_time() - t0 == 2
        assert [error.reason for error in errors] == [Stuck()]
        assert [(down.incarnation, down.reason) for down in book.of("root/w")[1:]] == [(1, Stuck())]
        assert it.cell("root/a").mailbox.stats().dropped_in_flight == 1
        await trio.sleep(1000)
        assert len(book.of("root/w")) == 2


async def test_law_K1_a_supervisor_that_is_cancelled_gives_its_stuck_children_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()

    async def stuck_once(ctx: Context[Any]) -> None:
        await (deaf(ctx) if ctx.incarnation == 1 else book.worker(ctx))

    patient = ChildSpec("a", stuck_once, grace=100)
    mid = supervisor("mid", [patient, book.spec("b")], backoff=SOON)
    async with house(mid) as it:
        old = it.life("root/mid/a")
        it.life("root/mid").scope.cancel()
        await trio.sleep(120)

        assert it.ref("root/mid").incarnation == 2
        assert it.ref("root/mid/a").incarnation == 2
        assert old.fenced
        assert it.node("root/mid").children, "the second life is the one that is looked at"


async def test_law_K2_every_task_of_the_system_is_an_actor_or_the_one_stopper(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    tree = supervisor("mid", [book.spec("a"), book.spec("b", backoff=Backoff(9, 9))])
    async with house(tree, supervisor("dyn", dynamic=True)) as it:
        await it.commands("root/dyn").start_child(book.spec("s"), 5)
        it.ref("root/mid/b").tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()
        nursery = it.life("root").task.parent_nursery  # type: ignore[union-attr]

        assert nursery is not None
        assert {task.name for task in nursery.child_tasks} == {
            "system/stopper",
            "root#1",
            "root/mid#1",
            "root/mid/a#1",
            "root/dyn#1",
            "root/dyn/s#1",
        }


async def test_law_N1_a_supervisor_that_is_given_up_takes_its_children_with_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its reaping outlasts its own grace: the successor must not meet unfenced lives, nor lose its place to it."""
    book = Book()

    async def stuck_once(ctx: Context[Any]) -> None:
        await (deaf(ctx) if ctx.incarnation == 1 else book.worker(ctx))

    top = supervisor("top", [supervisor("mid", [ChildSpec("a", stuck_once, grace=100)])], backoff=SOON)
    async with house(top) as it:
        old = it.life("root/top/mid/a")
        it.life("root/top").scope.cancel()
        await trio.sleep(20)

        assert [it.ref(path).incarnation for path in ("root/top", "root/top/mid", "root/top/mid/a")] == [
            2,
            2,
            2,
        ]
        assert old.fenced
        assert await it.ref("root/top/mid/a").ask(Who, 1) == ("root/top/mid/a", 2)
        await trio.sleep(200)
        assert it.state("root/top/mid/a") == "running"
        assert await it.ref("root/top/mid/a").ask(Who, 1) == ("root/top/mid/a", 2)


# --- a supervisor that crashes -----------------------------------------------------------------------------------------


async def test_a_supervisor_that_crashes_takes_its_children_down_and_comes_back_whole(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    mid = supervisor("mid", [book.spec("a", mailbox=MailboxSpec(4)), book.spec("b")], backoff=SOON)
    async with house(mid, book.spec("s")) as it:
        it.ref("root/mid/a").tell_nowait(sleeps(100))
        await wait_all_tasks_blocked()
        it.ref("root/mid/a").tell_nowait("kept")
        it.ref("root/mid").urge("not a message of its union")
        await trio.sleep(1)

        assert it.ref("root/mid").incarnation == 2
        assert it.ref("root/mid/a").incarnation == 2
        assert book.of("root/mid/a") == ["init", "init", "kept"]
        assert it.ref("root/s").incarnation == 1


async def test_a_supervisor_that_crashes_answers_who_waits_for_its_children(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with house(supervisor("dyn", dynamic=True, backoff=SOON)) as it:
        async with trio.open_nursery() as nursery:

            async def starts() -> None:
                with pytest.raises(ChildNotUpError):
                    await it.commands("root/dyn").start_child(ChildSpec("s", hangs_in_init), 1000)

            nursery.start_soon(starts)
            await wait_all_tasks_blocked()
            t0 = trio.current_time()
            it.ref("root/dyn").urge("not a message of its union")
        assert trio.current_time() == t0
        with pytest.raises(ActorDownError):
            await it.ref("root/dyn/s").ask(Who, 1000)
        assert trio.current_time() == t0


async def test_a_command_to_a_supervisor_that_is_being_restarted_is_carried_out_by_its_next_life(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    log: list[tuple[str, str, float]] = []
    async with house(supervisor("dyn", dynamic=True)) as it:
        await it.commands("root/dyn").start_child(ChildSpec("old", slow_stop, (log, 2.0)), 5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.commands("root").restart_child, "dyn", 60)
            await trio.sleep(1)
            with pytest.raises(ChildNotUpError):
                await it.commands("root/dyn").start_child(book.spec("s"), 60)
        ref = await it.commands("root/dyn").start_child(book.spec("s"), 60)

        assert await ref.ask(Who, 1) == ("root/dyn/s", 1)
        assert it.ref("root/dyn/old").tell_nowait("gone") == "stopped"


async def test_law_A4_a_listener_that_raises_harms_nobody(autojump_clock: trio.testing.MockClock) -> None:
    book = Book()

    def broken(event: object) -> None:
        raise BOOM

    async with house(book.spec("a"), book.spec("b")) as it:
        it.system.events.listen(broken)
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(1)

        assert it.ref("root/a").incarnation == 2
        assert it.ref("root").incarnation == 1


async def test_law_A4_a_classify_that_raises_makes_a_crash(autojump_clock: trio.testing.MockClock) -> None:
    def classify(exc: BaseException) -> Any:
        raise LookupError("no such code")

    book = Book()
    async with house(book.spec("a", classify=classify)) as it:
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(1)

        assert it.exits("root/a") == [("LookupError: no such code", "restart")]


async def test_an_actor_gives_up_a_child_that_does_not_end_and_goes_on_with_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Without a word of the first: no ``Down``, not even when it ends after all."""
    downs: list[int] = []
    refused = trio.Event()

    async def lingers(ctx: Context[Any]) -> None:
        with trio.move_on_after(60, shield=True):
            await trio.sleep_forever()
        with pytest.raises(FencedError):
            await ctx.receive()
        refused.set()

    async def owner(ctx: Context[Any]) -> None:
        ctx.ready()
        ctx.spawn_child(ChildSpec("child", lingers, restart="temporary"))
        await trio.sleep(1)
        ctx.abandon_child("child")
        ctx.abandon_child("child")
        ctx.spawn_child(ChildSpec("child", Book().worker, restart="temporary"))
        while True:
            match await ctx.receive():
                case Stop():
                    return
                case down:
                    downs.append(down.incarnation)

    async with house(ChildSpec("a", owner)) as it:
        await trio.sleep(2)
        assert len(it.system.zombies) == 1
        assert it.ref("root/a/child").incarnation == 1
        assert it.exits("root/a/child") == [("stuck", "remove")]
        await trio.sleep(100)

    assert refused.is_set()
    assert not it.system.zombies
    assert downs == []
