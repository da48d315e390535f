"""What goes out: one frozen message per delivery, cut into parts by the lane."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hermes.types.ids import DeliveryId, SessionKey, TraceId
from hermes.types.origin import LaneKey, lane_key

OutboxState = Literal["prepared", "sending", "retry", "unknown", "sent", "dead"]


@dataclass(frozen=True, slots=True)
class React:
    """Put ``emoji`` to the messages that were answered, where the platform can."""

    emoji: str


Effect = React
"""What is done once a message has arrived: once or not at all, and not for a turn that is over."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message that must arrive. ``delivery_id`` is deterministic, so that writing it twice writes it once.

    ``text`` is Markdown as its author wrote it; the adapter's dialect is applied when a part is sent.
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

    @property
    def lane(self) -> LaneKey:
        """The lane this message leaves by."""
        return lane_key(self.platform, self.account, self.chat_id)


ANSWERS = "answers"
"""The key in ``Outbound.metadata`` that names, with spaces between, the messages this is the answer to, where it is not one."""


REFUSAL = "refusal"
"""The key in ``Outbound.metadata`` that says that this is why there is no answer: the rule by which the message ended."""


def answered(reply_to: str | None, metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Platform ids of the messages that wait no longer once this is said: several were answered together, a notice
    answers none.
    """
    if ANSWERS in metadata:
        return tuple(metadata[ANSWERS].split())
    return () if reply_to is None else (reply_to,)


@dataclass(frozen=True, slots=True)
class Part:
    """One platform message: the lane's unit of sending, of receipts and of retry."""

    delivery_id: DeliveryId
    index: int
    total: int
    text: str


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
    ``bot_rate``, ``chat_rate``: how much the platform takes from one bot in all, and in each of its chats; None: anything.
    """

    max_length: int = 4096
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
