"""Two take over from one, again and again: ``python tests/e2e/replace_races.py [--races 50]``.

In each race two ``hermes run --replace`` are started at the same moment on the home of a running gateway, while people chat. One
of them must have the home, the other one must have ended with 1 and opened nothing, and the old one with 0. At the end
every message has been answered, and none twice. Exits 1 and says what is wrong otherwise.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import trio
from harness import READY_DEADLINE_S, Gateway
from harness_chats import Chat, connected, quiet, violations

CHATS = 3
SKEW_S = 0.1
PAUSE_S = 0.2


@dataclass
class Report:
    """What the races have seen."""

    races: int = 0
    messages: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        seen = ", ".join(f"{count} {what}" for what, count in sorted(self.ends.items()))
        wrong = "".join(f"\n  VIOLATION {line}" for line in self.violations)
        return f"{self.races} races, {self.messages} messages: {seen}{wrong or ', 0 lost, 0 doubled'}"


def rival(gateway: Gateway) -> Gateway:
    """Another process on the same home and port; not started."""
    other = Gateway(gateway.home)
    other.port, other.url = gateway.port, gateway.url
    return other


async def race(old: Gateway, report: Report, skew_s: float) -> Gateway:
    """Two rivals for the place of ``old``; returns the one that has it."""
    rivals = (rival(old), rival(old))
    rivals[0].launch(options=("-v", "--replace"))
    await trio.sleep(skew_s)
    rivals[1].launch(options=("-v", "--replace"))
    code = await old.ended()
    if code != 0:
        report.violations.append(f"race {report.races}: the old one ended with {code}")
    try:
        loser, code = await first_to_end(rivals)
        (winner,) = (one for one in rivals if one is not loser)
        await winner.ready()
    except BaseException:
        for one in rivals:
            one.close()
        raise
    report.races += 1
    # One that came so late that the other had the home already has taken it over in its turn.
    report.ends[{1: "refused with 1", 0: "replaced in turn, with 0"}.get(code, f"ended with {code}")] += 1
    if code not in (0, 1):
        report.violations.append(f"race {report.races}: the loser ended with {code}")
    if (pid := (await winner.status())["pid"]) != winner.pid:
        report.violations.append(f"race {report.races}: process {pid} answers, not the winner {winner.pid}")
    return winner


async def first_to_end(rivals: tuple[Gateway, Gateway]) -> tuple[Gateway, int]:
    """The one that ends, and its exit code."""
    ended: list[tuple[Gateway, int]] = []

    async def wait(one: Gateway) -> None:
        ended.append((one, await one.ended(READY_DEADLINE_S)))
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for one in rivals:
            nursery.start_soon(wait, one)
    return ended[0]


async def races(home: Path, count: int, seed: int = 0) -> Report:
    """Run ``count`` races on a fresh home."""
    report, chance, gateway = Report(), random.Random(seed), Gateway(home)
    try:
        await gateway.start()
        cookie = await gateway.log_in()
        chats = [Chat(gateway, cookie, f"chat{n}") for n in range(CHATS)]
        async with connected(chats) as nursery:
            talking = trio.CancelScope()
            for chat in chats:
                nursery.start_soon(_talk, chat, talking)
            for _ in range(count):
                gateway = await race(gateway, report, chance.uniform(0.0, SKEW_S))
            talking.cancel()
            report.messages = sum(len(chat.sent) for chat in chats)
            report.violations += await quiet(gateway, report.messages)
            report.violations += await violations(chats, home)
    finally:
        gateway.close()
    return report


async def _talk(chat: Chat, until: trio.CancelScope) -> None:
    while not until.cancel_called:
        chat.say()
        await trio.sleep(PAUSE_S)


def main() -> int:
    """Run the races; 1 if one of them had no single winner, or a message was lost or doubled."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--races", type=int, default=50)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = trio.run(races, Path(directory) / "home", given.races, given.seed)
    print(report)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
