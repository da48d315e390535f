"""All that plug-ins remember, together."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from hermes.types.memory import Asked, Ended, MemoryProvider
from hermes.types.tools import ToolError, capped

log = logging.getLogger(__name__)

RECALL_DEADLINE_S = 3.0
"""A person waits for it."""

FLUSH_DEADLINE_S = 30.0
MOST_BYTES = 8_000
"""Of what one provider recalls: it is read with each question."""


class ProvidedMemories:
    """Implements ``memory.Memories``. Providers are foreign code: what one does wrong is said in the log, and costs its part."""

    def __init__(self, providers: Sequence[MemoryProvider] = ()) -> None:
        self._providers = providers

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

    async def flush(self, ended: Ended) -> bool:
        """See ``Memories``."""
        return await self._each(lambda provider: provider.flush(ended), FLUSH_DEADLINE_S)

    async def _each(self, ask: Callable[[MemoryProvider], Awaitable[None]], deadline_s: float) -> bool:
        """Have all of them do it, side by side; whether all have."""
        done: list[str] = []

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
            else:
                done.append(provider.name)

        async with trio.open_nursery() as nursery:
            for provider in self._providers:
                nursery.start_soon(partial(one, provider))
        return len(done) == len(self._providers)
