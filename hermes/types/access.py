"""Who may speak on one account of a platform, as data."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hermes.types.origin import ChatType

Role = Literal["owner", "admin", "user", "guest"]
"""``owner``: the operator, proved by an edge of ours. ``admin``, ``user``: known by id. ``guest``: let in by an opening that
asks for no id (a whole chat, everybody, other bots).
"""

ROLES: tuple[Role, ...] = ("guest", "user", "admin", "owner")
"""From the least to the highest."""

Policy = Literal["open", "allowlist", "pairing", "disabled"]
Bots = Literal["none", "mentions", "all"]
UnauthorizedDm = Literal["pair", "ignore"]


def _nobody(_: str) -> bool:
    return False


def _no_person(_: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Members:
    """Who has a role: users of this account, and persons, all of them by their ids."""

    users: frozenset[str] = frozenset()
    persons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """What holds in direct messages, or in groups.

    ``policy`` narrows what lets people in and never widens it: ``allowlist`` and ``pairing`` leave out the openings,
    ``disabled`` leaves out everybody; None and ``open`` narrow nothing. ``admins`` None: commands are not restricted.
    """

    policy: Policy | None = None
    admins: frozenset[str] | None = None
    commands: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The rules of one account. Without any of them nobody gets in. Ids are exact; names stand nowhere.

    ``group_allowed`` get in in groups only; ``group_chats`` are groups in which everybody does. ``allowed_roles`` are
    for the adapter to look up; without any, ``Origin.role_authorized`` counts for nothing.
    ``canonical`` gives the one form of an id that has several (WhatsApp, e-mail): total, and asked for both sides of a
    comparison. ``granted``: was this canonical id paired?
    ``free_response_channels`` need no mention; ``allowed_channels``, unless empty, are the only groups we answer in.
    Both take ids of chats, of parent channels and ``chat:thread``; ``*`` is any. ``allowed_topics``, unless empty, are the only
    threads of groups in which we answer, as ``thread`` or ``chat:thread``; what stands in none is in ``1``, as Telegram's
    General is. ``mention_patterns``: what mentions us besides our name.

    ``owners`` and ``admins`` say in which role somebody speaks, not that they may. ``person_of``: the id of the person that a
    canonical user id belongs to. ``commands``: all that a role may use, besides what everybody may. ``highest`` is the
    highest role that somebody was named for, anywhere; nobody may do more than who has it.
    """

    allowed: frozenset[str] = frozenset()
    group_allowed: frozenset[str] = frozenset()
    group_chats: frozenset[str] = frozenset()
    allowed_roles: frozenset[str] = frozenset()
    allow_all: bool = False
    bots: Bots = "none"
    unauthorized_dm: UnauthorizedDm = "ignore"
    dm: Scope = Scope()
    group: Scope = Scope()
    require_mention: bool = True
    free_response_channels: frozenset[str] = frozenset()
    allowed_channels: frozenset[str] = frozenset()
    allowed_topics: frozenset[str] = frozenset()
    mention_patterns: tuple[re.Pattern[str], ...] = ()
    canonical: Callable[[str], str] = str
    granted: Callable[[str], bool] = _nobody
    owners: Members = Members()
    admins: Members = Members()
    person_of: Callable[[str], str | None] = _no_person
    commands: Mapping[Role, frozenset[str]] = field(default_factory=dict)
    highest: Role = "user"

    def scope(self, chat_type: ChatType) -> Scope:
        """What holds in a chat of that type."""
        return self.dm if chat_type == "dm" else self.group


CLOSED = AccessRules()
"""Nobody gets in."""
