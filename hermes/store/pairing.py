"""What the database is told of a pairing, which the files own: what the operator has done, and the words to whom it concerns."""

from hermes.pairing.book import Approved
from hermes.pairing.records import account_of
from hermes.store.ops import Enqueue
from hermes.store.people_ops import OPERATOR, Audit
from hermes.types import texts
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId
from hermes.types.people import UserRef


def noted(action: str, name: str, user_id: str, at: float, detail: str = "") -> Audit:
    """For the book of what operators do; ``user_id`` empty: the whole account."""
    return Audit(
        OPERATOR,
        f"pairing {action}",
        str(UserRef(*account_of(name), user_id)) if user_id else name,
        detail,
        at,
    )


def welcome(name: str, approved: Approved, at: float, expires_at: float) -> Enqueue | None:
    """The words to somebody who is in now, where they asked; None if nobody knows where that is. Said once for each asking."""
    if not approved.chat_id:
        return None
    platform, account = account_of(name)
    notice = Outbound(
        delivery_id=DeliveryId(f"paired:{name}:{approved.user_id}:{approved.event}"),
        platform=platform,
        account=account,
        chat_id=approved.chat_id,
        thread_id=approved.thread_id or None,
        text=texts.PAIRED,
        kind="notice",
        expires_at=expires_at,
    )
    return Enqueue(notice, at)
