"""What goes wrong with Telegram, and what people notice: ``python tests/e2e/telegram_faults.py [FAULT …] [--conflict 12]``.

For each fault a gateway on a fresh home. A person on Telegram writes when it strikes and again while it lasts, and another one
talks in the web chat all the while. Prints when both were answered, the slowest answer of the web chat, and the adapter's
health at each moment as ``hermes status`` has it. Exits 1 if a message is lost or doubled, if an adapter is not as it was in
the end, or if the web chat notices.

    --conflict S   for how long another one polls (409); one that was killed goes on for 260 s at most
    --mute S       for how long Telegram takes connections and says nothing
"""

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio
from client import WebChatClient
from harness_telegram import Account, connected, stage, telegram_in

from hermes.ops.control import client
from hermes.testing.telegram import CONFLICT, Drop, FakeTelegram, Fault, Html, Reset, Status

LOOK_S = 0.1
SECOND_S = 0.5
"""When the second message follows."""

WEB_PAUSE_S = 0.1
WEB_DEADLINE_S = 10.0
WEB_SLOW_S = 1.0
RETRY_AFTER_S = 3
POLL_TIMEOUT_S = 5
HEALTHY_DEADLINE_S = 120.0
HEALTHY = "connected"

Strike = Callable[[FakeTelegram], Awaitable[float]]
"""Has things go wrong; returns for how long they will, 0 for a call or two."""


async def _once(telegram: FakeTelegram, *, poll: Fault | None = None, send: Fault | None = None) -> float:
    for method, fault in (("getUpdates", poll), ("sendMessage", send)):
        if fault is not None:
            telegram.plan(method, fault)
    await trio.lowlevel.checkpoint()
    return 0.0


async def _conflict(telegram: FakeTelegram, *, seconds: float) -> float:
    telegram.plan_for(seconds, "getUpdates", CONFLICT)
    await trio.lowlevel.checkpoint()
    return seconds


async def _mute(telegram: FakeTelegram, *, seconds: float) -> float:
    await telegram.server.plug("mute")
    return seconds


def faults(*, conflict_s: float, mute_s: float) -> Mapping[str, Strike]:
    """By name."""
    wait = Status(429, retry_after=RETRY_AFTER_S)
    return {
        "401": partial(_once, poll=Status(401)),
        "409": partial(_conflict, seconds=conflict_s),
        "429": partial(_once, poll=wait, send=wait),
        "500": partial(_once, poll=Status(500), send=Status(500)),
        "502 page": partial(_once, poll=Html(502), send=Html(502)),
        "drop": partial(_once, poll=Drop(), send=Drop()),
        "mute": partial(_mute, seconds=mute_s),
        "acted, reset": partial(_once, send=Reset(acted=True)),
    }


@dataclass(frozen=True)
class Row:
    """What one fault has led to. ``health``: since when, in seconds after the fault, the adapter was how."""

    fault: str
    lasted_s: float
    answered_s: float
    account: Account
    health: Sequence[tuple[float, str]]
    web: Sequence[float]
    violations: Sequence[str]

    def __str__(self) -> str:
        account, lasted = self.account, f" {self.lasted_s:.0f} s" if self.lasted_s else ""
        after_s = self.answered_s - self.lasted_s
        lines = (
            f"{self.fault + lasted:14} both answered after {self.answered_s:.1f} s, {after_s:.1f} s after it was over;"
            f" {account.lost} lost, {account.doubled} doubled, {account.marked} marked;"
            f" web chat: {len(self.web)} answers, {1000 * max(self.web):.0f} ms at most",
            " " * 15 + " → ".join(f"{how} {at:.1f} s" for at, how in self.health),
            *(f"  VIOLATION {line}" for line in self.violations),
        )
        return "\n".join(lines)


