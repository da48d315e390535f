"""Everything there is to see of one actor, as plain data: for logs about a stuck one, and for whoever asks what it does.

One actor at a time: the stacks of a thousand tasks would hold up the loop for as long as a person notices.
"""

from __future__ import annotations

import gc
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

import trio

from supervisors.events import RING_EVENTS, SupervisionEvent
from supervisors.letters import RING_LETTERS
from supervisors.timers import Timer
from supervisors.tree import ActorSnapshot

if TYPE_CHECKING:
    from supervisors.cell import Cell, Life
    from supervisors.system import System

BODY_CHARACTERS = 500
"""What is shown of a message at most, where messages are shown."""

_INNER = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))
"""Where coroutines, generators and async generators keep their frame, and what they wait for."""

_OPAQUE = frozenset({"coroutine_wrapper", "async_generator_asend", "async_generator_athrow"})
"""What the interpreter puts between two of those; it tells only the garbage collector what it drives."""


@dataclass(frozen=True, slots=True)
class TaskStack:
    """Where one task waits: ``file:line function`` a line, outermost first."""

    task: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Letters:
    """``count`` dead letters of one type, for one reason."""

    message: str
    why: str
    count: int


@dataclass(frozen=True, slots=True)
class Bodies:
    """Messages as text, each cut at ``BODY_CHARACTERS``: the one in work, those that wait by lane, the dead letters."""

    current: str | None
    control: tuple[str, ...]
    user: tuple[str, ...]
    letters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActorDump:
    """One actor at one instant.

    ``stacks`` are of the tasks it owns: its own and those in its nurseries, its linked children's, and those of lives of
    it that were given up and still run. ``waiting`` counts the messages in each lane by type; the one in work, with its
    age, is the node's ``current``. ``events`` are the newest of it and of all below it, oldest first; ``letters`` are its
    own. ``bodies`` is None unless it was asked for: without it nothing here is made from a message but its type.
    """

    node: ActorSnapshot
    stacks: tuple[TaskStack, ...]
    waiting: Mapping[str, Mapping[str, int]]
    events: tuple[SupervisionEvent, ...]
    letters: tuple[Letters, ...]
    bodies: Bodies | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data that JSON knows."""
        return {
            "node": self.node.to_json(),
            "stacks": [asdict(stack) for stack in self.stacks],
            "waiting": {lane: dict(counts) for lane, counts in self.waiting.items()},
            "events": [
                {
                    "at": event.at,
                    "kind": event.kind,
                    "path": event.path,
                    "incarnation": event.incarnation,
                    "detail": dict(event.detail),
                }
                for event in self.events
            ],
            "letters": [asdict(letters) for letters in self.letters],
            "bodies": None if self.bodies is None else asdict(self.bodies),
        }


def dump(system: System, path: str, *, events: int = 50, bodies: bool = False) -> ActorDump:
    """What there is to see of the actor at ``path``. It asks nobody, so a stuck actor can be looked at as well.

    Messages are shown only with ``bodies``. An error's text is the actor's own, here as in the tree and in the log: it
    says what the actor put into it. Raises ``LookupError``.
    """
    cell, node = system.registry.cell(path), system.snapshot(path)
    if cell is None or node is None:
        raise LookupError(f"there is no actor at {path}")
    control, user = ([_message(body) for body in lane] for lane in cell.mailbox.waiting())
    letters = [letter for letter in system.letters.newest(RING_LETTERS) if letter.path == path]
    happened = [
        event for event in system.events.newest(RING_EVENTS) if f"{event.path}/".startswith(f"{path}/")
    ]
    current = cell.mailbox.current
    return ActorDump(
        node=node,
        stacks=tuple(_stacks(system, cell)),
        waiting={"control": _by_type(control), "user": _by_type(user)},
        events=tuple(happened[-events:] if events else ()),
        letters=tuple(
            Letters(message, why, count)
            for (message, why), count in Counter(
                (type(letter.message).__name__, letter.why.value) for letter in letters
            ).items()
        ),
        bodies=Bodies(
            current=None if current is None else _text(_message(current.body)),
            control=tuple(map(_text, control)),
            user=tuple(map(_text, user)),
            letters=tuple(_text(letter.message) for letter in letters),
        )
        if bodies
        else None,
    )


def stack_of(task: trio.lowlevel.Task) -> list[str]:
    """Where ``task`` waits, outermost frame first, one ``file:line function`` a line."""
    lines: list[str] = []
    awaited: Any = task.coro
    while awaited is not None:
        frame, awaited = _step_in(awaited)
        if frame is not None:
            summary = traceback.extract_stack(frame, limit=1)[0]
            lines.append(f"{summary.filename}:{frame.f_lineno} {summary.name}")
    return lines


def _step_in(awaited: Any) -> tuple[FrameType | None, Any]:
    """The frame of something that is awaited, and what it awaits itself; None for what is not written in Python."""
    for name, inner in _INNER:
        frame = getattr(awaited, name, None)
        if isinstance(frame, FrameType):
            return frame, getattr(awaited, inner)
    if type(awaited).__name__ in _OPAQUE:
        return None, next(filter(_is_driven, gc.get_referents(awaited)), None)
    return None, None


def _is_driven(held: Any) -> bool:
    return any(isinstance(getattr(held, name, None), FrameType) for name, _ in _INNER)


def _stacks(system: System, cell: Cell) -> Iterator[TaskStack]:
    lives = [life for life in system.zombies if life.cell is cell]
    if cell.life is not None:
        lives.append(cell.life)
    for life in sorted(lives, key=lambda life: life.incarnation):
        yield from _stacks_of_life(life)


def _stacks_of_life(life: Life) -> Iterator[TaskStack]:
    for task in [] if life.task is None else _family(life.task):
        yield TaskStack(task.name, tuple(stack_of(task)))
    for child in life.linked.values():
        yield from _stacks_of_life(child)


def _family(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """``task`` and all in its nurseries, and in theirs."""
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _family(child)


def _message(body: Any) -> Any:
    """What the actor will see of what waits."""
    return body.message if isinstance(body, Timer) else body


def _by_type(messages: Sequence[Any]) -> dict[str, int]:
    return dict(Counter(type(message).__name__ for message in messages))


def _text(message: Any) -> str:
    try:
        return repr(message)[:BODY_CHARACTERS]
    except Exception:  # foreign code, run for somebody who only looks
        return f"<{type(message).__name__}, whose text cannot be made>"
