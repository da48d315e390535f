"""What goes out: one frozen message per delivery, cut into parts by the lane."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hermes.types.ids import DeliveryId, SessionKey, TraceId
from hermes.types.origin import LaneKey, lane_key

OutboxState = Literal["prepared", "sending", "retry", "unknown", "sent", "dead"]

Dialect = Literal[
    "markdown", "plain", "telegram", "slack", "discord", "whatsapp", "signal", "matrix", "irc", "email"
]
"""How a platform wants its text marked up. ``markdown``: as it was written, because the adapter does the rest itself."""

LengthUnit = Literal["characters", "utf16", "bytes"]
"""What a platform counts: code points, UTF-16 code units, or bytes of UTF-8."""

MediaKind = Literal["image", "voice", "audio", "video", "document"]


@dataclass(frozen=True, slots=True)
class Media:
    """A file that goes out: ``ref`` is an absolute path on this host, or an ``https`` URL that the platform fetches itself.

    ``name`` is what people see; ``caption`` is plain text; ``size_bytes`` is 0 where it is not known.
    """

    kind: MediaKind
    ref: str
    name: str = ""
    mime: str | None = None
    caption: str = ""
    size_bytes: int = 0


EntityKind = Literal[
    "bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link", "blockquote"
]


@dataclass(frozen=True, slots=True)
class Entity:
    """A stretch of a text that is shown in some way; ``offset`` and ``length`` are in UTF-16 code units.

    ``url`` is of a ``text_link``, ``language`` of a ``pre``. The names are Telegram's (Bot API, MessageEntity); Signal's styles
    are made of the same.
    """

    kind: EntityKind
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class React:
    """Put ``emoji`` to the messages that were answered, where the platform can."""

    emoji: str


Effect = React
"""What is done once a message has arrived: once or not at all, and not for a turn that is over."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message that must arrive. ``delivery_id`` is deterministic, so that writing it twice writes it once.

    ``text`` is Markdown as its author wrote it; the platform's dialect is applied when it is cut into parts.
    ``attachments`` follow it, each as a part of its own, or several as one album.
    ``expires_at`` is in epoch seconds. ``metadata`` is the platform's escape hatch; unknown keys are ignored.
    """

    delivery_id: DeliveryId
    platform: str
    account: str
    chat_id: str
    text: str
    kind: Literal["reply", "command", "notice"] = "reply"
    thread_id: str | None = None
    reply_to: str | None = None
    session_key: SessionKey | None = None
    generation: int | None = None
    trace: TraceId = TraceId("")
    expires_at: float | None = None
    secret: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    attachments: tuple[Media, ...] = ()

    @property
    def lane(self) -> LaneKey:
        """The lane this message leaves by."""
        return lane_key(self.platform, self.account, self.chat_id)


ANSWERS = "answers"
"""The key in ``Outbound.metadata`` that names, with spaces between, the messages this is the answer to, where it is not one."""


REFUSAL = "refusal"
"""The key in ``Outbound.metadata`` that says that this is why there is no answer: the rule by which the message ended."""


USAGE = "usage"
"""The key in ``Outbound.metadata`` for what the answer has cost, if its agent has counted: tokens read, written, taken from a
cache and put into one, with spaces between.
"""


def answered(reply_to: str | None, metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Platform ids of the messages that wait no longer once this is said: several were answered together, a notice
    answers none.
    """
    if ANSWERS in metadata:
        return tuple(metadata[ANSWERS].split())
    return () if reply_to is None else (reply_to,)


@dataclass(frozen=True, slots=True)
class Part:
    """One platform message: the lane's unit of sending, of receipts and of retry.

    ``text`` is in ``dialect``, ready to be sent; ``entities`` belong to it where the dialect has them (telegram, signal), and
    ``html`` is the same text for a dialect that takes both (matrix, email). ``dialect`` is ``plain`` where the platform has
    refused the marked-up form: then nothing in ``text`` is markup. A part with ``media`` is one file, or an album of several,
    with their captions; its text is empty.
    """

    delivery_id: DeliveryId
    index: int
    total: int
    text: str
    dialect: Dialect = "markdown"
    entities: tuple[Entity, ...] = ()
    html: str | None = None
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class SendResult:
    """The platform has it; ``message_id`` is its own name for it."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Draft:
    """The newest text of an answer that is still being written; ephemeral, never a row."""

    draft_id: str
    text: str
    reply_to: str | None = None
    thread_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` calls at once (at least one), then one each ``interval_s``."""

    burst: int
    interval_s: float


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do; everything optional is off unless said.

    ``authenticated``: its own edge has proved who the user is (a browser session), so access needs no list.
    ``idempotent_send``: the platform drops a second copy of the same delivery id, so ``unknown`` may be sent again unmarked.
    ``history``: its users read answers from our store, so an expired row counts as stored, not as lost.
    ``update_command``: its people may ask how we are brought up to date; what is done then is up to the operator all the same.
    ``splits``: a text longer than ``max_length`` may go as several messages; else what is sent on its own is cut to one.
    ``chat_ids``: how its chats' ids look, as a regular expression, where they may hold a colon; see ``hermes.delivery.targets``.
    ``max_length``: the longest text of one message, counted in ``length_unit`` after ``dialect`` was applied.
    ``media``: kinds of files it takes, at most ``max_media_bytes`` each; ``album``: how many go as one message.
    ``streaming``: how an answer may be shown while it is written: ``draft`` by ``ports.Drafts``, ``edit`` by ``ports.Edits``.
    ``own_page``: drafts cost nobody anything, so they are shown however streaming is set.
    ``pii_safe``: user ids on this platform say who somebody is (a telephone number), so the agent is not told them.
    ``hint``: a sentence or two to the agent about writing here.
    ``bot_rate``, ``chat_rate``: how much the platform takes from one bot in all, and in each of its chats; None: anything.
    """

    max_length: int = 4096
    length_unit: LengthUnit = "characters"
    dialect: Dialect = "markdown"
    media: frozenset[MediaKind] = frozenset()
    max_media_bytes: int = 50_000_000
    album: int = 1
    streaming: tuple[Literal["draft", "edit"], ...] = ()
    own_page: bool = False
    pii_safe: bool = False
    hint: str = ""
    authenticated: bool = False
    idempotent_send: bool = False
    history: bool = False
    draft_interval_s: float = 0.8
    typing_interval_s: float = 4.0
    send_timeout_s: float = 30.0
    bot_rate: Rate | None = None
    chat_rate: Rate | None = None
    splits: bool = True
    update_command: bool = True
    chat_ids: str = ""
