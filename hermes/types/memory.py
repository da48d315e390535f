"""Memory that outlives a conversation: what is recalled before a question, and what is kept of a stretch before it ends.

question ─▶ Memories.recall ─▶ each provider, side by side, under a deadline ─▶ the agent's context
a stretch is to end ─▶ Memories.flush ─▶ each provider, the same way ─▶ have all kept it?
"""

from dataclasses import dataclass
from typing import Protocol

from hermes.types.ids import SessionId, SessionKey
from hermes.types.origin import Origin
from hermes.types.records import TranscriptLine


@dataclass(frozen=True, slots=True)
class Asked:
    """What is about to be answered. ``origin``: of the newest message; ``text``: all of them as a model reads them."""

    session_key: SessionKey
    origin: Origin
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A stretch of a conversation that is about to end, or has ended. ``origin``: of its newest message, as far as known;
    ``reason`` as of a reset: idle, daily, new, …; ``lines``: what was said, oldest first.
    """

    session_key: SessionKey
    session_id: SessionId
    reason: str
    lines: tuple[TranscriptLine, ...]
    origin: Origin | None = None


class MemoryProvider(Protocol):
    """What one plug-in remembers. Both run in the Trio thread, under a deadline, many at once; what they raise is logged."""

    name: str

    async def recall(self, asked: Asked) -> str:
        """What the agent should know for ``asked``, in a few words; empty for nothing."""

    async def flush(self, ended: Ended) -> None:
        """Keep what is worth it. May come twice for one stretch, after a crash, or after this one has failed."""


class Memories(Protocol):
    """All providers together, for the gateway. Both methods raise nothing but Cancelled, and are bounded in time."""

    @property
    def any(self) -> bool:
        """Is there a provider at all?"""

    async def recall(self, asked: Asked) -> str:
        """What all of them recall; of one that fails or is late, nothing."""

    async def flush(self, ended: Ended, line_id: int) -> bool:
        """Return once each provider has kept ``ended``, failed, or was late. True if all have kept it, also if there are none.
        Of what ends with the same ``line_id``, those that have kept it are not told again by this process.
        """
