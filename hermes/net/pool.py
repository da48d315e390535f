"""Connections that are used again: few, young, and looked at before each use.

    ask ─▶ a place among ``most`` ─▶ idle connection to that origin, still open? else dial ─▶ answer
                                                     ▲                                          │ read to its end
                                                     └──────────── idle, up to ``IDLE_S`` ◀─────┘ else: hang up

A server may close an idle connection at any time; a request on one that it has just closed would be lost half sent. So a
connection that has anything to read while idle is not used, and none that is older than most servers keep it.
"""

from dataclasses import dataclass

import trio

from hermes.net.connection import Connection, Head, Patience, Request
from hermes.net.dial import Dial, Trust, connect
from hermes.net.failures import POOL_FULL, NetError, Progress

IDLE_S = 50.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads to; ``scheme`` is http or https."""

    scheme: str
    host: str
    port: int


class Pool:
    """At most ``most`` requests at once, the others wait in turn; and at most as many idle connections.

    ``close`` ends the idle ones; what is under way ends with the task that asked.
    """

    def __init__(self, dial: Dial, trust: Trust, *, most: int) -> None:
        self._dial = dial
        self._trust = trust
        self.most = most
        self._closed = False
        self._places = trio.Semaphore(most)
        self._idle: list[tuple[float, Origin, Connection]] = []
        """Until when it may be used; oldest first."""

    async def ask(self, origin: Origin, request: Request, progress: Progress, patience: Patience) -> "Answer":
        """Send ``request`` and return its answer as soon as the head is there. Raises what ``connect`` and
        ``Connection.ask`` raise, and ``NetError`` (``pool_full``).
        """
        await self._take_place(patience.pool_s)
        connection: Connection | None = None
        try:
            connection = self._take_idle(origin) or await self._new(origin, patience)
            return Answer(await connection.ask(request, progress, patience), connection, origin, self)
        except BaseException:
            self._places.release()
            if connection is not None:
                connection.hang_up()
            raise

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """An answer is done with; its connection is kept if it can be."""
        self._places.release()
        if self._closed or not connection.reusable:
            connection.hang_up()
            return
        self._idle.append((trio.current_time() + IDLE_S, origin, connection))
        if len(self._idle) > self.most:
            self._idle.pop(0)[2].hang_up()

    def close(self) -> None:
        """Keep no connection from now on."""
        self._closed = True
        while self._idle:
            self._idle.pop()[2].hang_up()

    async def _take_place(self, pool_s: float) -> None:
        if self._places.value:
            self._places.acquire_nowait()  # no checkpoint where there is room
            return
        with trio.move_on_after(pool_s) as waiting:
            await self._places.acquire()
        if waiting.cancelled_caught:
            raise NetError(POOL_FULL, f"{self.most} requests are under way")

    def _take_idle(self, origin: Origin) -> Connection | None:
        """The one that was used last: the others may grow old."""
        now = trio.current_time()
        while self._idle and self._idle[0][0] <= now:
            self._idle.pop(0)[2].hang_up()
        for entry in reversed(self._idle):
            if entry[1] == origin:
                self._idle.remove(entry)
                if not entry[2].gone:
                    return entry[2]
                entry[2].hang_up()
                return self._take_idle(origin)
        return None

    async def _new(self, origin: Origin, patience: Patience) -> Connection:
        tls = self._trust() if origin.scheme == "https" else None
        stream = await connect(self._dial, origin.host, origin.port, tls=tls, within_s=patience.connect_s)
        return Connection(stream, origin.host)


class Answer:
    """The head of an answer, and its body piece by piece; read it in one task, and ``aclose`` it in any case."""

    def __init__(self, head: Head, connection: Connection, origin: Origin, pool: Pool) -> None:
        self.status = head.status
        self.headers = head.headers
        self._connection: Connection | None = connection
        self._origin = origin
        self._pool = pool

    async def read(self) -> bytes:
        """The next piece; nothing at the end. Raises ``NetError`` (``unknown``)."""
        return b"" if self._connection is None else await self._connection.read()

    @property
    def ended(self) -> bool:
        """There is nothing more to ``read``."""
        return self._connection is None or self._connection.ended

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else hang up; without a checkpoint."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(self._origin, connection)
