"""Hooks: local code of the operator's that is told what happens, and asked before a message or a command is decided on.

    Happened ─▶ a line of its own for each hook: one call at a time, in order ─▶ handler
    Dispatch, Command, Tool ─▶ a child for each question: the first answer decides ──▶ handler
    watch: looks at the files, and again every few seconds

A handler is foreign code: each call has a deadline, what it raises is logged under its hook's name and counted, and one that
hangs holds up what its own hook is told next and nobody else. While this actor is away, or disabled, nobody has a say.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, assert_never

import trio

from actors.ports.hooks import HookPort
from actors.ports.services import Services
from hermes.hooks import answers, events, payloads
from hermes.hooks.payloads import Payload
from hermes.plugins.hooks import Found, Hook
from hermes.routing.commands import parse_command
from hermes.types.errors import in_words
from hermes.types.events import InboundEvent
from hermes.types.hooks import Allow, Block, CommandVerdict, ToolVerdict, Verdict
from hermes.types.whole import whole
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.mailbox import Outcome
from supervisors.reasons import describe, exception_of, is_clean
from supervisors.ref import ActorRef
from supervisors.reply import Reply
from supervisors.spec import ChildSpec, MailboxSpec

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
LOOK_DEADLINE_S = 30.0
CONNECT_S = 10.0
"""How long ``gateway:startup`` waits for the platforms; those that are up by then are told."""

ROOM = 64
"""What may wait for one hook; what comes then is dropped and counted."""

MOST_QUESTIONS = 256
"""At once; who asks then is told that nobody has a say."""

WATCH = "watch"

T = TypeVar("T")

Look = Callable[[], Awaitable[Found]]
"""Looks at the hooks in a thread; cancelled, it runs on and nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Tell whoever hears ``event``."""

    event: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What becomes of a message, before anything is decided on it?"""

    event: InboundEvent
    reply: Reply[Verdict]


@dataclass(frozen=True, slots=True)
class Command:
    """What becomes of a command, by its canonical name, that its sender may give?"""

    event: InboundEvent
    name: str
    args: str
    reply: Reply[CommandVerdict]


@dataclass(frozen=True, slots=True)
class Tool:
    """Is this call of a tool made? ``payload`` is what is told of it."""

    payload: Payload
    reply: Reply[ToolVerdict]


@dataclass(frozen=True, slots=True)
class Try:
    """Call whoever hears ``event`` and say how that went."""

    event: str
    payload: Payload
    reply: Reply[list[dict[str, Any]]]


Message = Happened | Dispatch | Command | Tool | Try | Stop | Down


@dataclass(frozen=True, slots=True)
class _Told:
    """One event for one hook, as it was loaded when it happened."""

    hook: Hook
    event: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class _Question(Generic[T]):
    """One question to all who hear ``event``: ``heed`` makes a verdict of an answer, or None, or raises ``ValueError``. Nobody
    decides: ``otherwise``; one could not that is to fail closed: ``closed``.
    """

    event: str
    payload: Payload
    heed: Callable[[object], T | None]
    otherwise: T
    closed: T
    reply: Reply[T]


@dataclass(frozen=True, slots=True)
class _Failed:
    """In place of an answer; it is counted and logged already."""


async def run(ctx: Context[Message], services: Services, port: HookPort, look: Look) -> None:
    """Ready at once; the hooks, which are the operator's, are read after that."""
    ctx.ready()
    await _Desk(ctx, services, port, look).run()


class _Desk:
    def __init__(self, ctx: Context[Message], services: Services, port: HookPort, look: Look) -> None:
        self._ctx = ctx
        self._services = services
        self._port = port
        self._lines: dict[str, tuple[str, ActorRef[_Told]]] = {}
        self._questions: set[str] = set()
        self._asked = 0
        self._watch = ctx.spawn_child(ChildSpec(WATCH, _watch, (services, port, look), restart="temporary"))

    async def run(self) -> None:
        while True:
            match await self._ctx.receive():
                case Happened(event, payload):
                    self._tell(event, payload)
                case Dispatch(event, reply):
                    told, verdict = self._seen(event), answers.dispatch_verdict
                    self._ask(_Question(events.BEFORE_DISPATCH, told, verdict, Allow(), Allow(), reply))
                case Command(event, name, args, reply):
                    typed = parse_command(event.text)
                    told = payloads.command(event.origin, name, typed.name if typed else name, args)
                    asked = f"{events.COMMAND}:{name}"
                    self._ask(_Question(asked, told, answers.command_verdict, Allow(), Allow(), reply))
                case Tool(payload, reply):
                    heed, closed = answers.tool_verdict, Block(answers.UNDECIDED)
                    self._ask(_Question(events.PRE_TOOL_CALL, payload, heed, Allow(), closed, reply))
                case Try(event, payload, reply):
                    self._child(_try, self._port, event, payload, reply)
                case Down() as down:
                    self._ended(down)
                case Stop():
                    return
                case message:
                    assert_never(message)

    def _tell(self, event: str, payload: Payload) -> None:
        for hook in self._port.hearing(event, payload):
            if self._line(hook.name).tell_nowait(_Told(hook, event, payload)) is not Outcome.ACCEPTED:
                self._port.dropped(event, [hook])

    def _line(self, name: str) -> ActorRef[_Told]:
        if name not in self._lines:
            mailbox = MailboxSpec(ROOM, overflow="drop_newest")
            spec = ChildSpec(f"hook {name}", _line, (self._port,), restart="temporary", mailbox=mailbox)
            ref = self._ctx.spawn_child(spec)
            self._lines[name] = (ref.path, ref)
        return self._lines[name][1]

    def _ask(self, question: "_Question[T]") -> None:
        if len(self._questions) >= MOST_QUESTIONS:
            hearing = self._port.hearing(question.event, question.payload)
            self._port.dropped(question.event, hearing)
            closed = any(hook.fail_closed for hook in hearing)
            question.reply.send(question.closed if closed else question.otherwise)
            return
        self._child(_answer, self._port, question)

    def _child(self, start: Callable[..., Awaitable[None]], *args: object) -> None:
        self._asked += 1
        spec = ChildSpec(f"question {self._asked}", start, args, restart="temporary")
        self._questions.add(self._ctx.spawn_child(spec).path)

    def _seen(self, event: InboundEvent) -> Payload:
        """Façades: values, made for this one question."""
        services, key = self._services, self._services.people.session_key(event.origin)
        gateway = payloads.GatewayView(_connected(services))
        return payloads.before_dispatch(
            event, gateway, payloads.SessionView(str(key), services.conversations.busy(key))
        )

    def _ended(self, down: Down) -> None:
        if down.path == self._watch.path:
            raise exception_of(down.reason) or RuntimeError(f"the watch has ended: {describe(down.reason)}")
        self._questions.discard(down.path)
        self._lines = {name: line for name, line in self._lines.items() if line[0] != down.path}
        if not is_clean(down.reason):
            log.error("%s: %s", down.path, describe(down.reason), exc_info=exception_of(down.reason))


