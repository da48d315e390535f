"""How long to wait before the next restart."""

import math
import random

from supervisors.spec import Backoff

SPREAD = 0.2


def bound(policy: Backoff, streak: int) -> float:
    """The longest delay after ``streak`` ends in a row (0 for the first); never decreases with ``streak``."""
    if policy.min == 0 or policy.factor == 1:
        return policy.min
    # Past this exponent the power may overflow a float, and the cap holds anyway.
    if streak >= math.log(policy.max / policy.min, policy.factor):
        return policy.max
    return min(policy.max, policy.min * policy.factor**streak)


def delay(policy: Backoff, streak: int, rng: random.Random) -> float:
    """Seconds to wait: uniform in [min, bound]."""
    return rng.uniform(policy.min, bound(policy, streak))


def named_delay(policy: Backoff, wait: float, rng: random.Random) -> float:
    """Seconds to wait where a peer has said ``wait``: that, or ``policy.min`` if it is longer, and up to ``SPREAD`` more.

    It does not grow: the peer knows best when it will have time, and who waits longer than that is away for nothing.
    """
    least = max(policy.min, wait)
    return rng.uniform(least, least * (1 + SPREAD))
