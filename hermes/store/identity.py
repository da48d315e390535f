"""What the operator asks about people, and does: the same through the running gateway and on the file of one that is not.

Answers are plain data, as the command line prints it. Raises ``GatewayError`` in words for a person: ``no_such_person``,
``ambiguous``, ``linked_already``, ``usage``.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hermes.cron.job import Entry, id_of, origin_of
from hermes.pairing.book import PairingBook
from hermes.pairing.records import book_name
from hermes.sessions.keys import KeyRules
from hermes.sessions.people import OWN_CHATS, Scope, guessed_key, named_chat
from hermes.store import linking, people, personal
from hermes.store.people_ops import OPERATOR, Erased, Forget, Link, Side, Traces, Unlink
from hermes.store.port import Reader
from hermes.types.errors import USAGE, Failure, GatewayError
from hermes.types.people import Person, PersonRef, UserRef, checked_name, parse_person

NO_SUCH_PERSON = "no_such_person"
AMBIGUOUS = "ambiguous"
LINKED_ALREADY = "linked_already"

Books = Mapping[str, PairingBook]
"""What the pairing's files say, by account."""

Jobs = Sequence[Entry]
"""What the jobs' file says."""


@dataclass(frozen=True, slots=True)
class World:
    """What the answer depends on besides the tables: how ids and keys are made, and who shares a conversation."""

    canonical_form: Callable[[str], Callable[[str], str]]
    key_rules: KeyRules
    scope: Scope

    def canonical(self, user: UserRef) -> UserRef:
        """``user`` by the one form of their id."""
        return UserRef(user.platform, user.account, self.canonical_form(user.platform)(user.user_id))


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom the operator means: ``users``, canonical, and the ``person`` they are, if they are linked."""

    users: tuple[UserRef, ...]
    person: Person | None


def listing(reader: Reader) -> list[dict[str, Any]]:
    """Everybody who is linked."""
    return [people.as_document(person) for person in people.persons(reader)]


def find(reader: Reader, typed: str, world: World) -> Whom:
    """Whom ``typed`` means: one of their users, or the id or name of a person. A user of whom nothing is known is one, too."""
    ref = _parsed(typed)
    found = people.persons(reader)
    if isinstance(ref, UserRef):
        return _whose(found, world.canonical(ref), world)
    named = [one for one in found if ref == one.person_id] or [one for one in found if ref == one.name]
    if len(named) == 1:
        return Whom(_users(named[0], world), named[0])
    if named:
        ids = ", ".join(one.person_id for one in named)
        raise GatewayError(Failure(AMBIGUOUS, detail=f"several people are called {ref}: {ids}"))
    raise _nobody(ref)


def link(  # noqa: PLR0917 - both, their name, and what it depends on
    reader: Reader,
    first: str,
    second: str,
    name: str | None,
    world: World,
    on: linking.Occasion,
    *,
    chat_id: str | None = None,
) -> Link:
    """The write by which ``second`` goes on in the conversation of ``first``, who may be a person already. ``chat_id`` is where
    ``second`` is, if no conversation of theirs says.
    """
    one, other = find(reader, first, world), _parsed(second)
    if not isinstance(other, UserRef):
        raise GatewayError(Failure(USAGE, detail=f"{second} is to be linked: name a user, as PLATFORM:USER"))
    user = world.canonical(other)
    whose = _whose(people.persons(reader), user, world)
    if user in one.users:
        raise GatewayError(
            Failure(LINKED_ALREADY, detail=f"{first} and {second} are the same person already")
        )
    if whose.person is not None:
        known = whose.person.name or whose.person.person_id
        detail = f"{second} is linked as {known} already; `hermes identity unlink {second}` comes first"
        raise GatewayError(Failure(LINKED_ALREADY, detail=detail))
    name = None if name is None else _named(reader, name, one.person)
    head = _side(reader, one.users[0], world)
    return linking.by_operator(head, _side(reader, user, world, chat_id), one.person, name, world.scope, on)


def unlink(reader: Reader, typed: str, world: World, on: linking.Occasion) -> tuple[Unlink, Person]:
    """The write by which a user leaves whom they are linked with, and who that is."""
    ref = _parsed(typed)
    if not isinstance(ref, UserRef):
        raise GatewayError(
            Failure(USAGE, detail=f"{typed} names no one account: say which is to leave, as PLATFORM:USER")
        )
    user = world.canonical(ref)
    person = _whose(people.persons(reader), user, world).person
    if person is None:
        raise GatewayError(Failure(NO_SUCH_PERSON, detail=f"{typed} is linked with nobody"))
    member = next(one for one in person.members if world.canonical(one.ref) == user)
    return linking.apart(person, member, on, by_operator=True), person


def export(reader: Reader, typed: str, world: World, books: Books, jobs: Jobs) -> dict[str, Any]:
    """Everything there is of a person."""
    whom, found = _known(reader, typed, world, books, jobs)
    theirs = made_by(whom, found.chats, world)
    return personal.export(reader, found, whom.person) | {
        "pairing": paired(whom.users, books),
        "jobs": [one for one in jobs if theirs(one)],
    }


def outline(reader: Reader, typed: str, world: World, books: Books, jobs: Jobs) -> dict[str, Any]:
    """What ``forget`` would erase, in numbers, and the names of the jobs."""
    whom, found = _known(reader, typed, world, books, jobs)
    theirs = made_by(whom, found.chats, world)
    return {
        "users": [str(user) for user in whom.users],
        "messages": len(found.rows) + len(found.raw),
        "sessions": len(found.keys) - len(found.jobs),
        "jobs": [str(one.get("name") or one.get("id")) for one in jobs if theirs(one)],
    }


def forget(  # noqa: PLR0917 - whom, what it depends on, and when
    reader: Reader, typed: str, world: World, books: Books, jobs: Jobs, at: float
) -> tuple[Forget, Whom]:
    """The write that erases a person, and whom that is. Its name in the audit is none of theirs. The jobs' file is not its."""
    whom, found = _known(reader, typed, world, books, jobs)
    platforms = ", ".join(sorted({user.platform for user in whom.users}))
    return Forget(found, f"a person on {platforms}", OPERATOR, at), whom


