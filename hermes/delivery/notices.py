"""What the gateway says of itself: a notice of one kind goes to a chat at most once in a while, whatever happens (AC-58).

A delivery id holds kind, chat and slot of time, so that a hundred restarts write the same message; and the one of the slot
before must be old enough (``store.notice_ops.Notify``), because a slot may have ended just now.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hermes.delivery.router import delivery_id
from hermes.delivery.targets import Place
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId

PREFIX = "notice:"
EVERY_S = 600.0
TTL_S = 3600.0
"""Afterwards it is no news any more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """``message`` is to be said unless the one called ``earlier`` was said less than ``every_s`` ago."""

    message: Outbound
    earlier: DeliveryId
    every_s: float


def notice(kind: str, place: Place, text: str, now: float, every_s: float = EVERY_S) -> Notice:
    """``text`` for ``place``; ``kind`` says what is the same news. Times are epoch seconds."""
    slot = int(now // every_s)
    message = Outbound(
        delivery_id=_name(kind, slot, place),
        platform=place.platform,
        account=place.account,
        chat_id=place.chat_id,
        text=text,
        kind="notice",
        thread_id=place.thread_id,
        expires_at=now + TTL_S,
    )
    return Notice(message, _name(kind, slot - 1, place), every_s)


def elsewhere(homes: Sequence[Place], platform: str, is_up: Callable[[Place], bool]) -> Place | None:
    """The home channel in which to tell of trouble on ``platform``: of another one, and best of one that is up."""
    others = [home for home in homes if home.platform != platform]
    return next(filter(is_up, others), others[0] if others else None)


def _name(kind: str, slot: int, place: Place) -> DeliveryId:
    return delivery_id(f"{PREFIX}{slot}:{kind}", place)
