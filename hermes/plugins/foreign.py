"""Functions of plug-ins as something that can be awaited, wherever they run: see ``hermes.plugins.calls``."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hermes.hooks.manifest import Runtime
from hermes.plugins.asyncio_thread import AsyncioThread
from hermes.plugins.calls import call_of
from hermes.types.memory import Asked, Ended

Function = Callable[..., Any]


def awaitable(function: Function, runtime: Runtime, loop: AsyncioThread) -> Callable[..., Awaitable[Any]]:
    """``function`` to be awaited: in a thread if it is sync, on ``loop`` or in place if it is async. Of its arguments it gets
    those by name only if it takes them.
    """
    named = _named(function)

    def chosen(payload: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in payload["by_name"].items() if named is None or name in named}

    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):

        async def handle(_name: str, payload: dict[str, Any]) -> Any:
            return await function(*payload["args"], **chosen(payload))
    else:

        def handle(_name: str, payload: dict[str, Any]) -> Any:  # type: ignore[misc]
            return function(*payload["args"], **chosen(payload))

    call = call_of(handle, runtime, loop)

    async def run(*args: Any, **by_name: Any) -> Any:
        return await call("", {"args": args, "by_name": by_name})

    return run


class ForeignMemory:
    """Implements ``MemoryProvider`` with what a plug-in has for it. Raises ``TypeError`` where one of its methods is missing."""

    def __init__(self, name: str, provider: object, runtime: Runtime, loop: AsyncioThread) -> None:
        recall, flush = getattr(provider, "recall", None), getattr(provider, "flush", None)
        if not callable(recall) or not callable(flush):
            raise TypeError("a memory provider has recall(asked) and flush(ended)")
        self.name = name
        self._recall = awaitable(recall, runtime, loop)
        self._flush = awaitable(flush, runtime, loop)

    async def recall(self, asked: Asked) -> str:
        """See ``MemoryProvider``."""
        said: str = await self._recall(asked)
        return said

    async def flush(self, ended: Ended) -> None:
        """See ``MemoryProvider``."""
        await self._flush(ended)


def _named(function: Function) -> frozenset[str] | None:
    """The names of the arguments that ``function`` takes by name; None: any."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of C
        return frozenset()
    if any(one.kind is one.VAR_KEYWORD for one in found):
        return None
    return frozenset(one.name for one in found if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD))
