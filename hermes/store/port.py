"""How everybody speaks to the store; implemented by ``actors.ports`` (live) and ``hermes.store.memory`` (double)."""

import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from hermes.store.ops import Op

P = ParamSpec("P")
T = TypeVar("T")

Reader = sqlite3.Connection
"""A read-only connection; only ``hermes.store.queries`` knows what to do with one."""


class Store(Protocol):
    """Writes survive a crash of the store: callers see latency, never its death."""

    async def write(self, op: Op[T]) -> T:
        """Return when ``op`` is committed. Cancelling the caller does not withdraw it.

        Does not return while the store is away or its disk refuses writes: whoever cannot wait has a deadline. Raises
        ``GatewayError`` with ``store_gone`` at the end, ``errors.OperationRefused`` if ``op`` itself cannot be carried out.
        """

    def post(self, op: Op[Any]) -> None:
        """Hand in ``op`` without waiting; a failure is logged by the store."""

    async def read(
        self, query: Callable[Concatenate[Reader, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function of ``hermes.store.queries`` beside the writer; sees every write that has been awaited.

        Does not return while the disk refuses it, as ``write``. Raises ``GatewayError``: ``store_gone``, ``store_corrupt``.
        """
