"""What can be asked and done without a gateway as well: through the running one, else on its file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hermes.ops.control import client

DATABASE = "gateway.db"


def ask_or_read(
    home: Path,
    verb: str,
    args: Mapping[str, Any],
    directly: Callable[[Any], Any],
    *,
    timeout_s: float = client.TIMEOUT_S,
) -> Any:
    """What the gateway of ``home`` answers to ``verb``; with none running, what ``directly`` makes of a reader of its database.

    Raises ``ControlError``, and what ``hermes.store.direct.reading`` raises.
    """
    try:
        return client.ask(home, verb, args, timeout_s)
    except client.NotRunning:
        from hermes.store.direct import reading

        with reading(home / DATABASE) as reader:
            return directly(reader)


def ask_or_write(
    home: Path,
    verb: str,
    args: Mapping[str, Any],
    directly: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]],
    *,
    timeout_s: float = client.TIMEOUT_S,
) -> Mapping[str, Any]:
    """Have the gateway of ``home`` do it; with none running, do it on its database, with the lock of the home.

    Raises as ``ask_or_read``, and ``home_held`` if a gateway is just starting.
    """
    try:
        answer: Mapping[str, Any] = client.ask(home, verb, args, timeout_s)
    except client.NotRunning:
        from hermes.ops.clock import SystemIds
        from hermes.ops.lock import HomeLock
        from hermes.store.direct import must_exist, writing
        from hermes.types.ids import BootId

        must_exist(home / DATABASE)  # before the lock makes a file in a directory that is no home
        with HomeLock.acquire(home, BootId(SystemIds().token(16))), writing(home / DATABASE) as database:
            return directly(database, args)
    return answer
