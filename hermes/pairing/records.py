"""A book as the rows that stand in the files, in the original's shape. What is not understood stays where and as it is.

    <name>-approved.json   {user: {user_name, approved_at}}
    <name>-pending.json    {entry: {hash, salt, user_id, user_name, created_at}}      0.13: {CODE: {user_id, …}}
    _rate_limits.json      {"<name>:<user>": at, "_failures:<name>": n, "_lockout:<name>": until}

``name`` is a platform, or ``platform@account`` where the account is not the default one. ``event``, ``chat_id`` and
``thread_id`` of a pending row are ours; the original passes over them.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hermes.pairing.book import Grant, PairingBook, Pending
from hermes.types.origin import DEFAULT_ACCOUNT

Rows = Mapping[str, Any]
T = TypeVar("T")

_PLATFORM = re.compile(r"[a-z0-9_]{1,64}")
_OURS = ("event", "chat_id", "thread_id")
_PENDING = frozenset({"hash", "salt", "user_id", "user_name", "created_at", *_OURS})
_GRANT = frozenset({"user_name", "approved_at"})


@dataclass(frozen=True, slots=True)
class Records:
    """What three files hold; ``limits`` also has the rows of others."""

    approved: Rows = field(default_factory=dict)
    pending: Rows = field(default_factory=dict)
    limits: Rows = field(default_factory=dict)


def book_name(platform: str, account: str = DEFAULT_ACCOUNT) -> str:
    """How an account is called in files and on the command line."""
    return platform if account == DEFAULT_ACCOUNT else f"{platform}@{account}"


def account_of(name: str) -> tuple[str, str]:
    """The platform and the account that ``name`` means."""
    platform, _, account = name.partition("@")
    return platform, account or DEFAULT_ACCOUNT


def typed_name(text: str) -> str:
    """The name that somebody typed: ``Telegram``, ``telegram@work``. Raises ``ValueError`` in words."""
    platform, _, account = text.strip().partition("@")
    platform = platform.lower().replace("-", "_")
    if not _PLATFORM.fullmatch(platform) or not account.isprintable() or ("@" in text and not account):
        raise ValueError(f"{text!r:.80} is no platform: write PLATFORM, or PLATFORM@ACCOUNT")
    return book_name(platform, account or DEFAULT_ACCOUNT)


def read_book(name: str, records: Records, canonical: Callable[[str], str] = str) -> PairingBook:
    """What ``records`` say about ``name``. Total: a row that is none is passed over."""
    asked: dict[str, float] = {}
    for key, value in records.limits.items():
        if key.startswith(f"{name}:") and (at := _number(value)) is not None:
            user = canonical(key.removeprefix(f"{name}:"))
            asked[user] = max(at, asked.get(user, at))
    return PairingBook(
        pending={key: one for key, row in records.pending.items() if (one := _pending(row))},
        approved={key: grant for key, row in records.approved.items() if (grant := _grant(row))},
        asked=asked,
        failures=max(0, int(_number(records.limits.get(_failures(name))) or 0)),
        locked_until=_number(records.limits.get(_lockout(name))) or 0.0,
        canonical=canonical,
    )


def write_book(name: str, book: PairingBook, records: Records) -> Records:
    """``records`` with ``book`` in the place of what ``read_book`` understood of them."""
    ours = (_failures(name), _lockout(name))
    limits: dict[str, Any] = {
        key: value
        for key, value in records.limits.items()
        if _number(value) is None or not (key in ours or key.startswith(f"{name}:"))
    }
    limits |= {f"{name}:{user}": at for user, at in book.asked.items()}
    limits |= {_failures(name): book.failures} if book.failures else {}
    limits |= {_lockout(name): book.locked_until} if book.locked_until else {}
    return Records(
        _merged(records.approved, book.approved, _grant, _grant_row),
        _merged(records.pending, book.pending, _pending, _pending_row),
        limits,
    )


def _failures(name: str) -> str:
    return f"_failures:{name}"


def _lockout(name: str) -> str:
    return f"_lockout:{name}"


def _merged(
    old: Rows, new: Mapping[str, T], read: Callable[[Any], T | None], write: Callable[[T], Rows]
) -> Rows:
    rows: dict[str, Any] = {}
    for key, row in old.items():
        was, now = read(row), new.get(key)
        if was == now:  # both None: it is no row of ours
            rows[key] = row
        elif now is not None:
            rows[key] = write(now)
    return rows | {key: write(one) for key, one in new.items() if key not in old}


def _pending(row: Any) -> Pending | None:
    match row:
        case {"user_id": str() | int() as user, "created_at": created} if (
            at := _number(created)
        ) is not None:
            hashed = isinstance(row.get("hash"), str) and isinstance(row.get("salt"), str)
            return Pending(
                user_id=str(user),
                user_name=_text(row.get("user_name")),
                created_at=at,
                salt=row["salt"] if hashed else "",
                hash=row["hash"] if hashed else "",
                event=_text(row.get("event")),
                chat_id=_text(row.get("chat_id")),
                thread_id=_text(row.get("thread_id")),
                extra={key: value for key, value in row.items() if key not in _PENDING},
            )
        case _:
            return None


def _pending_row(one: Pending) -> Rows:
    code = {"hash": one.hash, "salt": one.salt} if one.hash else {}
    ours = {key: value for key in _OURS if (value := getattr(one, key))}
    about = {"user_id": one.user_id, "user_name": one.user_name, "created_at": one.created_at}
    return {**code, **about, **ours, **one.extra}


def _grant(row: Any) -> Grant | None:
    """Somebody who stands in the file is in, whatever else the row says; but it has to be a row."""
    if not isinstance(row, dict):
        return None
    extra = {key: value for key, value in row.items() if key not in _GRANT}
    return Grant(_text(row.get("user_name")), _number(row.get("approved_at")) or 0.0, extra)


def _grant_row(grant: Grant) -> Rows:
    return {"user_name": grant.user_name, "approved_at": grant.approved_at, **grant.extra}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """A finite number; JSON as Python reads it also has others, and integers that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
