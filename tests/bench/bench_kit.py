"""What the kit costs, in CPU time beside bare Trio in the same process and run, and triotp beside it in its own environment.

    python tests/bench/bench_kit.py [rounds]

Every round measures everything once; the median of the rounds counts. Exit 1 if a goal is missed.
"""

import gc
import json
import logging
import math
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from types import FunctionType
from typing import Any

import psutil
import trio
from bench_raw import Cpu, ping_pong
from trio.testing import wait_all_tasks_blocked

from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.dynamic import SupervisorRef
from supervisors.mailbox import Envelope, Mailbox
from supervisors.ref import ActorRef
from supervisors.reply import Reply
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.supervisor import supervisor
from supervisors.system import StopRequest, System

ROUNDS = 15
MESSAGES, BURSTS, BURST = 2_000, 50, 200
PAIRS = 20
MIDDLE = (5, 14)
"""Between these of 20 sorted values lies the median with 95.9 % (order statistics: 1 - 2·P(Binomial(20, ½) ≤ 5))."""
CRASHES, STARTS, IDLE = 300, 300, 10_000
TIMEOUT_S = 60.0
INSTALL_S = 120
PEER = "triotp==0.2.1"


@dataclass(frozen=True)
class Goal:
    """``name`` costs at most ``most``; None: it is shown for what it tells."""

    name: str
    most: float | None
    unit: str


GOALS = {
    "ask": Goal("ask with a timeout ÷ raw round trip", 2.1, "×"),
    "sent": Goal("tell, the sender's part ÷ raw round trip", 0.06, "×"),
    "tell": Goal("tell, until handled ÷ raw round trip", None, "×"),
    "crash": Goal("crash → running, no backoff", 150, "µs"),
    "start": Goal("start_child → ready", 150, "µs"),
    "idle": Goal(f"idle actor, {IDLE:,} of them, traced", 8, "kB"),
    "resident": Goal(f"idle actor, {IDLE:,} of them, resident", 8, "kB"),
    "snapshot": Goal(f"snapshot of {IDLE:,} actors", 50, "ms"),
    "hooks": Goal("tell, with ÷ without hooks to look inside", 1.02, "×"),
    "stop": Goal(f"ordered stop of {IDLE:,} actors, each", None, "µs"),
}

# --- actors ------------------------------------------------------------------------------------------------------------


async def echo(ctx: Context[Reply[None]]) -> None:
    """Answers."""
    ctx.ready()
    while True:
        match await ctx.receive():
            case Reply() as reply:
                reply.send(None)
            case Stop() | Down():
                return


async def sink(ctx: Context[int | trio.Event]) -> None:
    """Counts; an event among the numbers is set."""
    ctx.ready()
    total = 0
    while True:
        match await ctx.receive():
            case int(number):
                total += number
            case trio.Event() as event:
                event.set()
            case Stop() | Down():
                return


class Plain(Context[Any]):
    """Reads as ``Context`` does, without the hooks for introspection: no trace, no busy time, no suspension."""

    __slots__ = ()

    async def receive(self, by: float = math.inf) -> Any:
        life, cell, mailbox, timed = self._life, self._cell, self._cell.mailbox, by < math.inf
        life.check_fence()
        mailbox.current = None
        while True:
            await trio.lowlevel.checkpoint_if_cancelled()
            if timed and by <= self._now():
                return None
            if self._timers is not None:
                self._hand_over_due(self._timers)
            while (envelope := plain_take(mailbox)) is None:
                if timed and by <= self._now():
                    return None
                await mailbox.wait()
                life.check_fence()
            if envelope.fence is not None and not self._is_for_actor(envelope):
                mailbox.pass_over()
                continue
            cell.current_since = self._now()
            return envelope.body


def plain_take(self: Mailbox) -> Envelope | None:
    """``Mailbox.take``, of a mailbox that cannot be suspended."""
    if self.handed_out >= self._pause_at:
        return None
    if self._control:
        envelope = self._control.pop(0)
        self._current_is_urgent = True
    elif self._again is not None:
        envelope, self._again = self._again, None
        self._current_is_urgent = False
    elif self._user:
        envelope = self._user.popleft()
        self._current_is_urgent = False
        self._taken += 1
        if self._writers is not None:
            self._writers.unpark()
    else:
        return None
    self.handed_out += 1
    self.current = envelope
    return envelope


