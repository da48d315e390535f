"""Commands about who somebody is.

A: /link ─▶ a code, once          B: /link CODE ─▶ B's direct messages go to A's conversation          /unlink ─▶ back
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from actors.commands.reply import Ask, Handler, Reply
from actors.ports.services import Services
from hermes.pairing.codes import fresh_code, matches, typed_code
from hermes.store import linking, people
from hermes.store.people_ops import PutLinkCode, Side, UseLinkCode
from hermes.types import texts
from hermes.types.content import Outbound
from hermes.types.quoting import quoted

CODE_TTL_S = 600.0
NAME_DIGITS = 12


async def _link(ask: Ask) -> Reply:
    """A platform's name wins over a code: ``telegram`` could be one."""
    origin, typed = ask.row.event.origin, ask.command.args.strip()
    if origin.chat_type != "dm":
        return Reply(texts.LINK_IN_PRIVATE, keep_text=not typed)
    platforms = ask.services.adapters.platforms
    if not typed:
        return _code(ask, None)
    if typed.casefold() in platforms:
        return _code(ask, typed.casefold())
    if (code := typed_code(typed)) is not None:
        return replace(await _use(ask, code), keep_text=False)
    return Reply(texts.LINK_NO_PLATFORM.format(name=quoted(typed), platforms=", ".join(sorted(platforms))))


def _code(ask: Ask, platform: str | None) -> Reply:
    services, now = ask.services, ask.services.clock.wall()
    fresh, side = fresh_code(services.ids), services.people.side(ask.row.event.origin)
    where = texts.LINK_CODE_ON.format(platform=platform) if platform else texts.LINK_CODE_ANYWHERE
    put = PutLinkCode(fresh.entry_id, fresh.salt, fresh.hash, side, platform, now, now + CODE_TTL_S)
    words = texts.LINK_CODE.format(code=fresh.code, where=where)
    return Reply(words, put, otherwise=texts.LINK_LOCKED, secret=True)


async def _use(ask: Ask, code: str) -> Reply:
    """Whatever is wrong with a code, the words are the same, and it counts."""
    services, origin, now = ask.services, ask.row.event.origin, ask.services.clock.wall()
    me = services.people.side(origin)
    if services.people.person_of(origin.platform, origin.account, me.user.user_id) is not None:
        return Reply(texts.LINK_TAKEN)
    known = await services.store.read(people.link_codes, now)
    meant = [one for one in known if matches(code, one.salt, one.hash)]
    mine = [one for one in meant if one.user != me.user and one.for_platform in (None, origin.platform)]
    if not mine:
        return Reply(texts.LINK_REFUSED, UseLinkCode(me.user, None, None, now), otherwise=texts.LINK_REFUSED)
    there = mine[0]
    first = Side(there.user, there.own_key, every_dm=False, chat_id=there.chat_id)
    member = services.people.person_of(there.user.platform, there.user.account, there.user.user_id)
    person = None if member is None else services.people.person(member.person_id)
    link = linking.by_code(first, me, person, services.people.scope, _occasion(services))
    words = texts.LINKED if link.ends else texts.LINKED_APART
    return Reply(
        words.format(platform=there.user.platform),
        UseLinkCode(me.user, there.code_id, link, now),
        otherwise=texts.LINK_REFUSED,
        after=partial(_changed, services, link.outbound),
    )


def _unlink(ask: Ask) -> Reply:
    services, origin = ask.services, ask.row.event.origin
    if origin.chat_type != "dm":
        return Reply(texts.LINK_IN_PRIVATE)
    member = services.people.person_of(origin.platform, origin.account, origin.user_id or "")
    if member is None:
        return Reply(texts.NOT_LINKED)
    person = services.people.person(member.person_id)
    unlink = linking.apart(person, member, _occasion(services), by_operator=False)
    return Reply(
        linking.leaving(person, member),
        unlink,
        otherwise=texts.NOT_LINKED,
        after=partial(_changed, services, unlink.outbound),
    )


def _whoami(ask: Ask) -> Reply:
    services, origin = ask.services, ask.row.event.origin
    user = services.people.side(origin).user
    member = services.people.person_of(origin.platform, origin.account, user.user_id)
    person = None if member is None else services.people.person(member.person_id)
    others = () if person is None else [str(other.ref) for other in person.members if other is not member]
    return Reply(
        texts.WHOAMI.format(
            user=user,
            role=ask.command.role,
            person=texts.WHOAMI_NOBODY if person is None else person.name or person.person_id,
            others=", ".join(others) or texts.WHOAMI_NO_OTHERS,
            session=ask.command.session_key,
        )
    )


def _occasion(services: Services) -> linking.Occasion:
    now = services.clock.wall()
    return linking.Occasion(services.ids.token(NAME_DIGITS), now, now + services.config.delivery.ttl_s)


def _changed(services: Services, told: tuple[Outbound, ...]) -> None:
    services.people.outdated()
    for message in told:
        services.delivery.wake(message.lane)


HANDLERS: Mapping[str, Handler] = {"link": _link, "unlink": _unlink, "whoami": _whoami}
