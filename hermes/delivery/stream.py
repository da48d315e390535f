"""An answer that people see grow: what of it is shown, and what becomes of its messages; pure.

    written ── shown ─▶ rest (without what stands above) ── cut ─▶ one message for each piece, the last with a cursor

A stream is a row beside that of its answer. Its messages in the order of the chat:

    kept        say ``above``, the beginning of the answer; something else came after them, and they are not touched any more
    segments    say the rest: segment i what part i of the answer will say
    leftover    say what is said elsewhere by now; they are taken back
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from hermes.config.model import Config
from hermes.delivery import media_tags, plan
from hermes.delivery.parts import Parts, cut
from hermes.delivery.silence import may_become_silence
from hermes.render import thoughts
from hermes.render.dialects import body
from hermes.render.ir import Document, Paragraph, Span
from hermes.render.markdown import parse
from hermes.render.measure import length
from hermes.render.source import outside_code
from hermes.types.content import REFUSAL, Capabilities, Outbound, Part
from hermes.types.errors import RATE_LIMITED, SEND_UNCONFIRMED, Failure, SendError
from hermes.types.ids import DeliveryId, TurnId, turn_of
from hermes.types.records import OutboxRow

LEAST_CHARACTERS = 4
"""An answer is shown once so many characters of it can be seen: a message of one letter would be news to nobody."""

MOST_CHARACTERS = 100_000
"""More of an answer is not shown before it is complete: each edit is rendered from its beginning."""

MOST_STRIKES = 3
"""How often the platform may have had enough of one stream; then that is left alone until its answer is complete."""

_SPOILER = re.compile(r"(?<![\w|])\|\|(?=[^\s|]|\Z)(?:(?!\|\||\n[ \t]*\n).)*+(?P<closed>\|\|)?", re.DOTALL)
"""As ``hermes.render.syntax`` reads it; one that is not closed reaches to the end of its paragraph."""

Transport = Literal["draft", "edit"]

State = Literal["opening", "open", "closed", "unknown"]
"""``opening``: one more message is on its way, its name not known. ``closed``: what comes of the answer comes as new
messages; ``segments`` have yet to lose their cursor. ``unknown``: the next new message may be a second copy.
"""

Fate = Literal["writing", "answered", "over"]
"""Of a stream's turn: it is at work, or will be again; its answer is on its way; neither."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The row of a stream. ``delivery_id`` is that of its answer; ``sends`` counts the messages it was begun with."""

    delivery_id: DeliveryId
    state: State
    sends: int = 0
    above: str = ""
    kept: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    leftover: tuple[str, ...] = ()

    @property
    def turn_id(self) -> TurnId:
        """The turn that writes it."""
        return turn_of(self.delivery_id)

    @property
    def is_done(self) -> bool:
        """Nothing remains to be done to its messages once its answer has arrived, or will not come."""
        return not (self.segments or self.leftover)


def transport(config: Config, platform: str, capabilities: Capabilities) -> Transport | None:
    """How answers are shown there while they are written; None: not at all."""
    ways = capabilities.streaming
    if capabilities.own_page:
        return "draft" if "draft" in ways else None
    streaming, display = config.streaming, config.display.platforms.get(platform)
    wanted = None if display is None else display.streaming
    if wanted is None:
        wanted = streaming.enabled and streaming.transport != "off"
    if not wanted:
        return None
    if streaming.transport in ("edit", "draft"):
        return next((way for way in ways if way == streaming.transport), None)
    return next((way for way in ("draft", "edit") if way in ways), None)


# --- the text -------------------------------------------------------------------------------------------------------------


def shown(text: str) -> str:
    """What people see of ``text``, which is still being written: neither thoughts nor the names of files that go with it, and no
    spoiler before it is closed.
    """
    seen = media_tags.strip_partial(thoughts.strip_partial(text[:MOST_CHARACTERS]))
    for spoiler in outside_code(seen, _SPOILER):
        if not spoiler["closed"] and spoiler.end() == len(seen):
            return seen[: spoiler.start()]
    return seen


def is_held_back(text: str) -> bool:
    """True if it is too early to show ``text``."""
    return is_short(text) or may_become_silence(text)


def is_short(text: str) -> bool:
    """True if ``text`` is too little for a message of its own."""
    return len("".join(text.split())) < LEAST_CHARACTERS


def rest(stream: Stream | None, text: str) -> str | None:
    """What of ``text`` does not stand above yet; all of it if that is the beginning of something else; None if ``text`` has
    not come that far.
    """
    above = "" if stream is None else stream.above
    if text.startswith(above):
        return text[len(above) :].lstrip("\n")
    return None if above.startswith(text) else text


def answer(stream: Stream, message: Outbound) -> Outbound:
    """The answer, as far as it does not stand above."""
    said = bool(stream.above) and message.text.startswith(stream.above)
    return replace(message, text=rest(stream, message.text) or "") if said else message


def whole_paragraphs(text: str) -> int:
    """Where the last paragraph of ``text`` begins: what comes before can stand by itself. Never inside a block of code."""
    begin = at = 0
    fence = ""
    while (newline := text.find("\n", at)) >= 0:
        line = text[at:newline].strip()
        at = newline + 1
        if fence:
            fence = "" if line.startswith(fence) and not line.strip(fence[0]) else fence
        elif line.startswith(("```", "~~~")):
            fence = line[: len(line) - len(line.lstrip(line[0]))]
        elif not line:
            begin = at
    return begin


