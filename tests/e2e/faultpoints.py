"""Kill -9 at every fault point once: ``python tests/e2e/faultpoints.py [POINT …] [--nth 2] [--seed N]``.

For each point of ``hermes.types.faults`` a gateway on a fresh home kills itself the nth time it passes there, under load,
and is started again. The check is that of load_kill9.py; notes are among the messages, so that a side effect that
happens twice shows.
"""

import argparse
import signal
import sys
import tempfile
import traceback
from functools import partial
from pathlib import Path

import trio
from harness import Gateway
from harness_fleet import Fleet, check_store

from hermes.types.faults import POINTS

CLIENTS = 2
MESSAGES = 16
STRIKE_DEADLINE_S = 20.0


async def strike(home: Path, point: str, *, nth: int, seed: int) -> list[str]:
    """Kill a gateway at ``point``, start it again and say what is wrong then."""
    gateway = Gateway(home)
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


def main() -> None:
    """Strike at the points named, or at all; one line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("points", nargs="*", metavar="POINT", help=", ".join(POINTS))
    parser.add_argument("--nth", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = False
    for point in options.points or POINTS:
        with tempfile.TemporaryDirectory(prefix="hermes-fault-") as directory:
            home = Path(directory) / "home"
            violations = trio.run(partial(strike, home, point, nth=options.nth, seed=options.seed))
        failed |= bool(violations)
        print(f"{point:26} {'0 lost, 0 doubled, order kept' if not violations else 'VIOLATION'}", flush=True)
        for line in violations:
            print(f"  {line}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
