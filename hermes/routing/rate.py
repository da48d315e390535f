"""How much one user may say: a token bucket, and how one that is empty is answered. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["pass", "refuse", "silence"]
"""``refuse`` says so in a sentence, ``silence`` has said so lately."""

BURST = 120
"""Messages at once: somebody who forwards a hundred is served, and fifty in a second to a busy session are."""

PER_S = 1.0
SENTENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of one user's burst at the time ``at``, and when the last sentence was said. Epoch seconds."""

    tokens: float = BURST
    at: float = 0.0
    told_at: float = 0.0

    def full(self, now: float) -> bool:
        """True if it is like a new one, so that it need not be kept. Its last sentence is long past by then."""
        return self.tokens + (now - self.at) * PER_S >= BURST


UNUSED = Bucket()


def allow(bucket: Bucket, now: float) -> tuple[Bucket, Verdict]:
    """Take a token for a message of the time ``now``. Times may go backwards: chats are decided side by side."""
    passed = max(0.0, now - bucket.at)
    filled = replace(bucket, tokens=min(BURST, bucket.tokens + passed * PER_S), at=max(now, bucket.at))
    if filled.tokens >= 1:
        return replace(filled, tokens=filled.tokens - 1), "pass"
    if now - bucket.told_at < SENTENCE_S:
        return filled, "silence"
    return replace(filled, told_at=now), "refuse"
