"""Lives of an adapter under test, each run as its shell would run it, in the test's own nursery."""

from collections.abc import Callable

import trio

from hermes.testing.conformance.io import FakeAdapterIO, Inbox
from hermes.testing.conformance.subject import Subject
from hermes.types.errors import GatewayError
from supervisors.reasons import flatten

_LOOK_S = 0.002


class Life:
    """One incarnation. ``started`` counts how often it has said that it is; ``error`` is what ``connect`` raised, out of its
    groups; ``over`` is set when it has left.
    """

    def __init__(self, subject: Subject, inbox: Inbox, incarnation: int) -> None:
        self.adapter = subject.make()
        self.io = FakeAdapterIO(inbox, subject.account, incarnation)
        self.starts = 0
        self.error: BaseException | None = None
        self.over = trio.Event()
        self.scope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None
        self._subject = subject

    def started(self) -> None:
        """As ``ports.TaskStatus``."""
        self.starts += 1

    async def run(self) -> None:
        """Until ``connect`` leaves, for whatever reason."""
        self.task = trio.lowlevel.current_task()
        try:
            with self.scope:
                await self.adapter.connect(self.io, task_status=self)
        except Exception as error:  # judged by the scenario
            self.error = flatten(error, trio.Cancelled)
        finally:
            self.io.close()
            self.over.set()

    async def over_within(self, seconds: float) -> bool:
        """Whether it leaves within ``seconds``."""
        with trio.move_on_after(seconds):
            await self.over.wait()
        return self.over.is_set()

    async def failure(self, within_s: float) -> GatewayError:
        """What it ends with, of itself, within ``within_s``; anything else fails the test."""
        assert await self.over_within(within_s), f"connect still runs after {within_s:g} s"
        assert self.error is not None, "connect returned; an adapter runs until it is cancelled, or raises"
        assert isinstance(self.error, GatewayError), f"connect raised what has no name: {self.error!r}"
        return self.error

    async def end(self) -> None:
        """Cancel it. It leaves at once, and raises nothing of its own."""
        self.scope.cancel()
        assert await self.over_within(self._subject.patience_s), "connect does not end when it is cancelled"
        assert self.error is None, f"connect was cancelled and raised {self.error!r}"


class Lives:
    """Makes lives of one subject, over one inbox, and ends those that are left."""

    def __init__(self, subject: Subject, nursery: trio.Nursery) -> None:
        self.inbox = Inbox()
        self._subject = subject
        self._nursery = nursery
        self._lives: list[Life] = []

    def start(self) -> Life:
        """Begin one, and wait for nothing."""
        life = Life(self._subject, self.inbox, len(self._lives) + 1)
        self._lives.append(life)
        self._nursery.start_soon(life.run)
        return life

    async def begin(self) -> Life:
        """Begin one, and wait until it is started."""
        life = self.start()
        await self.until(lambda: life.starts > 0 or life.over.is_set(), "connect says that it is started")
        assert not life.over.is_set(), f"connect ended before it was started: {life.error!r}"
        await self._subject.connected()
        return life

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until ``holds``; fail with ``what`` if it does not within the subject's patience."""
        with trio.move_on_after(self._subject.patience_s):
            while not holds():  # noqa: ASYNC110 - what it waits for is out of our hands
                await trio.sleep(_LOOK_S)
        assert holds(), f"not within {self._subject.patience_s:g} s: {what}"

    async def settle(self) -> None:
        """Time enough for what must not happen."""
        await trio.sleep(self._subject.settle_s)

    async def end(self) -> None:
        """End all that are left."""
        for life in self._lives:
            life.scope.cancel()
        for life in self._lives:
            await life.over_within(self._subject.patience_s)
