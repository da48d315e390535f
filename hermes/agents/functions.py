"""The tools that are always there: what people have said and noted, and their jobs.

Each acts for whoever asks, and reaches no further than they do: of another conversation it knows nothing. The operator, whom
our own edges prove, is told of all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hermes.sessions.people import OWN_CHATS
from hermes.types.agent import Memory
from hermes.types.ids import SessionKey
from hermes.types.jobs import Jobs
from hermes.types.tools import Call, Tool, ToolContext, ToolError

MOST_HITS = 20
MOST_NOTE_CHARACTERS = 4_000

_TEXT = {"type": "string"}
_VERBS = ("list", "create", "edit", "pause", "resume", "run", "remove", "runs")

SEARCH = (
    "Search what was said before, also in earlier conversations. All words must occur in the same message."
)
NOTES = "Notes that outlive a conversation: list them, add one, or drop one by its number."
CRON = (
    "Jobs that run at their times: list, create, edit, pause, resume, run (now), remove, runs (what became of the last ones)."
    " create takes a schedule and either a prompt, which you will be asked then, without this conversation, or a message,"
    " which is sent as it is. A schedule is `30m` or `2026-05-01T09:00` (once), `every 2h`, or a cron expression like"
    " `0 9 * * mon-fri`."
    " Its answer is delivered to this chat."
)


def functions(memory: Memory, jobs: Jobs) -> Iterator[Tool]:
    """All of them."""
    yield Tool("search", SEARCH, _object({"query": _TEXT}, "query"), _Search(memory), toolset="memory")
    note = {"action": _one_of("list", "add", "drop"), "text": _TEXT, "number": {"type": "integer"}}
    yield Tool("notes", NOTES, _object(note, "action"), _Notes(memory), toolset="memory")
    job = {"job": _TEXT | {"description": "id or name"}, "action": _one_of(*_VERBS)}
    words = dict.fromkeys(("schedule", "prompt", "message", "name", "tz"), _TEXT)
    times = {"times": {"type": "integer", "description": "how often it runs in all"}}
    yield Tool("cron", CRON, _object(job | words | times, "action"), _Cron(jobs), toolset="cron")


class _Search:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def __call__(self, call: Call, context: ToolContext) -> str:
        query = _given(call, "query", str)
        hits = await self._memory.search(query, MOST_HITS, _reach(context))
        lines = (f"{_at(hit.at)} {hit.role}: {hit.excerpt}" for hit in hits)
        return "\n".join(lines) if hits else "nothing was found"


class _Notes:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def __call__(self, call: Call, context: ToolContext) -> str:
        match call.arguments.get("action"):
            case "list":
                kept = await self._memory.notes(_reach(context))
                return "\n".join(f"{note.note_id}: {note.text}" for note in kept) or "there are no notes"
            case "add":
                text = _given(call, "text", str)
                if not text.strip() or len(text) > MOST_NOTE_CHARACTERS:
                    raise ToolError(f"text has 1 to {MOST_NOTE_CHARACTERS:,} characters")
                note = await self._memory.add_note(f"{context.turn_id}/{call.call_id}", text)
                return f"kept as note {note.note_id}"
            case "drop":
                number = _given(call, "number", int)
                if all(note.note_id != number for note in await self._memory.notes(_reach(context))):
                    raise ToolError(f"there is no note {number}")
                await self._memory.drop_note(number)
                return f"note {number} is gone"
            case other:
                raise ToolError(f"action is list, add or drop, not {other!r:.40}")


class _Cron:
    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def __call__(self, call: Call, context: ToolContext) -> str:
        verb = call.arguments.get("action")
        if verb not in _VERBS:
            raise ToolError(f"action is one of {', '.join(_VERBS)}, not {verb!r:.40}")
        said = {name: value for name, value in call.arguments.items() if name != "action"}
        key = f"{context.turn_id}:{call.call_id}"
        answer = await self._jobs.on_behalf(context.event, verb, said, key=key)
        return json.dumps(answer, ensure_ascii=False, default=str)


def _reach(context: ToolContext) -> SessionKey | None:
    return None if context.platform in OWN_CHATS else context.session_key


def _given(call: Call, name: str, kind: type[Any]) -> Any:
    value = call.arguments.get(name)
    if type(value) is not kind:
        raise ToolError(f"{name} is missing, or no {'text' if kind is str else 'whole number'}")
    return value


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "minutes")


def _object(properties: Mapping[str, Any], *required: str) -> Mapping[str, Any]:
    return {"type": "object", "properties": properties, "required": list[str](required)}


def _one_of(*names: str) -> Mapping[str, Sequence[str] | str]:
    return {"type": "string", "enum": list(names)}
