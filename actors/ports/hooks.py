"""Hooks, for whoever has something to tell or to ask them. Implements ``hermes.types.hooks.Hooks``.

    judge ─ before_dispatch · before_command ─▶ HookPort ─ ask ──▶ actors.hooks ─▶ handlers
    tools ─ before_tool ─────────────────────────┤        └ tell: never waits; what finds no room is dropped and counted
    turns, lanes, inbound … ─ happened ──────────┘

While the actor is away nobody has a say, but what is to fail closed is closed, and what happens is told to nobody.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import trio

from hermes.hooks import events, payloads
from hermes.hooks.answers import UNDECIDED
from hermes.hooks.payloads import Payload
from hermes.plugins.hooks import Found, Hook
from hermes.types.events import InboundEvent
from hermes.types.hooks import Allow, Block, CommandVerdict, ToolUse, ToolVerdict, Verdict
from hermes.types.ids import Clock
from supervisors.events import SupervisionEvent
from supervisors.mailbox import Outcome
from supervisors.reasons import describe, is_clean
from supervisors.ref import ActorRef
from supervisors.reply import AskError, Reply

log = logging.getLogger(__name__)

ASK_DEADLINE_S = 1.0
"""How long all handlers together may take that are asked about one message, or one command: a /stop must not wait for longer."""

TOOL_DEADLINE_S = 60.0
"""The same, about one call of a tool: whoever waits for that waits for a model, too."""

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
        tool: Callable[[Payload, Reply[ToolVerdict]], object],
        happened: Callable[[str, Payload], object],
        attempt: Callable[[str, Payload, Reply[Any]], object],
        clock: Clock,
    ) -> None:
        """The five make the actor's messages."""
        self._ref = ref
        self._dispatch = dispatch
        self._command = command
        self._tool = tool
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

    def hearing(self, event: str, payload: Payload) -> list[Hook]:
        """Who is told of ``event``, in order."""
        return [hook for hook in events.hearing(self.found.hooks, event) if hook.minds(payload)]

    def tally(self, name: str) -> Tally:
        """The counts of a hook."""
        return self.tallies.setdefault(name, Tally())

    # --- Hooks -----------------------------------------------------------------------------------------------------------

    @property
    def minds_messages(self) -> bool:
        """See ``Hooks``. True before the first look at the hooks."""
        return not self.known or bool(self.hearing(events.BEFORE_DISPATCH, {}))

    async def before_dispatch(self, event: InboundEvent) -> Verdict:
        """See ``Hooks``. Waits for the first look at the hooks."""
        if not await self._anybody(events.BEFORE_DISPATCH, {}, ASK_DEADLINE_S):
            return Allow()
        return await self._ask(lambda reply: self._dispatch(event, reply), ASK_DEADLINE_S, Allow())

    async def before_command(self, event: InboundEvent, name: str, args: str) -> CommandVerdict:
        """See ``Hooks``."""
        if not await self._anybody(f"{events.COMMAND}:{name}", {}, ASK_DEADLINE_S):
            return Allow()
        return await self._ask(lambda reply: self._command(event, name, args, reply), ASK_DEADLINE_S, Allow())

    async def before_tool(self, use: ToolUse) -> ToolVerdict:
        """See ``Hooks``."""
        payload = payloads.tool(use)
        able = await self._anybody(events.PRE_TOOL_CALL, payload, TOOL_DEADLINE_S)
        closed = any(hook.fail_closed for hook in self.hearing(events.PRE_TOOL_CALL, payload))
        otherwise: ToolVerdict = Block(UNDECIDED) if closed else Allow()
        if not able:
            return otherwise
        return await self._ask(lambda reply: self._tool(payload, reply), TOOL_DEADLINE_S, otherwise)

    def happened(self, event: str, payload: Mapping[str, Any]) -> None:
        """See ``Hooks``."""
        hearing = self.hearing(event, payload)
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

    async def _anybody(self, event: str, payload: Payload, deadline_s: float) -> bool:
        if not self.known and self._ref.takes_mail:
            with trio.move_on_after(deadline_s):
                await self._known.wait()
        return bool(self.hearing(event, payload)) and self._ref.takes_mail

    async def _ask(self, build: Callable[[Reply[T]], object], deadline_s: float, otherwise: T) -> T:
        try:
            return await self._ref.ask(build, deadline_s)
        except AskError as wrong:
            why = str(wrong)
        except trio.TooSlowError:
            why = f"no answer within {deadline_s:g} s"
        log.warning("the hooks had no say: %s", why)
        return otherwise
