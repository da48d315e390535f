"""The tools of a turn as function calling knows them: what a model has asked for, and what it is shown of that. Pure.

    pieces of a stream ─ Calls.add ─▶ Reply ─▶ Step ─ (a restart) ─▶ Reply
    Reply, its results               ─▶ assistant with tool_calls, tool, tool, …
    Used, of an earlier turn         ─▶ the same

The ids are ours: what servers make up is not unique with all of them, and nine letters and digits are what all of them take.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hermes.agents.model import OPENAI
from hermes.agents.openai.wire import CallPiece
from hermes.types.agent import Step
from hermes.types.records import Used
from hermes.types.tools import MOST_ARGUMENT_BYTES, NAME
from hermes.types.whole import whole

MOST_CALLS = 32
"""In one reply. A model that has lost its way calls for ever."""

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as the model has written it; ``arguments`` may be no JSON at all."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model has said before it can answer. ``told``: how many messages of its people it knew then."""

    text: str
    calls: tuple[Asked, ...]
    told: int

    def step(self) -> Step:
        """How it is committed."""
        said = {"text": self.text, "calls": [(one.name, one.arguments) for one in self.calls]}
        return Step("reply", OPENAI, json.dumps(said | {"told": self.told}))


@dataclass(slots=True)
class Calls:
    """The calls of one reply, as they come."""

    names: list[str] = field(default_factory=list)
    arguments: list[list[str]] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    size: int = 0

    def add(self, piece: CallPiece) -> None:
        """What has come of one. What is too many or too long is counted, and kept no longer."""
        place = len(self.names) if piece.index is None else self.places.get(piece.index, len(self.names))
        self.size += len(piece.name) + len(piece.arguments)
        if place == MOST_CALLS:
            return
        if place == len(self.names):
            self.names.append("")
            self.arguments.append([])
        if piece.index is not None:
            self.places[piece.index] = place
        self.names[place] = self.names[place] or piece.name
        if self.size <= 2 * MOST_ARGUMENT_BYTES:
            self.arguments[place].append(piece.arguments)

    def __bool__(self) -> bool:
        return bool(self.names)

    def asked(self) -> tuple[Asked, ...]:
        """All of them, in order."""
        return tuple(
            Asked(whole(name), whole("".join(arguments)))
            for name, arguments in zip(self.names, self.arguments, strict=True)
        )


def replies(steps: Iterable[Step]) -> list[Reply]:
    """What was said in an earlier attempt at the turn; steps of other agents are none of ours."""
    found = []
    for step in steps:
        if (step.kind, step.name) == ("reply", OPENAI):
            said = json.loads(step.text)
            found.append(Reply(said["text"], tuple(Asked(*one) for one in said["calls"]), said["told"]))
    return found


def call_id(round_: int, place: int) -> str:
    """The name of a call in its turn."""
    return f"c{round_:05d}{place:03d}"


def messages(reply: Reply, results: Sequence[str], round_: int) -> list[Message]:
    """What the model is shown of it. ``results`` are those of all calls."""
    ids = [call_id(round_, place) for place in range(len(reply.calls))]
    return _shown(reply.text, ids, reply.calls, results)


def recorded(used: Sequence[Used], number: int) -> list[Message]:
    """What it is shown of an earlier turn, the ``number``th that it is shown; its words stand in the answer."""
    ids = [f"h{number:05d}{place:03d}" for place in range(len(used))]
    calls = [Asked(one.name, one.arguments) for one in used]
    return _shown("", ids, calls, [one.result for one in used]) if used else []


def _shown(text: str, ids: Sequence[str], calls: Sequence[Asked], results: Sequence[str]) -> list[Message]:
    asked = [
        {"id": name, "type": "function", "function": _sound(one)}
        for name, one in zip(ids, calls, strict=True)
    ]
    said: Message = {"role": "assistant", "content": text or None, "tool_calls": asked}
    told = zip(ids, results, strict=True)
    return [said, *({"role": "tool", "tool_call_id": name, "content": result} for name, result in told)]


def _sound(asked: Asked) -> Message:
    """Templates of models take the arguments apart, and some fail for the whole request where these are no JSON."""
    name = asked.name if NAME.fullmatch(asked.name) else "unknown"
    return {"name": name, "arguments": asked.arguments if _is_object(asked) else "{}"}


def _is_object(asked: Asked) -> bool:
    try:
        return isinstance(json.loads(asked.arguments), dict)
    except (ValueError, RecursionError):
        return False
