"""Real threads, so on the real clock; nothing here waits for time to pass."""

import threading

import pytest
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


class Silent:
    """A token whose bell nobody hears, so that only the shortcut is left."""

    def run_sync_soon(self, *_: object, **__: object) -> None:
        pass


async def test_calls_run_between_ticks_and_not_in_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason this exists: what they wake runs in the tick that follows, not in the one after."""
    with ThreadCalls() as calls, trio.fail_after(WAIT_S):
        monkeypatch.setattr(calls, "_token", Silent())
        in_task: list[bool] = []

        def note() -> None:
            try:
                trio.lowlevel.current_task()
            except RuntimeError:
                in_task.append(False)
            else:
                in_task.append(True)

        calls.post(note)
        assert in_task == []
        await trio.lowlevel.checkpoint()
        assert in_task == [False]


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