def pieces(message: Outbound, capabilities: Capabilities, cursor: str = "") -> tuple[Part, ...]:
    """``message`` as its segments show it: in the pieces of its answer without their numbers, and ``cursor`` at the end of the
    last, where there is room for it.
    """
    parts = cut(message, capabilities, numbered=False)
    *whole, last = (parts.part(index) for index in range(parts.total))
    return (*whole, (cursor and _with_cursor(parts, cursor)) or last)


def _with_cursor(parts: Parts, cursor: str) -> Part | None:
    piece, capabilities = parts.pieces[-1], parts.capabilities
    blocks = (parse(piece) if isinstance(piece, str) else piece).blocks
    match blocks:
        case (*before, Paragraph(spans)) if spans:
            blocks = (*before, Paragraph((*spans, Span(cursor))))
        case _:
            blocks = (*blocks, Paragraph((Span(cursor.strip()),)))
    made = body(Document(blocks), capabilities.dialect)
    size = max(length(form, capabilities.length_unit) for form in (made.text, made.html or ""))
    if size > capabilities.max_length:
        return None
    part = Part(parts.message.delivery_id, parts.total - 1, parts.total, made.text, made.dialect)
    return replace(part, entities=made.entities, html=made.html)


def looks_like(seen: Part | None, part: Part) -> bool:
    """True if people see ``part`` already, so that there is nothing to edit."""
    return seen is not None and (seen.text, seen.entities, seen.html) == (part.text, part.entities, part.html)


# --- its messages ---------------------------------------------------------------------------------------------------------


def place(stream: Stream, index: int, of_text: int) -> str | None:
    """The message that is edited to say part ``index`` of the answer, the first ``of_text`` of which are text; None if that
    goes as a new one.
    """
    if stream.state == "closed" or index >= min(of_text, len(stream.segments)):
        return None
    return stream.segments[index]


def needs_mark(
    stream: Stream | None, row: OutboxRow, index: int, of_text: int, capabilities: Capabilities
) -> bool:
    """True if part ``index`` of the answer goes as a new message and may be there already."""
    if stream is not None and place(stream, index, of_text) is not None:
        return False
    lost = stream is not None and stream.state == "unknown" and not capabilities.idempotent_send
    return lost or plan.needs_mark(row, index, capabilities)


def moved_below(stream: Stream, stays: str, pieces: int) -> Stream:
    """Something else has come: what was said until then, ``stays`` of it, stays above, in the first ``pieces`` segments; what
    follows goes below.
    """
    return replace(
        stream,
        above=stream.above + stays,
        kept=stream.kept + stream.segments[:pieces],
        segments=(),
        leftover=stream.leftover + stream.segments[pieces:],
    )


def begun_anew(stream: Stream) -> Stream:
    """What stands above is not the beginning of the answer."""
    return replace(stream, above="", kept=(), leftover=stream.leftover + stream.kept)


def before_answer(
    stream: Stream, message: Outbound, *, gave_up: bool, is_known: bool, parts_sent: int
) -> Stream:
    """The stream as its answer finds it. ``gave_up``: its edits have failed; ``is_known``: what it shows is known.

    A half answer that was read is not replaced by the words that no more comes of it: these come as a message of their own.
    """
    if stream.state == "closed":
        return stream
    if REFUSAL in message.metadata:
        if is_known and stream.state == "open" and not parts_sent:
            return replace(stream, state="closed")
    elif stream.above and not (message.text.startswith(stream.above) and rest(stream, message.text)):
        stream = begun_anew(stream)
    return given_up(stream, parts_sent) if gave_up and stream.state != "opening" else stream


def given_up(stream: Stream, at: int, *, doubt: bool = False) -> Stream:
    """Segment ``at`` and those after it cannot be edited: the answer goes on in new messages, and they are taken back."""
    return replace(
        stream,
        state="unknown" if doubt or stream.state == "unknown" else "closed",
        kept=stream.kept + stream.segments[:at],
        segments=(),
        leftover=stream.leftover + stream.segments[at:],
    )


def after_part(stream: Stream, part: Part, of_text: int) -> Stream | None:
    """The stream once ``part`` of its answer has arrived; ``of_text``: so many of its parts are text. None: nothing is
    left of it.
    """
    if part.index + 1 < part.total:
        settled = stream.state == "unknown" and part.index >= len(stream.segments)
        return given_up(replace(stream, state="open"), len(stream.segments)) if settled else stream
    segments = stream.segments if stream.state == "closed" else ()
    left = stream.leftover if segments else stream.leftover + stream.segments[of_text:]
    done = Stream(stream.delivery_id, "closed", stream.sends, segments=segments, leftover=left)
    return None if done.is_done else done


# --- what goes wrong ------------------------------------------------------------------------------------------------------


def is_flood(failure: Failure) -> bool:
    """The platform has had enough for now; nothing is wrong with the message."""
    return failure.code == RATE_LIMITED or bool(failure.retry_after)


def may_pass(failure: Failure) -> bool:
    """A message that was not taken back for this may be so later, or has been."""
    return is_flood(failure) or plan.is_down(failure) or failure.code == SEND_UNCONFIRMED


def ends_edits(row: OutboxRow, part: Part, error: SendError) -> bool:
    """True if an edit that has failed so gives way to new messages. Else it is tried as any part is: an edit may well be made
    twice.
    """
    failure = error.failure
    if error.phase == "unknown":
        return plan.was_unconfirmed(row)
    if is_flood(failure) or plan.is_down(failure) or plan.goes_plain(part, error):
        return False
    return not plan.is_dead_chat(failure)
