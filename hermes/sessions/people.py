"""One person's direct messages on several platforms as one conversation. Pure.

built key ─▶ a direct message, no thread? ─▶ of somebody who is linked, in the conversation that is? ─▶ scope ─▶ key
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Literal

from hermes.sessions.keys import KeyRules, build_session_key
from hermes.types.ids import SessionKey
from hermes.types.origin import Origin
from hermes.types.people import Member, Person, UserRef

Scope = Literal["per_person", "per_platform", "per_chat"]
"""Who shares a conversation, of one person's linked users: all; those of one platform; none."""

OWN_CHATS: Mapping[str, str | None] = {"console": None, "webchat": "main"}
"""Our own edges, where one user has several conversations: the one that is meant where a user is named by id alone. None: it
is named as the user.
"""


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who is linked, at one moment; ``members`` by canonical id."""

    persons: Mapping[str, Person] = field(default_factory=dict)
    members: Mapping[UserRef, Member] = field(default_factory=dict)

    @classmethod
    def of(cls, persons: Iterable[Person], canonical: Callable[[UserRef], UserRef]) -> "People":
        """``persons`` as they can be looked up."""
        known = {person.person_id: person for person in persons}
        members = {canonical(member.ref): member for person in known.values() for member in person.members}
        return cls(known, members)


def session_key_for(
    own: SessionKey, origin: Origin, user: UserRef, people: People, scope: Scope
) -> SessionKey:
    """The conversation of a message of ``user`` (canonical) whose built key is ``own``."""
    member = people.members.get(user)
    if member is None or scope == "per_chat" or origin.chat_type != "dm" or origin.thread_id:
        return own
    if own != member.own_key and not member.every_dm:
        return own
    person = people.persons[member.person_id]
    if scope == "per_person":
        return person.session_key
    first = person.first_on(origin.platform)
    return own if first is None else first.own_key


def shares_with(platforms: Set[str], platform: str, scope: Scope) -> bool:
    """Does a user of ``platform`` who is linked with users of ``platforms`` leave their own conversation for it?"""
    return scope == "per_person" or (scope == "per_platform" and platform in platforms)


def own_key(origin: Origin, rules: KeyRules) -> SessionKey:
    """The conversation of the direct chat that ``origin`` is in, in whichever of its threads."""
    direct = origin if origin.thread_id is None else replace(origin, thread_id=None)
    return build_session_key(direct, rules)


def named_chat(user: UserRef) -> str:
    """The direct chat of a user of whom nothing but the id is known. On most platforms it has the user's id."""
    return OWN_CHATS.get(user.platform) or user.user_id


def guessed_key(user: UserRef, rules: KeyRules, chat_id: str | None = None) -> SessionKey:
    """The conversation in ``chat_id``; None: in ``named_chat``."""
    chat = chat_id or named_chat(user)
    return build_session_key(Origin(user.platform, chat, account=user.account, user_id=user.user_id), rules)
