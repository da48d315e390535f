"""How long the one owner of a retry waits; the kit's policy, for whoever is no supervisor."""

from collections.abc import Callable

from supervisors.spec import Backoff

__all__ = ["Backoff", "delay"]

_MOST_DOUBLINGS = 64
"""The power of more would not be a float."""


def delay(policy: Backoff, attempts: int, rng: Callable[[], float], at_least: float | None = None) -> float:
    """Seconds to wait after ``attempts`` failed ones (0: none before): full jitter, anywhere between the minimum and a ceiling
    that grows with each, and never less than ``at_least``, the other side's wish. ``rng`` gives numbers in [0, 1).
    """
    ceiling = min(policy.max, policy.min * policy.factor ** min(attempts, _MOST_DOUBLINGS))
    return max(at_least or 0.0, policy.min + rng() * (ceiling - policy.min))
