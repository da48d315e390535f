"""The writes about answers that are shown while they are written, as data; see ``hermes.store.ops``. Only a lane writes them."""

from dataclasses import dataclass
from typing import ClassVar

from hermes.delivery.stream import Stream
from hermes.store.ops import Op, Receipt
from hermes.types.ids import BootId


@dataclass(frozen=True, slots=True)
class OpenStream(Op[bool]):
    """``stream`` is about to send one more message, in the chat of ``platform``, ``account`` and ``chat_id``. False (and nothing
    written) if its turn is over.
    """

    rank: ClassVar[int] = 60
    stream: Stream
    platform: str
    account: str
    chat_id: str
    boot_id: BootId
    at: float


@dataclass(frozen=True, slots=True)
class KeepStream(Op[bool]):
    """What there is of a stream now. False if it is gone: its person is forgotten."""

    rank: ClassVar[int] = 60
    stream: Stream
    at: float


@dataclass(frozen=True, slots=True)
class DropStream(Op[None]):
    """Nothing remains to be done to its messages."""

    rank: ClassVar[int] = 60
    stream: Stream


@dataclass(frozen=True, slots=True)
class ReceiptOfStream(Op[bool]):
    """``receipt`` of a part of the answer, and what its stream is from then on; ``after`` None: nothing. As ``Receipt``."""

    rank: ClassVar[int] = 1
    receipt: Receipt
    stream: Stream
    after: Stream | None
