"""The writes that link and unlink, with what they tell everybody whom they concern; the same from a chat, through the running
gateway and on the file of one that is not. Pure.
"""

from dataclasses import dataclass

from hermes.sessions.people import Scope, shares_with
from hermes.store.people_ops import OPERATOR, Link, Side, Unlink
from hermes.types import texts
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId
from hermes.types.people import Member, Person, UserRef


@dataclass(frozen=True, slots=True)
class Occasion:
    """When it happens and what is to be made new for it: ``name`` is random, and everything is called after it."""

    name: str
    at: float
    expires_at: float

    @property
    def person_id(self) -> str:
        """For somebody who is linked for the first time."""
        return f"person-{self.name}"


def by_code(first: Side, second: Side, person: Person | None, scope: Scope, on: Occasion) -> Link:
    """``second`` has sent the code of ``first``, who is ``person``, if anybody. The first hears of it; the second is told by
    the answer to the code.
    """
    words = texts.LINKED_THERE.format(user=second.user)
    told = _told(first.user, first.chat_id, words, on)
    ends = shares_with(_platforms(first, person), second.user.platform, scope)
    return Link(first, second, on.person_id, None, ends, str(second.user), on.at, told)


def by_operator(  # noqa: PLR0917 - both sides, what is known of them, and the occasion
    first: Side, second: Side, person: Person | None, name: str | None, scope: Scope, on: Occasion
) -> Link:
    """The operator says that they are one. Both hear of it, where they are known to have a chat."""
    told = (
        *_told(first.user, first.chat_id, texts.OPERATOR_LINKED.format(user=second.user), on),
        *_told(second.user, second.chat_id, texts.OPERATOR_LINKED.format(user=first.user), on),
    )
    ends = shares_with(_platforms(first, person), second.user.platform, scope)
    return Link(first, second, on.person_id, name, ends, OPERATOR, on.at, told)


def apart(person: Person, member: Member, on: Occasion, *, by_operator: bool) -> Unlink:
    """``member`` leaves ``person``. The others hear of it, and the member too if it was the operator's act."""
    rest = [other for other in person.members if other is not member]
    told: tuple[Outbound, ...] = ()
    for other in rest:
        alone = len(rest) == 1 and other.own_key != person.session_key
        words = (texts.UNLINKED_ALONE if alone else texts.UNLINKED_THERE).format(user=member.ref)
        told += _told(other.ref, other.chat_id, words, on)
    if by_operator:
        told += _told(member.ref, member.chat_id, f"{texts.OPERATOR_UNLINKED} {leaving(person, member)}", on)
    return Unlink(member.ref, OPERATOR if by_operator else str(member.ref), on.at, told)


def leaving(person: Person, member: Member) -> str:
    """What it means for ``member`` to leave ``person``, in words."""
    owner = member.own_key == person.session_key
    users = ", ".join(str(other.ref) for other in person.members if other is not member)
    return (texts.UNLINKED_OWNER if owner else texts.UNLINKED).format(users=users)


def _platforms(first: Side, person: Person | None) -> frozenset[str]:
    members = () if person is None else person.members
    return frozenset({first.user.platform, *(member.ref.platform for member in members)})


def _told(user: UserRef, chat_id: str | None, text: str, on: Occasion) -> tuple[Outbound, ...]:
    if chat_id is None:
        return ()
    return (
        Outbound(
            delivery_id=DeliveryId(f"people{on.name}:{user}"),
            platform=user.platform,
            account=user.account,
            chat_id=chat_id,
            text=text,
            kind="notice",
            expires_at=on.expires_at,
        ),
    )
