"""Which conversation is where, as the original has written it down: in its database, and in ``sessions/sessions.json``. Pure."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hermes.importing.findings import Finding, Level
from hermes.sessions import whatsapp
from hermes.sessions.keys import chat_type_in
from hermes.store.import_ops import OldConversation
from hermes.types.ids import SessionId, SessionKey
from hermes.types.origin import DEFAULT_ACCOUNT

MOST_KEY_CHARACTERS, MOST_ID_CHARACTERS = 500, 200
_UNSAFE_IN_ID = ("..", "/", "\\")


def read_routes(
    entries: Iterable[tuple[str, object]], file: Path, aliases: Mapping[str, str], findings: list[Finding]
) -> dict[SessionKey, OldConversation]:
    """The conversations by key; of two entries with one key the last counts. What of ``file`` is not used goes to ``findings``.
    ``aliases`` are those of WhatsApp.
    """
    found: dict[SessionKey, OldConversation] = {}
    for key, entry in entries:
        if key.startswith("_"):  # a note to people
            continue
        try:
            found[SessionKey(key)] = conversation(key, entry, aliases)
        except ValueError as wrong:
            level: Level = "unsafe" if isinstance(wrong, Unsafe) else "skipped"
            findings.append(Finding(file, level, f"{key!r:.120}: {wrong}; not used"))
    return found


class Unsafe(ValueError):
    """Somebody may have meant harm."""


def safe_id(said: object) -> SessionId:
    """The id of a session, which names a file too. Raises ``ValueError``; ``Unsafe`` for what would lead to another file."""
    if not isinstance(said, str) or not said.strip():
        raise ValueError("it names no session")
    if any(part in said for part in _UNSAFE_IN_ID) or said[1:2] == ":" or not said.isprintable():
        raise Unsafe(f"session id {said!r:.80} would lead out of its directory")
    if len(said) > MOST_ID_CHARACTERS:
        raise ValueError("its session id is too long")
    return SessionId(said)


def instant(said: object) -> float | None:
    """Epoch seconds, of such or of ISO 8601; without a zone it is the machine's. None for anything else."""
    try:
        match said:
            case bool():
                return None
            case int() | float():
                at = float(said)
            case str():
                at = datetime.fromisoformat(said).timestamp()
            case _:
                return None
    except (ValueError, OverflowError, OSError):
        return None
    return at if math.isfinite(at) and 0 <= at < 1e11 else None


def text(said: object) -> str:
    """As it can be stored and searched: a NUL would end it, half a character cannot be written."""
    if said is None or isinstance(said, dict | list):
        return ""
    return str(said).replace("\0", "").encode("utf-8", "replace").decode()


def conversation(key: str, entry: object, aliases: Mapping[str, str]) -> OldConversation:
    """What ``entry`` says of the conversation ``key``. Raises ``ValueError``; ``Unsafe`` as ``safe_id``."""
    parts = key.split(":")
    if parts[0] != "agent" or len(parts) < 4 or not key.isprintable() or len(key) > MOST_KEY_CHARACTERS:
        raise ValueError("that is no key of a conversation")
    if not isinstance(entry, dict):
        raise ValueError("it is no entry")
    present = safe_id(entry.get("session_id"))
    origin = entry.get("origin")
    origin = origin if isinstance(origin, dict) else {}
    platform, _, account = parts[2].partition("@")
    created = instant(entry.get("created_at"))
    active = instant(entry.get("updated_at"))
    chat_type = chat_type_in(SessionKey(key))
    return OldConversation(
        session_key=SessionKey(key),
        present=present,
        created_at=created or active or 0.0,
        active_at=active or created or 0.0,
        platform=platform,
        account=account or DEFAULT_ACCOUNT,
        chat_type=chat_type,
        chat_id=text(origin.get("chat_id")) or (parts[4] if len(parts) > 4 else ""),
        thread_id=text(origin.get("thread_id")) or None,
        title=_title(origin, chat_type) or text(entry.get("display_name")),
        user_id=_user(origin, platform, aliases) if chat_type == "dm" else None,
        suspended=entry.get("suspended") is True,
        **_mark(entry),
        finalized=(entry.get("expiry_finalized", entry.get("memory_flushed"))) is True,
    )


def _mark(entry: Mapping[str, Any]) -> dict[str, Any]:
    """It was interrupted, and waits to be taken up."""
    at = instant(entry.get("last_resume_marked_at"))
    if entry.get("resume_pending") is not True or entry.get("suspended") is True or at is None:
        return {}
    return {"resume_reason": text(entry.get("resume_reason")), "resume_marked_at": at}


def _title(origin: Mapping[str, Any], chat_type: str) -> str:
    name = text(origin.get("chat_name")) or (text(origin.get("user_name")) if chat_type == "dm" else "")
    topic = text(origin.get("chat_topic"))
    return f"{name} / {topic}" if name and topic and origin.get("thread_id") else name


def _user(origin: Mapping[str, Any], platform: str, aliases: Mapping[str, str]) -> str | None:
    user = text(origin.get("user_id"))
    if platform == whatsapp.PLATFORM:
        user = whatsapp.canonical(user, aliases) or user
    return user or None
