"""What triotp needs for the kit's work, beside bare Trio; runs in an environment of its own and prints JSON."""

import json
import sys
import tracemalloc
from statistics import median
from types import SimpleNamespace
from typing import Any

import trio
from bench_raw import Cpu, ping_pong
from logbook import NullHandler
from triotp import dynamic_supervisor, gen_server, mailbox, supervisor

MESSAGES, CRASHES, STARTS, IDLE = 2_000, 300, 300, 2_000
CRASH = "crash"
OFTEN = supervisor.options(max_restarts=10**9, max_seconds=1)


async def init(arg: Any) -> Any:
    if arg is not None:
        arg.set()
    return None


async def handle_call(message: Any, _caller: Any, state: Any) -> Any:
    return gen_server.Reply(message), state


async def handle_cast(message: Any, state: Any) -> Any:
    if message == CRASH:
        raise ValueError("a crash")
    return gen_server.NoReply(), state


async def terminate(_reason: Any, _state: Any) -> None: ...


server: Any = SimpleNamespace(
    __name__="server",
    init=init,
    handle_call=handle_call,
    handle_cast=handle_cast,
    terminate=terminate,
)


async def asks() -> float:
    with Cpu() as cpu:
        for number in range(MESSAGES):
            await gen_server.call("server", number, timeout=5)
    return cpu.seconds / MESSAGES * 1e6


async def tells() -> float:
    with Cpu() as cpu:
        for number in range(MESSAGES):
            await gen_server.cast("server", number)
    return cpu.seconds / MESSAGES * 1e6


async def crashes() -> float:
    """A server that crashes on a message, until its next life has come through its ``init``."""
    up = [trio.Event() for _ in range(CRASHES + 1)]
    lives = iter(up)

    async def live() -> None:
        await gen_server.start(server, next(lives), "crasher")

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, [supervisor.child_spec("crasher", live, [])], OFTEN)
        await up[0].wait()
        with Cpu() as cpu:
            for after in up[1:]:
                await gen_server.cast("crasher", CRASH)
                await after.wait()
        nursery.cancel_scope.cancel()
    return cpu.seconds / CRASHES * 1e6


async def starts(count: int) -> float:
    """Dynamic children one after the other; none is "started" before its own code has run."""
    async with trio.open_nursery() as nursery:
        await nursery.start(dynamic_supervisor.start, OFTEN, "pool")
        with Cpu() as cpu:
            for number in range(count):
                up = trio.Event()
                await dynamic_supervisor.start_child(
                    "pool", supervisor.child_spec(str(number), gen_server.start, [server, up])
                )
                await up.wait()
        memory.append(tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0)
        nursery.cancel_scope.cancel()
    return cpu.seconds / count * 1e6


memory: list[int] = []


async def measure(rounds: int) -> dict[str, float]:
    mailbox._init()
    rows: dict[str, list[float]] = {name: [] for name in ("raw", "ask", "tell", "crash", "start")}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gen_server.start, server, None, "server")
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(rounds):
            raw = await ping_pong(MESSAGES)
            rows["raw"].append(raw)
            rows["ask"].append(await asks() / raw)
            rows["tell"].append(await tells() / raw)
            rows["crash"].append(await crashes())
            rows["start"].append(await starts(STARTS))
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await starts(IDLE)
        nursery.cancel_scope.cancel()
    return {
        **{name: median(values) for name, values in rows.items()},
        "idle": (memory[-1] - before) / IDLE / 1000,
    }


if __name__ == "__main__":
    with NullHandler().applicationbound():
        json.dump(trio.run(measure, int(sys.argv[1])), sys.stdout)