async def _watch(ctx: Context[None], services: Services, port: HookPort, look: Look) -> None:
    """Look, for as long as this life lasts."""
    ctx.ready()
    while True:
        found: Found | None = None
        with trio.move_on_after(LOOK_DEADLINE_S):
            found = await look()
        if found is None:
            log.warning(
                "the hooks were not read: no answer within %g s; those that were there stay", LOOK_DEADLINE_S
            )
        elif port.adopt(found) and (found.hooks or found.idle):
            names = ", ".join(hook.name for hook in found.hooks)
            log.info("%d hooks: %s", len(found.hooks), names or "none")
        if not port.startup_told:
            port.startup_told = True
            port.happened(events.GATEWAY_STARTUP, payloads.startup(await _platforms(services)))
        await trio.sleep(LOOK_EVERY_S)


async def _platforms(services: Services) -> tuple[str, ...]:
    """Those that are connected, once all are or could have been."""
    adapters = services.adapters
    with trio.move_on_after(CONNECT_S):
        for key in sorted(adapters.accounts - adapters.paused - adapters.unavailable):
            await adapters.connected(*key)
    return _connected(services)


def _connected(services: Services) -> tuple[str, ...]:
    adapters = services.adapters
    up = {key[0] for key in adapters.accounts if (port := adapters.find(*key)) is not None and port.up}
    return tuple(sorted(up))


async def _line(ctx: Context[_Told], port: HookPort) -> None:
    """What one hook is told, in order."""
    ctx.ready()
    while True:
        match await ctx.receive():
            case _Told(hook, event, payload):
                await _call(port, hook, event, payload)
            case Stop():
                return
            case Down():
                pass  # it watches nobody
            case message:
                assert_never(message)


async def _answer(ctx: Context[None], port: HookPort, question: _Question[T]) -> None:
    """The first that decides. Past the deadline nobody else is asked."""
    ctx.ready()
    event, reply = question.event, question.reply
    for hook in port.hearing(event, question.payload):
        if trio.current_time() >= reply.deadline:
            return  # whoever asked has left
        answered = await _call(port, hook, event, question.payload, reply.deadline)
        verdict: T | None = None
        if not isinstance(answered, _Failed):
            try:
                verdict = question.heed(answered)
            except ValueError as wrong:
                port.failed(hook, event, str(wrong))
                answered = _Failed()
        if isinstance(answered, _Failed) and hook.fail_closed:
            verdict = question.closed
        if verdict is not None:
            reply.send(verdict)
            return
    reply.send(question.otherwise)


async def _try(
    ctx: Context[None], port: HookPort, event: str, payload: Payload, reply: Reply[list[dict[str, Any]]]
) -> None:
    ctx.ready()
    outcomes = []
    for hook in port.hearing(event, payload):
        began = trio.current_time()
        answered = await _call(port, hook, event, payload, reply.deadline)
        failed = isinstance(answered, _Failed)
        outcomes.append(
            {
                "hook": hook.name,
                "ok": not failed,
                "answer": "" if failed or answered is None else f"{answered!r:.300}",
                "error": port.tally(hook.name).last_error if failed else "",
                "seconds": trio.current_time() - began,
            }
        )
    reply.send(outcomes)


async def _call(
    port: HookPort, hook: Hook, event: str, payload: Payload, until: float = float("inf")
) -> object:
    """What one handler answers; ``_Failed`` if it fails, or is given up at its deadline, or at ``until``."""
    port.tally(hook.name).calls += 1
    began = trio.current_time()
    deadline = min(until, began + hook.timeout_s)
    with trio.move_on_at(deadline) as limit:
        try:
            return whole(await hook.call(event, payload))
        except Exception as error:
            log.debug("the failure of hook %s", hook.name, exc_info=True)
            port.failed(hook, event, in_words(error))
            return _Failed()
    if limit.cancelled_caught:
        port.failed(hook, event, f"given up after {trio.current_time() - began:.1f} s", timeout=True)
    return _Failed()
