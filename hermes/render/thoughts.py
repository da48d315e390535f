"""What a model thinks aloud before it answers: nobody is shown it.

``<think>``, ``<thinking>`` and ``<reasoning>``, in any case and nested, but not inside code: there they are what somebody
writes about. Inside a thought nothing counts but its own tags.
"""

import re
from collections.abc import Iterator

from hermes.render.source import Range, code, outside_code, without

NAMES = ("think", "thinking", "reasoning")

_ANY = "|".join(NAMES)
_OPENING = re.compile(rf"<(?P<name>{_ANY})>", re.IGNORECASE)
_LEFT_OVER = re.compile(rf"^[ \t]*</(?:{_ANY})>[ \t]*$", re.IGNORECASE | re.MULTILINE)
MOST_WITH_CODE = 100
"""After so many thoughts with code in them, code protects nothing any more: each costs a look at all that follows."""

_LONGEST_TAG = max(map(len, NAMES)) + len("<>")


def strip(text: str) -> str:
    """``text`` without its thoughts; from one that is not closed on, nothing is left.

    A closing tag alone on its line ends a thought that was begun before the text, as some templates do: all that comes before it
    goes.
    """
    return without(text, list(_thoughts(text)))


def strip_partial(text: str) -> str:
    """``text`` that is still being written, as far as it can be shown: without a tag that is only begun, either."""
    shown = strip(text)
    tail = shown.rfind("<", -_LONGEST_TAG)
    begun = shown[tail:].lower() if tail >= 0 else "-"
    return shown[:tail].rstrip() if any(f"<{name}>".startswith(begun) for name in NAMES) else shown


def _thoughts(text: str) -> Iterator[Range]:
    first, left_over = (next(outside_code(text, pattern), None) for pattern in (_OPENING, _LEFT_OVER))
    at = looks = 0
    if left_over is not None and (first is None or left_over.start() < first.start()):
        at = left_over.end()
        yield 0, at
    blocks = code(text, at)
    block = next(blocks, None)
    for opening in _OPENING.finditer(text, at):
        if opening.start() < at:
            continue  # within a thought
        while block is not None and block[1] <= opening.start():
            block = next(blocks, None)
        if block is not None and block[0] < opening.start():
            continue
        at = _end(text, opening)
        yield opening.start(), at
        if block is not None and block[0] < at:  # what looks like code there is part of the thought
            looks += 1
            blocks = code(text, at) if looks <= MOST_WITH_CODE else iter(())
            block = next(blocks, None)


def _end(text: str, opening: re.Match[str]) -> int:
    """Where the thought ends that begins there, with all that are within it; one that only talks of its tag, at the last."""
    depth, last = 1, len(text)
    tags = re.compile(rf"<(?P<close>/?){opening['name']}>", re.IGNORECASE)
    for tag in tags.finditer(text, opening.end()):
        depth += -1 if tag["close"] else 1
        last = tag.end() if tag["close"] else last
        if depth == 0:
            break
    return last
