"""The real sources of time and names; everything else is handed them."""

import secrets
import time
from collections import deque

STOCK_BYTES = 4096
_WORD_DIGITS = 8


class SystemClock:
    """``hermes.types.ids.Clock`` on the machine's clocks."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    def mono(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()


class SystemIds:
    """``hermes.types.ids.IdSource`` on the operating system's randomness: fit for secrets.

    Drawn in stock, for each call of the system gives up the GIL, and a loop beside busy threads waits to have it back. For
    any thread.
    """

    def __init__(self) -> None:
        self._words = deque[str]()

    def token(self, size: int) -> str:
        """``size`` random lower-case hex digits."""
        return "".join(self._word() for _ in range(0, size, _WORD_DIGITS))[:size]

    def _word(self) -> str:
        while True:
            try:
                return self._words.popleft()
            except IndexError:
                digits = secrets.token_hex(STOCK_BYTES)
                self._words.extend(
                    digits[at : at + _WORD_DIGITS] for at in range(0, len(digits), _WORD_DIGITS)
                )
