"""Laws S and K, and steering: every stop ends, in order, in time; orders given at once come out as if one after another."""

from typing import Any

import pytest
import trio
from kit_house import Book, Fail, House, Who, deaf, hangs_in_init, house, slow_stop
from trio.testing import wait_all_tasks_blocked

from supervisors.commands import ChildNotUpError
from supervisors.context import Context
from supervisors.escalation import ExitTable
from supervisors.reasons import Failed, IntensityExceeded, Shutdown, root_cause
from supervisors.reply import ActorDownError
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.supervisor import supervisor
from supervisors.system import StopRequest

BOOM = ValueError("boom")
SOON = Backoff(0.1, 0.1)


async def test_law_S1_stop_is_reverse_start_order_each_gone_before_the_next_is_asked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    log: list[tuple[str, str, float]] = []
    specs = [ChildSpec(name, slow_stop, (log, 1.0)) for name in "abc"]
    async with house(specs[0], supervisor("mid", specs[1:]), specs[2]):
        t0 = trio.current_time()

    order = ["root/c", "root/mid/c", "root/mid/b", "root/a"]
    assert [(path, what) for path, what, _ in log] == [
        (path, what) for path in order for what in ("asked", "gone")
    ]
    assert log[-1][2] - t0 == 4


async def test_law_S1_dynamic_children_stop_in_parallel(autojump_clock: trio.testing.MockClock) -> None:
    log: list[tuple[str, str, float]] = []
    async with house(supervisor("dyn", dynamic=True)) as it:
        for number in range(10):
            await it.commands("root/dyn").start_child(ChildSpec(f"s{number}", slow_stop, (log, 3.0)), 5)
        t0 = trio.current_time()

    assert {when - t0 for _, what, when in log if what == "gone"} == {3}


async def test_law_S1_holds_below_a_supervisor_that_is_still_booting(
    autojump_clock: trio.testing.MockClock,
) -> None:
    log: list[tuple[str, str, float]] = []
    specs = [ChildSpec(name, slow_stop, (log, 1.0), start_mode="sync") for name in "ab"]
    async with house(supervisor("mid", [*specs, ChildSpec("slow", hangs_in_init, start_mode="sync")])) as it:
        assert it.state("root/mid") == "starting"
        t0 = trio.current_time()

    assert [(path, what, when - t0) for path, what, when in log] == [
        ("root/mid/b", "asked", 0),
        ("root/mid/b", "gone", 1),
        ("root/mid/a", "asked", 1),
        ("root/mid/a", "gone", 2),
    ]


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [("obeys", 1.0), ("sleeps", 3.0), ("shields", 5.0), ("loops", 5.0)],
)
async def test_law_S2_a_stop_takes_at_most_shutdown_and_grace(
    autojump_clock: trio.testing.MockClock, behaviour: str, expected: float
) -> None:
    """Soft stop, 3 s later cancel, 2 s later given up: whatever the child does."""

    async def child(ctx: Context[Any]) -> None:
        ctx.ready()
        match behaviour:
            case "obeys":
                await ctx.stopping()
                await trio.sleep(1)
            case "sleeps":
                await trio.sleep_forever()
            case "shields":
                await deaf(ctx)
            case _:
                until = trio.current_time() + 100
                while trio.current_time() < until:
                    with trio.CancelScope(shield=True), trio.move_on_after(0.5):
                        await trio.sleep_forever()

    book = Book()
    async with house(book.spec("first"), ChildSpec("a", child, shutdown=3, grace=2)) as it:
        t0 = trio.current_time()
        it.stop()
        with trio.CancelScope(shield=True):
            while "stop" not in book.of("root/first"):
                await trio.sleep(0.25)
        assert trio.current_time() - t0 == pytest.approx(expected, abs=0.26)
        assert ("stuck" in it.kinds("root/a")) == (expected == 5.0)


async def test_law_S2_infinite_shutdown_waits_and_zero_cancels_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    log: list[tuple[str, str, float]] = []
    forever = ChildSpec("forever", slow_stop, (log, 500.0), shutdown=float("inf"))
    at_once = ChildSpec("at_once", slow_stop, (log, 500.0), shutdown=0)
    async with house(forever, at_once):
        t0 = trio.current_time()

    assert [(path, what, when - t0) for path, what, when in log] == [
        ("root/forever", "asked", 0),
        ("root/forever", "gone", 500),
    ]


async def test_law_S3_stop_is_idempotent(autojump_clock: trio.testing.MockClock) -> None:
    log: list[tuple[str, str, float]] = []
    async with house(ChildSpec("a", slow_stop, (log, 1.0)), ChildSpec("b", slow_stop, (log, 1.0))) as it:
        for _ in range(3):
            it.stop()
            it.ref("root").stop()
            await trio.sleep(0.3)

    assert [what for _, what, _ in log] == ["asked", "gone", "asked", "gone"]


