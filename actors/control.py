"""The control socket: how the command line and other local tools speak to the running gateway.

Up first, down last. One task per connection; a peer that sends garbage, too much or nothing loses its connection and
disturbs nobody else.

peer ─▶ requests in order ─▶ replies
           └ a verb of an adapter ─▶ the adapter's handler owns the connection, as a socket
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import trio

from actors.ports.adapters import AdapterTable
from actors.ports.control_socket import ControlSocket
from actors.ports.inspection import Inspection
from actors.ports.overview import LASTING, TreeOverview
from actors.ports.routes import RouteTable
from actors.ports.web import WebPort
from hermes.ops.control import frames
from hermes.ops.control.endpoint import bind_control_socket, peer_uid
from hermes.types.errors import Failure, GatewayError
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.system import StopRequest, System

log = logging.getLogger(__name__)

Message = Stop | Down

IDLE_S = 60.0
VERB_DEADLINE_S = 5.0
TOP_MOST_S = 30.0
TOP_MOST_ROWS = 1_000
MAX_CONNECTIONS = 64
MAX_STREAMS = 64
"""Connections that an adapter owns count apart: chats stay open for days, and must not keep a ``hermes stop`` out."""

NEEDS: Mapping[str, str] = {
    "dump": "a path",
    "restart": "a path",
    "top": "by (mailbox, restarts or busy), count and over_s",
    "adapter_pause": "an adapter",
    "adapter_resume": "an adapter",
    "trace": "an id",
}
"""The arguments without which a verb is refused."""

UNKNOWN_VERB = "unknown_verb"
USAGE = "usage"
STARTING = "starting"
BUSY = "busy"


class Desk(Protocol):
    """Answers all verbs that begin with its name and an underscore."""

    deadline_s: float
    """How long an answer may take."""

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``."""


@dataclass(frozen=True, slots=True)
class ControlDoor:
    """What the socket gives access to; ``desks`` by name. ``redact`` goes over the words of every refusal: an error may quote
    anything.
    """

    system: System
    overview: TreeOverview
    inspection: Inspection
    redact: Callable[[str], str]
    web: WebPort
    adapters: AdapterTable
    routes: RouteTable
    desks: Mapping[str, Desk]


@dataclass(frozen=True, slots=True)
class Later:
    """An answer that is seen already and still to be made: a long one, which takes a thread's time rather than the loop's."""

    make: Callable[[], Mapping[str, Any]]


async def run(ctx: Context[Message], door: ControlDoor, run_dir: Path) -> None:
    """Listen until told to stop; the socket file goes with the incarnation."""
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(bind_control_socket(run_dir)))
    async with listener, trio.open_nursery() as nursery:
        # serve_listeners waits where the process is out of file descriptors: just then somebody wants to ask.
        nursery.start_soon(trio.serve_listeners, _Desk(ctx, door).converse, [listener])
        ctx.ready()
        await ctx.stopping()
        nursery.cancel_scope.cancel()


class _Desk:
    """Whoever has connected, and what all of them together may take."""

    def __init__(self, me: Context[Message], door: ControlDoor) -> None:
        self._me = me
        self._door = door
        self._connections = trio.Semaphore(MAX_CONNECTIONS)
        self._streams = trio.Semaphore(MAX_STREAMS)

    async def converse(self, stream: trio.SocketStream) -> None:
        """Serve one peer until it leaves, breaks the protocol or falls silent."""
        socket = ControlSocket(stream)
        try:
            async with stream:
                async with self._connections:
                    if peer_uid(stream.socket) != os.getuid():
                        log.warning("a process of another user asked on the control socket and was refused")
                        return
                    request = await self._answer_all(socket)
                if request is not None:
                    await self._hand_over(socket, request)
        except frames.FrameError as error:
            log.warning("a connection on the control socket was closed: %s", error)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # the peer is gone, or does not read; that is its own business

    async def _answer_all(self, socket: ControlSocket) -> frames.Request | None:
        """Answer requests in order; the first one for an adapter ends that and is returned, None once the peer has left."""
        while True:
            with trio.fail_after(IDLE_S):
                request = await socket.request()
            if request is None or request.verb.partition(".")[0] in self._door.adapters.platforms:
                return request
            if request.verb == "restart" and request.args.get("path") == self._me.path:
                await self._restart_me(socket, request)
            else:
                await _say(socket, await _reply(self._door, request))

    async def _restart_me(self, socket: ControlSocket, request: frames.Request) -> None:
        """Answer first, for the restart ends this connection; who wants to know the new incarnation asks it."""
        me = self._me
        answer = {"path": me.path, "old_incarnation": me.incarnation, "incarnation": None}
        await _say(socket, frames.ok(request.id, answer))
        try:
            await self._door.overview.restart(
                me.path
            )  # cancelled with this incarnation, once the order is out
        except GatewayError as error:
            log.warning("%s", error)

    async def _hand_over(self, socket: ControlSocket, request: frames.Request) -> None:
        """Let the adapter have the connection, or refuse it in words; either way it ends with this request."""
        verb = self._door.routes.verb(request.verb)
        if verb is None or not verb.up:
            platform = request.verb.partition(".")[0]
            why = self._door.overview.not_up(platform)
            hint = (
                f"`hermes adapter resume {platform}`" if why.code in LASTING else "`hermes status` tells more"
            )
            await _say(socket, frames.error(request.id, why.code, why.detail, hint))
        elif not self._streams.value:
            words = f"{MAX_STREAMS} connections of this kind are open, and no more are taken"
            await _say(socket, frames.error(request.id, BUSY, words, "close one of them"))
        else:
            async with self._streams:
                await _say(socket, frames.ok(request.id, {"ok": True}))
                await verb.open(request.args, socket)


