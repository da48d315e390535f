"""Stops and kills with Telegram and a model: ``python tests/e2e/telegram_kills.py [stop|kill|burst …] [--burst 1000]``.

    stop    SIGTERM while 20 answers hang in the model: ends in time, and they are answered by the next life
    kill    kill -9 with 50 messages in work, and 10 more while nobody is there: each answered once, and nobody else hears a word
    burst   kill -9 in the middle of a burst: none is lost, and whatever may be a second copy says so

Exits 1 if one is lost, if one is there twice without a mark, or if a person is told what they have not asked for.
"""

import argparse
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio
from harness_telegram import Account, Stage, connected, stage

HANGS_S = 600.0
STOP_AIM_S = 10.0
DRAIN_S = 5.0
"""``drain_timeout_s`` of the home that is stopped; 8 unless set."""

HANGING = 20
WORKING = 50
MEANWHILE = 10
WORK_S = 3.0
SETTLED_S = 2.0
"""For a word too many to be said."""

MARKED_AIM = 20
WITHIN_S = 60.0


@dataclass
class Report:
    """What one proof has seen."""

    name: str
    account: Account
    figures: str
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = (f"{self.name:6} {self.account}", f"       {self.figures}")
        return "\n".join((*lines, *(f"  VIOLATION {line}" for line in self.violations)))


async def stop(home: Path) -> Report:
    """SIGTERM while the model hangs."""
    config = f"drain_timeout_s: {DRAIN_S:g}\n"
    async with stage(home, HANGING, latency_s=HANGS_S, config=config) as on:
        await _begin(on)
        for person in range(HANGING):
            on.say(person)
        await _until(on, "in_turn", HANGING)
        asked = trio.current_time()
        on.gateway.signal(signal.SIGTERM)
        exit_code = await on.gateway.ended()
        took_s = trio.current_time() - asked
        said_s = await _next_life(on)
        report = await _end(
            on,
            "stop",
            f"ended after {took_s:.1f} s with {exit_code} (aim {STOP_AIM_S:g} s, drain_timeout_s: "
            f"{DRAIN_S:g}); all answered {said_s:.1f} s after the next start",
        )
    if took_s > STOP_AIM_S:
        report.violations.append(f"it took {took_s:.1f} s to stop")
    return report


async def kill(home: Path) -> Report:
    """kill -9 with messages in work."""
    people = WORKING + MEANWHILE
    async with stage(home, people + 1, latency_s=HANGS_S) as on:  # the last one says nothing
        await _begin(on)
        for person in range(WORKING):
            on.say(person)
        await _until(on, "in_turn", WORKING)
        await on.gateway.kill9()
        for person in range(WORKING, people):
            on.say(person)
        said_s = await _next_life(on, WORK_S)
        await trio.sleep(SETTLED_S)
        on.said[people] = 0
        report = await _end(
            on,
            "kill",
            f"{WORKING} in work, {MEANWHILE} more meanwhile; all answered {said_s:.1f} s after the start "
            f"by a model that takes {WORK_S:g} s",
        )
    if report.account.marked:
        report.violations.append(f"{report.account.marked} answers are marked, and none was on its way then")
    return report


async def burst(home: Path, *, messages: int, chats: int) -> Report:
    """kill -9 in the middle of it."""
    async with stage(home, chats) as on:
        await _begin(on)
        for n in range(messages):
            on.say(n % chats)
        with trio.fail_after(WITHIN_S):
            while on.missing > messages // 2:
                await trio.lowlevel.checkpoint()
        answered = messages - on.missing
        await on.gateway.kill9()
        said_s = await _next_life(on)
        account = on.account()
        return await _end(
            on,
            "burst",
            f"killed after {answered} answers of {messages}; the others were there {said_s:.1f} s after "
            f"the start; {account.marked} marked (aim < {MARKED_AIM}), {account.copies} of them a second copy",
        )


async def _begin(on: Stage) -> None:
    await on.gateway.start()
    await connected(on.gateway)


async def _until(on: Stage, state: str, count: int) -> None:
    """Wait for so many messages in ``state``."""
    with trio.fail_after(WITHIN_S), closing(_database(on)) as database:
        look = "SELECT count(*) FROM inbox WHERE state = ?"
        while database.execute(look, (state,)).fetchone()[0] < count:
            await trio.sleep(0.02)


def _database(on: Stage) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{on.gateway.home / 'gateway.db'}?mode=ro", uri=True)


async def _next_life(on: Stage, latency_s: float = 0.0) -> float:
    """Start gateway and model again; after how many seconds everything is answered."""
    on.model.close()
    await on.model.start(latency_s)
    began = trio.current_time()
    await on.gateway.start()
    await on.answered()
    return trio.current_time() - began


async def _end(on: Stage, name: str, figures: str) -> Report:
    account = on.account()
    exit_code = await on.gateway.stop()
    violations = account.violations + ([f"hermes stop: exit code {exit_code}"] if exit_code else [])
    return Report(name, account, figures, violations)


def main() -> None:
    """The proofs named, or all; each in a temporary home."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help="stop, kill, burst")
    parser.add_argument("--burst", type=int, default=1000, metavar="N", help="messages of the burst")
    parser.add_argument("--chats", type=int, default=100, help="in which it is said")
    options = parser.parse_args()
    every: Mapping[str, Callable[[Path], Awaitable[Report]]] = {
        "stop": stop,
        "kill": kill,
        "burst": partial(burst, messages=options.burst, chats=options.chats),
    }
    if unknown := set(options.proofs) - set(every):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(every)}")
    failed = False
    for name in options.proofs or every:
        with tempfile.TemporaryDirectory(prefix="hermes-telegram-") as directory:
            report = trio.run(every[name], Path(directory) / "home")
        print(report, flush=True)
        failed |= bool(report.violations)
    sys.exit(failed)


if __name__ == "__main__":
    main()
