"""How long to wait before the next restart."""

import math
import random

from supervisors.spec import Backoff


def bound(policy: Backoff, streak: int) -> float:
    """The longest delay after ``streak`` ends in a row (0 for the first); never decreases with ``streak``."""
    if policy.min == 0 or policy.factor == 1:
        return policy.min
    # Past this exponent the power may overflow a float, and the cap holds anyway.
    if streak >= math.log(policy.max / policy.min, policy.factor):
        return policy.max
    return min(policy.max, policy.min * policy.factor**streak)


def delay(policy: Backoff, streak: int, rng: random.Random, at_least: float | None = None) -> float:
    """Seconds to wait: uniform in [min, bound], and never less than ``at_least`` (a peer's own wish)."""
    drawn = rng.uniform(policy.min, bound(policy, streak))
    return drawn if at_least is None else max(drawn, at_least)
