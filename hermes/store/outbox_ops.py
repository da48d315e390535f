"""What an operator does to messages on their way out, as data; see ``hermes.store.ops``."""

from dataclasses import dataclass
from typing import ClassVar

from hermes.store.ops import Op


@dataclass(frozen=True, slots=True)
class Retry(Op[bool]):
    """Outbox row ``dead``, ``retry`` or ``unknown`` → ``prepared``, to be sent at once, as if it were new.

    What has arrived of it has its receipts and is not sent again. One that may have arrived already, be it ``unknown`` or
    given up since, is ``unknown`` and sent with a mark. False (and nothing changed) if it is none of these, or was secret and
    is erased by now.
    """

    rank: ClassVar[int] = 60
    row_id: int
    at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Drop(Op[bool]):
    """An outbox row that is not being sent → ``dead``, dropped: it is not sent, and not counted among the dead letters.

    False if it has arrived, or is being sent right now.
    """

    rank: ClassVar[int] = 60
    row_id: int
    at: float
