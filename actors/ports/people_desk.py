"""People for the operator, through the running gateway: ``hermes identity``, ``hermes forget`` and ``hermes audit``."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import trio

from actors.ports.access import canonical_form
from actors.ports.services import Services
from hermes.cron.job import Entry
from hermes.pairing import orders
from hermes.pairing.records import book_name
from hermes.store import identity, linking, people
from hermes.store.ops import StopTurn
from hermes.store.people_ops import Forget
from hermes.store.port import Reader
from hermes.types.content import Outbound
from hermes.types.errors import TOO_LARGE, USAGE, Failure, GatewayError

MOST_ROWS = 10_000
MOST_CHARACTERS = 15_000_000
"""Of an export, at four bytes each at most: what a frame of the control socket holds."""

NAME_DIGITS = 12
LOOK_S, LOOKS = 0.05, 60
"""How long the turns of somebody who is forgotten may take to end: somewhat longer than a session gives a deaf one."""


class PeopleDesk:
    """Answers by the store, and sees to it that the next message is decided by what it has written."""

    deadline_s = 600.0

    def __init__(self, services: Services) -> None:
        self._services = services
        form = partial(canonical_form, aliases=services.key_rules.whatsapp_aliases)
        self._world = identity.World(form, services.key_rules, services.people.scope)

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``: ``usage``, ``too_large``, or as
        ``store.identity`` and ``Pairing.carry_out``.
        """
        read = self._services.store.read
        match verb, args:
            case "identity_list", _:
                return {"persons": await read(identity.listing)}
            case "identity_link", {"first": str(first), "second": str(second), "name": str() | None as name}:
                chat_id = args.get("chat_id")
                return await self._link(first, second, name, chat_id if isinstance(chat_id, str) else None)
            case "identity_unlink", {"user": str(user)}:
                return await self._unlink(user)
            case "identity_export", {"person": str(person)}:
                return {"document": await self._export(person)}
            case "identity_outline", {"person": str(person)}:
                books, jobs = (await self._services.pairing.look()).books, await self._services.jobs.entries()
                return await read(identity.outline, person, self._world, books, jobs)
            case "identity_forget", {"person": str(person)}:
                return await self._forget(person)
            case "identity_audit", {"limit": int(limit)}:
                return {"audit": await read(people.audit, max(0, min(limit, MOST_ROWS)))}
            case _:
                raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about people"))

    async def _link(
        self, first: str, second: str, name: str | None, chat_id: str | None
    ) -> Mapping[str, Any]:
        store, on = self._services.store, self._occasion()
        link = await store.read(identity.link, first, second, name, self._world, on, chat_id=chat_id)
        try:
            person_id = await store.write(link)
        finally:
            self._services.people.outdated()
        if person_id is None:
            raise GatewayError(
                Failure(identity.LINKED_ALREADY, detail=f"{second} has just been linked by somebody else")
            )
        self._wake(link.outbound)
        return await store.read(identity.linked_document, person_id)

    async def _unlink(self, user: str) -> Mapping[str, Any]:
        store = self._services.store
        unlink, person = await store.read(identity.unlink, user, self._world, self._occasion())
        try:
            await store.write(unlink)
        finally:
            self._services.people.outdated()
        self._wake(unlink.outbound)
        return {"user": str(unlink.user), "person_id": person.person_id}

    async def _export(self, person: str) -> str:
        """As text: made in the reader's thread, it is one piece for the loop."""
        books, jobs = (await self._services.pairing.look()).books, await self._services.jobs.entries()

        def export(reader: Reader) -> str:
            return json.dumps(identity.export(reader, person, self._world, books, jobs))

        text = await self._services.store.read(export)
        if len(text) > MOST_CHARACTERS:
            detail = f"this is {len(text):,} characters, and too much for the control socket; stop the gateway and try again"
            raise GatewayError(Failure(TOO_LARGE, detail=detail))
        return text

    async def _forget(self, person: str) -> Mapping[str, Any]:
        """First nobody works for them any more, and nobody lets them in; then what they said goes. The entries of their jobs go
        last, so that one who was killed before that can be asked again.
        """
        services = self._services
        books = (await services.pairing.look()).books
        forget, whom, theirs = await self._traced(person, books)
        if forget.traces.jobs:
            await services.jobs.halt(theirs, forget.traces.jobs)
        for key in forget.traces.keys:
            await services.store.write(StopTurn(key, "operator:forget", services.clock.wall()))
            services.conversations.interrupt(key)
        for _ in range(LOOKS):
            if not any(map(services.conversations.busy, forget.traces.keys)):
                break
            await trio.sleep(LOOK_S)
        # Read again: what a turn has said at its end is theirs too.
        forget, whom, theirs = await self._traced(person, books)
        revoked = 0
        for user in whom.users:
            name = book_name(user.platform, user.account)
            revoked += await services.pairing.carry_out(name, orders.Forget(user.user_id))
        try:
            erased = await services.store.write(forget)
        finally:
            services.people.outdated()
        if jobs := len(list(filter(theirs, await services.jobs.entries()))):
            await services.jobs.forget(theirs, forget.traces.jobs)
        return identity.forgotten_document(whom, erased, jobs, revoked)

    async def _traced(
        self, person: str, books: identity.Books
    ) -> tuple[Forget, identity.Whom, Callable[[Entry], bool]]:
        services, now = self._services, self._services.clock.wall()
        jobs = await services.jobs.entries()
        forget, whom = await services.store.read(identity.forget, person, self._world, books, jobs, now)
        return forget, whom, identity.made_by(whom, forget.traces.chats, self._world)

    def _occasion(self) -> linking.Occasion:
        services, now = self._services, self._services.clock.wall()
        return linking.Occasion(services.ids.token(NAME_DIGITS), now, now + services.config.delivery.ttl_s)

    def _wake(self, told: tuple[Outbound, ...]) -> None:
        for message in told:
            self._services.delivery.wake(message.lane)
