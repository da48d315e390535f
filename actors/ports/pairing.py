"""Pairings, for whoever asks: who was let in, and the way to whoever owns the files.

judge ─ granted · known ─▶ Pairing ─ ask ─▶ actors.pairing ─▶ the files
inbound, desk ─ carry_out ┘   └ what was read last stays while the actor is away: strangers are denied, nobody is put out
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import trio

from hermes.ops.pairing_files import Seen
from hermes.pairing.book import ANSWER_EVERY_S
from hermes.pairing.orders import Order
from hermes.pairing.records import book_name
from hermes.types.errors import Failure, GatewayError
from supervisors.ref import ActorRef
from supervisors.reply import ActorDownError, AskError, Reply, RestartingError

log = logging.getLogger(__name__)

ASK_DEADLINE_S = 15.0
"""For a place in the line, and the files."""

KNOWN_DEADLINE_S = 10.0
MOST_TOLD = 1_000

PAIRING_AWAY = "pairing_away"

R = TypeVar("R")


class Pairing:
    """Outlives every incarnation of the actor at ``ref``, which ``carry`` and ``look`` make the questions for."""

    def __init__(
        self,
        ref: ActorRef[Any],
        carry: Callable[[str, Order[Any], Reply[Any]], object],
        look: Callable[[Reply[Seen]], object],
    ) -> None:
        self._ref = ref
        self._carry = carry
        self._look = look
        self._grants: dict[str, frozenset[str]] = {}
        self._faults: frozenset[str] = frozenset()
        self._told: dict[tuple[str, str], float] = {}
        self._known = trio.Event()
        self._next_life = trio.Event()

    def granted(self, platform: str, account: str) -> Callable[[str], bool]:
        """Was this canonical id let in there? By what was read last, at every call."""
        name = book_name(platform, account)
        return lambda user_id: user_id in self._grants.get(name, ())

    async def known(self) -> None:
        """Return once the files have been read in this boot, so that nobody is denied for writing early.

        It is waited for once and not for ever: after that whoever is not known is a stranger.
        """
        if self._known.is_set():
            return
        with trio.move_on_after(KNOWN_DEADLINE_S):
            await self._known.wait()
        if not self._known.is_set():
            log.error(
                "the pairing files have not been read for %g s; until then nobody is paired", KNOWN_DEADLINE_S
            )
            self._known.set()

    def begins(self) -> None:
        """A life of the actor begins, and takes orders."""
        self._next_life.set()
        self._next_life = trio.Event()

    def adopt(self, seen: Seen) -> None:
        """What the actor has read counts from now on. Where it could not read, what it read before does."""
        unread = {name: users for name, users in self._grants.items() if seen.fault(name, ("approved",))}
        self._grants = {**seen.grants, **unread}
        for words in sorted(set(seen.faults.values()) - self._faults):
            log.error("no pairing: %s; who was paired before stays so", words)
        self._faults = frozenset(seen.faults.values())
        self._known.set()

    async def carry_out(self, name: str, order: Order[R]) -> R:
        """Have ``order`` done for the account called ``name``; what it changes holds when this returns.

        Raises ``GatewayError``: as ``PairingFiles.carry_out``, or ``pairing_away`` if nobody has done it in time.
        """
        return await self._ask(lambda reply: self._carry(name, order, reply), again=order.repeatable)

    def may_tell(self, name: str, user_id: str, now: float) -> bool:
        """May this user be told that nothing works? True once in ten minutes; in memory, for the files do not take it."""
        self._told = {one: at for one, at in self._told.items() if abs(now - at) < ANSWER_EVERY_S}
        if (name, user_id) in self._told or len(self._told) >= MOST_TOLD:
            return False
        self._told[name, user_id] = now
        return True

    async def look(self) -> Seen:
        """Everything that stands in the files now. Raises ``GatewayError`` (``pairing_away``)."""
        return await self._ask(self._look, again=True)

    async def _ask(self, build: Callable[[Reply[R]], object], *, again: bool) -> R:
        """Ask, and once more of the next life if the one that was asked never saw it, or may as well see it twice."""
        deadline, next_life = trio.current_time() + ASK_DEADLINE_S, self._next_life
        try:
            try:
                return await self._ref.ask(build, ASK_DEADLINE_S)
            except ActorDownError as wrong:
                if not (self._ref.takes_mail and (again or isinstance(wrong, RestartingError))):
                    raise
            with trio.fail_at(deadline):
                await next_life.wait()
            return await self._ref.ask(build, deadline - trio.current_time())
        except AskError as wrong:
            why = str(wrong)
        except trio.TooSlowError:
            why = f"no answer within {ASK_DEADLINE_S:g} s"
        raise GatewayError(Failure(PAIRING_AWAY, scope="gateway", detail=f"pairing does not answer: {why}"))
