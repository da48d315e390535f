"""Words and figures for a terminal."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hermes.net.clientlink import Item

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def plain(text: str) -> str:
    """``text`` without anything that a terminal would act on: names and errors may come from anywhere."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def plain_lines(text: str) -> str:
    """``text`` in its lines, each ``plain``."""
    return "\n".join(plain(line.expandtabs()) for line in text.split("\n"))


def typed_text(text: str) -> str:
    """What a terminal handed over, made into text that can be looked up: bytes that are none match nothing."""
    return text.encode("utf-8", "replace").decode()


def file_lines(item: "Item") -> Sequence[str]:
    """The files of a message of the agent's, a line each: what it is called, and where it is."""
    return [f"{plain(one.name)}: {plain(one.ref)}" for one in item.files]


def local_time(at: float) -> str:
    """A moment in the terminal's own time; ``at`` in epoch seconds."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """A length of time in its largest unit, e.g. ``3 min``."""
    if seconds is None:
        return "–"
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