# A code of its own: the interpreter fits a call to the type it meets there, and must meet one.
sink_of_plain = FunctionType(sink.__code__.replace(co_name="sink_of_plain"), globals())


async def plain_sink(ctx: Context[int | trio.Event]) -> None:
    """As ``sink``, without the hooks."""
    await sink_of_plain(Plain(ctx.system, ctx._life))


async def crasher(ctx: Context[trio.Event], lives: list[trio.Event]) -> None:
    """Says that it is up, and crashes on the next message."""
    ctx.ready()
    lives[ctx.incarnation - 1].set()
    match await ctx.receive():
        case Stop():
            return
        case _:
            raise ValueError("a crash")


async def idler(ctx: Context[None]) -> None:
    """Waits for mail."""
    ctx.ready()
    await ctx.receive()


# --- measures ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(*children: ChildSpec) -> AsyncIterator[System]:
    """A tree ``root/<children>``."""
    system = System(rng=random.Random(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(system.run, supervisor("root", children))
        await wait_all_tasks_blocked()
        yield system
        system.request_stop(StopRequest(0, "measured"))


async def asks(ref: ActorRef[Reply[None]]) -> float:
    with Cpu() as cpu:
        for _ in range(MESSAGES):
            await ref.ask(lambda reply: reply, TIMEOUT_S)
    return cpu.seconds / MESSAGES * 1e6


async def tells(ref: ActorRef[int | trio.Event]) -> tuple[float, float]:
    """The sender's part, and all until the last message is handled, in bursts that the mailbox has room for."""
    sending = 0.0
    with Cpu() as cpu:
        for _ in range(BURSTS):
            begun = time.thread_time()
            for number in range(BURST):
                await ref.tell(number)
            sending += time.thread_time() - begun
            handled = trio.Event()
            await ref.tell(handled)
            await handled.wait()
    return sending / (BURSTS * BURST) * 1e6, cpu.seconds / (BURSTS * BURST) * 1e6


async def hooked_and_plain() -> float:
    """What a message costs with the hooks for introspection, ÷ without."""
    async with running(ChildSpec("hooked", sink), ChildSpec("plain", plain_sink)) as system:
        hooked, plain = (system.registry.ref(f"root/{name}") for name in ("hooked", "plain"))
        cost = dict.fromkeys((hooked, plain), 0.0)
        for ref in (plain, hooked):
            await tells(ref)
        for ref in (hooked, plain, plain, hooked):
            cost[ref] += (await tells(ref))[1]
    return cost[hooked] / cost[plain]


async def crashes() -> float:
    lives = [trio.Event() for _ in range(CRASHES + 1)]
    often = Intensity(10**9)
    spec = ChildSpec("crasher", crasher, (lives,), backoff=Backoff(0, 0), intensity=often)
    async with running(spec) as system:
        ref = system.registry.ref("root/crasher")
        with Cpu() as cpu:
            for up in lives[1:]:
                await ref.tell(up)
                await up.wait()
    return cpu.seconds / CRASHES * 1e6


async def starts() -> float:
    async with running(supervisor("pool", dynamic=True)) as system:
        pool = SupervisorRef(system.registry.ref("root/pool"))
        with Cpu() as cpu:
            for number in range(STARTS):
                await pool.start_child(ChildSpec(f"{number}", idler), TIMEOUT_S)
    return cpu.seconds / STARTS * 1e6


async def idle(*, traced: bool) -> dict[str, float]:
    """What ``IDLE`` actors in one dynamic supervisor take, show in a snapshot, and cost to stop."""

    def taken() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] if traced else psutil.Process().memory_info().rss

    async with running(supervisor("pool", dynamic=True)) as system:
        pool = SupervisorRef(system.registry.ref("root/pool"))
        before = taken()
        for number in range(IDLE):
            await pool.start_child(ChildSpec(f"{number}", idler), TIMEOUT_S)
        await wait_all_tasks_blocked()
        kilobytes = (taken() - before) / IDLE / 1000
        if traced:
            system.hurry(0)  # tracing would only slow the stop down
            return {"idle": kilobytes}
        snapshots = []
        for _ in range(5):
            with Cpu() as cpu:
                system.snapshot()
            snapshots.append(cpu.seconds)
        stops = time.thread_time()
    return {
        "resident": kilobytes,
        "snapshot": median(snapshots) * 1e3,
        "stop": (time.thread_time() - stops) / IDLE * 1e6,
    }


async def small(rounds: int) -> dict[str, float]:
    """The medians of what a few actors show."""
    rows: dict[str, list[float]] = {name: [] for name in ("raw", "ask", "sent", "tell", "crash", "start")}
    async with running(ChildSpec("echo", echo), ChildSpec("sink", sink)) as system:
        for _ in range(rounds):
            raw = await ping_pong(MESSAGES)
            rows["raw"].append(raw)
            rows["ask"].append(await asks(system.registry.ref("root/echo")) / raw)
            sent, told = await tells(system.registry.ref("root/sink"))
            rows["sent"].append(sent / raw)
            rows["tell"].append(told / raw)
            rows["crash"].append(await crashes())
            rows["start"].append(await starts())
    return {name: median(values) for name, values in rows.items()}


def many() -> dict[str, float]:
    """What many actors show: first resident, while the process is still small, then traced."""
    untraced = trio.run(partial(idle, traced=False))
    tracemalloc.start()
    traced = trio.run(partial(idle, traced=True))
    tracemalloc.stop()
    return untraced | traced


def a_pair(_: int) -> float:
    return trio.run(hooked_and_plain)


def hooks() -> tuple[float, float, float]:
    """The median of ``hooked_and_plain``, and between what it lies.

    A process for every pair: where code and objects come to lie in memory matters more than the hooks do.
    """
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        ratios = sorted(pool.map(a_pair, range(PAIRS), chunksize=1))
    return median(ratios), ratios[MIDDLE[0]], ratios[MIDDLE[1]]


def peer(rounds: int) -> dict[str, float] | str:
    """The same for triotp, which wants an older Trio and so an environment of its own; else why not."""
    with tempfile.TemporaryDirectory(prefix="bench-triotp-") as home:
        venv.create(home, with_pip=True)
        python = Path(home) / "bin" / "python"
        script = Path(__file__).with_name("bench_triotp.py")
        try:
            subprocess.run(
                [python, "-m", "pip", "install", "-q", PEER],
                check=True,
                capture_output=True,
                timeout=INSTALL_S,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return "not installable"
        ran = subprocess.run([python, script, str(rounds)], check=True, capture_output=True)
        figures: dict[str, float] = json.loads(ran.stdout)
        return figures


def main(rounds: int) -> int:
    """Measure, print the table, and say by the exit code whether all goals are reached."""
    # Records are made, as in production, but not written: how fast a terminal is does not matter here.
    kit_log = logging.getLogger("supervisors")
    kit_log.addHandler(logging.NullHandler())
    kit_log.propagate = False
    ours = {**many(), **trio.run(small, rounds)}
    ours["hooks"], least, greatest = hooks()
    theirs = peer(rounds)
    figures = {} if isinstance(theirs, str) else theirs
    print(f"{'':44} {'goal':>8} {'kit':>8}      {PEER if figures else f'{PEER}: {theirs}'}")
    missed = False
    for key, goal in GOALS.items():
        most = "" if goal.most is None else f"{goal.most:.4g}"
        verdict = "missed" if goal.most is not None and ours[key] > goal.most else ""
        beside = f"{figures[key]:.3g}" if key in figures else ""
        print(f"{goal.name:44} {most:>8} {ours[key]:8.3g} {goal.unit:3} {beside:>8} {verdict}")
        missed |= bool(verdict)
    print(
        f"hooks to look inside, nobody looking: {PAIRS} pairs, the median lies in {least:.4f} … {greatest:.4f} (95 %)"
    )
    raw = f", {figures['raw']:.1f} µs in triotp's environment" if figures else ""
    print(f"raw round trip: {ours['raw']:.1f} µs{raw}; medians of {rounds} rounds, CPU time")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
