"""A small house for the kit's tests: one worker that does as it is told, and a tree that runs for the length of a test."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from supervisors.cell import Cell, Down, Life, Stop
from supervisors.context import Context
from supervisors.dynamic import SupervisorRef
from supervisors.events import SupervisionEvent
from supervisors.ref import ActorRef
from supervisors.reply import Reply
from supervisors.spec import ChildSpec
from supervisors.supervisor import supervisor
from supervisors.system import Outcome, StopRequest, System
from supervisors.tree import ActorSnapshot


@dataclass(frozen=True)
class Fail:
    """Raise this."""

    exc: BaseException


@dataclass(frozen=True)
class Run:
    """Await this."""

    body: Callable[[Context[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Who:
    """Answer with (path, incarnation)."""

    reply: Reply[tuple[str, int]]


@dataclass(frozen=True)
class Leave:
    """Return."""


@dataclass
class Book:
    """What the workers of one test wrote down, in order: (path, incarnation, what)."""

    lines: list[tuple[str, int, Any]] = field(default_factory=list)

    def of(self, path: str) -> list[Any]:
        """What was written at ``path``."""
        return [what for where, _, what in self.lines if where == path]

    async def worker(self, ctx: Context[Any]) -> None:
        """Does as it is told, writes down what it does not know; ends on Stop."""

        def write(what: Any) -> None:
            self.lines.append((ctx.path, ctx.incarnation, what))

        write("init")
        ctx.ready()
        while True:
            match await ctx.receive():
                case Stop():
                    return write("stop")
                case Leave():
                    return None
                case Fail(exc):
                    raise exc
                case Run(body):
                    await body(ctx)
                case Who(reply):
                    reply.send((ctx.path, ctx.incarnation))
                case other:
                    write(other)

    def spec(self, id: str, **options: Any) -> ChildSpec:
        """A worker."""
        return ChildSpec(id, self.worker, **options)


class House:
    """A running tree, as a test looks at it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.log: list[SupervisionEvent] = []
        self.outcome: Outcome | None = None
        self.over = trio.Event()
        system.events.listen(self.log.append)

    async def run(self, root: ChildSpec) -> None:
        """Run ``root`` to its end."""
        self.outcome = await self.system.run(root)
        self.over.set()

    def ref(self, path: str) -> ActorRef[Any]:
        return self.system.registry.ref(path)

    def commands(self, path: str) -> SupervisorRef:
        return SupervisorRef(self.ref(path))

    def cell(self, path: str) -> Cell:
        cell = self.system.registry.cell(path)
        assert cell is not None
        return cell

    def life(self, path: str) -> Life:
        life = self.cell(path).life
        assert life is not None
        return life

    def node(self, path: str) -> ActorSnapshot:
        tree = self.system.snapshot()
        assert tree is not None
        node = tree.find(path)
        assert node is not None
        return node

    def state(self, path: str) -> str:
        return self.node(path).state

    def kinds(self, path: str) -> list[str]:
        """What happened to ``path``, in order."""
        return [event.kind for event in self.log if event.path == path]

    def exits(self, path: str) -> list[tuple[str, str]]:
        """(reason, decision) of every end of ``path``."""
        return [
            (event.detail["reason"], event.detail["decision"])
            for event in self.log
            if event.path == path and event.kind == "exited"
        ]

    def stop(self) -> None:
        self.system.request_stop(StopRequest(0, "the test is over"))


@asynccontextmanager
async def house(*children: ChildSpec, dynamic: bool = False, **options: Any) -> AsyncIterator[House]:
    """A tree ``root/<children>`` that has come to rest; stopped in good order at the end, its outcome is kept."""
    it = House(System(rng=random.Random(1), **options))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.run, supervisor("root", children, dynamic=dynamic))
        await wait_all_tasks_blocked()
        yield it
        it.stop()


def downs(book: Book, path: str) -> list[Down]:
    """The ``Down`` signals that the worker at ``path`` got."""
    return [what for what in book.of(path) if isinstance(what, Down)]


def sleeps(seconds: float) -> Run:
    """Keeps a worker busy."""

    async def body(ctx: Context[Any]) -> None:
        await trio.sleep(seconds)

    return Run(body)


async def deaf(ctx: Context[Any]) -> None:
    """Ready, then holds out against its stop and its cancellation for an hour."""
    ctx.ready()
    with trio.CancelScope(shield=True):
        await trio.sleep(3600)


async def hangs_in_init(ctx: Context[Any]) -> None:
    """Never ready."""
    await trio.sleep_forever()


async def slow_stop(ctx: Context[Any], log: list[tuple[str, str, float]], seconds: float) -> None:
    """Takes its time to stop."""
    ctx.ready()
    await ctx.stopping()
    log.append((ctx.path, "asked", trio.current_time()))
    await trio.sleep(seconds)
    log.append((ctx.path, "gone", trio.current_time()))
