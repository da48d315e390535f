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

        Raises ``GatewayError`` with ``store_degraded`` if the disk refuses it (full, read-only), ``store_gone`` at the end.
        """

    def post(self, op: Op[Any]) -> None:
        """Hand in ``op`` without waiting; a failure is logged by the store."""

    async def read(
        self, query: Callable[Concatenate[Reader, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function of ``hermes.store.queries`` beside the writer; sees every write that has been awaited."""
