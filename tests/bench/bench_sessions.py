"""What sessions cost in memory: 100,000 known, 10,000 of them touched and awake.

    python tests/bench/bench_sessions.py [touched] [known]

Objects of the interpreter (tracemalloc) in the world of tests/actors: its database lies in the same process but outside the
interpreter, and is not counted. Exit 1 if a session that is awake costs more than 16 kB, or a sleeping one anything.
"""

import gc
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import trio
from trio.testing import MockClock

sys.path.insert(0, str(Path(__file__).parent.parent / "actors"))

from world import World

from hermes.config.model import Config
from hermes.types.agent import Final, Turn

GOAL_BYTES = 16_000
NOISE_BYTES = 50
"""A sleeping session's share of what the interpreter does meanwhile."""

AT_ONCE = 200
AWAKE_S = 300.0


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


def main() -> int:
    """Print both figures."""
    touched, known = (int(given) for given in [*sys.argv[1:], *("10000", "100000")[len(sys.argv) - 1 :]])
    tracemalloc.start()
    each, sleeping = trio.run(_measure, touched, known, clock=MockClock(autojump_threshold=0))
    print(f"{touched:,} awake: {each:,.0f} bytes each (goal {GOAL_BYTES:,})")
    print(f"{known:,} known and asleep: {sleeping:,.1f} bytes each (goal 0)")
    return int(each > GOAL_BYTES or sleeping > NOISE_BYTES)


if __name__ == "__main__":
    sys.exit(main())
