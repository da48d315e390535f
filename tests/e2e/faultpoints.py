"""Kill -9 at every fault point once: ``python tests/e2e/faultpoints.py [POINT …] [--mode queue] [--nth 2] [--seed N]``.

For each point of ``hermes.types.faults`` a gateway on a fresh home kills itself the nth time it passes there, under load,
and is started again. The check is that of load_kill9.py; notes are among the messages, so that a side effect that
happens twice shows.

Then once for each way in which one message can find its session: idle, busy with a turn, or with another message that waits
already. There it is this message, a note, that passes the point when the gateway dies.
"""

import argparse
import signal
import sqlite3
import sys
import tempfile
import traceback
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import trio
from harness import Gateway
from harness_chats import Chat, connected, quiet, violations
from harness_fleet import Fleet, check_store

from hermes.types.faults import POINTS
from hermes.types.records import BusyMode

CLIENTS = 2
MESSAGES = 16
STRIKE_DEADLINE_S = 20.0

Finds = Literal["idle", "busy", "queued"]
"""How the message finds its session."""

FINDS: tuple[Finds, ...] = get_args(Finds)
BEFORE = {"idle": 1, "busy": 1, "queued": 2}
"""How many messages were sent before it."""

OF_A_MESSAGE = ("after_decode", "after_inbox_commit", "before_ack", "after_decision")
"""Points that each message passes by itself. The others are passed once by all that share a turn, or its answer."""

SLOW = "echo" + " slow" * 20
"""As many deltas as an answer may have: the longest turn of the built-in agent, 0.4 s."""

NOTE = "the one under test"


async def strike(home: Path, point: str, *, nth: int, seed: int, mode: BusyMode = "queue") -> list[str]:
    """Kill a gateway at ``point``, start it again and say what is wrong then."""
    gateway = Gateway(home, mode=mode)
    try:
        await gateway.start(f"{point}:kill9:{nth}")
        fleet = Fleet(
            gateway, await gateway.log_in(), clients=CLIENTS, messages=MESSAGES, seed=seed, notes=True
        )
        async with fleet.talking():
            exit_code = await gateway.ended(STRIKE_DEADLINE_S)
            await gateway.start()
            await fleet.until_answered(MESSAGES)
            violations = await fleet.violations()
        if exit_code != -signal.SIGKILL:
            violations.append(f"the process ended with {exit_code}, not by the kill at {point}")
        await gateway.stop()
        return violations + check_store(home, MESSAGES)
    except Exception as error:
        return traceback.format_exception(error)
    finally:
        gateway.close()


async def strike_message(home: Path, point: str, finds: Finds, mode: BusyMode = "queue") -> list[str]:
    """Kill a gateway when one message passes ``point`` that has found its session so; say what is wrong after a start."""
    gateway = Gateway(home, mode=mode)
    before = BEFORE[finds]
    try:
        await gateway.start(f"{point}:kill9:{1 + _passages(point, finds, mode)}")
        chat = Chat(gateway, await gateway.log_in(), "c")
        async with connected([chat]):
            with trio.fail_after(STRIKE_DEADLINE_S):
                await _bring_about(finds, chat)
            replied = len(chat.replied)
            chat.say(f"note {NOTE}")
            exit_code = await gateway.ended(STRIKE_DEADLINE_S)
            await gateway.start()
            found = await quiet(gateway, before + 1)
            found += await violations([chat], home)
        if replied != (finds == "idle"):
            found.append(f"the session was not {finds}: {replied} answers when the message was sent")
        if exit_code != -signal.SIGKILL:
            found.append(f"the process ended with {exit_code}, not by the kill at {point}")
        if len(chat.replied) != before + 1:
            found.append(f"{before + 1} messages were sent, answered are {chat.replied}")
        await gateway.stop()
        return found + _kept_once(home) + check_store(home, before + 1)
    except Exception as error:
        return traceback.format_exception(error)
    finally:
        gateway.close()


def _passages(point: str, finds: Finds, mode: BusyMode) -> int:
    """How often ``point`` is passed before the message in question passes it."""
    if point == "after_step":
        return 0  # only notes have a step, and it is the only note
    if mode == "queue" or point in OF_A_MESSAGE:
        return BEFORE[finds]
    if mode == "interrupt":  # its turn is taken once more for each message, and ends once
        return BEFORE[finds] if point == "after_take" else int(finds == "idle")
    return 1  # the first has a turn of its own, all that waits behind it has the next


async def _bring_about(finds: Finds, chat: Chat) -> None:
    first = chat.say(f"{SLOW} first")
    match finds:
        case "idle":
            await chat.client.until(lambda: first in chat.replied)
        case "busy":
            await chat.client.until(lambda: bool(chat.client.drafts))
        case "queued":
            await chat.client.until(lambda: bool(chat.client.drafts))
            chat.say(f"{SLOW} second")


def _kept_once(home: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{home / 'gateway.db'}?mode=ro", uri=True)) as database:
        kept = [text for (text,) in database.execute("SELECT text FROM notes")]
    return [] if kept == [NOTE] else [f"notes kept: {kept}, asked for: {[NOTE]}"]


def main() -> None:
    """Strike at the points named, or at all, under load and at one message; one line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("points", nargs="*", metavar="POINT", help=", ".join(POINTS))
    parser.add_argument("--mode", choices=get_args(BusyMode), default="queue", help="the busy mode")
    parser.add_argument("--nth", type=int, default=2, help="which passage under load")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = False
    for point in options.points or POINTS:
        for finds in (None, *FINDS):
            with tempfile.TemporaryDirectory(prefix="hermes-fault-") as directory:
                home = Path(directory) / "home"
                if finds is None:
                    under_load = partial(strike, nth=options.nth, seed=options.seed, mode=options.mode)
                    found = trio.run(under_load, home, point)
                else:
                    found = trio.run(strike_message, home, point, finds, options.mode)
            failed |= bool(found)
            verdict = "VIOLATION" if found else "0 lost, 0 doubled, order kept"
            print(f"{point:26} {finds or 'under load':10} {verdict}", flush=True)
            for line in found:
                print(f"  {line}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
