"""The budget of abnormal ends: a sliding window of times."""

from supervisors.spec import Intensity, Limit


class Window:
    """Counts ends within the last ``per`` seconds; ``restarts`` of them are allowed, one more is over budget."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: list[
            float
        ] = []  # a deque would cost every child 760 bytes, and this is empty nearly always

    def spend(self, policy: Intensity | Limit, now: float) -> bool:
        """Count one end at ``now``; False if that is over budget."""
        self._at.append(now)
        return self.count(policy, now) <= policy.restarts

    def count(self, policy: Intensity | Limit, now: float) -> int:
        """Ends within the window that closes at ``now``."""
        while self._at and now - self._at[0] > policy.per:
            del self._at[0]
        return len(self._at)

    def clear(self) -> None:
        """Forget everything: somebody has looked at it."""
        self._at.clear()
