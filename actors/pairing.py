"""Pairing: the one who reads and writes the files that say who was let in.

    Carry ─▶ look at the files ─▶ decide (hermes.pairing) ─▶ write, sync ─▶ the port adopts it ─▶ reply

One after the other, in a thread, with a deadline. What is decided is in the files before anybody hears of it, and the port
holds what the files say: an end of this actor between any two steps loses nothing and repeats nothing.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, assert_never

import trio

from actors.ports.pairing import Pairing
from actors.ports.services import Services
from hermes.ops.pairing_files import UNREADABLE, PairingFiles, Seen
from hermes.pairing.orders import Order
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import Clock
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reply import Reply

log = logging.getLogger(__name__)

FILES_DEADLINE_S = 5.0
LOOK_EVERY_S = 30.0
"""Files are looked at before each step. This is for who was shown out by hand, or by the original's command line."""

PAIRING_SLOW = "pairing_slow"

T = TypeVar("T")

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a call that blocks, one at a time; cancelled, the call runs on and nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Carry:
    """Do ``order`` for the account called ``name``; ``reply`` gets its outcome, or the ``GatewayError`` that kept it from one."""

    name: str
    order: Order[Any]
    reply: Reply[Any]


@dataclass(frozen=True, slots=True)
class Look:
    """Say what stands in the files."""

    reply: Reply[Seen]


Message = Carry | Look | Stop | Down


async def run(ctx: Context[Message], services: Services, files: PairingFiles, in_thread: InThread) -> None:
    """Ready at once; the files, which are the operator's, are read after that."""
    ctx.ready()
    services.pairing.begins()
    desk = _Desk(services.pairing, files, services.clock, in_thread)
    await desk.look()
    look_at = trio.current_time() + LOOK_EVERY_S
    while True:
        match message := await ctx.receive(by=look_at):
            case None:
                await desk.look()
                look_at = trio.current_time() + LOOK_EVERY_S
            case Carry():
                await desk.carry(message)
            case Look(reply):
                if (seen := await desk.look(reply.fail)) is not None:
                    reply.send(seen)
            case Down():
                pass  # it watches nobody
            case Stop():
                return
            case _:
                assert_never(message)


class _Desk:
    def __init__(self, port: Pairing, files: PairingFiles, clock: Clock, in_thread: InThread) -> None:
        self._port = port
        self._files = files
        self._clock = clock
        self._in_thread = in_thread

    async def look(self, fail: Callable[[GatewayError], None] | None = None) -> Seen | None:
        """What stands in the files, adopted; None if they do not answer, which ``fail`` or else the log is told."""
        try:
            seen = await self._call(lambda _: self._files.look())
        except GatewayError as wrong:
            log.error("the pairing files were not read: %s", wrong.failure.detail)
            if fail is not None:
                fail(wrong)
            return None
        self._port.adopt(seen)
        return seen

    async def carry(self, asked: Carry) -> None:
        if not asked.reply.open or asked.reply.deadline <= trio.current_time():
            return  # whoever asked has left, and has been told that nothing came of it
        now = self._clock.wall()
        try:
            outcome, seen = await self._call(
                lambda wanted: self._files.carry_out(asked.name, asked.order, now, wanted)
            )
        except GatewayError as wrong:
            asked.reply.fail(wrong)
            if wrong.failure.code == UNREADABLE:
                await self.look()  # the operator is to hear of it, and of all else that has changed
            return
        self._port.adopt(seen)
        asked.reply.send(outcome)

    async def _call(self, call: Callable[[Callable[[], bool]], T]) -> T:
        """``call`` in a thread, told by its argument whether anybody still waits for it."""
        waits = True
        try:
            with trio.fail_after(FILES_DEADLINE_S):
                result: T = await self._in_thread(lambda: call(lambda: waits))
                return result
        except trio.TooSlowError:
            detail = f"the disk has not answered for {FILES_DEADLINE_S:g} s; nothing was changed"
            raise GatewayError(Failure(PAIRING_SLOW, scope="gateway", detail=detail)) from None
        finally:
            waits = False