async def strike(home: Path, name: str, fault: Strike) -> Row:
    """One fault on a fresh home."""
    async with stage(home, 1, config=f"      poll_timeout: {POLL_TIMEOUT_S}\n") as on:
        await on.gateway.start()
        await connected(on.gateway)
        web, waits, health = WebChatClient(on.gateway.url, await on.gateway.log_in()), [0.0], []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(web.run)
            on.say(0)
            await on.answered()  # the conversation has begun, and a poll is open
            await web.ask("0")
            before, pid = await on.gateway.lives(), on.gateway.pid
            nursery.start_soon(_talk, web, waits)
            began = trio.current_time()
            lasts_s = await fault(on.telegram)
            nursery.start_soon(_watch, home, began, health)
            nursery.start_soon(_heal, on.telegram, began + lasts_s)
            on.say(0)
            await trio.sleep(SECOND_S)
            on.say(0)
            await on.answered(lasts_s)
            answered_s = trio.current_time() - began
            with trio.move_on_after(HEALTHY_DEADLINE_S):
                await trio.sleep_until(began + lasts_s + LOOK_S)
                while not health or health[-1][1] != HEALTHY:
                    await trio.sleep(LOOK_S)
            nursery.cancel_scope.cancel()
        after = await on.gateway.lives()
        account = on.account()
        violations = [*account.violations, *_noticed(before, after)]
        violations += [f"web chat: {problem}" for problem in web.problems]
        if health[-1][1] != HEALTHY:
            violations.append(f"Telegram is {health[-1][1]} in the end")
        if max(waits) > WEB_SLOW_S:
            violations.append(f"the web chat has waited {max(waits):.1f} s")
        if on.gateway.pid != pid:
            violations.append("it is another process")
        if exit_code := await on.gateway.stop():
            violations.append(f"hermes stop: exit code {exit_code}")
    return Row(name, lasts_s, answered_s, account, health, waits, violations)


async def _talk(web: WebChatClient, waits: list[float]) -> None:
    """Ask again and again; how long each answer took."""
    n = 0
    while True:
        n, asked = n + 1, trio.current_time()
        with trio.fail_after(WEB_DEADLINE_S):
            answer = await web.ask(f"{n}")
        if answer != f"You said: {n}":
            web.problems.append(f"{n} was answered {answer!r}")
        waits.append(trio.current_time() - asked)
        await trio.sleep(WEB_PAUSE_S)


async def _watch(home: Path, began: float, health: list[tuple[float, str]]) -> None:
    """What ``hermes status`` says, whenever it is something else."""
    while True:
        at = trio.current_time() - began
        how = _how(await trio.to_thread.run_sync(client.ask, home, "status"))
        if not health or health[-1][1] != how:
            health.append((at, how))
        await trio.sleep(LOOK_S)


def _how(status: Mapping[str, Any]) -> str:
    adapter = telegram_in(status)
    failure = adapter["failure"]
    return f"{adapter['state']}({failure['code']})" if failure else adapter["state"]


async def _heal(telegram: FakeTelegram, at: float) -> None:
    await trio.sleep_until(at)
    await telegram.server.plug("yes")


def _noticed(before: Mapping[str, tuple[int, str]], after: Mapping[str, tuple[int, str]]) -> list[str]:
    """Whom of the others the fault has restarted."""
    lasting = [path for path in before if "telegram:" not in path and not path.endswith("/turn")]
    return [
        f"{path} was {before[path]}, is {after.get(path)}"
        for path in lasting
        if after.get(path) != before[path]
    ]


def main() -> None:
    """Strike with the faults named, or with all; each in a temporary home."""
    every = tuple(faults(conflict_s=0, mute_s=0))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(every))
    parser.add_argument("--conflict", type=float, default=12.0, metavar="S")
    parser.add_argument("--mute", type=float, default=8.0, metavar="S")
    options = parser.parse_args()
    if unknown := set(options.faults) - set(every):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(every)}")
    known, failed = faults(conflict_s=options.conflict, mute_s=options.mute), False
    for name in options.faults or every:
        with tempfile.TemporaryDirectory(prefix="hermes-telegram-") as directory:
            row = trio.run(strike, Path(directory) / "home", name, known[name])
        print(row, flush=True)
        failed |= bool(row.violations)
    sys.exit(failed)


if __name__ == "__main__":
    main()
