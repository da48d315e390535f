"""A turn that calls tools: ``AgentIO.call``.

    has a result ─▶ that one        begun, and no result ─▶ outcome unknown
    else ─▶ hooks ─▶ a person, if need be ─▶ begun (commit) ─▶ run: deadline, cap ─▶ result (commit)

A tool is foreign code: whatever it does becomes a text for the model, and ends nobody's turn. It acts on behalf of those whose
messages are answered, and of several with the rights of the one who may least: what one of them has written may be what makes the
model call it.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import trio

from actors.ports.services import Services
from hermes.hooks import events as hooks
from hermes.hooks import payloads
from hermes.routing.access import check_access, names_admins
from hermes.sessions.keys import is_shared
from hermes.types import tools
from hermes.types.access import ROLES, Role
from hermes.types.agent import ApprovalRequest, Approved, Decision, Step, ToolCall, Turn
from hermes.types.errors import GatewayError, in_words
from hermes.types.events import InboundEvent
from hermes.types.hooks import Block, ToolUse
from hermes.types.origin import ITSELF, Origin
from hermes.types.records import InboxRow, Used
from hermes.types.tools import OUTCOME_UNKNOWN, Tool, ToolContext, ToolError

log = logging.getLogger(__name__)

LIFE_S = 10.0
"""How often a tool that runs counts as a sign of life: its own deadline ends it, not its silence."""

RECORDED_CHARACTERS = 4_000
"""Of a result, for later turns. This one is shown all of it."""


class Caller(Protocol):
    """The turn, as its calls see it. Handed to each of them: kept, the two would hold one another until the garbage collector
    comes, and all that was said with them.
    """

    async def step(self, step: Step) -> None:
        """See ``AgentIO``."""

    async def emit(self, event: ToolCall) -> None:
        """See ``AgentIO``."""

    async def ask(self, request: ApprovalRequest, decider: InboundEvent | None) -> Decision:
        """As ``AgentIO.approve``; ``decider`` may decide besides admins, None: they alone."""
        ...


class Calling:
    """The calls of one turn; ``rows`` are what it answers by now. ``command``: they call a plug-in's command, and no tool."""

    def __init__(
        self,
        services: Services,
        turn: Turn,
        session_id: str,
        rows: Sequence[InboxRow],
        *,
        command: bool,
    ) -> None:
        self._services = services
        self._turn = turn
        self._session_id = session_id
        self._rows = rows
        self._command = command
        self._begun = {one.call_id for one in turn.steps if one.kind == "begun"}
        self._results = {one.call_id: one.text for one in turn.steps if one.kind == "result" and one.call_id}
        self._used: dict[str, Used] = {}

    @property
    def used(self) -> tuple[Used, ...]:
        """What was called so far, for the transcript; of what has no result, the outcome is unknown."""
        return () if self._command else tuple(self._used.values())

    async def call(self, caller: Caller, call_id: str, name: str, arguments: str) -> str:
        """See ``AgentIO``."""
        result = self._results.get(call_id)
        self._record(call_id, name, arguments, OUTCOME_UNKNOWN if result is None else result)
        if result is None:
            result = (
                OUTCOME_UNKNOWN
                if call_id in self._begun
                else await self._do(caller, call_id, name, arguments)
            )
            await caller.step(Step("result", name, result, call_id))
            self._results[call_id] = result
            self._record(call_id, name, arguments, result)
        return result

    def _record(self, call_id: str, name: str, arguments: str, result: str) -> None:
        self._used[call_id] = Used(name, arguments[:RECORDED_CHARACTERS], result[:RECORDED_CHARACTERS])

    async def _do(self, caller: Caller, call_id: str, name: str, arguments: str) -> str:
        box = self._services.tools
        tool = box.command(name) if self._command else box.find(name)
        if tool is None:
            known = ", ".join(one.name for one in box.offered()) or "none"
            return tools.error(f"there is no tool {name!r:.80}; there are: {known}")
        try:
            event, role = await self._behalf()
            call = tools.read(call_id, name, arguments)
        except GatewayError as wrong:
            return _failed(wrong)
        except ToolError as wrong:
            return tools.error(wrong)
        if role is None:
            return tools.error("nobody may use tools on behalf of whoever asked for this any more")
        context = ToolContext(event, role, self._turn.session_key, self._turn.turn_id)
        use = ToolUse(
            name,
            call.arguments,
            context.platform,
            context.user_id,
            self._session_id,
            context.turn_id,
            call_id,
        )
        if not self._command and isinstance(verdict := await self._services.hooks.before_tool(use), Block):
            self._told(use, verdict.message, "blocked", 0.0)
            return tools.error(verdict.message)
        if tool.needs_approval and (refused := await self._asked(caller, tool, call.arguments, context)):
            self._told(use, refused, "blocked", 0.0)
            return tools.error(refused)
        self._begun.add(call_id)  # before the wait: cut off there, it may be committed
        await caller.step(Step("begun", name, arguments, call_id))
        await caller.emit(ToolCall(name, "" if self._command else name))
        since = trio.current_time()
        result, wrong_ = await self._run(caller, tool, call, context)
        self._told(use, result, "error" if wrong_ else "ok", trio.current_time() - since, wrong_)
        return result

    async def _asked(
        self, caller: Caller, tool: Tool, arguments: Mapping[str, Any], context: ToolContext
    ) -> str:
        """Why it may not be called; empty if a person lets it."""
        if context.platform == ITSELF:
            return "it needs somebody's approval, and nobody is there to ask"
        decider = next((row.event for row in reversed(self._rows) if self._is_known(row.event)), None)
        if decider is None and not self._admins_hear(context.event.origin):
            return "it needs the approval of an admin, and none can be asked in this conversation"
        detail = json.dumps(arguments, ensure_ascii=False, indent=2)
        decision = await caller.ask(ApprovalRequest(f"use the tool {tool.name}", detail), decider)
        if isinstance(decision, Approved):
            return ""
        return f"it was not approved: {decision.reason}" if decision.reason else "it was not approved"

    async def _run(
        self, caller: Caller, tool: Tool, call: tools.Call, context: ToolContext
    ) -> tuple[str, str]:
        """What the model reads, and what kind of error it is, if one. Raises nothing but Cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_live, caller, tool.name)
            result, kind = _late(tool), "TooSlowError"
            with trio.move_on_after(tool.deadline_s):
                result, kind = await self._said(tool, call, context)
            nursery.cancel_scope.cancel()
        return result, kind

    async def _said(self, tool: Tool, call: tools.Call, context: ToolContext) -> tuple[str, str]:
        try:
            return tools.capped(await tool.run(call, context)), ""
        except ToolError as wrong:
            return tools.error(wrong), "ToolError"
        except GatewayError as wrong:
            return _failed(wrong), wrong.failure.code
        except (Exception, SystemExit, GeneratorExit) as wrong:
            log.exception("tool %s of %s failed", tool.name, tool.source)
            words = self._services.overview.redact(in_words(wrong)[:RECORDED_CHARACTERS])
            return tools.error(f"it failed: {words}"), type(wrong).__name__

    def _told(
        self, use: ToolUse, result: str, status: payloads.ToolStatus, took_s: float, kind: str = ""
    ) -> None:
        if self._command:
            return
        told = payloads.tool_done(
            use,
            result,
            status,
            took_s,
            error_type=kind or None,
            error_message=result[: payloads.SHOWN_CHARACTERS] if kind else None,
        )
        self._services.hooks.happened(hooks.POST_TOOL_CALL, told)

    async def _behalf(self) -> tuple[InboundEvent, Role | None]:
        """Whose message it is that the least is allowed to, and their role; the newest of several. None: nothing is."""
        services, last = self._services, self._rows[-1].event
        if last.origin.platform == ITSELF:
            author = await services.jobs.author(last.origin)
            return last, "owner" if author is None else author.role
        await services.people.fresh()
        await services.pairing.known()
        found = [(row.event, self._role(row.event)) for row in reversed(self._rows)]
        return min(found, key=lambda one: -1 if one[1] is None else ROLES.index(one[1]))

    def _is_known(self, event: InboundEvent) -> bool:
        """A guest, whom nobody knows, gives no leave: neither for themselves nor for another one."""
        return self._role(event) not in (None, "guest")

    def _admins_hear(self, origin: Origin) -> bool:
        """May an admin answer in this conversation? Where each user of a group has their own, the others are in another one."""
        services = self._services
        rules = services.access.rules(origin.platform, origin.account)
        return is_shared(origin, services.key_rules) and names_admins(rules, origin.chat_type)

    def _role(self, event: InboundEvent) -> Role | None:
        services, origin = self._services, event.origin
        rules = services.access.rules(origin.platform, origin.account)
        return check_access(event, rules, services.adapters.capabilities(origin.platform)).role


async def _live(caller: Caller, name: str) -> None:
    while True:
        await trio.sleep(LIFE_S)
        await caller.emit(ToolCall(name, ""))


def _failed(wrong: GatewayError) -> str:
    return tools.error(wrong.failure.detail or wrong.failure.code)


def _late(tool: Tool) -> str:
    return tools.error(f"it was not done within {tool.deadline_s:g} s; part of it may have been")
