"""The one structured record of an end (law O1): a line in the log, and an ``exited`` event.

Written by whoever is responsible for the life: its supervisor, with what its core decided, or the end of that supervisor;
the actor it is linked to; the run, for the root.
"""

import logging

import trio

from supervisors.cell import Cell
from supervisors.current import about
from supervisors.events import EventLog, SupervisionEvent
from supervisors.logs import guarded
from supervisors.reasons import Crash, ExitReason, describe, exception_of, is_clean
from supervisors.step import Decision

log = guarded(__name__)


def record_end(
    events: EventLog,
    cell: Cell,
    incarnation: int,
    reason: ExitReason,
    decision: Decision,
    *,
    delay_s: float | None = None,
    budget_left: int = 0,
) -> None:
    """Write down that incarnation ``incarnation`` of ``cell`` has ended, and what follows."""
    wait = "" if delay_s is None else f" in {delay_s:.1f} s"
    words = describe(reason)
    log.log(
        logging.DEBUG if is_clean(reason) else logging.WARNING,
        "%s#%d %s%s: %s",
        cell.path,
        incarnation,
        decision,
        wait,
        words,
        exc_info=exception_of(reason) if isinstance(reason, Crash) else None,
        extra=about(cell.path, incarnation),
    )
    message, attempt = cell.last_work or (None, None)
    detail = {
        "reason": words,
        "decision": decision,
        "delay_s": delay_s,
        "budget_left": budget_left,
        "message": message,
        "attempt": attempt,
    }
    events.publish(SupervisionEvent(trio.current_time(), "exited", cell.path, incarnation, detail, reason))
