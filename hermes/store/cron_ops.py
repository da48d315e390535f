"""Writes about the firings of jobs, as data; see ``hermes.store.ops``."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from hermes.store.ops import Op
from hermes.types.ids import BootId

RunEnd = Literal["ok", "silent", "error", "skipped", "cancelled", "interrupted"]
DeliveryState = Literal["none", "pending", "delivered", "stored", "failed"]


@dataclass(frozen=True, slots=True)
class CronRun:
    """One firing of a job, as it was claimed. ``attempts`` counts the boots that have begun it."""

    run_id: int
    job_id: str
    due_at: float
    attempts: int
    by_hand: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """``runs`` are the new claims, oldest first; ``total`` how many of the job that are not skipped there are
    since the instant asked about.
    """

    runs: tuple[CronRun, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Claim(Op[Claimed]):
    """Claim the instants ``due_at`` of a job, each once for ever, and ``most`` of them together with those that were claimed
    since ``since``; what is beyond that is left. ``skipped``: they are claimed and not run, for that reason.
    """

    rank: ClassVar[int] = 60
    job_id: str
    name: str
    since: float
    due_at: tuple[float, ...]
    most: int | None
    boot_id: BootId
    at: float
    by_hand: bool = False
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Claims(Op[tuple[Claimed, ...]]):
    """Claims of several jobs in one commit; the result has the order of ``claims``."""

    rank: ClassVar[int] = 60
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class ReleaseClaims(Op[tuple[CronRun, ...]]):
    """Runs that nobody carries out any more are ``interrupted``; returns them, oldest first."""

    rank: ClassVar[int] = 60
    at: float


@dataclass(frozen=True, slots=True)
class Reclaim(Op[bool]):
    """An interrupted run is to be gone on with; False if it is not interrupted."""

    rank: ClassVar[int] = 61
    run_id: int
    boot_id: BootId


@dataclass(frozen=True, slots=True)
class StartRun(Op[bool]):
    """``claimed`` → ``running``; False if it is not claimed by this boot any more."""

    rank: ClassVar[int] = 61
    run_id: int
    boot_id: BootId
    at: float


@dataclass(frozen=True, slots=True)
class EndRun(Op[bool]):
    """A claimed or running run has its end; False, and nothing is changed, if it had one. The oldest of all that have theirs
    are forgotten, and with ``pending`` none.
    """

    rank: ClassVar[int] = 62
    run_id: int
    state: RunEnd
    at: float
    error: str = ""
    delivery_state: DeliveryState = "none"
    delivery_error: str = ""
    deliveries: tuple[str, ...] = ()
    output: str = ""


@dataclass(frozen=True, slots=True)
class SettleDelivery(Op[bool]):
    """What a run had to say has its end; False if it had one."""

    rank: ClassVar[int] = 62
    run_id: int
    state: DeliveryState
    error: str
