"""Taking over: what an old home holds, as operations of our store, each of them a step that may be the last one.

    old home ─▶ stretches, in slices ─▶ lines, as they were said, a page at a time ─▶ TakeStretches, TakeLines …

What was taken before is read and passed over: a run that was broken off is finished by the next one, and a second one adds
only what is new.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar, assert_never

from hermes.importing.lines import Reading
from hermes.importing.old_home import OldHome
from hermes.importing.transcripts import messages
from hermes.store.import_ops import OldLine, OldStretch, TakeLines, Taken, TakeStretches
from hermes.store.imports import TASK
from hermes.store.original import PAGE_MESSAGES
from hermes.store.upkeep_ops import NoteUpkeep
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import SessionId

SLICE_STRETCHES = 100
IMPORT_CHANGED = "import_changed"

Message = tuple[SessionId, Mapping[str, Any]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """``op``, if any, is to be written before the next step is asked for; with it, ``messages`` more have been looked at."""

    op: TakeStretches | TakeLines | None
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Sum:
    """What has come of it: stretches that are new, and lines."""

    stretches: int = 0
    lines: int = 0

    def plus(self, op: TakeStretches | TakeLines, result: int) -> "Sum":
        """With what ``op`` came to. Raises ``GatewayError`` (``import_changed``) if somebody else does the same."""
        match op:
            case TakeStretches():
                return replace(self, stretches=self.stretches + result)
            case TakeLines():
                if not result:
                    words = "somebody else takes over the same conversations; what is here by now is complete"
                    raise GatewayError(Failure(IMPORT_CHANGED, scope="gateway", detail=words))
                return replace(self, lines=self.lines + len(op.lines))
            case never:
                assert_never(never)


def is_new(op: TakeStretches | TakeLines, taken: Mapping[str, int]) -> bool:
    """True if it brings something that is not here."""
    return isinstance(op, TakeLines) or any(one.session_id not in taken for one in op.stretches)


def noted(sum_: Sum, at: float, took_s: float) -> NoteUpkeep:
    """That it was done to its end."""
    return NoteUpkeep(TASK, at, round(took_s, 3), asdict(sum_))


def steps(old: OldHome, taken: Mapping[str, int]) -> Iterator[Step]:
    """All there is to be done, in order; ``taken`` is how many messages of each session are here. Reads as it goes: blocks.

    Raises ``GatewayError`` where the database turns out to be damaged.
    """
    for some in _slices(old.stretches, SLICE_STRETCHES):
        yield Step(TakeStretches(tuple(some)))
    books = {one.session_id: _Book(one, taken.get(one.session_id, 0)) for one in old.stretches}
    for page in _pages(old):
        mine = [(books[session_id], message) for session_id, message in page if session_id in books]
        lines = tuple(line for book, message in mine for line in book.read(message))
        marks = tuple(filter(None, (book.mark() for book in dict.fromkeys(book for book, _ in mine))))
        yield Step(TakeLines(marks, lines) if marks else None, len(mine))


@dataclass(slots=True, eq=False)
class _Book:
    """How far one stretch has been taken. The first ``passed_over`` of its messages were, before this run."""

    stretch: OldStretch
    passed_over: int
    looked_at: int = 0
    marked: int = field(init=False)
    reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        self.marked = self.passed_over
        self.reading = Reading(self.stretch.started_at, self.passed_over, self.passed_over)

    def read(self, message: Mapping[str, Any]) -> list[OldLine]:
        """The lines that the next message completes; none if it was taken before."""
        self.looked_at += 1
        if self.looked_at <= self.passed_over:
            return []
        key, session_id = self.stretch.conversation.session_key, self.stretch.session_id
        return [OldLine(key, session_id, line, undone) for line, undone in self.reading.read(message)]

    def mark(self) -> Taken | None:
        """What is taken by now; None if that is what it was at the last mark."""
        before, self.marked = self.marked, self.reading.settled
        return None if before == self.marked else Taken(self.stretch.session_id, before, self.marked)


def _pages(old: OldHome) -> Iterator[Sequence[Message]]:
    """The files first: they are of the time before the database."""
    for session_id in (one.session_id for one in old.stretches if one.session_id in old.files):
        found: Iterator[Message] = ((session_id, message) for message in messages(old.files[session_id], []))
        yield from _slices(found, PAGE_MESSAGES)
    if old.database is not None:
        for page in old.database.pages():
            yield [(row["session_id"], row) for row in page if row["session_id"] not in old.files]


def _slices(things: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    left = iter(things)
    while some := list(islice(left, size)):
        yield some
