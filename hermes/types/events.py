"""What came in: one frozen event per platform event, decoded by its adapter."""

from dataclasses import dataclass, field
from typing import Literal

from hermes.types.ids import TraceId
from hermes.types.origin import Origin

EventKind = Literal["message", "edit", "reaction", "callback", "command", "system"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A reference to media; nothing is fetched before access is granted."""

    kind: Literal["image", "voice", "audio", "video", "document", "sticker", "location"]
    ref: str
    name: str | None = None
    mime: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One event of a platform.

    ``event_id`` names the event (not the message) and is unique per (platform, account): it is the dedupe key.
    ``message_id`` is the platform's id of the message, for replies. Times are epoch seconds.
    ``internal`` is set in this process only and never by anything a platform sent.
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
