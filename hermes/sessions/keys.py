"""The deterministic name of a conversation, and who shares it.

    agent:<profile>:<platform>[@<account>]:dm[:<chat or user>][:<thread>]
    agent:<profile>:<platform>[@<account>]:<chat type>[:<chat>][:<thread>][:<user>]

Ids are joined unescaped, as in homes that are taken over from the original; that is why routing refuses ids
with control characters before a key is made of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hermes.sessions import whatsapp
from hermes.types.ids import SessionKey
from hermes.types.origin import DEFAULT_ACCOUNT, Origin

_BREAKS_A_PREFIX = re.compile(r"[\[\]\s\x00-\x1f\x7f-\x9f]+")
_PREFIX = re.compile(r"\[([^\[\]\n]+)\] ")


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Who shares a conversation. A thread is one person's own only if both flags say so.

    ``whatsapp_aliases`` is what the bridge's files say (``hermes.sessions.whatsapp``); a key depends on what it holds
    at that moment.
    """

    group_sessions_per_user: bool = True
    thread_sessions_per_user: bool = False
    profile: str = "default"
    whatsapp_aliases: Mapping[str, str] = field(default_factory=dict)


DEFAULT_RULES = KeyRules()


def build_session_key(origin: Origin, rules: KeyRules = DEFAULT_RULES) -> SessionKey:
    """Name the conversation that ``origin`` belongs to: the same for the same coordinates, in every boot."""
    profile = "main" if rules.profile == "default" else rules.profile
    platform = origin.platform
    if origin.account != DEFAULT_ACCOUNT:
        platform = f"{platform}@{origin.account}"
    parts = ("agent", profile, platform, origin.chat_type, *_place(origin, rules))
    return SessionKey(":".join(parts))


def chat_type_in(key: SessionKey) -> str:
    """The kind of chat that ``key`` says; empty if it is not made like ours."""
    return (key.split(":", 4) + [""] * 4)[3]


def is_shared(origin: Origin, rules: KeyRules = DEFAULT_RULES) -> bool:
    """True if several people may speak in this conversation: exactly where its key names none of them."""
    own = rules.group_sessions_per_user and (not origin.thread_id or rules.thread_sessions_per_user)
    return origin.chat_type != "dm" and not own


def sender_prefix(origin: Origin, rules: KeyRules = DEFAULT_RULES) -> str:
    """``[name] `` before what somebody says in a shared conversation, so that the agent can tell people apart; else empty.

    A name cannot pretend to be a second speaker: brackets, line breaks and control characters become a space.
    """
    name = _BREAKS_A_PREFIX.sub(" ", origin.user_name or "").strip()
    return f"[{name}] " if name and is_shared(origin, rules) else ""


def speaker_in(text: str) -> str | None:
    """The name that ``sender_prefix`` has put before ``text``."""
    found = _PREFIX.match(text)
    return found[1] if found else None


def _place(origin: Origin, rules: KeyRules) -> tuple[str, ...]:
    # The alternative id wins because it is the one that stays when a person changes their number.
    user = _person(origin, origin.user_id_alt or origin.user_id, rules)
    if origin.chat_type == "dm":
        return _present(_person(origin, origin.chat_id, rules) or user, origin.thread_id)
    return _present(origin.chat_id, origin.thread_id, None if is_shared(origin, rules) else user)


def _person(origin: Origin, identifier: str | None, rules: KeyRules) -> str | None:
    if origin.platform != whatsapp.PLATFORM:
        return identifier
    # An id that is nothing but decoration stays as it is: emptied, all such ids would share a conversation.
    return whatsapp.canonical(identifier, rules.whatsapp_aliases) or identifier


def _present(*parts: str | None) -> tuple[str, ...]:
    return tuple(part for part in parts if part)
