"""Laws X1 and X5, systematically: the same short story, cancelled after every single step of the scheduler."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Who, hangs_in_init, house
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.commands import ChildNotUpError
from supervisors.context import Context
from supervisors.mailbox import Mailbox
from supervisors.reply import ActorDownError
from supervisors.spec import Backoff, ChildSpec, MailboxSpec
from supervisors.supervisor import supervisor
from supervisors.system import System

NOW = Backoff(0, 0)
STEPS_MAX = 2_000


class CancelAfter(trio.abc.Instrument):
    """Cancels ``scope`` after ``steps`` steps of ``task`` (of any task, if None), counted from when ``scope`` is set."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.scope: trio.CancelScope | None = None
        self.task: trio.lowlevel.Task | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.scope is not None and (self.task is None or task is self.task):
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


def at_every_step(story: Callable[[CancelAfter], Any]) -> int:
    """Run ``story`` once for every step there is to cancel after; how many there were."""
    for steps in range(1, STEPS_MAX):
        cutter = CancelAfter(steps)
        trio.run(story, cutter, clock=MockClock(autojump_threshold=0), instruments=[cutter])
        if cutter.left > 0:
            return steps
    raise AssertionError("the story does not end")


def conserved(mailbox: Mailbox) -> bool:
    stats = mailbox.stats()
    return stats.accepted == stats.taken + stats.used + stats.discarded


async def play(it: House) -> None:
    """Crashes, questions, comings and goings."""
    for n in range(3):
        await it.ref("root/a").tell(n)
    it.ref("root/b").tell_nowait(Fail(ValueError("boom")))
    await it.commands("root/dyn").start_child(Book().spec("s"), 10)
    await it.ref("root/dyn/s").ask(Who, 5)
    it.ref("root/dyn/s").tell_nowait(Fail(ValueError("boom")))
    await trio.sleep(1)
    await it.commands("root").restart_child("a", 10)
    await it.commands("root/dyn").terminate_child("s", 10)


def test_law_X1_cancelling_the_whole_run_at_any_step_restarts_nothing_and_leaves_nothing() -> None:
    async def story(cutter: CancelAfter) -> None:
        tasks = trio.lowlevel.current_statistics().tasks_living
        book = Book()
        it = House(System(rng=random.Random(1)))
        tree = [book.spec("a", backoff=NOW), book.spec("b", backoff=NOW), supervisor("dyn", dynamic=True)]
        async with trio.open_nursery() as nursery:
            cutter.scope = nursery.cancel_scope
            nursery.start_soon(it.run, supervisor("root", tree))
            await wait_all_tasks_blocked()
            with suppress(ActorDownError, ChildNotUpError):  # it may outlive those it speaks to
                await play(it)
            it.stop()
        cutter.scope = None

        restarts = [event for event in it.log if event.detail.get("decision") == "restart"]
        assert not [event for event in restarts if event.detail["reason"].startswith("cancelled")]
        assert all(conserved(cell.mailbox) for cell in it.system.registry._cells.values())
        assert not it.system.supervisors
        assert not it.system.zombies
        assert trio.lowlevel.current_statistics().tasks_living == tasks

    for _ in range(5):  # Trio shuffles who runs first
        assert at_every_step(story) > 40


@pytest.mark.parametrize("what", ["tell", "ask", "start", "restart", "terminate", "disable"])
def test_law_X5_cancelling_a_caller_at_any_step_leaves_no_half_state(what: str) -> None:
    """Whatever the caller was at: the system goes on, every child is where its orders put it, no mail is astray."""

    async def story(cutter: CancelAfter) -> None:
        book = Book()
        inits: list[str] = []

        async def slow(ctx: Context[Any]) -> None:
            inits.append(ctx.path)
            await trio.sleep(1)
            await book.worker(ctx)

        async def caller(it: House) -> None:
            cutter.task = trio.lowlevel.current_task()
            with trio.CancelScope() as cutter.scope:
                match what:
                    case "tell":
                        for n in range(4):
                            await it.ref("root/a").tell(n)
                    case "ask":
                        await it.ref("root/a").ask(Who, 10)
                        await it.ref("root/a").ask(Who, 10)
                    case "start":
                        await it.commands("root/dyn").start_child(ChildSpec("s", slow), 10)
                    case _:
                        await getattr(it.commands("root"), f"{what}_child")("a", 10)
                        await getattr(it.commands("root"), f"{what}_child")("a", 10)

        async with house(
            book.spec("a", mailbox=MailboxSpec(1)), book.spec("b"), supervisor("dyn", dynamic=True)
        ) as it:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(caller, it)
            cutter.scope = None
            await trio.sleep(5)
            await wait_all_tasks_blocked()

            assert it.ref("root").incarnation == it.ref("root/b").incarnation == 1
            assert conserved(it.cell("root/a").mailbox)
            assert it.state("root/a") in {"running", "stopped", "disabled"}
            told = [n for n in book.of("root/a") if isinstance(n, int)]
            assert told == list(range(len(told)))
            assert len(inits) <= 1
            if what == "start":
                ref = await it.commands("root/dyn").start_child(ChildSpec("s", slow), 10)
                assert await ref.ask(Who, 1) == ("root/dyn/s", 1)
                assert len(inits) == 1

    assert at_every_step(story) >= 2


def test_law_X1_a_child_that_is_cancelled_at_any_step_of_its_stop_is_no_crash() -> None:
    """The order to stop cuts into init, handling and clean-up alike."""

    async def story(cutter: CancelAfter) -> None:
        book = Book()

        async def busy(ctx: Context[Any]) -> None:
            for _ in range(3):
                await trio.lowlevel.checkpoint()
            ctx.ready()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await ctx.stopping()
                await trio.sleep(1)
                nursery.cancel_scope.cancel()

        async with house(book.spec("a"), supervisor("dyn", dynamic=True)) as it:
            commands = it.commands("root/dyn")
            commands.start_child_soon(ChildSpec("s", busy, shutdown=0.5))
            cutter.scope = trio.CancelScope()
            with cutter.scope:
                await trio.sleep(3)
            cutter.scope = None
            with suppress(LookupError):
                await commands.terminate_child("s", 10)

            assert it.node("root/dyn").children == ()
            assert {decision for _, decision in it.exits("root/dyn/s")} <= {"remove"}
            assert it.ref("root/a").incarnation == 1

    assert at_every_step(story) > 3


async def test_law_X1_cancelled_is_no_crash_also_inside_a_group(autojump_clock: MockClock) -> None:
    """A failure beside a cancellation is the failure; the cancellation goes on its way."""

    async def fails_when_cancelled(ctx: Context[Any]) -> None:
        ctx.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hangs_in_init, ctx)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("during cancel")

    async with house(ChildSpec("a", fails_when_cancelled, shutdown=0)) as it:
        await it.commands("root").terminate_child("a", 5)

        assert it.exits("root/a") == [("ValueError: during cancel", "stop")]
        assert it.state("root/a") == "stopped"
