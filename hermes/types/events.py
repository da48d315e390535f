"""What came in: one frozen event per platform event, decoded by its adapter."""

from dataclasses import dataclass, field
from typing import Literal

from hermes.types.ids import TraceId
from hermes.types.origin import Origin

EventKind = Literal["message", "edit", "delete", "reaction", "callback", "command", "system"]

ONCE = "once"
"""The key in ``InboundEvent.extra`` of what is asked in passing: a program's, which names no conversation and goes on in none."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A reference to media; nothing is fetched before access is granted.

    ``ref`` is an http(s) URL that needs no leave from anybody, else something that ``ports.Files`` of its platform
    understands; of a location, the place itself. All else is what its sender says of it.
    """

    kind: Literal["image", "voice", "audio", "video", "document", "sticker", "location"]
    ref: str
    name: str | None = None
    mime: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """A line of what was said before, as the sender's program keeps it. ``system``: how that wants to be answered."""

    role: Literal["user", "assistant", "system"]
    text: str


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One event of a platform.

    ``event_id`` names the event (not the message) and is unique per (platform, account): it is the dedupe key.
    ``message_id`` is the platform's id of the message, for replies. Times are epoch seconds.
    ``reply_to`` is the id of the message that this one answers, and ``reply_to_*`` what the platform tells about it.
    ``channel_context`` is what was said in the channel before, where the platform hands it over with the message.
    It and ``reply_to_text`` quote other people and are erased together with ``text``, as is ``earlier``: what was said before,
    where not we but the client keeps it, and hands it over with each message.
    ``mentions_bot``: its text names us; an answer to us alone is no mention, although some platforms ping for it.
    ``forwarded``: the words are somebody else's, so they are text, never a command. A native slash command is of kind
    ``command``; a typed one is a message.
    ``internal`` is set in this process only and never by anything a platform sent.

    Fields of the original that have another place: ``message_type`` is ``kind`` and the kinds of ``attachments``, which
    also hold ``media_urls`` and ``media_types``; ``metadata`` is ``extra``; ``auto_skill`` and ``channel_prompt`` are
    configuration and looked up when a turn begins, because a stored copy would be out of date; ``raw_message`` is kept
    only of what cannot be decoded.
    """

    event_id: str
    origin: Origin
    text: str
    received_at: float
    trace: TraceId
    kind: EventKind = "message"
    message_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reply_to: str | None = None
    mentions_bot: bool = False
    sent_at: float | None = None
    internal: bool = False
    extra: dict[str, str] = field(default_factory=dict)
    reply_to_text: str | None = None
    reply_to_author_id: str | None = None
    reply_to_author_name: str | None = None
    reply_to_is_own_message: bool = False
    channel_context: str | None = None
    forwarded: bool = False
    earlier: tuple[Earlier, ...] = ()
