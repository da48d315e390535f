"""The store's in-memory double: same schema, same SQL, carried out at once in the caller's task.

For simulations and tests: no thread and no real I/O, so it may live under a virtual clock.
"""

import sqlite3
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import trio

from hermes.store.apply import apply
from hermes.store.errors import OperationRefused
from hermes.store.ops import Op
from hermes.store.port import Reader
from hermes.store.schema import prepare
from hermes.types.errors import STORE_GONE, Failure, GatewayError

P = ParamSpec("P")
T = TypeVar("T")


def in_memory() -> sqlite3.Connection:
    """An empty database with the schema of the file's, ready to write."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _migrated().backup(connection)
    prepare(connection)
    return connection


@cache
def _migrated() -> sqlite3.Connection:
    """What the others are copied from: the migrations take 15 ms, a copy of their result a fraction of one."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    prepare(connection)
    return connection


class MemoryStore:
    """A ``hermes.store.port.Store`` that commits every operation by itself, before its caller can be cancelled.

    ``now`` is the wall clock that its commits are dated by.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._connection = in_memory()
        self._fenced = False

    async def write(self, op: Op[T]) -> T:
        """See ``Store.write``. A fence that falls while the caller waits hides the result, as a kill would."""
        result = self._commit(op)
        await trio.lowlevel.checkpoint()
        self._check()
        return result

    def post(self, op: Op[Any]) -> None:
        """See ``Store.post``; but a bad operation is a bug of the test, so it is raised."""
        self._commit(op)

    async def read(
        self, query: Callable[Concatenate[Reader, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See ``Store.read``."""
        await trio.lowlevel.checkpoint()
        self._check()
        return query(self._connection, *args, **kwargs)

    def fence(self) -> None:
        """The simulated kill: from here on every call raises ``store_gone``."""
        self._fenced = True

    def reopen(self) -> "MemoryStore":
        """Fence this one and return another on the same data, for the tree after the kill."""
        self.fence()
        successor = object.__new__(MemoryStore)
        successor._now = self._now
        successor._connection = self._connection
        successor._fenced = False
        return successor

    def close(self) -> None:
        """Drop the data."""
        self._fenced = True
        self._connection.close()

    def _check(self) -> None:
        if self._fenced:
            raise GatewayError(Failure(STORE_GONE, scope="gateway"))

    def _commit(self, op: Op[T]) -> T:
        self._check()
        self._connection.execute("BEGIN")
        self._connection.execute("UPDATE writer SET at = ?", (self._now(),))
        try:
            (result,) = apply(self._connection, [op])
        except Exception as error:
            self._connection.execute("ROLLBACK")
            raise OperationRefused(op, error) from error
        self._connection.execute("COMMIT")
        return cast("T", result)
