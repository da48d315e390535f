"""What can be planned to go wrong with a call, beside what ``hermes.testing.platform`` has.

Status(429, retry_after=3)   refused in Telegram's form       Html(502)            refused by a page of a proxy
Delay(2.0)                   done and answered, later          Drop()               closed before anything is done
Hang()                       neither answered nor closed       Reset(acted=False)   cut off before anything is done
HalfClose()                  done; the answer is an end        Reset(acted=True)    done, then cut off without an answer
"""

from collections import defaultdict, deque
from dataclasses import dataclass

import trio

from hermes.testing.platform import Delay, HalfClose, Hang, Reset

EVERY = "*"
"""A fault of every method."""


@dataclass(frozen=True, slots=True)
class Status:
    """Refuse the call; the description is Telegram's own for this code, unless said."""

    code: int
    description: str = ""
    retry_after: int | None = None
    migrate_to_chat_id: int | None = None


@dataclass(frozen=True, slots=True)
class Html:
    """A page that is no answer of Telegram's."""

    code: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Do nothing, and close without a word."""


Fault = Status | Html | Delay | Hang | HalfClose | Reset | Drop

CONFLICT = Status(
    409,
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
)


class Plan:
    """Which call goes wrong: the next ones of a method, one each, then whatever strikes for a time."""

    def __init__(self) -> None:
        self._next: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self._lasting: dict[str, tuple[float, Fault]] = {}

    def once(self, method: str, *faults: Fault | None) -> None:
        """One for each of the next calls of ``method``; None: it goes well."""
        self._next[method].extend(faults)

    def until(self, at: float, method: str, fault: Fault) -> None:
        """Every call before ``at``, in Trio's time."""
        self._lasting[method] = (at, fault)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._next.clear()
        self._lasting.clear()

    @property
    def left(self) -> int:
        """Faults of ``once`` that have not struck yet."""
        return sum(map(len, self._next.values()))

    def take(self, method: str) -> Fault | None:
        """What strikes this call of ``method``."""
        for name in (method, EVERY):
            if self._next[name]:
                return self._next[name].popleft()
        for name in (method, EVERY):
            at, fault = self._lasting.get(name, (0.0, None))
            if trio.current_time() < at:
                return fault
        return None
