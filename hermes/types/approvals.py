"""What an agent may do only once a person has said so, as a row."""

from dataclasses import dataclass
from typing import Literal

from hermes.types.ids import SessionKey, TurnId
from hermes.types.origin import LaneKey, lane_key

ApprovalState = Literal["pending", "approved", "denied", "expired", "void"]
"""``expired``: nobody said anything in time. ``void``: its turn ended, or began again, before anybody did."""

APPROVAL_ID = "approval_id"
"""The key in ``Outbound.metadata`` that says which approval a prompt asks for, for platforms with buttons."""


OPERATOR = "operator"
"""Who has decided on the command line."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One request and what became of it.

    ``number`` is what people call it: it counts up in its session and is never given again. The place and ``user_id`` are
    those of who asked for what the turn does: the prompt goes there, and that person may decide. Times are epoch seconds.
    ``decided_by`` is ``platform:user``, or ``OPERATOR``.
    """

    approval_id: str
    session_key: SessionKey
    number: int
    turn_id: TurnId
    platform: str
    account: str
    chat_id: str
    user_id: str
    action: str
    detail: str
    state: ApprovalState
    asked_at: float
    expires_at: float
    decided_at: float | None = None
    decided_by: str = ""
    reason: str = ""

    @property
    def lane(self) -> LaneKey:
        """The lane its prompt leaves by."""
        return lane_key(self.platform, self.account, self.chat_id)
