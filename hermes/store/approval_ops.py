"""The writes about approvals, as data; see ``hermes.store.ops``.

Ask ─▶ pending ─ Decide ─▶ approved | denied
          ├─ Expire ─▶ expired
          └─ the turn ends, is stopped or interrupted ─▶ void   (by a trigger on the inbox: no operation can forget it)
"""

from dataclasses import dataclass
from typing import ClassVar

from hermes.store.ops import Op
from hermes.types.agent import ApprovalRequest
from hermes.types.approvals import Approval
from hermes.types.content import Outbound
from hermes.types.ids import BootId, SessionKey, TurnId

FAIR_S = 60.0
"""How long a person has at least, after a prompt was shown again because the process had died: the time that has passed
meanwhile was nobody's chance to answer.
"""


@dataclass(frozen=True, slots=True)
class Ask(Op[Approval | None]):
    """Have a turn wait for a person: the row and its prompt in one commit. None (nothing written) if the turn is not the
    current one any more.

    A row of this turn for the same request is found again: one that is pending, one that has expired, and one that was
    decided after the turn's last step; a new one gets ``approval_id``, the session's next number and ``timeout_s``.
    ``prompt`` is what is shown, to which the store adds the number; it goes out once a boot. From a second boot on, the time
    left is at least ``FAIR_S``. A row that is pending clears ``boots`` of the turn's rows: it dies of nothing but waiting.
    """

    rank: ClassVar[int] = 35
    session_key: SessionKey
    generation: int
    turn_id: TurnId
    approval_id: str
    request: ApprovalRequest
    user_id: str
    prompt: Outbound
    boot_id: BootId
    at: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Decide(Op[int]):
    """Pending rows → ``approved`` or ``denied``; returns how many. What has expired is left alone, unless this boot has not
    shown it yet: then its time does not count.
    """

    rank: ClassVar[int] = 40
    approval_ids: tuple[str, ...]
    approved: bool
    by: str
    reason: str
    boot_id: BootId
    at: float


@dataclass(frozen=True, slots=True)
class Expire(Op[Approval | None]):
    """A pending row whose time is up → ``expired``; returns the row as it is then, because a person may have been first, or
    None if there is none any more.
    """

    rank: ClassVar[int] = 41
    approval_id: str
    at: float


@dataclass(frozen=True, slots=True)
class ShiftApprovals(Op[int]):
    """The clock has jumped: what is pending waits as long as it would have. How many."""

    rank: ClassVar[int] = 34
    by_s: float
