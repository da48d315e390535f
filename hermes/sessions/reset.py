"""When a conversation begins anew by itself, and whether its people are told.

    suspended ───────────▶ reset
    interrupted ─▶ policy ─▶ too long ago? ─▶ reset
    else ────────▶ policy ─▶ reset or keep

Asked when the next message comes, with the time of the last one: a restart in between changes nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Literal

from hermes.config.model import Config, ResetPolicy
from hermes.types import texts
from hermes.types.origin import ChatType
from hermes.types.records import SessionRecord

RESUME_FRESH_S = 3600.0
"""How long an interrupted conversation waits to be taken up."""

MINUTE_S = 60.0

DueReason = Literal["idle", "daily"]
Reason = Literal["idle", "daily", "suspended", "resume_pending_expired"]

_WHY: dict[Reason, str] = {
    "idle": texts.RESET_IDLE,
    "daily": texts.RESET_DAILY,
    "suspended": texts.RESET_SUSPENDED,
    "resume_pending_expired": texts.RESET_RESUME_EXPIRED,
}

_WHAT_HAPPENED: dict[Reason, str] = {
    "idle": "nothing was said for a long time",
    "daily": "a new day began",
    "suspended": "the last conversation was set aside after repeated trouble",
    "resume_pending_expired": "the last conversation was interrupted and not taken up in time",
}


@dataclass(frozen=True, slots=True)
class Keep:
    """The conversation goes on, with its id and its history."""


@dataclass(frozen=True, slots=True)
class Reset:
    """A new stretch begins, with a new id, no history and none of the old one's overrides.

    ``notice`` is what its people are told, None for nothing.
    """

    reason: Reason
    notice: str | None

    @property
    def note(self) -> str:
        """What the agent is told, as the first line of the new stretch."""
        return note_to_agent(self.reason)


def note_to_agent(reason: Reason) -> str:
    """Why it knows nothing of what these people may refer to."""
    return (
        f"This conversation has begun anew, because {_WHAT_HAPPENED[reason]}. You do not see what was said before."
        " If it is referred to, say so; it can still be searched."
    )


def policy_for(config: Config, platform: str, chat_type: ChatType) -> ResetPolicy:
    """The platform's own policy, else that of the kind of chat, else the general one; each stands whole."""
    return config.reset_by_platform.get(platform) or config.reset_by_type.get(chat_type, config.session_reset)


def due(policy: ResetPolicy, last_active_at: float, now: float, tz: tzinfo | None) -> DueReason | None:
    """Why ``policy`` ends a conversation in which nothing was said since ``last_active_at``; None if it does not.

    Times are epoch seconds; ``tz`` None is the machine's own zone. Quiet for exactly ``idle_minutes``, or last active
    exactly at the daily hour: not yet. Idle goes before daily. A mode that nobody knows resets nothing.
    """
    over = _cutoffs(policy, now, tz).items()
    return next((reason for reason, before in over if last_active_at < before), None)


def cutoff(policy: ResetPolicy, now: float, tz: tzinfo | None) -> float | None:
    """The conversations that ``due`` ends now: all in which nothing was said since before then. None: no conversation."""
    return max(_cutoffs(policy, now, tz).values(), default=None)


def _cutoffs(policy: ResetPolicy, now: float, tz: tzinfo | None) -> Mapping[DueReason, float]:
    """For each reason there may be: it ends what was quiet since before then."""
    found: dict[DueReason, float] = {}
    if policy.mode in ("idle", "both"):
        found["idle"] = now - policy.idle_minutes * MINUTE_S
    if policy.mode in ("daily", "both"):
        found["daily"] = daily_boundary(policy.at_hour, now, tz)
    return found


def due_at(policy: ResetPolicy, last_active_at: float, now: float, tz: tzinfo | None) -> float:
    """When a conversation that goes on at ``now`` is over if nothing more is said in it; never: infinite."""
    idle = last_active_at + policy.idle_minutes * MINUTE_S if policy.mode in ("idle", "both") else math.inf
    daily = _next_boundary(policy.at_hour, now, tz) if policy.mode in ("daily", "both") else math.inf
    return min(idle, daily)


def _next_boundary(at_hour: int, now: float, tz: tzinfo | None) -> float:
    day = datetime.fromtimestamp(now, tz).date()
    while (boundary := datetime.combine(day, time(at_hour), tz).timestamp()) <= now:
        day += timedelta(days=1)
    return boundary


def daily_boundary(at_hour: int, now: float, tz: tzinfo | None) -> float:
    """The last instant, up to ``now``, at which the clocks of ``tz`` came to ``at_hour``; epoch seconds.

    An hour that the clocks skip is the instant of the jump; of one that comes twice, the first counts, so that no day
    has two.
    """
    day = datetime.fromtimestamp(now, tz).date()
    # More than one step back only where a whole day was skipped (Samoa, 2011).
    while (boundary := datetime.combine(day, time(at_hour), tz).timestamp()) > now:
        day -= timedelta(days=1)
    return boundary


def next_state(
    record: SessionRecord,
    policy: ResetPolicy,
    now: float,
    tz: tzinfo | None,
    *,
    platform: str,
    had_activity: bool,
) -> Keep | Reset:
    """What becomes of the conversation now that somebody speaks in it again.

    ``record`` is as it was before this message. ``had_activity``: something was said in the current stretch.
    """
    reason = _reason(record, policy, now, tz)
    if reason is None:
        return Keep()
    # What its people did not ask for and could not expect is always said.
    unexpected = reason in ("suspended", "resume_pending_expired")
    wanted = policy.notify and had_activity and platform not in policy.notify_exclude_platforms
    notice = f"{_WHY[reason]} {texts.NEW_CONVERSATION}"
    return Reset(reason, notice if unexpected or wanted else None)


def _reason(record: SessionRecord, policy: ResetPolicy, now: float, tz: tzinfo | None) -> Reason | None:
    if record.suspended:
        return "suspended"
    if reason := due(policy, record.last_active_at, now, tz):
        return reason
    if record.resume_marked_at is None or policy.mode not in ("idle", "daily", "both"):
        return None
    return "resume_pending_expired" if now - record.resume_marked_at > RESUME_FRESH_S else None