async def test_law_S3_stop_during_backoff_never_starts_the_child_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    log: list[tuple[str, str, float]] = []
    async with house(ChildSpec("slow", slow_stop, (log, 4.0)), book.spec("a", backoff=Backoff(1, 1))) as it:
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await wait_all_tasks_blocked()
        assert it.state("root/a") == "backoff"

    assert book.lines == [("root/a", 1, "init")]


async def test_law_S3_orders_given_at_once_come_out_one_after_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Terminate, restart, disable, enable in one tick: every caller is answered, the last order stands."""
    book = Book()
    answers: list[str] = []

    async def order(name: str, it: House, what: str) -> None:
        try:
            await getattr(it.commands("root"), f"{what}_child")(name, 60)
            answers.append(what)
        except ChildNotUpError:
            answers.append(f"{what} not up")

    async def obeys(ctx: Context[Any]) -> None:
        await book.worker(ctx)
        await trio.sleep(1)

    async with house(ChildSpec("a", obeys), book.spec("b")) as it:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(order, "a", it, "terminate")
            await wait_all_tasks_blocked()
            nursery.start_soon(order, "a", it, "restart")
            await wait_all_tasks_blocked()

        assert sorted(answers) == ["restart", "terminate"]
        assert it.ref("root/a").incarnation == 2
        answers.clear()
        t0 = trio.current_time()
        async with trio.open_nursery() as nursery:
            for what in ("restart", "terminate", "disable"):
                nursery.start_soon(order, "a", it, what)
                await wait_all_tasks_blocked()

        assert trio.current_time() - t0 == 1
        assert sorted(answers) == ["disable", "restart not up", "terminate"]
        assert it.state("root/a") == "disabled"
        assert it.ref("root/b").incarnation == 1


async def test_law_S3_terminate_and_restart_while_starting(autojump_clock: trio.testing.MockClock) -> None:
    async with house(supervisor("dyn", dynamic=True)) as it:
        commands = it.commands("root/dyn")
        async with trio.open_nursery() as nursery:

            async def starts() -> None:
                with pytest.raises(ChildNotUpError):
                    await commands.start_child(ChildSpec("s", hangs_in_init), 50)

            nursery.start_soon(starts)
            await wait_all_tasks_blocked()
            t0 = trio.current_time()
            await commands.terminate_child("s", 5)

        assert trio.current_time() == t0
        assert it.node("root/dyn").children == ()


async def test_law_S4_stop_does_not_wait_for_a_start(autojump_clock: trio.testing.MockClock) -> None:
    book = Book()
    boot = ChildSpec("slow", hangs_in_init, start_mode="sync", ready_timeout=1000)
    async with house(book.spec("a"), boot, book.spec("never", start_mode="sync")) as it:
        t0 = trio.current_time()
        it.stop()
        await it.over.wait()

    assert trio.current_time() == t0
    assert book.lines == [("root/a", 1, "init"), ("root/a", 1, "stop")]


async def test_a_stop_arriving_with_a_crash_ends_once(autojump_clock: trio.testing.MockClock) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b")) as it:
        it.ref("root/b").tell_nowait(Fail(BOOM))
        it.ref("root/a").tell_nowait(Fail(BOOM))
        it.stop()

    assert it.outcome is not None
    assert it.outcome.code == 0
    assert [len(it.exits(path)) for path in ("root/a", "root/b")] == [1, 1]
    assert [what for _, _, what in book.lines].count("init") == 2


# --- disable, enable, budgets, the exit table --------------------------------------------------------------------------


async def test_disable_keeps_a_child_down_and_visible_and_enable_brings_it_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a"), book.spec("b")) as it:
        await it.commands("root").disable_child("a", 5)
        assert it.state("root/a") == "disabled"
        assert it.ref("root/a").tell_nowait("nobody home") == "stopped"
        with pytest.raises(ActorDownError):
            await it.ref("root/a").ask(Who, 5)
        await trio.sleep(1000)
        assert it.state("root/a") == "disabled"

        ref = await it.commands("root").enable_child("a", 5)
        assert await ref.ask(Who, 1) == ("root/a", 2)
        assert it.ref("root/b").incarnation == 1


async def test_the_verdict_disable_disables_and_enable_gives_a_fresh_budget(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def classify(exc: BaseException) -> Any:
        return Failed("token_revoked", "disable", exc=exc)

    book = Book()
    async with house(book.spec("a", classify=classify, start_mode="sync"), book.spec("b")) as it:
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(1000)

        assert it.state("root/a") == "disabled"
        assert it.exits("root/a") == [("token_revoked", "disable")]
        await it.commands("root").enable_child("a", 5)
        assert it.node("root/a").restarts_in_window == 0


async def test_law_C6_clean_ends_and_mapped_failures_cost_no_budget(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def classify(exc: BaseException) -> Any:
        return Failed("dns", "backoff", retry_after=20, exc=exc)

    book = Book()
    async with house(book.spec("a", classify=classify, intensity=Intensity(0, 1e6))) as it:
        for _ in range(20):
            it.ref("root/a").tell_nowait(Fail(BOOM))
            t0 = trio.current_time()
            while it.ref("root/a").incarnation is None or it.state("root/a") != "running":
                await trio.sleep(1)
            await trio.sleep(30)
            assert trio.current_time() - t0 >= 20

        assert it.state("root/a") == "running"
        assert it.node("root/a").restarts_in_window == 0


async def test_laws_C2_C8_a_crash_counts_once_and_over_budget_disables_that_child_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    async with house(book.spec("a", backoff=SOON, intensity=Intensity(2, 60)), book.spec("b")) as it:
        for _ in range(3):
            assert it.state("root/a") == "running"
            it.ref("root/a").tell_nowait(Fail(BOOM))
            await trio.sleep(1)

        assert it.state("root/a") == "disabled"
        assert [decision for _, decision in it.exits("root/a")] == ["restart", "restart", "disable"]
        assert it.ref("root/b").incarnation == 1


async def test_over_budget_escalates_level_by_level_to_the_exit_table(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()
    once = Intensity(1, 600, "escalate")
    gateway = supervisor("gateway", [book.spec("a", backoff=SOON, intensity=once)], intensity=once)
    async with house(book.spec("store"), gateway) as it:
        for _ in range(4):
            it.ref("root/gateway/a").tell_nowait(Fail(BOOM))
            await trio.sleep(5)
        await it.over.wait()

    assert it.outcome is not None
    assert it.outcome.code == 70
    assert isinstance(it.outcome.reason, IntensityExceeded)
    assert it.outcome.reason.child == "gateway"
    assert root_cause(it.outcome.reason).exc is BOOM  # type: ignore[union-attr]
    assert book.of("root/store") == ["init", "stop"]


@pytest.mark.parametrize(("code", "exit_code"), [("config_invalid", 78), ("home_locked", 1), ("other", 70)])
async def test_law_C8_escalation_reaches_the_exit_table(
    autojump_clock: trio.testing.MockClock, code: str, exit_code: int
) -> None:
    book = Book()
    spec = book.spec("a", classify=lambda exc: Failed(code, "escalate", exc=exc))
    table = ExitTable((("config*", 78), ("home_locked", 1)))
    async with house(book.spec("s"), supervisor("mid", [spec, book.spec("b")]), exits=table) as it:
        it.ref("root/mid/a").tell_nowait(Fail(BOOM))
        await it.over.wait()

    assert it.outcome is not None
    assert it.outcome.code == exit_code
    assert [(where, what) for where, _, what in book.lines if what == "stop"] == [
        ("root/mid/b", "stop"),
        ("root/s", "stop"),
    ]


async def test_a_stop_request_sets_the_exit_code_and_drains_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()

    async def drain(request: StopRequest) -> None:
        await trio.sleep(3)
        book.lines.append(("drain", 0, request.why))

    async with house(book.spec("a"), drain=drain) as it:
        it.system.request_stop(StopRequest(75, "restart wanted"))
        it.system.request_stop(StopRequest(0, "too late"))
        await it.over.wait()

    assert it.outcome is not None
    assert it.outcome.code == 75
    assert it.outcome.reason == Shutdown("restart wanted")
    assert [what for _, _, what in book.lines] == ["init", "restart wanted", "stop"]


async def test_a_request_that_overrules_begins_a_stop_or_changes_how_it_ends(
    autojump_clock: trio.testing.MockClock,
) -> None:
    drained: list[str] = []

    async def drain(request: StopRequest) -> None:
        drained.append(request.why)
        await trio.sleep(3)

    for first in (None, StopRequest(75, "restart wanted")):
        async with house(Book().spec("a"), drain=drain) as it:
            if first is not None:
                it.system.request_stop(first)
                await trio.sleep(1)
            it.system.overrule(StopRequest(0, "told to stop"))
            await it.over.wait()
        assert it.outcome is not None
        assert (it.outcome.code, it.system.stopping) == (0, StopRequest(0, "told to stop"))

    assert drained == ["told to stop", "restart wanted"], "one drain each"


async def test_law_A4_a_drain_that_raises_does_not_stop_the_stop(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book = Book()

    async def drain(request: StopRequest) -> None:
        raise BOOM

    async with house(book.spec("a"), drain=drain) as it:
        pass
    assert book.of("root/a") == ["init", "stop"]
    assert it.outcome is not None
    assert it.outcome.code == 0


async def test_hurry_cancels_the_drain_and_the_tree(autojump_clock: trio.testing.MockClock) -> None:
    log: list[tuple[str, str, float]] = []
    tree = supervisor("mid", [ChildSpec("a", slow_stop, (log, 60.0), shutdown=100)])

    async def drain(_: StopRequest) -> None:
        await trio.sleep(1000)

    async with house(tree, drain=drain) as it:
        it.stop()
        await trio.sleep(5)
        t0 = trio.current_time()
        it.system.hurry(130)
        await it.over.wait()

    assert trio.current_time() == t0
    assert it.outcome is not None
    assert it.outcome.code == 130
    assert log == []
