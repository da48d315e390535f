"""HOOK.yaml: which events a hook hears, and how it wants to be called."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from hermes.config.access_keys import flag
from hermes.config.written import Written

TIMEOUT_S = 10.0
LONGEST_S = 300.0
MOST_CHARACTERS = 200

Runtime = Literal["asyncio", "trio"]
"""Where an ``async def handle`` runs. The original's are of asyncio, so that is what one is unless it says otherwise."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What HOOK.yaml says. ``timeout_s``: how long one call may take."""

    name: str
    description: str
    events: tuple[str, ...]
    enabled: bool = True
    runtime: Runtime = "asyncio"
    timeout_s: float = TIMEOUT_S


def read_manifest(written: Written, directory: str) -> Manifest:
    """The manifest of the hook in ``directory``, which is its name where it gives none. Keys that are not ours are left alone.

    Raises ``ValueError`` that names the place.
    """
    events = read_value(written["events"], _events)
    return Manifest(
        name=read_value(written["name"], _line) or directory,
        description=read_value(written["description"], _line),
        events=events,
        enabled=read_value(written["enabled"], lambda texts: flag(texts) if texts else True),
        runtime=read_value(written["runtime"], _runtime),
        timeout_s=read_value(written["timeout"], seconds),
    )


def seconds(texts: Sequence[str]) -> float:
    """A time out. Raises ``ValueError``."""
    words = f"seconds, more than 0 and at most {LONGEST_S:g}"
    try:
        found = float(" ".join(texts)) if texts else TIMEOUT_S
    except ValueError:
        raise ValueError(words) from None
    if not (math.isfinite(found) and 0 < found <= LONGEST_S):
        raise ValueError(words)
    return found


def read_value(part: Written, parse: Callable[[list[str]], T]) -> T:
    """What ``parse`` makes of the texts of ``part``, none if nothing stands there. Raises ``ValueError`` that names the place."""
    try:
        return parse(part.texts() if part.node is not None else [])
    except ValueError as wrong:
        raise ValueError(f"{part.place}: {wrong}") from None


def _line(texts: list[str]) -> str:
    return " ".join(" ".join(texts).split())[:MOST_CHARACTERS]


def _events(texts: list[str]) -> tuple[str, ...]:
    events = tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if not events:
        raise ValueError("a list of events that it hears; it names none")
    return events


def _runtime(texts: list[str]) -> Any:
    found = texts[0].strip().lower() if texts else "asyncio"
    if len(texts) > 1 or found not in get_args(Runtime):
        raise ValueError(f"one of {', '.join(get_args(Runtime))}")
    return found
