"""Tools: what an agent may do besides talking. Data and pure functions; ``actors.calling`` runs them.

the model's words ─ read ─▶ Call ─▶ Tool.run(call, context) ─▶ text ─ capped ─▶ what the model reads
                      └ ToolError ──────────────┴─▶ "error: …", which it reads too
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hermes.types.access import Role
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TurnId
from hermes.types.whole import whole

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
DEADLINE_S = 60.0
MOST_DEADLINE_S = 3600.0
MOST_RESULT_BYTES = 32_000
MOST_ARGUMENT_BYTES = 256_000
MOST_SCHEMA_BYTES = 32_000

OUTCOME_UNKNOWN = (
    "error: outcome unknown: it was begun and then cut off, so it may have been done, or half of it;"
    " look before you call it again"
)


class ToolError(Exception):
    """A tool cannot do what it is asked; its words are for the model."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: ``call_id`` is unique in its turn, and the same when that is run again. ``arguments`` are values of JSON."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolContext:
    """On whose behalf a tool is called. Of several people whose messages are answered together it is the one who may least,
    and ``event`` is theirs.
    """

    event: InboundEvent
    role: Role
    session_key: SessionKey
    turn_id: TurnId

    @property
    def platform(self) -> str:
        """Where they write from."""
        return self.event.origin.platform

    @property
    def account(self) -> str:
        """Our account there."""
        return self.event.origin.account

    @property
    def chat_id(self) -> str:
        """The chat."""
        return self.event.origin.chat_id

    @property
    def user_id(self) -> str | None:
        """Their id, if the platform says one."""
        return self.event.origin.user_id


Run = Callable[[Call, ToolContext], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. Raises ``ValueError`` and ``TypeError`` for what cannot be one: it may be somebody else's.

    ``parameters`` is the JSON schema of an object; the arguments are not checked against it. ``run`` is called in the Trio
    thread, many at once, for ``deadline_s``, and may be cancelled at any checkpoint; it raises ``ToolError`` for what the model
    should know. ``needs_approval``: a person is asked first. ``toolset``: a name for several together, for the settings.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Run
    toolset: str = ""
    deadline_s: float = DEADLINE_S
    needs_approval: bool = False
    source: str = "builtin"
    as_json: str = field(init=False, repr=False, compare=False)
    """``function``, written down once: every question to a model is measured with it."""

    def __post_init__(self) -> None:
        kinds: Mapping[str, type] = {
            "name": str,
            "description": str,
            "toolset": str,
            "needs_approval": bool,
            "parameters": Mapping,
        }
        wrong = [key for key, kind in kinds.items() if not isinstance(getattr(self, key), kind)]
        run: object = self.run
        wrong += [] if callable(run) else ["run"]
        wrong += [] if _is_number(self.deadline_s) else ["deadline_s"]
        if wrong:
            raise TypeError(f"{wrong[0]} of a tool cannot be {getattr(self, wrong[0])!r:.80}")
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r:.80} is no name for a tool: letters, digits, _ and -, 64 at most")
        if not 0 < self.deadline_s <= MOST_DEADLINE_S:
            raise ValueError(
                f"{self.name}: deadline_s is more than 0 and at most {MOST_DEADLINE_S:g} seconds"
            )
        if self.parameters.get("type", "object") != "object":
            raise ValueError(f"{self.name}: its parameters are the JSON schema of an object")
        if len(json.dumps(dict(self.parameters), allow_nan=False)) > MOST_SCHEMA_BYTES:
            raise ValueError(f"{self.name}: its schema is longer than {MOST_SCHEMA_BYTES:,} bytes")
        object.__setattr__(self, "as_json", json.dumps(self.function))

    @property
    def function(self) -> Mapping[str, Any]:
        """As function calling describes it."""
        parameters = {"type": "object", "properties": {}, **self.parameters}
        return {"name": self.name, "description": self.description, "parameters": parameters}


def read(call_id: str, name: str, arguments: str) -> Call:
    """The call that a model has written. Raises ``ToolError``; nothing at all is an empty object."""
    if len(arguments) > MOST_ARGUMENT_BYTES:
        raise ToolError(f"its arguments are longer than {MOST_ARGUMENT_BYTES:,} bytes")
    try:
        found = whole(json.loads(arguments, parse_constant=_refused)) if arguments.strip() else {}
    except (ValueError, RecursionError) as wrong:
        raise ToolError(f"its arguments are no JSON: {wrong}"[:200]) from wrong
    if not isinstance(found, dict):
        raise ToolError("its arguments are no JSON object")
    return Call(call_id, name, found)


def capped(said: object, most: int = MOST_RESULT_BYTES) -> str:
    """What a tool has returned, as a text of ``most`` bytes and a remark. Raises ``ToolError`` for what is no text."""
    if not isinstance(said, str):
        raise ToolError(f"it returned {type(said).__name__}, not a text")
    data = said[:most].encode("utf-8", "replace")
    if len(said) <= most and len(data) <= most:
        return data.decode()
    return f"{data[:most].decode('utf-8', 'ignore')}\n[cut here; in all it has {len(said):,} characters]"


def error(words: object) -> str:
    """How the model reads that something went wrong; no longer than what has gone well."""
    return f"error: {capped(str(words))}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value of JSON")
