"""The control socket: how the command line and other local tools speak to the running gateway.

Up first, down last. One task per connection; a peer that sends garbage, too much or nothing loses its connection and
disturbs nobody else.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from actors.ports.overview import TreeOverview
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
MAX_CONNECTIONS = 64
CHUNK_BYTES = 1 << 16

UNKNOWN_VERB = "unknown_verb"
STARTING = "starting"


@dataclass(frozen=True, slots=True)
class ControlDoor:
    """What the socket gives access to."""

    system: System
    overview: TreeOverview
    web: WebPort


async def run(ctx: Context[Message], door: ControlDoor, run_dir: Path) -> None:
    """Listen until told to stop; the socket file goes with the incarnation."""
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(bind_control_socket(run_dir)))
    slots = trio.Semaphore(MAX_CONNECTIONS)
    async with listener, trio.open_nursery() as nursery:
        # serve_listeners waits where the process is out of file descriptors: just then somebody wants to ask.
        nursery.start_soon(trio.serve_listeners, partial(_converse, slots, door), [listener])
        ctx.ready()
        await ctx.stopping()
        nursery.cancel_scope.cancel()


async def _converse(slots: trio.Semaphore, door: ControlDoor, stream: trio.SocketStream) -> None:
    """Answer one peer's requests in order until it leaves, breaks the protocol or falls silent."""
    try:
        async with stream, slots:
            if peer_uid(stream.socket) != os.getuid():
                log.warning("a process of another user asked on the control socket and was refused")
                return
            decoder = frames.FrameDecoder(frames.REQUEST)
            while True:
                with trio.fail_after(IDLE_S):
                    data = await stream.receive_some(CHUNK_BYTES)
                if not data:
                    return
                for frame in decoder.feed(data):
                    reply = await _reply(door, frame)
                    with trio.fail_after(IDLE_S):
                        await stream.send_all(reply)
    except frames.FrameError as error:
        log.warning("a connection on the control socket was closed: %s", error)
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
        pass  # the peer is gone, or does not read; that is its own business


async def _reply(door: ControlDoor, frame: Mapping[str, Any]) -> bytes:
    request = frames.request(frame)
    try:
        return frames.ok(request.id, await _answer(door, request.verb, request.args))
    except GatewayError as error:
        return frames.error(request.id, error.failure.code, error.failure.detail or str(error))
    except Exception as error:
        log.exception("control verb %r failed", request.verb)
        return frames.error(
            request.id, "internal", f"{type(error).__name__}: {error}", "see logs/gateway.log"
        )


async def _answer(door: ControlDoor, verb: str, args: Mapping[str, Any]) -> object:
    match verb:
        case "ping":
            return {"ok": True}
        case "tree":
            return door.overview.tree()
        case "status":
            return await door.overview.status()
        case "stop":
            door.system.request_stop(StopRequest(0, "hermes stop"))
            return {"ok": True}
        case "restart":
            path = args.get("path")
            if not isinstance(path, str):
                raise GatewayError(Failure("usage", detail="restart needs a path"))
            return await door.overview.restart(path)
        case "web_link":
            with trio.move_on_after(VERB_DEADLINE_S):
                return {"url": await door.web.link()}
            raise GatewayError(Failure(STARTING, detail="the store is not up yet; try again in a moment"))
        case _:
            raise GatewayError(Failure(UNKNOWN_VERB, detail=f"this gateway knows no verb {verb!r}"))
