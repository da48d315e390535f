"""A crash becomes a file: what is known of it is taken down at once, on the loop, and one actor writes it.

exited ─▶ CrashQueue.note ─▶ waiting, bounded ─▶ run, every second, in a thread ─▶ logs/crashes/<time>_<id>.json

What is identical to a crash of the same actor a moment ago only counts it up: a storm costs neither the disk nor the loop
more than its first crashes.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, assert_never

import trio

from hermes.ops import dossiers
from hermes.ops.dossiers import Dossier
from hermes.types.ids import BootId, Clock, IdSource
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.dump import stack_of
from supervisors.events import RING_EVENTS, SupervisionEvent
from supervisors.reasons import (
    Cancelled,
    Crash,
    ExitReason,
    Failed,
    IntensityExceeded,
    Normal,
    Shutdown,
    StartFailed,
    Stuck,
    describe,
    exception_of,
    leaves,
    path_of,
    root_cause,
)
from supervisors.system import System
from supervisors.watchdog import Watchdog

log = logging.getLogger(__name__)

Message = Stop | Down

WRITE_S = 1.0
WRITE_DEADLINE_S = 10.0
ALIKE_S = 60.0
"""A crash like the one before is counted with it, if no more time than this has passed between the two."""

WAITING = 100
ALIKE = 50
EVENTS = 30
NODES = 50

Kind = tuple[object, ...]


class CrashQueue:
    """Crashes that are not on disk yet; belongs to root, so that a crash of whoever writes them loses none.

    ``note`` is a listener for supervision events. Beyond ``WAITING`` the next ones are dropped: the first ones of a storm
    tell its cause. What is missing on disk is said in the log, once for each time it begins and ends.
    """

    def __init__(
        self,
        system: System,
        directory: Path,
        *,
        redact: Callable[[str], str],
        watchdog: Watchdog,
        clock: Clock,
        ids: IdSource,
        boot_id: BootId,
        version: str,
    ) -> None:
        self.waiting: dict[str, Dossier] = {}
        self.missing = 0
        self._system = system
        self._directory = directory
        self._redact = redact
        self._watchdog = watchdog
        self._clock = clock
        self._ids = ids
        self._boot_id = boot_id
        self._version = version
        self._alike: dict[Kind, tuple[float, Dossier]] = {}
        """The last crash of each kind, the latest at the end, with its monotonic time."""
        self._one_writer = trio.CapacityLimiter(1)
        self._wrong = ""
        self._said = False

    def note(self, event: SupervisionEvent) -> None:
        """Take down a crash; all other events are nothing to it."""
        if event.cause is None or not is_crash(event.cause):
            return
        kind = _kind(event, event.cause)
        dossier = self._counted(kind, event.at)
        if dossier is None:
            if len(self.waiting) >= WAITING:
                self._lose(1, "they come faster than they can be written")
                return
            dossier = self._made(event, event.cause)
        self.waiting[dossier.id] = dossier
        self._alike[kind] = (event.at, dossier)
        if len(self._alike) > ALIKE:
            del self._alike[next(iter(self._alike))]

    async def write(self) -> None:
        """Write what waits. Returns within ``WRITE_DEADLINE_S``; cancelled, it leaves waiting what may not be written yet."""
        if not self.waiting:
            return
        batch = tuple(self.waiting.values())
        failures: list[OSError] = []
        try:
            with trio.fail_after(WRITE_DEADLINE_S):
                failures = await trio.to_thread.run_sync(
                    dossiers.keep,
                    self._directory,
                    batch,
                    self._redact,
                    abandon_on_cancel=True,
                    limiter=self._one_writer,
                )
        except trio.TooSlowError:
            self._lose(len(batch), f"{self._directory} has not answered for {WRITE_DEADLINE_S:g} s")
        if failures:
            self._lose(len(failures), str(failures[0]))
        for dossier in batch:
            if self.waiting[dossier.id] is dossier:  # else it has been counted up since
                del self.waiting[dossier.id]
        self._say()

    def _counted(self, kind: Kind, at: float) -> Dossier | None:
        """The dossier of the crash before this one, counted up; None if this is the first of its kind in a while."""
        last, before = self._alike.pop(kind, (at, None))
        if before is None or at - last > ALIKE_S:
            return None
        return replace(before, count=before.count + 1, last_at=self._clock.wall())

    def _made(self, event: SupervisionEvent, cause: ExitReason) -> Dossier:
        now = self._clock.wall()
        return Dossier(
            id=self._ids.token(dossiers.ID_DIGITS),
            at=now,
            boot_id=self._boot_id,
            version=self._version,
            path=event.path,
            incarnation=event.incarnation,
            reason=describe(cause),
            decision=event.detail["decision"],
            delay_s=event.detail["delay_s"],
            through=path_of(cause),
            message=event.detail.get("message"),
            attempt=event.detail.get("attempt"),
            loop_lag_ms=round(self._watchdog.lag_s * 1000, 1),
            traceback=self._traceback(event, cause),
            events=self._events_around(event.path, now - trio.current_time()),
            tree=self._node(event.path),
            count=1,
            last_at=now,
        )

    def _traceback(self, event: SupervisionEvent, cause: ExitReason) -> str:
        error = exception_of(cause)
        if error is not None:
            return dossiers.traceback_text(error)
        for life in self._system.zombies:
            if (life.cell.path, life.incarnation) == (
                event.path,
                event.incarnation,
            ) and life.task is not None:
                return "\n".join(["Still at (most recent call last):", *stack_of(life.task)])
        return ""

    def _events_around(self, path: str, offset: float) -> tuple[dict[str, Any], ...]:
        """The last events of the actor, of those above and below it, and of its siblings; ``offset`` makes times wall times."""
        newest = reversed(self._system.events.newest(RING_EVENTS))
        found = list(islice((event for event in newest if related(path, event.path)), EVENTS))
        return tuple(
            {
                "at": event.at + offset,
                "kind": event.kind,
                "path": event.path,
                "incarnation": event.incarnation,
                **event.detail,
            }
            for event in reversed(found)
        )

    def _node(self, path: str) -> dict[str, Any] | None:
        node = self._system.snapshot(path)
        return None if node is None else _first_nodes(node.to_json(), NODES)[0]

    def _lose(self, count: int, why: str) -> None:
        self.missing += count
        self._wrong = why

    def _say(self) -> None:
        wrong, self._wrong = self._wrong, ""
        if wrong and not self._said:
            log.warning("not every crash gets its dossier: %s", wrong)
        elif self._said and not wrong:
            log.warning("crash dossiers are written again; so far %d are missing", self.missing)
        self._said = bool(wrong)


async def run(ctx: Context[Message], crashes: CrashQueue) -> None:
    """Write down the crashes since the last look, every second in which there was one; and once at the end."""
    ctx.ready()
    stopping = False
    while not stopping:
        with trio.move_on_after(WRITE_S):
            await ctx.stopping()
            stopping = True
        await crashes.write()


def is_crash(reason: ExitReason) -> bool:
    """True for an end that somebody should look into; a failure that is expected to pass by itself is none."""
    match reason:
        case Crash() | StartFailed() | IntensityExceeded() | Stuck():
            return True
        case Failed(verdict=verdict):
            return verdict != "backoff"
        case Normal() | Shutdown() | Cancelled():
            return False
    assert_never(reason)


def related(path: str, other: str) -> bool:
    """Whether ``other`` is the actor at ``path``, above or below it, or a sibling."""
    return (
        other == path
        or path.startswith(f"{other}/")
        or other.startswith(f"{path}/")
        or other.rpartition("/")[0] == path.rpartition("/")[0]
    )


def _kind(event: SupervisionEvent, cause: ExitReason) -> Kind:
    """What makes two crashes of one actor identical: not their words, which may hold a number that is new each time."""
    bottom = root_cause(cause)
    code = bottom.code if isinstance(bottom, Failed) else ""
    error = exception_of(cause)
    raised = () if error is None else _place(next(leaves(error)))
    return (event.path, event.detail["decision"], type(cause), *path_of(cause), type(bottom), code, *raised)


def _place(error: BaseException) -> tuple[object, ...]:
    """The type of ``error`` and where it was raised."""
    trace = error.__traceback__
    if trace is None:
        return (type(error),)
    while trace.tb_next is not None:
        trace = trace.tb_next
    return type(error), trace.tb_frame.f_code.co_filename, trace.tb_lineno


def _first_nodes(node: dict[str, Any], most: int) -> tuple[dict[str, Any], int]:
    """``node`` with at most ``most`` nodes, parents first, and how many there may still be."""
    most -= 1
    children: list[dict[str, Any]] = []
    for child in node["children"]:
        if most <= 0:
            return {**node, "children": children, "left_out": len(node["children"]) - len(children)}, 0
        kept, most = _first_nodes(child, most)
        children.append(kept)
    return {**node, "children": children}, most
