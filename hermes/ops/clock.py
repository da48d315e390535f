"""The real sources of time and names; everything else is handed them."""

import secrets
import time


class SystemClock:
    """``hermes.types.ids.Clock`` on the machine's clocks."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    def mono(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()


class SystemIds:
    """``hermes.types.ids.IdSource`` on the operating system's randomness: fit for secrets."""

    def token(self, size: int) -> str:
        """``size`` random lower-case hex digits."""
        return secrets.token_hex((size + 1) // 2)[:size]
