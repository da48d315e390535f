"""How rows reach the actors that own them: wake-ups for inbound and for sessions, and the session's control lane."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import trio

from hermes.store.queries import Work
from hermes.types.ids import SessionKey
from hermes.types.origin import LaneKey
from hermes.types.records import BusyMode
from supervisors.commands import ChildNotUpError
from supervisors.dynamic import SupervisorRef
from supervisors.mailbox import Outcome
from supervisors.ref import ActorRef
from supervisors.reply import ActorDownError
from supervisors.spec import ChildSpec, path_segment
from supervisors.step import State, TooManyChildrenError
from supervisors.system import System

START_DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class News:
    """A row has come to a session, of this ``seq`` and busy mode. ``work`` is all that it had to do then, if it was idle."""

    seq: int
    mode: BusyMode
    work: Work | None

    def joined(self, other: "News | None") -> "News | None":
        """What both say together: the later one has seen what the earlier one has; None: that is to be looked up."""
        if other is None or other.mode != self.mode:
            return None
        return max(self, other, key=lambda news: news.seq)


class Conversations:
    """Knows where inbound and the sessions live, and how a session is started."""

    def __init__(
        self,
        system: System,
        *,
        inbound: str,
        sessions: str,
        spec_of: Callable[[SessionKey], ChildSpec],
        inbound_wake: object,
        session_wake: object,
        session_interrupt: Callable[[int | None], object],
        turn: str,
    ) -> None:
        """``session_interrupt`` makes the message of the ``seq`` of the oldest open row, where that is known."""
        self._system = system
        self._registry = system.registry
        self._inbound: ActorRef[Any] = system.registry.ref(inbound)
        self._sessions = sessions
        self._turn = turn
        self._spec_of = spec_of
        self._inbound_wake = inbound_wake
        self._session_wake = session_wake
        self._session_interrupt = session_interrupt
        self._supervisor = SupervisorRef(system.registry.ref(sessions))
        self._chats: set[LaneKey] = set()
        self._news: dict[SessionKey, News | None] = {}
        self._told: dict[SessionKey, int] = {}
        """The ``seq`` that each session was woken for last; of those without open rows it is forgotten by and by."""

    def path(self, key: SessionKey) -> str:
        """Where the session of ``key`` lives in the tree."""
        return f"{self._sessions}/{path_segment(key)}"

    def wake_inbound(self, lane: LaneKey) -> None:
        """A chat has rows to decide. One wake-up serves all chats until inbound takes them; one that is lost is made up for by
        its sweep, and by its start.
        """
        if not self._chats:
            self._inbound.tell_nowait(self._inbound_wake)
        self._chats.add(lane)

    def take_chats(self) -> set[LaneKey]:
        """The chats that inbound was woken for."""
        chats, self._chats = self._chats, set()
        return chats

    def wake(self, key: SessionKey, news: News | None = None) -> bool:
        """A session has rows to work on; start it if it sleeps. One wake-up is enough until it has taken that; ``news`` spares it
        the look, unless somebody else has woken it without. False if its mailbox is full, and it has heard nothing.
        """
        ref = self._registry.ref(self.path(key))
        if not ref.takes_mail:
            self._supervisor.start_child_soon(self._spec_of(key))
        elif key in self._news:
            known = self._news[key]
            self._news[key] = None if known is None else known.joined(news)
        elif ref.tell_nowait(self._session_wake) is Outcome.ACCEPTED:
            self._news[key] = news
        else:
            return False
        if news is not None:
            self._told[key] = news.seq
        return True

    def remind(self, newest: Mapping[SessionKey, int]) -> None:
        """Wake the sessions that have open rows, the last of this ``seq`` each: those without a turn, and those that were never
        told of it, because whoever had to wake them has died. All others know what they have to do.
        """
        self._told = {key: seq for key, seq in self._told.items() if key in newest}
        for key, seq in newest.items():
            if (seq > self._told.get(key, 0) or not self.busy(key)) and self.wake(key):
                self._told[key] = seq

    def take_news(self, key: SessionKey) -> News | None:
        """What the session's wake-up came with, None: it has to look. From now on another one may come."""
        return self._news.pop(key, None)

    async def admit(self, key: SessionKey) -> bool:
        """Have the session of ``key`` awake, or on its way to that; False if no more may be."""
        if not self._registry.ref(self.path(key)).takes_mail:
            # One that does not come up now has been taken in all the same: its rows wait for it.
            with suppress(ChildNotUpError, ActorDownError, trio.TooSlowError):
                try:
                    await self._supervisor.start_child(self._spec_of(key), START_DEADLINE_S)
                except TooManyChildrenError:
                    return False
        return True

    def busy(self, key: SessionKey) -> bool:
        """True while a turn of the session runs."""
        return self._registry.whereis(f"{self.path(key)}/{self._turn}") is not None

    def rests(self, key: SessionKey) -> bool:
        """True while the session is disabled after repeated trouble: nobody will work on its rows."""
        return self._system.state(self.path(key)) is State.DISABLED

    def revive(self, key: SessionKey) -> None:
        """Give a disabled session another chance, with a fresh budget."""
        self._supervisor.enable_child_soon(key)

    def interrupt(self, key: SessionKey, oldest: int | None = None) -> None:
        """The session's turn may have been stopped in the store; have it look, and end the task too if so. One that sleeps
        has none. ``oldest``: the ``seq`` of its oldest open row; a turn that answers this one was not stopped.
        """
        if self.takes_mail(key):
            self._registry.ref(self.path(key)).urge(self._session_interrupt(oldest))

    def takes_mail(self, key: SessionKey) -> bool:
        """True while the session is awake, or will be again by itself."""
        return self._registry.ref(self.path(key)).takes_mail

    def awake(self) -> list[SessionKey]:
        """The keys of all sessions that are awake."""
        cells = (self._registry.cell(ref.path) for ref in self.live())
        return [SessionKey(cell.spec.id) for cell in cells if cell is not None and cell.mailbox.open]

    def live(self) -> list[ActorRef[Any]]:
        """Every session that is awake."""
        return self._registry.below(self._sessions)
