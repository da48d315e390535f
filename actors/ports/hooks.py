"""Hooks, for whoever has something to tell or to ask them. Implements ``hermes.types.hooks.Hooks``.

    judge ─ before_dispatch · before_command ─▶ HookPort ─ ask ──▶ actors.hooks ─▶ handlers
    turns, lanes, inbound … ─ happened ──────────┘        └ tell: never waits; what finds no room is dropped and counted

While the actor is away nobody has a say, and what happens is told to nobody.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import trio

from hermes.hooks import events
from hermes.hooks.payloads import Payload
from hermes.plugins.hooks import Found, Hook
from hermes.types.events import InboundEvent
from hermes.types.hooks import Allow, CommandVerdict, Verdict
from hermes.types.ids import Clock
from supervisors.events import SupervisionEvent
from supervisors.mailbox import Outcome
from supervisors.reasons import describe, is_clean
from supervisors.ref import ActorRef
from supervisors.reply import AskError, Reply

log = logging.getLogger(__name__)

ASK_DEADLINE_S = 1.0
"""How long all handlers together may take that are asked about one message, or one command: a /stop must not wait for longer."""

TRY_DEADLINE_S = 30.0
"""The same, for a person who tries them."""

MOST_WORDS = 300

T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """What has become of the calls of one hook in this boot; ``timeouts`` were given up at their deadline."""

    calls: int = 0
    errors: int = 0
    timeouts: int = 0
    dropped: int = 0
    last_error: str = ""
    last_at: float | None = None


class HookPort:
    """Belongs to root: what is loaded, and how it has fared, outlives every incarnation of the actor at ``ref``."""

    def __init__(
        self,
        ref: ActorRef[Any],
        *,
        dispatch: Callable[[InboundEvent, Reply[Verdict]], object],
        command: Callable[[InboundEvent, str, str, Reply[CommandVerdict]], object],
        happened: Callable[[str, Payload], object],
        attempt: Callable[[str, Payload, Reply[Any]], object],
        clock: Clock,
    ) -> None:
        """The four make the actor's messages."""
        self._ref = ref
        self._dispatch = dispatch
        self._command = command
        self._happened = happened
        self._attempt = attempt
        self._clock = clock
        self._known = trio.Event()
        self.found = Found()
        self.tallies: dict[str, Tally] = {}
        self.startup_told = False

    @property
    def known(self) -> bool:
        """Have the hooks been looked at in this boot?"""
        return self._known.is_set()

    def adopt(self, found: Found) -> bool:
        """These are the hooks from now on; False if they are what they were."""
        changed, self.found = found != self.found, found
        self._known.set()
        return changed

    def hearing(self, event: str) -> list[Hook]:
        """Who hears ``event``, in order."""
        return events.hearing(self.found.hooks, event)

    def tally(self, name: str) -> Tally:
        """The counts of a hook."""
        return self.tallies.setdefault(name, Tally())

    # --- Hooks -----------------------------------------------------------------------------------------------------------

    async def before_dispatch(self, event: InboundEvent) -> Verdict:
        """See ``Hooks``. Waits for the first look at the hooks."""
        if not await self._anybody(events.BEFORE_DISPATCH):
            return Allow()
        return await self._ask(lambda reply: self._dispatch(event, reply))

    async def before_command(self, event: InboundEvent, name: str, args: str) -> CommandVerdict:
        """See ``Hooks``."""
        if not await self._anybody(f"{events.COMMAND}:{name}"):
            return Allow()
        return await self._ask(lambda reply: self._command(event, name, args, reply))

    def happened(self, event: str, payload: Mapping[str, Any]) -> None:
        """See ``Hooks``."""
        hearing = self.hearing(event)
        if hearing and self._ref.tell_nowait(self._happened(event, payload)) is not Outcome.ACCEPTED:
            self.dropped(event, hearing)

    # --- the actor, the tree, and people -----------------------------------------------------------------------------------

    def dropped(self, event: str, hooks: list[Hook]) -> None:
        """There was no room to tell ``hooks`` of it."""
        for hook in hooks:
            tally = self.tally(hook.name)
            tally.dropped += 1
            if (
                tally.dropped & (tally.dropped - 1) == 0
            ):  # 1, 2, 4, 8 …: a flood is said, and is no flood of the log
                log.warning(
                    "hook %s was not told of %s: it has no room (%d so far)", hook.name, event, tally.dropped
                )

    def failed(self, hook: Hook, event: str, why: str, *, timeout: bool = False) -> None:
        """A call has come to nothing."""
        tally = self.tally(hook.name)
        tally.errors += not timeout
        tally.timeouts += timeout
        tally.last_error, tally.last_at = f"{event}: {why}"[:MOST_WORDS], self._clock.wall()
        log.warning("hook %s, %s: %s", hook.name, event, why)

    def crashed(self, event: SupervisionEvent) -> None:
        """Listens to the tree for ``actor:crashed``. Of its own actor it says nothing: that would tell a hook of its own end."""
        own = event.path == self._ref.path or event.path.startswith(f"{self._ref.path}/")
        if event.kind != "exited" or own or event.cause is None or is_clean(event.cause):
            return
        self.happened(
            events.ACTOR_CRASHED,
            {
                "path": event.path,
                "incarnation": event.incarnation,
                "reason": describe(event.cause),
                "decision": str(event.detail.get("decision", "")),
            },
        )

    async def attempt(self, event: str, payload: Payload) -> list[dict[str, Any]]:
        """Call everybody who hears ``event`` once, for a person who wants to see it. Raises ``AskError``, ``TooSlowError``."""
        found: list[dict[str, Any]] = await self._ref.ask(
            lambda reply: self._attempt(event, payload, reply), TRY_DEADLINE_S
        )
        return found

    async def _anybody(self, event: str) -> bool:
        if not self.known and self._ref.takes_mail:
            with trio.move_on_after(ASK_DEADLINE_S):
                await self._known.wait()
        return bool(self.hearing(event)) and self._ref.takes_mail

    async def _ask(self, build: Callable[[Reply[T]], object]) -> T | Allow:
        try:
            return await self._ref.ask(build, ASK_DEADLINE_S)
        except AskError as wrong:
            why = str(wrong)
        except trio.TooSlowError:
            why = f"no answer within {ASK_DEADLINE_S:g} s"
        log.warning("the hooks had no say: %s", why)
        return Allow()
