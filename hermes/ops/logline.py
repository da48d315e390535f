"""One entry of a log, and its two shapes in a file, which are inverse to one another:

2026-03-04 10:00:00.123+01:00 ERROR   root/gateway/web#2 actors.web  what happened
    more of what happened
  | Traceback (most recent call last):
  |   …

{"at": "2026-03-04T10:00:00.123+01:00", "level": …, "actor": …, "incarnation": …, "logger": …, "message": …, "exc": …}
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}

_MORE, _TRACE = "    ", "  | "
_HEAD = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \S+) (?P<level>[A-Z]+) +(?:-|(?P<actor>\S+?)(?:#(?P<incarnation>[0-9]{1,9}))?)"
    r" (?P<logger>\S+)  (?P<message>.*)"
)
_YEAR_3000_S = 32_503_680_000.0
"""No log is from beyond it, and no calendar stumbles before it."""

_UNSEEN = {
    code: ascii(chr(code))[1:-1]
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\t\n"
}
"""What a terminal acts on, what would pass for the end of a line, what turns the order of letters: as Python writes it."""

_BLANK = _UNSEEN | {ord("\t"): "\\t", ord("\n"): "\\n", ord(" "): "\\x20"}


@dataclass(frozen=True, slots=True)
class Entry:
    """``at``: seconds since the epoch, to the millisecond. ``level``: a key of ``LEVELS``. ``actor`` and ``incarnation``:
    whose code it was, if an actor's. ``exc``: a traceback.

    A line that nobody can read is an entry too: its text as ``message`` and nothing else.
    """

    message: str
    at: float | None = None
    level: str | None = None
    logger: str | None = None
    actor: str | None = None
    incarnation: int | None = None
    exc: str | None = None

    def when(self, separator: str = "T") -> str | None:
        """``at`` in local time, with its offset from UTC."""
        if self.at is None:
            return None
        return datetime.fromtimestamp(self.at).astimezone().isoformat(separator, "milliseconds")

    def to_json(self) -> dict[str, Any]:
        """As ``logging.format: json`` writes it and ``hermes logs --json`` prints it."""
        return {
            "at": self.when(),
            "level": self.level,
            "actor": self.actor,
            "incarnation": self.incarnation,
            "logger": self.logger,
            "message": self.message,
            "exc": self.exc,
        }


def json_line(entry: Entry) -> str:
    """``entry`` as one line of JSON."""
    return json.dumps(entry.to_json(), ensure_ascii=False)


def text_lines(entry: Entry) -> str:
    """``entry`` for people: a line, and indented ones below it where there is more to say. No control characters."""
    if entry.at is None:
        return body(entry)
    who = _word(entry.actor or "-")
    if entry.incarnation is not None:
        who += f"#{entry.incarnation}"
    return f"{entry.when(' ')} {entry.level:<7} {who} {_word(entry.logger or '-')}  {body(entry)}"


def _word(name: str) -> str:
    return name.translate(_BLANK)


def body(entry: Entry) -> str:
    """The message and what stands below it."""
    text = entry.message.translate(_UNSEEN).replace("\n", "\n" + _MORE)
    if entry.exc is None:
        return text
    return text + "\n" + _TRACE + entry.exc.translate(_UNSEEN).replace("\n", "\n" + _TRACE)


def blocks(lines: Iterable[str], *, backwards: bool = False) -> Iterator[list[str]]:
    """Lines grouped to entries, each in the order of the file; ``backwards``: the lines come last one first."""
    block: list[str] = []
    for line in lines:
        below = line.startswith((_MORE, _TRACE))
        if backwards:
            block.append(line)
            if not below:
                yield block[::-1]
                block = []
        else:
            if block and not below:
                yield block
                block = []
            block.append(line)
    if block:
        yield block[::-1] if backwards else block


def parse(block: Sequence[str]) -> Entry:
    """The entry that ``block``, in either shape, was made from; one without facts if it was made from none."""
    first, *rest = block
    entry = _from_json(first) if first.startswith("{") else _from_text(first, rest)
    return entry or Entry("\n".join(block))


def _from_text(first: str, rest: Sequence[str]) -> Entry | None:
    head = _HEAD.fullmatch(first)
    at = None if head is None else _seconds(head["at"])
    if head is None or at is None or head["level"] not in LEVELS:
        return None
    message = [head["message"], *(line.removeprefix(_MORE) for line in rest if line.startswith(_MORE))]
    trace = [line.removeprefix(_TRACE) for line in rest if line.startswith(_TRACE)]
    return Entry(
        "\n".join(message),
        at,
        head["level"],
        head["logger"],
        head["actor"],
        None if head["incarnation"] is None else int(head["incarnation"]),
        "\n".join(trace) if trace else None,
    )


def _from_json(line: str) -> Entry | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match document:
        case {
            "at": str(when),
            "level": str(level),
            "actor": str() | None as actor,
            "incarnation": int() | None as incarnation,
            "logger": str(logger),
            "message": str(message),
            "exc": str() | None as exc,
        } if level in LEVELS and (at := _seconds(when)) is not None:
            return Entry(message, at, level, logger, actor, incarnation, exc)
        case _:
            return None


def _seconds(when: str) -> float | None:
    try:
        at = datetime.fromisoformat(when).timestamp()
    except (ValueError, OverflowError):
        return None
    return at if 0 <= at < _YEAR_3000_S else None