def made_by(whom: Whom, chats: Collection[tuple[str, str, str]], world: World) -> Callable[[Entry], bool]:
    """Which jobs they have made; one that names nobody is theirs if it was made in one of ``chats``, their direct ones."""

    def theirs(entry: Entry) -> bool:
        home = origin_of(entry)
        if home is None:
            return False
        if home.user_id is None:
            return (home.platform, home.account, home.chat_id) in chats
        return world.canonical(UserRef(home.platform, home.account, home.user_id)) in whom.users

    return theirs


def paired(users: Iterable[UserRef], books: Books) -> list[dict[str, Any]]:
    """The grants by which the pairing lets them in."""
    return [
        {"user": str(user), "user_name": grant.user_name, "approved_at": grant.approved_at}
        for user in users
        if (book := books.get(book_name(user.platform, user.account))) is not None
        for name, grant in book.approved.items()
        if book.canonical(name) == user.user_id
    ]


def forgotten_document(whom: Whom, erased: Erased, jobs: int, revoked: int) -> dict[str, Any]:
    """What is said of it: how much is gone. ``revoked``: grants of the pairing."""
    users = [str(user) for user in whom.users]
    return {"users": users, **asdict(erased), "jobs": jobs, "pairings": revoked}


def linked_document(reader: Reader, person_id: str) -> Mapping[str, Any]:
    """The person as they are now."""
    return next(one for one in listing(reader) if one["person_id"] == person_id)


def _known(reader: Reader, typed: str, world: World, books: Books, jobs: Jobs) -> tuple[Whom, Traces]:
    whom = find(reader, typed, world)
    found = personal.traces(reader, whom.users, whom.person, world.canonical)
    theirs = made_by(whom, found.chats, world)
    made = [one for one in jobs if theirs(one)]
    if whom.person is None and not (
        found.rows or found.keys or found.raw or made or paired(whom.users, books)
    ):
        raise _nobody(typed)
    return whom, personal.with_jobs(found, list(filter(None, map(id_of, made))), world.key_rules)


def _side(reader: Reader, user: UserRef, world: World, chat_id: str | None = None) -> Side:
    """Somebody who is linked by id: in all their direct chats, or, where one user has several conversations, in the main one.
    ``chat_id``: where they are, if no conversation of theirs says.
    """
    if user.platform in OWN_CHATS:
        return Side(user, guessed_key(user, world.key_rules), every_dm=False, chat_id=named_chat(user))
    last = people.last_chat(reader, user, world.canonical)
    own_key, chat_id = last or (guessed_key(user, world.key_rules, chat_id), chat_id)
    return Side(user, own_key, every_dm=True, chat_id=chat_id)


def _whose(found: Sequence[Person], user: UserRef, world: World) -> Whom:
    for person in found:
        if user in (users := _users(person, world)):
            return Whom(users, person)
    return Whom((user,), None)


def _users(person: Person, world: World) -> tuple[UserRef, ...]:
    return tuple(world.canonical(member.ref) for member in person.members)


def _named(reader: Reader, typed: str, person: Person | None) -> str:
    try:
        name = checked_name(typed)
    except ValueError as wrong:
        raise GatewayError(Failure(USAGE, detail=str(wrong))) from wrong
    for other in people.persons(reader):
        if name in (other.name, other.person_id) and (person is None or other.person_id != person.person_id):
            raise GatewayError(
                Failure(AMBIGUOUS, detail=f"somebody else is called {name}: {other.person_id}")
            )
    return name


def _parsed(typed: str) -> PersonRef:
    try:
        return parse_person(typed)
    except ValueError as wrong:
        raise GatewayError(Failure(USAGE, detail=str(wrong))) from wrong


def _nobody(typed: str) -> GatewayError:
    return GatewayError(Failure(NO_SUCH_PERSON, detail=f"nothing is known of {typed}"))
