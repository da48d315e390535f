"""Who is linked with whom, in memory, for whoever decides about a message.

a commit that changes it ─ outdated() ─▶ the next decision reads the tables anew, and no other does
"""

from collections.abc import Callable

import trio

from actors.ports.access import canonical_form
from actors.ports.moves import Moves
from hermes.sessions import people as rules
from hermes.sessions.keys import KeyRules, build_session_key
from hermes.store import people
from hermes.store.people_ops import Side
from hermes.store.port import Store
from hermes.types.ids import SessionKey
from hermes.types.origin import Origin
from hermes.types.people import Member, Person, UserRef


class PeoplePort:
    """What the tables said last. Inbound has it read anew at every sweep, so that nothing it was not told of lasts."""

    def __init__(self, store: Store, key_rules: KeyRules, scope: rules.Scope, moves: Moves) -> None:
        self.key_rules = key_rules
        self.scope = scope
        self._store = store
        self._moves = moves
        self._people = rules.People()
        self._changes = 1
        self._read = 0
        self._reading = trio.Lock()

    def outdated(self) -> None:
        """The tables have changed, or may have."""
        self._changes += 1

    async def fresh(self) -> None:
        """Return when all is known that was committed before the last ``outdated``; at once, if nothing was."""
        await self._moves.known()
        if self._read < self._changes:
            async with self._reading:  # one reads for all who wait
                while self._read < self._changes:
                    changes = self._changes
                    persons = await self._store.read(people.persons)
                    self._people, self._read = rules.People.of(persons, self.canonical), changes

    def canonical(self, user: UserRef) -> UserRef:
        """``user`` by the one form of their id."""
        form = canonical_form(user.platform, self.key_rules.whatsapp_aliases)
        return UserRef(user.platform, user.account, form(user.user_id))

    def person_of(self, platform: str, account: str, user_id: str) -> Member | None:
        """What ``user_id``, in any of its forms, is to whom; None if they are not linked."""
        return self._people.members.get(self.canonical(UserRef(platform, account, user_id)))

    def person(self, person_id: str) -> Person:
        """The person a ``Member`` belongs to."""
        return self._people.persons[person_id]

    def persons(self, platform: str, account: str) -> Callable[[str], str | None]:
        """What gives the id of the person that a user there is, by the tables of the moment it is asked."""

        def person_of(user_id: str) -> str | None:
            member = self.person_of(platform, account, user_id)
            return None if member is None else member.person_id

        return person_of

    def session_key(self, origin: Origin) -> SessionKey:
        """The conversation that a message from there belongs to."""
        own = build_session_key(self._moves.begun(origin), self.key_rules)
        return rules.session_key_for(own, origin, self.side(origin).user, self._people, self.scope)

    def side(self, origin: Origin) -> Side:
        """Who wrote, as somebody who is to be linked in the direct chat they wrote in."""
        user = self.canonical(UserRef(origin.platform, origin.account, origin.user_id or ""))
        return Side(user, rules.own_key(origin, self.key_rules), every_dm=False, chat_id=origin.chat_id)
