"""All that plug-ins remember, together."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from hermes.types.ids import SessionId, SessionKey
from hermes.types.memory import Asked, Ended, MemoryProvider
from hermes.types.tools import ToolError, capped

log = logging.getLogger(__name__)

RECALL_DEADLINE_S = 3.0
"""A person waits for it."""

FLUSH_DEADLINE_S = 30.0
KNOWN_S = 3_600.0
"""How long it is known who has kept a stretch that others have not; those are tried again within minutes."""

MOST_BYTES = 8_000
"""Of what one provider recalls: it is read with each question."""


@dataclass(slots=True)
class _Kept:
    """Who has kept a stretch up to one of its lines; that is known until then, in Trio's time."""

    until: float
    by: set[str] = field(default_factory=set)


class ProvidedMemories:
    """Implements ``memory.Memories``. Providers are foreign code: what one does wrong is said in the log, and costs its part."""

    def __init__(self, providers: Sequence[MemoryProvider] = ()) -> None:
        self._providers = providers
        self._kept: dict[tuple[SessionKey, SessionId, int], _Kept] = {}

    @property
    def any(self) -> bool:
        """Is there anything that remembers?"""
        return bool(self._providers)

    async def recall(self, asked: Asked) -> str:
        """See ``Memories``."""
        found: dict[str, str] = {}

        async def recall(provider: MemoryProvider) -> None:
            found[provider.name] = capped(await provider.recall(asked), MOST_BYTES).strip()

        await self._each(recall, RECALL_DEADLINE_S)
        return "\n\n".join(found[one.name] for one in self._providers if found.get(one.name))

    async def flush(self, ended: Ended, line_id: int) -> bool:
        """See ``Memories``."""
        now, told = trio.current_time(), (ended.session_key, ended.session_id, line_id)
        self._kept = {key: one for key, one in self._kept.items() if now < one.until}
        kept = self._kept.setdefault(told, _Kept(now + KNOWN_S))

        async def flush(provider: MemoryProvider) -> None:
            if provider.name not in kept.by:
                await provider.flush(ended)
                kept.by.add(provider.name)

        await self._each(flush, FLUSH_DEADLINE_S)
        if {one.name for one in self._providers} - kept.by:
            return False
        self._kept.pop(told, None)
        return True

    async def _each(self, ask: Callable[[MemoryProvider], Awaitable[None]], deadline_s: float) -> None:
        """Have all of them do it, side by side."""

        async def one(provider: MemoryProvider) -> None:
            try:
                with trio.fail_after(deadline_s):
                    await ask(provider)
            except trio.TooSlowError:
                log.warning("memory %s was not done within %g s", provider.name, deadline_s)
            except ToolError as wrong:
                log.warning("memory %s: %s", provider.name, wrong)
            except (Exception, SystemExit, GeneratorExit):
                log.exception("memory %s failed", provider.name)

        async with trio.open_nursery() as nursery:
            for provider in self._providers:
                nursery.start_soon(partial(one, provider))
