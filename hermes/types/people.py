"""Who is the same person on several platforms, and how a person is written at the command line."""

import re
from dataclasses import dataclass

from hermes.types.ids import SessionKey
from hermes.types.origin import DEFAULT_ACCOUNT

MAX_NAME_CHARACTERS = 64

_ACCOUNT = re.compile(r"([a-z0-9_-]+)(?:@([^:@\s]+))?:(.+)", re.DOTALL)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class UserRef:
    """One user of one account of a platform; ``user_id`` is canonical as far as whoever made it knew."""

    platform: str
    account: str
    user_id: str

    def __str__(self) -> str:
        account = "" if self.account == DEFAULT_ACCOUNT else f"@{self.account}"
        return f"{self.platform}{account}:{self.user_id}"


PersonRef = UserRef | str
"""How a person is written: one of their users, or their id or name, which has no colon."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user who is linked.

    ``own_key`` is the conversation they had before. ``every_dm``: every direct message of theirs goes to the person's
    conversation, not only those of that one; so it is for who was linked by id, of whom no chat may be known yet.
    ``chat_id`` is where they are told things; None: nobody knows.
    """

    ref: UserRef
    person_id: str
    own_key: SessionKey
    every_dm: bool
    linked_at: float
    chat_id: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with several users, in the order of their links. ``session_key``: the conversation that they share, which is
    the own one of one of them.
    """

    person_id: str
    name: str
    session_key: SessionKey
    created_at: float
    members: tuple[Member, ...]

    def first_on(self, platform: str) -> Member | None:
        """The member of that platform who was linked first."""
        return next((member for member in self.members if member.ref.platform == platform), None)


def parse_person(text: str) -> PersonRef:
    """What ``telegram:123``, ``telegram@work:123``, ``matrix:@ann:server`` or a person's id or name stands for; a platform's name
    may have ``-`` for ``_``, as everywhere.

    Raises ``ValueError`` in words.
    """
    if ":" not in text:
        return checked_name(text)
    found = _ACCOUNT.fullmatch(text)
    if found is None or _UNSEEN.search(text) or not found[3].strip():
        raise ValueError(
            f"{text!r:.80} is nobody: write PLATFORM:USER or PLATFORM@ACCOUNT:USER, or a person's name"
        )
    return UserRef(found[1].replace("-", "_"), found[2] or DEFAULT_ACCOUNT, found[3])


def checked_name(text: str) -> str:
    """``text`` as a person's name. Raises ``ValueError`` in words."""
    name = text.strip()
    if not name or len(name) > MAX_NAME_CHARACTERS or ":" in name or _UNSEEN.search(name):
        raise ValueError(
            f"a name is 1 to {MAX_NAME_CHARACTERS} characters without colon and line break, not {text!r:.80}"
        )
    return name
