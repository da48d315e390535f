"""How messages get onto their lanes: wake-ups for what is in the outbox, and drafts and typing, which are in no table.

A wake-up means "look". It is lost harmlessly: a lane reads its rows when it starts, and a sweep finds forgotten ones.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import trio

from hermes.delivery.limits import Limiter
from hermes.store import queries
from hermes.store.port import Store
from hermes.types.content import Draft
from hermes.types.origin import LaneKey
from hermes.types.records import OutboxRow
from supervisors.dynamic import SupervisorRef
from supervisors.ref import ActorRef
from supervisors.registry import Registry
from supervisors.spec import ChildSpec, path_segment

TYPING_AFTER_S = 0.3
"""An answer that is there sooner has nobody seen typing: that would cost a call each time, and seconds to be seen."""


@dataclass(frozen=True, slots=True)
class Writing:
    """The newest text of an answer that is being written; its turn is at work since ``began_at``, in Trio's time."""

    draft: Draft
    began_at: float


@dataclass(frozen=True, slots=True)
class _Work:
    """In which thread of its chat an answer is worked on, and from when on that is shown, in Trio's time."""

    thread_id: str | None
    shown_from: float


class Delivery:
    """Knows where lanes live and how one is started. ``look`` is the message that wakes one.

    ``limiter`` holds for all of them; it outlives them, and the adapters.
    """

    def __init__(
        self, registry: Registry, lanes: str, spec_of: Callable[[LaneKey], ChildSpec], look: object
    ) -> None:
        self._registry = registry
        self._lanes = lanes
        self._spec_of = spec_of
        self._look = look
        self._supervisor = SupervisorRef(registry.ref(lanes))
        self.limiter = Limiter()
        self._adopting = trio.Lock()
        self._drafts: dict[LaneKey, dict[str, Writing]] = {}
        self._news: set[LaneKey] = set()
        self._work: dict[LaneKey, dict[str, _Work]] = {}
        self._looks: set[LaneKey] = set()
        self._settled: dict[LaneKey, set[str]] = {}
        self._handed: dict[LaneKey, OutboxRow] = {}
        self._sending: set[LaneKey] = set()

    async def know_limits(self, store: Store) -> None:
        """Return once ``limiter`` knows what the platforms have said in earlier boots: read once, however many lanes ask."""
        if not self.limiter.adopted:
            async with self._adopting:
                if not self.limiter.adopted:
                    self.limiter.adopt(await store.read(queries.floods))

    def wake(self, lane: LaneKey) -> None:
        """Have ``lane`` look at its rows, starting it if it sleeps."""
        self._looks.add(lane)
        if lane not in self._sending or not self._ref(lane).takes_mail:
            self._nudge(lane)

    def sends(self, lane: LaneKey, *, now: bool) -> None:
        """Whether ``lane`` is about to send, or sends: it looks for what comes after that by itself."""
        (self._sending.add if now else self._sending.discard)(lane)

    def take_look(self, lane: LaneKey) -> bool:
        """True, once, if there may be a row or a way out that was not there before. A wake-up for what is only shown costs no
        read, and this one cannot be lost in a full mailbox.
        """
        if lane in self._looks:
            self._looks.remove(lane)
            return True
        return False

    def hand(self, lane: LaneKey, row: OutboxRow) -> None:
        """As ``wake``, for a row that a commit has put there, before which the lane had nothing to send: it need not look."""
        self._handed[lane] = row
        self._nudge(lane)

    def take_handed(self, lane: LaneKey) -> OutboxRow | None:
        """What was handed over since; what has been found by a look meanwhile is in it, too."""
        return self._handed.pop(lane, None)

    def _nudge(self, lane: LaneKey) -> None:
        ref = self._ref(lane)
        if ref.takes_mail:
            ref.tell_nowait(self._look)
        else:
            self._supervisor.start_child_soon(self._spec_of(lane))

    def ensure(self, lane: LaneKey) -> None:
        """Start ``lane`` if it sleeps; one that is awake knows its own business."""
        if not self._ref(lane).takes_mail:
            self._supervisor.start_child_soon(self._spec_of(lane))

    def _ref(self, lane: LaneKey) -> ActorRef[Any]:
        return self._registry.ref(f"{self._lanes}/{path_segment(lane)}")

    def draft(self, lane: LaneKey, draft: Draft, began_at: float) -> None:
        """Show ``draft``; only the newest one of an answer is kept, until ``drop_draft``."""
        self._drafts.setdefault(lane, {})[draft.draft_id] = Writing(draft, began_at)
        if lane not in self._news:
            self._news.add(lane)
            self._nudge(lane)

    def drafts(self, lane: LaneKey) -> Mapping[str, Writing]:
        """What is being written in ``lane``, by the name of the draft; it is news no more."""
        self._news.discard(lane)
        return dict(self._drafts.get(lane, {}))

    def has_news(self, lane: LaneKey) -> bool:
        """True if ``drafts`` would give something new."""
        return lane in self._news

    def is_written(self, lane: LaneKey, draft_id: str) -> bool:
        """True as long as there is a draft of that name."""
        return draft_id in self._drafts.get(lane, {})

    def drop_draft(self, lane: LaneKey, draft_id: str) -> None:
        """The answer is complete; its draft must not come after it."""
        drafts = self._drafts.get(lane, {})
        if drafts.pop(draft_id, None) is not None and not drafts:
            del self._drafts[lane]
            self._news.discard(lane)

    def working(self, lane: LaneKey, name: str, thread_id: str | None) -> None:
        """The answer called ``name`` is being worked on: its chat sees somebody typing until ``resting``, unless that is soon."""
        self._work.setdefault(lane, {})[name] = _Work(thread_id, trio.current_time() + TYPING_AFTER_S)
        self._nudge(lane)

    def resting(self, lane: LaneKey, name: str) -> None:
        """It is not being worked on any more, or for now, because an approval waits for a person."""
        work = self._work.get(lane, {})
        if (rests := work.pop(name, None)) is None:
            return
        if not work:
            del self._work[lane]
        if rests.shown_from <= trio.current_time():
            self._nudge(lane)

    def settled(self, lane: LaneKey, approval_id: str) -> None:
        """That approval may wait no more: what was shown of it in ``lane`` is to say so."""
        self._settled.setdefault(lane, set()).add(approval_id)
        self._nudge(lane)

    def take_settled(self, lane: LaneKey) -> frozenset[str]:
        """The approvals that were ``settled`` since."""
        return frozenset(self._settled.pop(lane, ()))

    def typing(self, lane: LaneKey) -> frozenset[str | None]:
        """The threads of a chat in which somebody is seen to type; None is the chat itself."""
        now = trio.current_time()
        return frozenset(
            work.thread_id for work in self._work.get(lane, {}).values() if work.shown_from <= now
        )

    def typing_from(self, lane: LaneKey) -> float:
        """From when on somebody is, in Trio's time; infinite if nothing is worked on."""
        return min((work.shown_from for work in self._work.get(lane, {}).values()), default=math.inf)
