"""Messages of the original as lines of ours. Pure.

user ─▶ a line      assistant, with what it calls, tool … ─▶ kept ─▶ with the answer that comes of them: one line
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hermes.importing.routes import instant, text
from hermes.store.original import MOST_RESULT_CHARACTERS, parsed
from hermes.types import texts
from hermes.types.records import TranscriptLine, Used

STRUCTURED = "\0json:"
"""What content begins with that is not plain text."""

_ROLES: Mapping[str, Literal["user", "assistant", "system"]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}


@dataclass(slots=True)
class Reading:
    """One stretch while it is read. ``seen`` of its messages were looked at; the first ``settled`` of them have become lines,
    or never will. ``at``: when the last one was said.
    """

    at: float
    seen: int = 0
    settled: int = 0
    used: list[Used] = field(default_factory=list)
    called: dict[str, tuple[str, str]] = field(default_factory=dict)

    def read(self, message: Mapping[str, Any]) -> list[tuple[TranscriptLine, bool]]:
        """The lines that the next message completes, each with whether it was taken back there."""
        self.seen += 1
        self.at = instant(message.get("timestamp")) or self.at
        # What was only made shorter for the model is history still.
        undone = message.get("active") == 0 and not message.get("compacted")
        found = [(line, undone) for line in self._lines(message, undone=undone)]
        if found or not (self.used or self.called):
            self.settled = self.seen
        return found

    def _lines(self, message: Mapping[str, Any], *, undone: bool) -> list[TranscriptLine]:
        said = words(message.get("content"))
        match message.get("role"):
            case "tool" if not undone:
                self.used.append(self._used(message, said))
                return []
            case "assistant" if not undone and (calls := _calls(message.get("tool_calls"))):
                self.called |= calls
                return self._line("assistant", said) if said else []
            case "assistant":
                return self._line("assistant", said, answers=not undone) if said else []
            case "user" | "system" as role:
                dangling = self._line("notice", texts.NO_ANSWER_CAME, answers=True) if self.used else []
                self.called = {}
                return dangling + (self._line(_ROLES[role], said) if said else [])
            case _:
                return []

    def _line(
        self, role: Literal["user", "assistant", "notice", "system"], said: str, *, answers: bool = False
    ) -> list[TranscriptLine]:
        used = tuple(self.used) if answers else ()
        if answers:
            self.used, self.called = [], {}
        return [TranscriptLine(role, said, self.at, used=used)]

    def _used(self, message: Mapping[str, Any], said: str) -> Used:
        name, arguments = self.called.pop(str(message.get("tool_call_id")), ("", ""))
        name = name or text(message.get("tool_name") or message.get("name")) or "tool"
        return Used(name, arguments, said[:MOST_RESULT_CHARACTERS])


def words(content: object) -> str:
    """What was said, of content that may be text or parts of several kinds."""
    if isinstance(content, bytes):
        content = content.decode("utf-8", "replace")
    if isinstance(content, str) and content.startswith(STRUCTURED):
        rest = content.removeprefix(STRUCTURED)
        content = parsed(rest) or rest
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        return "\n".join(filter(None, map(text, parts)))
    return text(content)


def _calls(said: object) -> dict[str, tuple[str, str]]:
    """By their ids, the names and arguments of the tools that an answer calls."""
    said = parsed(said)
    found = {}
    for call in said if isinstance(said, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            arguments = function.get("arguments")
            arguments = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
            found[str(call.get("id"))] = (text(function.get("name")) or "tool", text(arguments))
    return found
