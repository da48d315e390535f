"""Who is who: links between users, the codes that prove them, and what is erased for good."""

from dataclasses import dataclass
from typing import ClassVar

from hermes.store.ops import Op
from hermes.types.content import Outbound
from hermes.types.ids import SessionKey
from hermes.types.people import UserRef

MOST_FAILURES = 5
LOCKED_S = 3600.0
"""So many codes of a user may fail; then, for so long, none of theirs is taken."""

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Side:
    """One of two users who are linked, as ``types.people.Member`` has it."""

    user: UserRef
    own_key: SessionKey
    every_dm: bool
    chat_id: str | None


@dataclass(frozen=True, slots=True)
class PutLinkCode(Op[bool]):
    """Store the hash of a code that ``side`` has asked for; any earlier one of theirs is void. False: they are locked out.

    ``for_platform``: only a user of that platform may use it.
    """

    rank: ClassVar[int] = 30
    code_id: str
    salt: str
    hash: str
    side: Side
    for_platform: str | None
    at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Link(Op[str | None]):
    """``second`` goes on in the conversation of ``first``; returns the person's id.

    ``first`` may be somebody's already; else a person is made, as ``person_id``. None, and nothing is written, if ``second``
    is somebody's, or the same user. ``name`` is the person's from now on. ``ends``: the present stretch of ``second`` ends as
    ``linked``; what is open in it finishes where it is.
    """

    rank: ClassVar[int] = 31
    first: Side
    second: Side
    person_id: str
    name: str | None
    ends: bool
    actor: str
    at: float
    outbound: tuple[Outbound, ...] = ()


@dataclass(frozen=True, slots=True)
class UseLinkCode(Op[bool]):
    """``user`` has sent a code: use it up and ``link``. False if that comes to nothing, which counts against ``user``.

    ``code_id`` None: there is no such code, or it is not for this user. The ``MOST_FAILURES``-th failure locks the user out;
    whoever is locked out fails whatever they send. A success clears the count.
    """

    rank: ClassVar[int] = 31
    user: UserRef
    code_id: str | None
    link: Link | None
    at: float


@dataclass(frozen=True, slots=True)
class Unlink(Op[bool]):
    """``user`` is nobody's any more: their conversation is their own again, and its stretch goes on. False if they were not.

    The shared conversation stays with the user whose own it is. If that is ``user``, the others go on in that of the one
    who was linked next. A person with one user left is none.
    """

    rank: ClassVar[int] = 31
    user: UserRef
    actor: str
    at: float
    outbound: tuple[Outbound, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit(Op[None]):
    """Note what an operator has done: ``action`` to ``subject`` (a user as ``UserRef`` is written, or whatever it was)."""

    rank: ClassVar[int] = 32
    actor: str
    action: str
    subject: str
    detail: str
    at: float


@dataclass(frozen=True, slots=True)
class Traces:
    """What is there of somebody, as ``store.personal.traces`` finds it.

    ``keys`` are conversations of theirs alone, ``chats`` their direct chats (platform, account, chat id), ``rows`` the inbox
    rows they sent, and ``raw`` those that could not be decoded and name them. ``jobs`` are the ids of those they made, whose
    conversations and chats are among the others.
    """

    users: tuple[UserRef, ...]
    person_ids: tuple[str, ...]
    keys: tuple[SessionKey, ...]
    chats: tuple[tuple[str, str, str], ...]
    rows: tuple[int, ...]
    raw: tuple[int, ...]
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """How much is gone. ``messages`` and ``answers`` are still counted, as rows without content."""

    messages: int = 0
    answers: int = 0
    lines: int = 0
    sessions: int = 0
    notes: int = 0
    approvals: int = 0
    links: int = 0
    runs: int = 0


@dataclass(frozen=True, slots=True)
class Forget(Op[Erased]):
    """Erase everything that ``traces`` names and what belongs to it. Open rows end ``stopped``; their turns come to nothing.

    What is left in the file's free space is overwritten after the commit, or by the next start (``store.scrub``).
    """

    rank: ClassVar[int] = 45
    traces: Traces
    subject: str
    actor: str
    at: float
