"""What becomes of what an agent returns: what its chat is told, what the books say; pure.

    Final(text) ─▶ without thoughts ─┬─ a marker of silence ─▶ answered, by rule ``silent``: nothing is sent
                                     ├─ nothing             ─▶ answered, by rule ``empty_answer``, in our words
                                     └─ words, or files     ─▶ answered
    Failed(failure) ─▶ failed, by the failure's code, in our words; its detail is for the log alone

Only what the agent says itself is read so: the same words of a person are a message (S22).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from hermes.delivery.media_tags import Refusal
from hermes.delivery.silence import is_marker
from hermes.render import thoughts
from hermes.types import errors, texts
from hermes.types.agent import Failed, Final, Usage
from hermes.types.content import Media
from hermes.types.errors import EMPTY_ANSWER, MODEL_BUSY, Failure
from hermes.types.records import InboxState, Used

ANSWERED = "answered"
SILENT = "silent"
EMPTY = "(empty)"
"""What the original's agents return for nothing."""

FAILURES: Mapping[str, str] = {
    errors.MODEL_UNREACHABLE: texts.MODEL_UNREACHABLE,
    errors.MODEL_REFUSED_KEY: texts.MODEL_REFUSED_KEY,
    errors.MODEL_NOT_FOUND: texts.MODEL_NOT_FOUND,
    errors.MODEL_FILTERED: texts.MODEL_FILTERED,
    errors.MODEL_ERROR: texts.MODEL_ERROR,
    errors.CONTEXT_TOO_LONG: texts.CONTEXT_TOO_LONG,
    errors.AGENT_CRASHED: texts.AGENT_CRASHED,
}
"""What a chat is told of a failure, by its code; of one that is not here, as of ``agent_crashed``."""


@dataclass(frozen=True, slots=True)
class End:
    """How a turn ends: the rows' state and rule, what is said, what it has cost.

    ``media`` are files the agent has handed over, besides those that ``text`` names. ``suspend``: its stretch is suspended.
    ``used`` are the tools on the way.
    """

    state: InboxState
    rule: str
    text: str
    usage: Usage | None = None
    suspend: bool = False
    media: tuple[Media, ...] = ()
    used: tuple[Used, ...] = ()

    @property
    def is_silent(self) -> bool:
        """Nothing is sent; ``text`` is for the transcript."""
        return self.rule == SILENT

    @property
    def is_agents(self) -> bool:
        """The words are the agent's own, not ours about it."""
        return self.rule == ANSWERED


def of(answer: Final | Failed) -> End:
    """How a turn ends whose agent has returned ``answer``."""
    match answer:
        case Final(text, usage, media):
            words = thoughts.strip(text)
            if is_marker(words) and not media:
                return End("answered", SILENT, words, usage)
            if words.strip() in ("", EMPTY) or is_marker(words):
                words = ""
            if words or media:
                return End("answered", ANSWERED, words, usage, media=media)
            return End("answered", EMPTY_ANSWER, texts.AGENT_EMPTY, usage)
        case Failed(failure):
            return End("failed", failure.code, in_words(failure))
        case _:
            assert_never(answer)


def in_words(failure: Failure) -> str:
    """What a person is told of it, and nothing that may name a path, an address or a key (S50)."""
    if failure.code == MODEL_BUSY:
        return texts.MODEL_BUSY.format(wait=_wait(failure.retry_after))
    return FAILURES.get(failure.code, texts.AGENT_CRASHED)


def with_refusals(text: str, refused: Sequence[Refusal], max_media_bytes: int) -> str:
    """``text``, and after it how many files do not go with it: neither which nor where they are (S39)."""
    sentences = [text] if text else []
    if denied := refused.count("denied"):
        sentences.append(texts.FILE_NOT_SENT if denied == 1 else texts.FILES_NOT_SENT.format(count=denied))
    if large := refused.count("too_large"):
        words = texts.FILE_TOO_LARGE if large == 1 else texts.FILES_TOO_LARGE
        sentences.append(words.format(count=large, limit_mb=max_media_bytes / 1_000_000))
    if "unsupported" in refused:
        sentences.append(texts.FILES_UNSUPPORTED)
    return "\n\n".join(sentences)


def _wait(seconds: float | None) -> str:
    if seconds is None:
        return texts.MODEL_BUSY_WAIT
    if seconds < 90:
        return f"{max(2, math.ceil(seconds))} seconds"
    return f"{math.ceil(seconds / 60)} minutes"
