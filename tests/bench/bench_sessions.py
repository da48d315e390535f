"""What sessions cost in memory: 100,000 known, 10,000 of them touched and awake; and 5,000 awake in a real process.

    python tests/bench/bench_sessions.py [touched] [known] [awake in a process]

First objects of the interpreter (tracemalloc) in the world of tests/actors: its database lies in the same process but
outside the interpreter, and is not counted. Then the resident memory of a gateway that people write to in web chats, one
message each, from a fifth of that number on: all that it takes, fragments and caches too. It is measured over what the
process has after many turns in a few chats, and once the lanes have left. Exit 1 if the objects of a session that is awake
take more than 16 kB, or a sleeping one anything. The resident memory is beyond that and decides nothing: it holds what the
chats' lanes took, which were awake beside the sessions; Python has that back, in holes between what the sessions hold.
"""

import gc
import re
import sys
import tempfile
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio
from trio.testing import MockClock

sys.path.insert(0, str(Path(__file__).parent.parent / "actors"))
sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from client import WebChatClient
from harness import Gateway
from world import World

from actors import delivery
from hermes.config.model import Config
from hermes.types.agent import Final, Turn

GOAL_BYTES = 16_000
NOISE_BYTES = 50
"""A sleeping session's share of what the interpreter does meanwhile."""

AT_ONCE = 200
AWAKE_S = 300.0

WARM_TURNS, WARM_CHATS = 1_000, 20
"""Before the first measurement: caches of SQLite, threads and what is imported late are not the sessions'."""

WRITING_AT_ONCE = 16
ANSWER_S = 60.0


class Terse:
    """Answers, and keeps nothing."""

    name = "terse"

    async def run(self, turn: Turn, io: object) -> Final:
        """One word."""
        await trio.lowlevel.checkpoint()
        return Final("ok")


class Deaf(list[object]):
    """What a platform was sent, forgotten."""

    def append(self, item: object) -> None:
        """Nothing."""


def _used() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def _measure(touched: int, known: int) -> tuple[float, float]:
    config = Config()
    world = World(Terse(), config=replace(config, limits=replace(config.limits, sessions=touched + 10)))
    world.platform.sent, world.platform.drafts = Deaf(), Deaf()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.keep)
        await world.up()
        await world.say("hi", "first")
        await world.settle()
        before = _used()
        database = world._store._connection
        database.executemany(
            "INSERT INTO sessions (session_key, session_id, created_at, last_active_at) VALUES (?, 's', 0, 0)",
            ((f"agent:main:fake:dm:{n}",) for n in range(known)),
        )
        sleeping = _used() - before
        before = _used()
        for start in range(0, touched, AT_ONCE):
            async with trio.open_nursery() as people:
                for n in range(start, min(start + AT_ONCE, touched)):
                    people.start_soon(world.say, "hi", str(n))
            await world.settle()
        await trio.sleep(AWAKE_S)  # lanes and workers have left, sessions have not
        awake = len(world.services.conversations.awake()) - 1
        assert awake == touched, awake
        each = (_used() - before) / touched
        nursery.cancel_scope.cancel()
    return each, sleeping / known


def _resident(pid: int) -> int:
    """Resident bytes of a process that are its own, and no file's."""
    (found,) = re.findall(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found) * 1024


async def _write(gateway: Gateway, cookie: str, chats: Iterable[str], turns: int = 1) -> None:
    """Have so many turns in each of fresh ``chats``; each client leaves then."""
    slots = trio.CapacityLimiter(WRITING_AT_ONCE)

    async def one(chat: str) -> None:
        async with slots, trio.open_nursery() as nursery:
            client = WebChatClient(gateway.url, cookie, chat)
            nursery.start_soon(client.run)
            for _ in range(turns):
                with trio.fail_after(ANSWER_S):
                    await client.ask("echo hi")
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as people:
        for chat in chats:
            people.start_soon(one, chat)


async def _measure_process(home: Path, most: int) -> list[tuple[int, float]]:
    """How many are awake, and what each of them costs, at a fifth of ``most`` and at ``most``."""
    gateway, found = Gateway(home), list[tuple[int, float]]()
    try:
        await gateway.start()
        cookie = await gateway.log_in()
        warm = [f"warm{n}" for n in range(WARM_CHATS)]
        await _write(gateway, cookie, warm, WARM_TURNS // WARM_CHATS)
        await trio.sleep(delivery.IDLE_S + 10)
        base, done = _resident(gateway.pid), 0
        for awake in (most // 5, most):
            await _write(gateway, cookie, [f"c{n}" for n in range(done, awake)])
            await trio.sleep(delivery.IDLE_S + 10)
            status = await gateway.json("status")
            assert status["sessions"]["active"] == awake + WARM_CHATS, status["sessions"]
            found.append((awake, (_resident(gateway.pid) - base) / awake))
            done = awake
    finally:
        gateway.close()
    return found


def main() -> int:
    """Print all figures."""
    defaults = ("10000", "100000", "5000")
    touched, known, most = (int(given) for given in [*sys.argv[1:], *defaults[len(sys.argv) - 1 :]])
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as directory:
        resident = trio.run(partial(_measure_process, Path(directory) / "home", most))
    for awake, bytes_each in resident:
        print(
            f"{awake:,} awake in a process: {bytes_each:,.0f} resident bytes each, with what their lanes left behind"
        )
    tracemalloc.start()
    each, sleeping = trio.run(_measure, touched, known, clock=MockClock(autojump_threshold=0))
    print(f"{touched:,} awake: {each:,.0f} bytes of objects each (goal {GOAL_BYTES:,})")
    print(f"{known:,} known and asleep: {sleeping:,.1f} bytes each (goal 0)")
    return int(each > GOAL_BYTES or sleeping > NOISE_BYTES)


if __name__ == "__main__":
    sys.exit(main())
