"""What has happened in the tree, counted by kind of actor: from the supervision events, for ``/metrics``."""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hermes.ops.metrics import Tallies
from supervisors.events import SupervisionEvent
from supervisors.reasons import is_clean
from supervisors.system import System

GONE = "gone"
TURN = "turn"
KINDS = 256


class Tally:
    """``restarts`` and ``failures`` by kind, and how long turns took, in this process."""

    def __init__(self, system: System) -> None:
        self.restarts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.turns = Tallies(0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
        self._system = system
        self._begun: dict[str, float] = {}

    def note(self, event: SupervisionEvent) -> None:
        """Count ``event``; a listener of the event log."""
        if event.kind not in {"started", "exited"}:
            return
        cell = self._system.registry.cell(event.path)
        kind = GONE if cell is None else kind_of(cell.spec.start)
        if event.kind == "started":
            if kind == TURN:
                self._begun[event.path] = event.at
            return
        if (begun := self._begun.pop(event.path, None)) is not None:
            self.turns.add(event.at - begun)
        if event.detail["decision"] == "restart":
            self.restarts[kind] += 1
        if event.cause is not None and not is_clean(event.cause):
            self.failures[kind] += 1


@lru_cache(KINDS)
def kind_of(start: Callable[..., Any]) -> str:
    """What the actors that run ``start`` are called: ``session`` for ``actors.session.run``, ``delivery.lane`` for
    ``actors.delivery.run_lane``. Never an actor's id, which may be a person's.
    """
    module, name = (
        getattr(start, "__module__", GONE).rpartition(".")[2],
        getattr(start, "__name__", "").strip("_"),
    )
    rest = "" if name == "run" else name.removeprefix("run_")
    return f"{module}.{rest}" if rest else module
