"""Writes of what is kept for people: notes, and who may look in with a browser."""

from dataclasses import dataclass
from typing import ClassVar

from hermes.store.ops import Op
from hermes.types.records import Note


@dataclass(frozen=True, slots=True)
class AddNote(Op[Note]):
    """Remember a text; the same ``key`` again returns the first note."""

    rank: ClassVar[int] = 35
    key: str
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class DropNote(Op[bool]):
    """Forget a note."""

    rank: ClassVar[int] = 36
    note_id: int


@dataclass(frozen=True, slots=True)
class PutLoginCode(Op[None]):
    """Store the hash of a one-time link's code; drops expired ones."""

    rank: ClassVar[int] = 50
    code_hash: bytes
    expires_at: float
    at: float


@dataclass(frozen=True, slots=True)
class RedeemLoginCode(Op[bool]):
    """Use up a code and store the hash of the browser session it opens. False if unknown, used or expired."""

    rank: ClassVar[int] = 51
    code_hash: bytes
    session_hash: bytes
    at: float
    session_expires_at: float


@dataclass(frozen=True, slots=True)
class CloseBrowserSession(Op[bool]):
    """Forget a browser session; False if there was none."""

    rank: ClassVar[int] = 52
    session_hash: bytes
