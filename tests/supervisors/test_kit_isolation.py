"""Laws A, B and E: a failure stays where it is, and a start is done only when it is done."""

import asyncio
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, Leave, Run, Who, hangs_in_init, house, sleeps
from trio.testing import wait_all_tasks_blocked

from supervisors.commands import ChildNotUpError
from supervisors.context import Context
from supervisors.reasons import Crash, ExitReason, Failed, StartFailed, exception_of, root_cause
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.supervisor import supervisor

BOOM = ValueError("boom")
SOON = Backoff(0.1, 0.1)


class UnprintableError(Exception):
    """Foreign code at its worst."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


async def test_law_A1_a_crash_leaves_the_siblings_alone(autojump_clock: trio.testing.MockClock) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b"), book.spec("c")) as it:
        before = {name: it.life(f"root/{name}").task for name in "ac"}
        it.ref("root/c").tell_nowait(sleeps(5))
        it.ref("root/c").tell_nowait("kept")
        for _ in range(3):
            it.ref("root/b").tell_nowait(Fail(BOOM))
            await trio.sleep(1)

        assert it.ref("root/b").incarnation == 4
        assert {name: it.life(f"root/{name}").task for name in "ac"} == before
        assert it.cell("root/c").mailbox.stats().used == 1
        await trio.sleep(5)
        assert book.of("root/c") == ["init", "kept"]
        assert book.of("root/a") == ["init"]


@pytest.mark.parametrize(
    ("restart", "message", "restarted"),
    [
        ("permanent", Leave(), True),
        ("permanent", Fail(BOOM), True),
        ("transient", Leave(), False),
        ("transient", Fail(BOOM), True),
        ("temporary", Leave(), False),
        ("temporary", Fail(BOOM), False),
    ],
)
async def test_law_A3_who_is_restarted(
    autojump_clock: trio.testing.MockClock, restart: Any, message: object, restarted: bool
) -> None:
    book = Book()
    async with house(book.spec("a", restart=restart)) as it:
        it.ref("root/a").tell_nowait(message)
        await trio.sleep(1)

        assert it.state("root/a") == ("running" if restarted else "stopped")
        assert it.cell("root/a").last_incarnation == (2 if restarted else 1)


async def test_law_A3_temporary_is_not_restarted_for_waiting_mail(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", restart="temporary")) as it:
        it.ref("root/a").tell_nowait(Leave())
        it.ref("root/a").tell_nowait("too late")
        await trio.sleep(1)

        assert it.state("root/a") == "stopped"


async def test_a_transient_child_comes_back_for_mail_that_raced_its_return(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", restart="transient")) as it:
        it.ref("root/a").tell_nowait(Leave())
        it.ref("root/a").tell_nowait("in time")
        await trio.sleep(1)

        assert book.lines == [("root/a", 1, "init"), ("root/a", 2, "init"), ("root/a", 2, "in time")]


async def test_law_K5_a_child_that_returns_without_reading_its_mail_does_not_spin(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def returns(ctx: Context[Any]) -> None:
        ctx.ready()
        await trio.sleep(1 if ctx.incarnation == 1 else 0)

    async with house(ChildSpec("a", returns, restart="transient", backoff=Backoff(1, 1))) as it:
        it.ref("root/a").tell_nowait("unread")
        await trio.sleep(60)

        assert 50 < it.cell("root/a").last_incarnation <= 61


async def test_law_A4_a_crash_whose_text_cannot_be_made_harms_only_its_child(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b")) as it:
        it.ref("root/a").tell_nowait(Fail(UnprintableError()))
        await trio.sleep(1)

        assert it.ref("root/a").incarnation == 2
        assert it.ref("root/b").incarnation == 1
        assert it.ref("root").incarnation == 1
        assert "UnprintableError" in (it.node("root/a").last_error or "")


# --- starting ----------------------------------------------------------------------------------------------------------


async def test_law_B1_sync_children_start_in_order_each_ready_before_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    started: list[tuple[str, str, float]] = []

    async def slow(ctx: Context[Any], name: str) -> None:
        started.append((name, "start", trio.current_time()))
        await trio.sleep(1)
        started.append((name, "ready", trio.current_time()))
        ctx.ready()
        await ctx.stopping()

    t0 = trio.current_time()
    specs = [
        ChildSpec("a", slow, ("a",), start_mode="sync"),
        ChildSpec("e", hangs_in_init, start_mode="eventual", ready_timeout=1000),
        ChildSpec("b", slow, ("b",), start_mode="sync"),
    ]
    async with house(*specs) as it:
        assert it.state("root") == "starting"
        await trio.sleep(3)

        assert [(name, what) for name, what, _ in started] == [
            ("a", "start"),
            ("a", "ready"),
            ("b", "start"),
            ("b", "ready"),
        ]
        assert started[-1][2] - t0 == 2
        assert it.state("root") == "running"
        assert it.state("root/e") == "starting"


async def test_law_B1_a_failure_at_boot_unwinds_in_reverse_and_keeps_its_exception(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()

    async def fails(ctx: Context[Any]) -> None:
        await trio.sleep(1)
        raise BOOM from KeyError("why")

    specs = [
        book.spec("a", start_mode="sync"),
        book.spec("b", start_mode="sync"),
        ChildSpec("c", fails, start_mode="sync"),
        book.spec("d", start_mode="sync"),
    ]
    async with house(*specs) as it:
        await it.over.wait()

    assert [(where, what) for where, _, what in book.lines] == [
        ("root/a", "init"),
        ("root/b", "init"),
        ("root/b", "stop"),
        ("root/a", "stop"),
    ]
    assert it.outcome is not None
    assert it.outcome.reason == StartFailed("c", Crash(BOOM))
    assert exception_of(it.outcome.reason) is BOOM
    assert isinstance(BOOM.__cause__, KeyError)
    assert it.outcome.code == 70


async def test_law_B1_a_failed_start_of_an_eventual_child_concerns_nobody_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    slow = ChildSpec("slow", hangs_in_init, ready_timeout=10, backoff=SOON, intensity=Intensity(1, 100))
    async with house(slow, book.spec("b", start_mode="sync")) as it:
        assert it.state("root") == "running"
        await trio.sleep(60)

        assert it.state("root/slow") == "disabled"
        assert [reason for reason, _ in it.exits("root/slow")] == ["TimeoutError: not ready within 10 s"] * 2
        assert it.ref("root/b").incarnation == 1


async def test_law_B1_a_failed_restart_while_others_boot_is_an_end_like_any_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def fails_twice(ctx: Context[Any]) -> None:
        if ctx.incarnation == 2:
            raise BOOM
        ctx.ready()
        if ctx.incarnation == 1:
            raise BOOM
        await ctx.stopping()

    async def slow(ctx: Context[Any]) -> None:
        await trio.sleep(5)
        ctx.ready()
        await ctx.stopping()

    async with house(
        ChildSpec("a", fails_twice, start_mode="sync", backoff=SOON), ChildSpec("b", slow, start_mode="sync")
    ) as it:
        await trio.sleep(10)

        assert it.state("root") == "running"
        assert it.ref("root/a").incarnation == 3


async def test_law_B2_a_child_that_fails_in_init_leaves_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def fails(ctx: Context[Any]) -> None:
        ctx.monitor(ctx.system.registry.ref("root/other"))
        ctx.spawn_child(ChildSpec("helper", hangs_in_init))
        raise BOOM

    book = Book()
    async with house(book.spec("other"), supervisor("dyn", dynamic=True)) as it:
        tasks = trio.lowlevel.current_statistics().tasks_living
        names = len(it.system.registry)
        with pytest.raises(ChildNotUpError) as raised:
            await it.commands("root/dyn").start_child(ChildSpec("x", fails, restart="temporary"), 10)
        await wait_all_tasks_blocked()

        assert raised.value.reason == Crash(BOOM)
        assert it.system.registry.whereis("root/dyn/x") is None
        assert it.system.registry.whereis("root/dyn/x/helper") is None
        assert len(it.system.registry) == names
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert it.node("root/dyn").children == ()
        await trio.sleep(100)
        assert trio.lowlevel.current_statistics().tasks_living == tasks


async def test_law_B3_recovery_completes_before_the_first_message(
    autojump_clock: trio.testing.MockClock,
) -> None:
    seen: list[Any] = []

    async def recovers(ctx: Context[Any]) -> None:
        for step in range(5):
            await trio.sleep(1)
            seen.append(f"step {step}")
        ctx.ready()
        while True:
            match await ctx.receive():
                case int(number):
                    seen.append(number)
                case _:
                    return

    async with house(ChildSpec("a", recovers)) as it:
        for number in range(10):
            assert it.ref("root/a").tell_nowait(number) == "accepted"
            await trio.sleep(0.7)

        assert seen == [*(f"step {step}" for step in range(5)), *range(10)]
        assert it.cell("root/a").last_incarnation == 1


async def test_law_B4_start_child_returns_when_ready_or_raises(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()

    async def slow(ctx: Context[Any]) -> None:
        await trio.sleep(3)
        await book.worker(ctx)

    async with house(supervisor("dyn", dynamic=True)) as it:
        t0 = trio.current_time()
        ref = await it.commands("root/dyn").start_child(ChildSpec("s", slow), 10)

        assert trio.current_time() - t0 == 3
        assert await ref.ask(Who, 1) == ("root/dyn/s", 1)
        with pytest.raises(ChildNotUpError):
            await it.commands("root/dyn").start_child(ChildSpec("x", hangs_in_init, ready_timeout=2), 10)


@pytest.mark.parametrize("cancel_after", [0.0, 1.0, 3.0])
async def test_law_B4_and_X5_cancelling_the_caller_of_start_child_leaves_no_half_state(
    autojump_clock: trio.testing.MockClock, cancel_after: float
) -> None:
    book = Book()

    async def slow(ctx: Context[Any]) -> None:
        await trio.sleep(2)
        await book.worker(ctx)

    async with house(supervisor("dyn", dynamic=True)) as it:
        with trio.move_on_after(cancel_after):
            await it.commands("root/dyn").start_child(ChildSpec("s", slow), 10)
        await trio.sleep(5)

        assert book.lines == [("root/dyn/s", 1, "init")]
        assert it.state("root/dyn/s") == "running"
        ref = await it.commands("root/dyn").start_child(ChildSpec("s", slow), 10)
        assert await ref.ask(Who, 1) == ("root/dyn/s", 1)


# --- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "exc",
    [
        SystemExit(3),
        GeneratorExit(),
        asyncio.CancelledError(),
        BaseExceptionGroup("several", [SystemExit(1), ValueError("x")]),
        BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [GeneratorExit()])]),
    ],
    ids=lambda exc: type(exc).__name__,
)
async def test_law_X2_every_other_base_exception_is_a_crash_of_that_child_only(
    autojump_clock: trio.testing.MockClock, exc: BaseException
) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b")) as it:
        it.ref("root/a").tell_nowait(Fail(exc))
        await trio.sleep(1)

        assert it.ref("root/a").incarnation == 2
        assert it.ref("root/b").incarnation == 1
        assert [decision for _, decision in it.exits("root/a")] == ["restart"]
    assert it.outcome is not None
    assert it.outcome.code == 0


async def test_law_X2_a_keyboard_interrupt_in_a_child_is_an_ordered_stop_and_raised_at_the_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True):
        async with house(book.spec("a"), book.spec("b"), book.spec("c")) as it:
            it.ref("root/b").tell_nowait(Fail(KeyboardInterrupt()))
            await trio.sleep(30)

    assert [where for where, _, what in book.lines if what == "stop"] == ["root/c", "root/a"]
    assert it.exits("root/b")[0][0] == "cancelled with keyboard interrupt"


async def test_law_X3_one_failure_out_of_nested_nurseries_is_that_exception(
    autojump_clock: trio.testing.MockClock,
) -> None:
    reasons: list[ExitReason] = []
    cause = KeyError("why")

    async def inner() -> None:
        raise BOOM from cause

    async def body(ctx: Context[Any]) -> None:
        async with trio.open_nursery() as outer, trio.open_nursery() as nursery:
            outer.start_soon(trio.sleep_forever)
            nursery.start_soon(inner)

    book = Book()
    async with house(book.spec("a"), book.spec("watcher")) as it:
        watch = Run(lambda ctx: monitor(ctx, "root/a"))
        await it.ref("root/watcher").tell(watch)
        await it.ref("root/a").tell(Run(body))
        await trio.sleep(1)
        reasons = [down.reason for down in book.of("root/watcher")[1:]]

    assert len(reasons) == 1
    assert isinstance(reasons[0], Crash)
    assert reasons[0].exc is BOOM
    assert reasons[0].exc.__cause__ is cause


async def monitor(ctx: Context[Any], path: str) -> None:
    ctx.monitor(ctx.system.registry.ref(path))


async def test_law_X3_an_error_during_stop_is_no_new_crash(autojump_clock: trio.testing.MockClock) -> None:
    async def fails_at_stop(ctx: Context[Any]) -> None:
        ctx.ready()
        try:
            await trio.sleep_forever()
        finally:
            raise BOOM

    async with house(ChildSpec("a", fails_at_stop, intensity=Intensity(0, 60))) as it:
        await it.commands("root").restart_child("a", 30)

        assert it.state("root/a") == "running"
        assert it.exits("root/a") == [("ValueError: boom", "restart")]
        assert it.log[-1].kind == "ready"
    assert it.exits("root/a")[-1] == ("ValueError: boom", "stop")
    assert it.outcome is not None
    assert it.outcome.code == 0


async def test_law_X4_the_first_failure_survives_to_the_root_with_traceback_and_path(
    autojump_clock: trio.testing.MockClock,
) -> None:
    original = LookupError("gone")

    def classify(exc: BaseException) -> ExitReason:
        return Failed("config_invalid", "escalate", exc=exc)

    async def fails(ctx: Context[Any]) -> None:
        ctx.ready()
        await trio.sleep(1)
        try:
            raise KeyError("deep")
        except KeyError as deep:
            raise original from deep

    async with house(supervisor("mid", [ChildSpec("a", fails, classify=classify)])) as it:
        await it.over.wait()

    assert it.outcome is not None
    reason = root_cause(it.outcome.reason)
    assert isinstance(reason, Failed)
    assert reason.path == ("mid", "a")
    assert reason.exc is original
    assert isinstance(original.__cause__, KeyError)
    assert original.__traceback__ is not None


async def test_law_E1_to_fail_is_to_end_and_the_end_is_the_notice(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with house(ChildSpec("a", hangs_in_init, ready_timeout=5, backoff=SOON)) as it:
        first = it.life("root/a")
        await trio.sleep(5.05)

        assert first.done.is_set()
        assert first.ended is not None
        assert it.state("root/a") == "backoff"
        assert [kind for kind in it.kinds("root/a") if kind == "exited"] == ["exited"]
