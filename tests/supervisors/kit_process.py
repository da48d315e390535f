"""A process with a small tree, for tests with real signals: ``python kit_process.py BEHAVIOUR``; says what happens on stdout."""

import logging
import random
import signal
import sys
import threading
import time
from typing import Any

import trio

from supervisors.context import Context
from supervisors.spec import ChildSpec
from supervisors.supervisor import supervisor
from supervisors.system import System
from supervisors.watchdog import Watchdog

STOP_DEADLINE_S = 1.0
LAG_LIMIT_S = 0.5


def say(what: str) -> None:
    print(what, flush=True)


def spin_for_ever() -> None:
    while True:
        pass


def take_a_nap() -> None:
    time.sleep(60)


async def child(ctx: Context[Any], behaviour: str) -> None:
    """Misbehaves as told, in its stop or (``busy_now``) at once."""
    ctx.ready()
    say("ready")
    match behaviour:
        case "busy_now":
            spin_for_ever()
        case "asleep_now":
            take_a_nap()
    await ctx.stopping()
    say("asked")
    match behaviour:
        case "busy":
            spin_for_ever()
        case "shield":
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        case "slow":
            await trio.sleep(60)
        case "log_lock":
            for handler in logging.getLogger().handlers:
                handler.acquire()
            spin_for_ever()
        case "obeys":
            pass
    say("gone")


async def sibling(ctx: Context[Any]) -> None:
    """Started before the child, so stopped after it."""
    ctx.ready()
    await ctx.stopping()
    say("sibling gone")


async def main(behaviour: str) -> int:
    with Watchdog(lag_limit_s=LAG_LIMIT_S) as watchdog:
        system = System(
            rng=random.Random(1),
            watchdog=watchdog,
            stop_deadline=STOP_DEADLINE_S if behaviour != "slow" else 60,
        )
        tree = supervisor(
            "root", [ChildSpec("sibling", sibling), ChildSpec("child", child, (behaviour,), shutdown=60)]
        )
        outcome = await system.run(tree, signals={signal.SIGINT: 0, signal.SIGTERM: 1})
        return outcome.code


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    threading.excepthook = lambda args: say(f"a thread failed: {args.exc_value!r}")
    began = time.monotonic()
    code = trio.run(main, sys.argv[1])
    say(f"ended after {time.monotonic() - began:.1f} s")
    sys.exit(code)
