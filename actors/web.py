"""The web server's actor: binds, serves, and tells the rest where it is."""

import logging
import socket
from collections.abc import Awaitable, Callable

import trio
from starlette.types import ASGIApp

from actors.ports.metrics import Metrics
from actors.ports.services import Services
from actors.ports.web import WebPort
from hermes.config.exposure import is_local
from hermes.web import server
from hermes.web.app import build_app
from supervisors.cell import Down, Stop
from supervisors.context import Context

log = logging.getLogger(__name__)

Message = Stop | Down

Announce = Callable[[str], Awaitable[None]]
"""Told the one-time link, once a boot."""


async def run(
    ctx: Context[Message],
    services: Services,
    metrics: Metrics,
    web: WebPort,
    announce: Announce,
) -> None:
    """Serve until told to stop. A restart takes the same port again, so that open pages find their way back.

    A configured port that is taken raises ``port_taken``: this child is disabled, and nothing else is touched.
    """
    host, configured = services.config.web.host, services.config.web.port
    first = web.last_port is None
    sock = server.bind(host, configured if first else web.last_port)
    port: int = sock.getsockname()[1]
    stop = trio.Event()
    app = build_app(
        routes=services.routes,
        overview=services.overview,
        metrics=metrics.document,
        auth=web.sessions,
        port=port,
        hosts=frozenset({host}),
        exposed=not is_local(host),
    )
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(_serve, app, sock, stop)
            web.up(host, port)
            log.info("listening on %s port %d", host, port)
            ctx.ready()
            async with trio.open_nursery() as beside:
                if first:
                    beside.start_soon(_show_link, web, announce)
                await ctx.stopping()
                beside.cancel_scope.cancel()
            stop.set()
    finally:
        web.down()


async def _show_link(web: WebPort, announce: Announce) -> None:
    """A disk that refuses the code is waited for, but not by whoever tells us to stop."""
    await announce(await web.link())


async def _serve(
    app: ASGIApp, sock: socket.socket, stop: trio.Event, *, task_status: trio.TaskStatus[None]
) -> None:
    await server.serve(app, sock, stop=stop, task_status=task_status)
