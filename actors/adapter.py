"""The shell around one adapter: runs ``connect`` in a task of its own, reads the lanes beside it, mounts its routes.

An adapter fails only by leaving ``connect``; what its handlers raise, and what its sends say of all of it, comes here as a
``Fault`` and is raised. What its sends have no name for is the lanes', and leaves a record. Where none can be made, the account
is unavailable: one attempt, and no other until somebody resumes it or changes its settings.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import trio

from actors.ports.adapters import AdapterPort
from actors.ports.receiving import PATIENCE
from actors.ports.services import Services
from hermes.registry.registry import Unavailable
from hermes.store import queries
from hermes.types.errors import Failure, GatewayError
from hermes.types.origin import lane_key
from hermes.types.ports import Adapter
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.events import SupervisionEvent
from supervisors.reasons import Crash, describe

DISCONNECT_DEADLINE_S = 5.0
SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Account:
    """An adapter to run: ``make`` gives a new object for each incarnation, or says why there is none."""

    platform: str
    name: str
    make: Callable[[], Awaitable[Adapter | Unavailable]]


@dataclass(frozen=True, slots=True)
class Fault:
    """The adapter's own code failed outside ``connect``."""

    error: BaseException


Message = Fault | Stop | Down


async def run(ctx: Context[Message], services: Services, account: Account) -> None:
    """One incarnation: a new adapter object, connected until it fails or is told to stop; none if paused.

    Raises ``GatewayError`` for an operator where none can be made.
    """
    if services.adapters.is_paused(account.platform, account.name):
        ctx.ready()
        await ctx.stopping()
        return
    adapter = await account.make()
    services.adapters.examined(account.platform, account.name, usable=not isinstance(adapter, Unavailable))
    if isinstance(adapter, Unavailable):
        raise GatewayError(Failure(adapter.code, "needs_operator", "adapter", detail=str(adapter)))
    port = AdapterPort(
        adapter,
        account=account.name,
        boot_id=services.boot_id,
        incarnation=ctx.incarnation,
        store=services.store,
        intake=services.intake,
        moves=services.moves,
        now=services.clock.wall,
        identified=partial(services.adapters.identify, account.platform, account.name),
        commands=services.commands.menu,
        wake_inbound=services.conversations.wake_inbound,
        wake_lane=services.delivery.wake,
        fault=lambda error: _report(ctx, error),
        raised=lambda error: _note(ctx, error),
    )
    await services.moves.known()
    services.adapters.add(port, adapter)
    try:
        async with trio.open_nursery() as nursery:
            services.routes.mount(adapter.routes(), port)
            await nursery.start(_connect, adapter, port, nursery.cancel_scope)
            services.adapters.open(port)
            ctx.ready()
            services.channels.changed()
            nursery.start_soon(
                _wake_lanes, services, port
            )  # beside: the store may be away, and a fault must be read
            nursery.start_soon(mind_silence, port)
            await _serve(ctx)
            with trio.move_on_after(DISCONNECT_DEADLINE_S):
                await adapter.disconnect()
            nursery.cancel_scope.cancel()
    finally:
        services.adapters.remove(port)
        services.routes.unmount(port)


async def _wake_lanes(services: Services, port: AdapterPort) -> None:
    """What waits for this account can be sent now."""
    for chat in await services.store.read(queries.open_lanes):
        if chat[:2] == (port.platform, port.account):
            services.delivery.wake(lane_key(*chat))


async def mind_silence(port: AdapterPort) -> None:
    """Report a silence that is none of a sound connection's (AC-01): whatever the adapter waits for, it waits for nothing."""
    receiving = port.receiving
    if receiving.deadline_s is None:
        return
    while (left_s := PATIENCE * receiving.deadline_s - receiving.silent_s) > 0:  # noqa: ASYNC110 - a beat moves the deadline
        await trio.sleep(left_s)
    detail = f"nothing has come for {receiving.silent_s:.0f} s, not even a sign of life"
    port.report(GatewayError(Failure(SILENT, "transient", "adapter", detail=detail)))


def _report(ctx: Context[Message], error: BaseException) -> None:
    ctx.remind(Fault(error))


def _note(ctx: Context[Message], error: Exception) -> None:
    """A crash record of code that lanes run, under the path of the adapter whose code it is."""
    reason = Crash(error)
    detail = {"reason": describe(reason), "decision": "go on", "delay_s": None}
    ctx.system.events.publish(
        SupervisionEvent(trio.current_time(), "raised", ctx.path, ctx.incarnation, detail, reason)
    )


async def _connect(
    adapter: Adapter, port: AdapterPort, shell: trio.CancelScope, *, task_status: trio.TaskStatus[None]
) -> None:
    """Run ``connect``; if it returns, the shell ends with it, which its supervisor takes for the fault it is."""
    await adapter.connect(port, task_status=task_status)
    shell.cancel()


async def _serve(ctx: Context[Message]) -> None:
    """Read the lanes until told to stop, or cancelled for a fault: one that was raised would wait for ``connect`` to end."""
    while True:
        match message := await ctx.receive():
            case Fault(error):
                ctx.fail(error)
            case Down():
                pass  # an adapter watches nobody
            case Stop():
                return
            case _:
                assert_never(message)
