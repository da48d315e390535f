"""The writes about what comes while a turn runs, as data; see ``hermes.store.ops``."""

from dataclasses import dataclass
from typing import ClassVar

from hermes.store.ops import Op
from hermes.types.ids import BootId, SessionKey, TurnId
from hermes.types.origin import Origin
from hermes.types.records import BusyMode


@dataclass(frozen=True, slots=True)
class Interrupt(Op[bool]):
    """Have ``turn_id`` begin again with the waiting rows ``row_ids`` among its own; False if it has ended, or none waits.

    Raises the session's generation. The rows the turn had end as ``merged``; they are answered with the others, under the
    same name and after the same steps. Whichever of this and ``FinishTurn`` commits first wins.
    """

    rank: ClassVar[int] = 40
    session_key: SessionKey
    turn_id: TurnId
    row_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Steer(Op[bool]):
    """Waiting rows ``row_ids`` → ``in_turn`` of a turn that runs; False (and nothing changed) if that was ended.

    Those that wait no longer are left out: whoever asks reads what the turn has afterwards.
    """

    rank: ClassVar[int] = 35
    session_key: SessionKey
    generation: int
    turn_id: TurnId
    row_ids: tuple[int, ...]
    boot_id: BootId
    incarnation: int


@dataclass(frozen=True, slots=True)
class Revise(Op[bool]):
    """Inbox row ``accepted``, an edit or (``text`` None) a deletion, done to the message it speaks of. False if not done.

    Done only to a message of the same person that waits for its turn and has not been in one. An edit replaces its text:
    it keeps its place. A deletion ends it as ``stopped:deleted`` and erases it. The row itself ends as ``merged``, else as
    ``ignored``; its own text is not kept.
    """

    rank: ClassVar[int] = 20
    row_id: int
    session_key: SessionKey
    origin: Origin
    message_id: str
    text: str | None


@dataclass(frozen=True, slots=True)
class SetBusyMode(Op[bool]):
    """A session's own busy mode, None for that of the configuration. False if there is no such session."""

    rank: ClassVar[int] = 40
    session_key: SessionKey
    mode: BusyMode | None
