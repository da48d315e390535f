"""``hermes`` with faults at marked places, and with a platform that is not real.

    HERMES_FAULTS=after_take:kill9:3 python -m hermes.testing.run_with_faults run --home DIR

``HERMES_FAULTS`` holds ``name:action[:nth]`` separated by commas. ``name`` is a point of
``hermes.types.faults``; ``action`` is ``raise``, ``delay=SECONDS`` (blocks the loop) or ``kill9``. A fault
strikes once, at the ``nth`` time (1 unless said) its point is passed. ``HERMES_FAKE_PLATFORM`` adds a platform
(``hermes.testing.platform``).
"""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from hermes.testing import wire
from hermes.types import faults

VARIABLE = "HERMES_FAULTS"

Action = Literal["raise", "delay", "kill9"]


class InjectedFault(Exception):
    """What ``raise`` raises: to the program a bug like any other."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned failure; ``delay_s`` counts for ``delay`` alone."""

    point: str
    action: Action
    nth: int = 1
    delay_s: float = 0.0


def parse_plan(text: str) -> tuple[Fault, ...]:
    """Read the variable's value. Raises ``ValueError`` that names the entry it does not understand."""
    return tuple(_parse(entry.strip()) for entry in text.split(",") if entry.strip())


def strike(plan: tuple[Fault, ...]) -> Callable[[str], None]:
    """A handler for ``hermes.types.faults.arm`` that carries out ``plan``."""
    passed: Counter[str] = Counter()

    def at(point: str) -> None:
        passed[point] += 1
        for fault in plan:
            if (fault.point, fault.nth) == (point, passed[point]):
                _carry_out(fault)

    return at


def main() -> None:
    """Arm the faults of the environment, then run the command line with the arguments of this process."""
    try:
        plan = parse_plan(os.environ.get(VARIABLE, ""))
    except ValueError as error:
        sys.exit(str(error))
    faults.arm(strike(plan))
    # By its name, as a program: this module stays beside the command line, not above it.
    sys.exit(import_module("hermes.cli").main(platforms=wire.from_environment()))


def _parse(entry: str) -> Fault:
    point, _, rest = entry.partition(":")
    action, _, nth = rest.partition(":")
    name, _, seconds = action.partition("=")
    try:
        if point in faults.POINTS:
            match name:
                case "raise" | "kill9" if not seconds:
                    return Fault(point, name, int(nth or 1))
                case "delay":
                    return Fault(point, name, int(nth or 1), float(seconds))
                case _:
                    pass
    except ValueError:
        pass
    raise ValueError(
        f"{VARIABLE}: {entry!r} is not name:action[:nth] with a name of {', '.join(faults.POINTS)}"
    )


def _carry_out(fault: Fault) -> None:
    match fault.action:
        case "raise":
            raise InjectedFault(f"injected at {fault.point}")
        case "delay":
            time.sleep(fault.delay_s)
        case "kill9":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
