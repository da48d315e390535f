"""Kill -9 under load: ``python tests/e2e/load_kill9.py [--clients 8] [--messages 200] [--kills 5] [--mode queue] [--seed N]``.

Web chat clients send while the process is killed and started again on the way. Each message must be answered exactly
once, by an answer of its own or (in every busy mode but ``queue``) together with others, in its client's order, as the
clients, a reloaded page, ``hermes status`` and the database see it. Exits 1 and says what is wrong otherwise.
"""

import argparse
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import trio
from harness import Gateway
from harness_fleet import Fleet, check_store

from hermes.types.records import BusyMode


@dataclass(frozen=True)
class Report:
    """What a campaign has seen; times are in seconds."""

    mode: BusyMode
    messages: int
    answered: int
    together: int
    kills: int
    reconnects: int
    first_ready_s: float
    slowest_ready_s: float
    took_s: float
    violations: tuple[str, ...]

    def __str__(self) -> str:
        verdict = (
            "\n".join(f"  VIOLATION {line}" for line in self.violations) or "  0 lost, 0 doubled, order kept"
        )
        return (
            f"{self.mode}: {self.messages} messages, {self.answered} answered, {self.together} of them together with others, "
            f"{self.kills} kills, {self.reconnects} reconnects, {self.took_s:.1f} s\n"
            f"  ready in {self.first_ready_s:.2f} s, after a kill in {self.slowest_ready_s:.2f} s at most\n{verdict}"
        )


async def campaign(
    home: Path, *, clients: int, messages: int, kills: int, seed: int, mode: BusyMode = "queue"
) -> Report:
    """Run one campaign on a fresh home; the kills are spread evenly over the answers."""
    gateway = Gateway(home, mode=mode)
    moments = random.Random(seed)
    began = trio.current_time()
    try:
        ready = [await gateway.start()]
        fleet = Fleet(
            gateway,
            await gateway.log_in(),
            clients=clients,
            messages=messages,
            seed=seed,
            notes=mode != "queue",
        )
        async with fleet.talking():
            for kill in range(1, kills + 1):
                await fleet.until_answered(messages * kill // (kills + 1))
                await trio.sleep(moments.uniform(0, 0.05))
                await fleet.none_is_at_its_last()
                await gateway.kill9()
                ready.append(await gateway.start())
            await fleet.until_answered(messages)
            violations = await fleet.violations()
        if bool(fleet.together) == (mode == "queue"):
            violations.append(f"{fleet.together} messages share their answers in mode {mode}")
        exit_code = await gateway.stop()
        violations += [f"hermes stop: exit code {exit_code}"] if exit_code else []
        violations += check_store(home, messages)
    finally:
        gateway.close()
    return Report(
        mode=mode,
        messages=messages,
        answered=fleet.answered,
        together=fleet.together,
        kills=kills,
        reconnects=sum(client.connects - 1 for client in fleet.clients),
        first_ready_s=ready[0],
        slowest_ready_s=max(ready),
        took_s=trio.current_time() - began,
        violations=tuple(violations),
    )


def main() -> None:
    """Run a campaign as the arguments say, in a temporary home."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--mode", choices=get_args(BusyMode), default="queue", help="the busy mode")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hermes-kill9-") as directory:
        report = trio.run(lambda: campaign(Path(directory) / "home", **vars(options)))
    print(report)
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
