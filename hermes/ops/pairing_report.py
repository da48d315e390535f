"""What came of an order about pairing, as the documents that scripts read; the same from the gateway and without one."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hermes.ops.pairing_files import Seen
from hermes.pairing.book import CODE_TTL_S, MOST_FAILURES, Approved, Locked, PairingBook, Pending, Wrong
from hermes.pairing.records import account_of
from hermes.types.access import AccessRules
from hermes.types.errors import Failure, GatewayError

WRONG_CODE = "pairing_wrong_code"
EXPIRED_CODE = "pairing_expired_code"
LOCKED = "pairing_locked"
NOT_PAIRED = "pairing_not_paired"

RulesOf = Callable[[str, str], AccessRules]
"""The access rules of a platform's account."""


def listing(seen: Seen, now: float, rules_of: RulesOf | None, only: str | None = None) -> dict[str, Any]:
    """Every account, or ``only`` that one. Without ``rules_of`` nobody knows who is listed: null."""
    names = sorted({*seen.books, *(name for name in (only,) if name)})
    return {"pairing": [_account(seen, name, now, rules_of) for name in names if only in (None, name)]}


def _account(seen: Seen, name: str, now: float, rules_of: RulesOf | None) -> dict[str, Any]:
    platform, account = account_of(name)
    book = seen.books.get(name, PairingBook())
    rules = rules_of(platform, account) if rules_of else None
    listed = None if rules is None else frozenset(map(book.canonical, rules.allowed | rules.group_allowed))
    return {
        "platform": platform,
        "account": account,
        "trouble": seen.fault(name),
        "failures": book.failures,
        "locked_until": book.locked_until if book.locked(now) else None,
        "pending": [_pending(one) for one in book.pending.values() if one.live(now)],
        "approved": [
            {
                "user_id": user,
                "user_name": grant.user_name,
                "approved_at": grant.approved_at,
                "listed": None if listed is None else book.canonical(user) in listed,
            }
            for user, grant in book.approved.items()
        ],
    }


def _pending(one: Pending) -> dict[str, Any]:
    return {
        "code": one.hash[:8] if one.hash else "legacy",
        "user_id": one.user_id,
        "user_name": one.user_name,
        "created_at": one.created_at,
        "expires_at": one.created_at + CODE_TTL_S,
    }


def approved(name: str, outcome: Approved | Wrong | Locked) -> Approved:
    """``outcome``, if that was it. Raises ``GatewayError`` that tells a wrong code from one that is too old, and from a lock."""
    match outcome:
        case Approved():
            return outcome
        case Locked(until):
            when = datetime.fromtimestamp(until).astimezone().strftime("%Y-%m-%d %H:%M:%S")
            words = (
                f"{name} is locked until {when}: {MOST_FAILURES} codes in a row were wrong. No code is looked at before that,"
                f" right or not; `hermes pairing grant {name} USER` lets somebody in by their id"
            )
            raise GatewayError(Failure(LOCKED, detail=words))
        case Wrong(failures, expired):
            left = MOST_FAILURES - failures
            words = (
                "that code is too old: it was good for an hour"
                if expired
                else "that code is wrong, or used already"
            )
            words = f"{words}. After {left} more {name} is locked for an hour"
            raise GatewayError(Failure(EXPIRED_CODE if expired else WRONG_CODE, detail=words))


def granted_document(name: str, outcome: Approved, *, told: bool) -> dict[str, Any]:
    """Who is in; ``told``: they hear of it in their chat."""
    platform, account = account_of(name)
    return {
        "platform": platform,
        "account": account,
        "user_id": outcome.user_id,
        "user_name": outcome.user_name,
        "chat_id": outcome.chat_id or None,
        "told": told,
    }


def revoked_document(name: str, user_id: str, *, was_paired: bool) -> dict[str, Any]:
    """Who is out. Raises ``GatewayError`` (``pairing_not_paired``) if they were not in."""
    platform, account = account_of(name)
    if not was_paired:
        words = f"{user_id!r:.80} is not paired on {name}; `hermes pairing list {name}` shows who is"
        raise GatewayError(Failure(NOT_PAIRED, detail=words))
    return {"platform": platform, "account": account, "user_id": user_id, "revoked": True}


def cleared_document(cleared: Mapping[str, int]) -> dict[str, Any]:
    """How many codes wait no more, by name and together."""
    return {"cleared": sum(cleared.values()), "by_name": dict(cleared)}