async def _say(socket: ControlSocket, frame: bytes) -> None:
    """Write a reply, to a peer that has to read it some time."""
    with trio.fail_after(IDLE_S):
        await socket.reply(frame)


async def _reply(door: ControlDoor, request: frames.Request) -> bytes:
    try:
        answer = await _answer(door, request.verb, request.args)
        if isinstance(answer, Later):
            # With threads of its own: whoever looks on may do so because something has all the others.
            limiter = trio.CapacityLimiter(1)
            return await trio.to_thread.run_sync(
                lambda: frames.ok(request.id, answer.make()), limiter=limiter
            )
        return frames.ok(request.id, answer)
    except GatewayError as error:
        words = door.redact(error.failure.detail or str(error))
        return frames.error(request.id, error.failure.code, words)
    except Exception as error:
        log.exception("control verb %r failed", request.verb)
        words = door.redact(f"{type(error).__name__}: {error}")
        return frames.error(request.id, "internal", words, "see logs/gateway.log")


async def _answer(door: ControlDoor, verb: str, args: Mapping[str, Any]) -> object:
    match verb, args:
        case "ping", _:
            return {"ok": True}
        case "tree", {"path": str(path)}:
            return Later(door.overview.seen(path))
        case "tree", _:
            return Later(door.overview.seen())
        case "status", {"deep": True}:
            return {**await door.overview.status(), **await door.overview.deep()}
        case "status", _:
            return await door.overview.status()
        case "dump", {"path": str(path)}:
            return Later(door.inspection.dump(path, bodies=args.get("bodies") is True))
        case "top", {
            "by": "mailbox" | "restarts" | "busy" as by,
            "count": int(count),
            "over_s": int() | float() as over_s,
        }:
            return await door.inspection.top(
                by, max(0, min(count, TOP_MOST_ROWS)), max(0.0, min(over_s, TOP_MOST_S))
            )
        case "stop", _:
            door.system.overrule(StopRequest(0, "hermes stop"))
            return {"ok": True}
        case "restart_process", _:
            return door.overview.restart_asked()
        case "restart", {"path": str(path)}:
            return await door.overview.restart(path)
        case "adapter_pause", {"adapter": str(name)}:
            return await door.overview.pause(name)
        case "adapter_resume", {"adapter": str(name)}:
            return await door.overview.resume(name)
        case str(question), _ if (desk := door.desks.get(question.partition("_")[0])) is not None:
            with trio.move_on_after(desk.deadline_s):
                return await desk.answer(question, args)
            raise GatewayError(Failure(STARTING, detail="the store does not answer; try again in a moment"))
        case "trace", {"id": str(wanted)}:
            with trio.move_on_after(VERB_DEADLINE_S):
                return await door.overview.trace(wanted)
            raise GatewayError(Failure(STARTING, detail="the store does not answer; try again in a moment"))
        case "web_link", _:
            with trio.move_on_after(VERB_DEADLINE_S):
                return {"url": await door.web.link()}
            raise GatewayError(Failure(STARTING, detail="the store is not up yet; try again in a moment"))
        case str(known), _ if known in NEEDS:
            raise GatewayError(Failure(USAGE, detail=f"{known} needs {NEEDS[known]}"))
        case _:
            raise GatewayError(Failure(UNKNOWN_VERB, detail=f"this gateway knows no verb {verb!r}"))
