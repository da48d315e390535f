"""A gateway that dies with every start: ``python tests/e2e/start_storms.py [--kills 8]`` (AC-10, AC-11).

It is killed by kill -9 as soon as it has begun, again and again, as a service manager would start it. The start after that
answers people who look at it at once, and connects to Telegram later, longer each time. An end that nobody has ordered (SIGTERM,
exit code 1) counts, too. Then what is meant is done: a stop, and a restart under a manager (exit code 75); none counts, and the
first ends the storm. A takeover neither ends one nor is free: two managers that take the home from one another are a storm.

Prints how long the starts held Telegram back; exits 1 if that is not what it should be.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio
from harness import Gateway
from harness_telegram import stage

from actors.exits import RESTART
from hermes.ops import starts

LOOK_S = 0.02
BEGUN_DEADLINE_S = 20.0


@dataclass
class Report:
    """``waits_s``: how long the starts after the kills, in order, held their platform back."""

    waits_s: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def check(self, what: str, found: object, expected: object) -> None:
        """A sentence, if they differ."""
        if found != expected:
            self.violations.append(f"{what}: {found!r}, not {expected!r}")


async def storms(home: Path, kills: int, *, before: int = 0, orders: bool = True) -> Report:
    """``before`` starts that did not last are noted already; then ``kills`` more, and the ``orders``."""
    report = Report()
    async with stage(home, 1) as on:
        (home / "run").mkdir(mode=0o700)
        for _ in range(before):
            starts.begun(home)
        for number in range(kills):
            await _dies_at_once(on.gateway)
            report.check("starts noted", len(_noted(home)), before + number + 1)
        await _holds_back(on.gateway, report, before + kills + 1)
        if not orders:
            return report
        on.gateway.signal(signal.SIGTERM)
        report.check("exit code of a SIGTERM", await on.gateway.ended(), 1)
        await _holds_back(on.gateway, report, before + kills + 2)
        with _managed():
            await _meant(on.gateway, report)
    return report


async def _dies_at_once(gateway: Gateway) -> None:
    before = len(_noted(gateway.home))
    gateway.launch()
    with trio.fail_after(BEGUN_DEADLINE_S):
        while len(_noted(gateway.home)) == before:
            await trio.sleep(LOOK_S)
    await gateway.kill9()


async def _holds_back(gateway: Gateway, report: Report, starts_in_a_row: int) -> None:
    """People are answered at once; the platform is not connected to, and everybody says why."""
    await gateway.start()
    status = await gateway.json("status")
    expected = starts.storm([0.0] * (starts_in_a_row - 1), 0.0)
    storm = status["storm"] or {"starts": 0, "wait_s": 0.0}
    report.waits_s.append(storm["wait_s"])
    report.check("starts in a row", storm["starts"], expected.starts)
    if not expected.wait_s - 5 < storm["wait_s"] <= expected.wait_s:
        report.violations.append(f"start {starts_in_a_row} waits {storm['wait_s']} s, not {expected.wait_s}")
    how = {one["platform"]: (one["state"], (one["failure"] or {}).get("code")) for one in status["adapters"]}
    report.check("Telegram", how["telegram"], ("backoff", "respawn_storm"))
    report.check("web chat", how["webchat"], ("listening", None))


async def _meant(gateway: Gateway, report: Report) -> None:
    """Ends that somebody has ordered."""
    await gateway.stop()
    await _nothing_counts(gateway, report, "a stop")
    gateway.signal(signal.SIGUSR1)
    report.check("exit code of a restart", await gateway.ended(), RESTART)
    await _nothing_counts(gateway, report, "a restart")
    second = Gateway(gateway.home)
    try:
        second.launch(options=("--replace",))
        report.check("exit code of one that is taken over", await gateway.ended(), 0)
        await second.ready()
        report.check("starts noted after a takeover", len(_noted(gateway.home)), 2)
        await second.stop()
    finally:
        second.close()


async def _nothing_counts(gateway: Gateway, report: Report, order: str) -> None:
    await gateway.start()
    report.check(f"storm after {order}", (await gateway.json("status"))["storm"], None)
    report.check(f"starts noted after {order}", len(_noted(gateway.home)), 1)


@contextmanager
def _managed() -> Iterator[None]:
    """Somebody starts it again if it ends with 75."""
    os.environ["HERMES_SUPERVISED"] = "1"
    try:
        yield
    finally:
        del os.environ["HERMES_SUPERVISED"]


def _noted(home: Path) -> list[float]:
    try:
        noted: list[float] = json.loads((home / "run" / starts.NAME).read_text())["starts"]
    except FileNotFoundError:
        return []
    return noted


def main() -> None:
    """In a temporary home."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hermes-storm-") as directory:
        report = trio.run(storms, Path(directory) / "home", options.kills)
    print(
        f"{options.kills} kills: Telegram held back {', '.join(f'{wait_s:.0f} s' for wait_s in report.waits_s)}"
    )
    for line in report.violations:
        print(f"  VIOLATION {line}")
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
