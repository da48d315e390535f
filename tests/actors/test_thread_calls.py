"""Real threads, so on the real clock; nothing here waits for time to pass."""

import threading

import trio

from actors.ports.thread_calls import ThreadCalls

WAIT_S = 10.0


async def test_calls_of_a_thread_run_on_the_loop_in_order() -> None:
    ran: list[tuple[int, int]] = []
    done = trio.Event()
    with ThreadCalls() as calls, trio.fail_after(WAIT_S):

        def work() -> None:
            for n in range(100):
                calls.post(lambda n=n: ran.append((n, threading.get_ident())))  # type: ignore[misc]
            calls.post(done.set)

        await trio.to_thread.run_sync(work)
        await done.wait()
    assert ran == [(n, threading.get_ident()) for n in range(100)]


async def test_calls_run_before_the_tick_so_what_they_wake_runs_in_it() -> None:
    """The reason this exists: ``run_sync_soon`` alone would run them inside the tick, as part of a task."""
    inside: list[bool] = []

    def note() -> None:
        try:
            trio.lowlevel.current_task()
            inside.append(True)
        except RuntimeError:
            inside.append(False)

    with ThreadCalls() as calls, trio.fail_after(WAIT_S):
        for n in range(10):
            calls.post(note)
            while len(inside) <= n:
                await trio.lowlevel.checkpoint()
        trio.lowlevel.current_trio_token().run_sync_soon(note)
        while len(inside) <= 10:
            await trio.lowlevel.checkpoint()
    assert inside == [False] * 10 + [True]


async def test_a_thread_that_outlives_the_with_is_still_heard() -> None:
    done = trio.Event()
    with ThreadCalls() as calls:
        pass
    calls.post(done.set)
    with trio.fail_after(WAIT_S):
        await done.wait()


def test_a_thread_that_outlives_the_loop_is_not_hurt() -> None:
    async def make() -> ThreadCalls:
        with ThreadCalls() as calls:
            return calls

    trio.run(make).post(lambda: None)
