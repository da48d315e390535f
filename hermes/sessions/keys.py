"""The deterministic name of a conversation.

    agent:<profile>:<platform>[@<account>]:dm[:<chat or user>][:<thread>]
    agent:<profile>:<platform>[@<account>]:<chat type>[:<chat>][:<thread>][:<user>]

Ids are joined unescaped, as in homes that are taken over from the original; that is why routing refuses ids
with control characters before a key is made of them.
"""

from dataclasses import dataclass

from hermes.types.ids import SessionKey
from hermes.types.origin import DEFAULT_ACCOUNT, Origin


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Who shares a conversation. A thread is one person's own only if both flags say so."""

    group_sessions_per_user: bool = True
    thread_sessions_per_user: bool = False
    profile: str = "default"


DEFAULT_RULES = KeyRules()


def build_session_key(origin: Origin, rules: KeyRules = DEFAULT_RULES) -> SessionKey:
    """Name the conversation that ``origin`` belongs to: the same for the same coordinates, in every boot."""
    profile = "main" if rules.profile == "default" else rules.profile
    platform = origin.platform
    if origin.account != DEFAULT_ACCOUNT:
        platform = f"{platform}@{origin.account}"
    parts = ("agent", profile, platform, origin.chat_type, *_place(origin, rules))
    return SessionKey(":".join(parts))


def _place(origin: Origin, rules: KeyRules) -> tuple[str, ...]:
    # The alternative id wins because it is the one that stays when a person changes their number.
    user = origin.user_id_alt or origin.user_id
    if origin.chat_type == "dm":
        return _present(origin.chat_id or user, origin.thread_id)
    own = rules.group_sessions_per_user and (not origin.thread_id or rules.thread_sessions_per_user)
    return _present(origin.chat_id, origin.thread_id, user if own else None)


def _present(*parts: str | None) -> tuple[str, ...]:
    return tuple(part for part in parts if part)
