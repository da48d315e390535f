"""Who may talk to the agent: nobody, unless something says so. Ids decide, never names and never text.

    ours, or of an edge that proved its user ─▶ owner
    no user id · a bot · a scope that is closed ─▶ denied, unless bots are let in
    listed · paired · of an allowed role ─▶ user        a whole chat, everybody ─▶ guest
                  and of them, who is named owner or admin ─▶ owner · admin

The order is the original's where it is sound. There a chat list also let in senders without an id, and bots.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hermes.routing.commands import CommandSpec, may_be_given
from hermes.types.access import ROLES, AccessRules, Members, Role, Scope
from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent
from hermes.types.origin import ChatType, Origin

FLOOR = frozenset({"help", "whoami", "status"})
"""Commands that everybody who may speak may use."""

PAIR = "denied:pair"
"""The rule of a stranger who may ask for a pairing code."""


@dataclass(frozen=True, slots=True)
class Access:
    """In what role the sender speaks, None if not at all, and the name of the rule that says so."""

    role: Role | None
    rule: str

    @property
    def allowed(self) -> bool:
        """May the sender speak?"""
        return self.role is not None


def check_access(event: InboundEvent, rules: AccessRules, capabilities: Capabilities) -> Access:
    """Decide on ``event``; total, pure, deny by default."""
    origin = event.origin
    if event.internal:
        return Access("owner", "allowed:internal")
    if capabilities.authenticated:
        return Access("owner", "allowed:edge")
    if not (origin.user_id or "").strip():
        return Access(None, "denied:no_user")
    scope = rules.scope(origin.chat_type)
    if scope.policy == "disabled":
        return Access(None, "denied:disabled")
    if origin.is_bot:
        heard = rules.bots == "all" or (rules.bots == "mentions" and event.mentions_bot)
        return Access("guest", "allowed:bot") if heard else Access(None, "denied:bot")
    ids = _ids(origin, rules)
    named = _named(ids, scope, rules)
    if rule := _known(origin, ids, rules):
        return Access(named or "user", rule)
    if rule := _opening(origin, scope, rules):
        return Access(named or "guest", rule)
    asks = origin.chat_type == "dm" and not event.forwarded and event.kind in ("message", "command")
    return Access(None, PAIR if asks and rules.unauthorized_dm == "pair" else "denied:default")


def slash_allowed(
    name: str, spec: CommandSpec | None, role: Role, rules: AccessRules, chat_type: ChatType
) -> bool:
    """May somebody in that role use ``spec``, which goes by ``name``? None: there is no such command, or so it is said.

    Who has the highest role that anybody was named for may use everything, and so does a user where nobody was named. Of
    the others, a user or guest for whom a list was made may use what stands on it, and everybody else what is for their
    role. What is for admins is never for a guest, list or not; and a role that is ``firm`` holds whoever was named.
    """
    if spec is not None and spec.firm and ROLES.index(role) < ROLES.index(spec.role):
        return False
    scope = rules.scope(chat_type)
    highest = max(rules.highest, "user" if scope.admins is None else "admin", key=ROLES.index)
    names = {spec.name, *spec.aliases} if spec else {name}
    if ROLES.index(role) >= ROLES.index(highest) or not names.isdisjoint(FLOOR):
        return True
    if role in ("user", "guest") and (scope.admins is not None or role in rules.commands):
        listed = scope.commands | rules.commands.get(role, frozenset())
        return not names.isdisjoint(listed) and (spec is None or may_be_given(spec, role))
    return spec is None or ROLES.index(role) >= ROLES.index(spec.role)


def names_admins(rules: AccessRules, chat_type: ChatType) -> bool:
    """Is anybody named who would speak there as admin or owner?"""
    scope, named = rules.scope(chat_type), (rules.owners, rules.admins)
    return bool(scope.admins) or any(one.users or one.persons for one in named)


def canonical_email(address: str) -> str:
    """The form in which e-mail addresses are compared: no server that matters tells their case apart."""
    return address.strip().casefold()


def _named(ids: frozenset[str], scope: Scope, rules: AccessRules) -> Role | None:
    """The role that somebody was named for, over all chats or in such a one."""
    if _members(ids, rules.owners, rules):
        return "owner"
    return "admin" if _members(ids, rules.admins, rules) or _among(ids, scope.admins or (), rules) else None


def _members(ids: frozenset[str], members: Members, rules: AccessRules) -> bool:
    return _among(ids, members.users, rules) or any(
        rules.person_of(part) in members.persons for part in (ids if members.persons else ())
    )


def _known(origin: Origin, ids: frozenset[str], rules: AccessRules) -> str | None:
    """The rule that lets this very person in."""
    in_group = origin.chat_type != "dm"
    if _among(ids, rules.allowed, rules) or (in_group and _among(ids, rules.group_allowed, rules)):
        return "allowed:listed"
    if any(map(rules.granted, ids)):
        return "allowed:paired"
    return "allowed:role" if rules.allowed_roles and origin.role_authorized else None


def _opening(origin: Origin, scope: Scope, rules: AccessRules) -> str | None:
    """The rule that lets anybody in here."""
    here = {origin.chat_id, origin.chat_id_alt, origin.parent_chat_id}
    if origin.chat_type != "dm" and not here.isdisjoint(rules.group_chats):
        return "allowed:chat"
    narrowed = scope.policy in ("allowlist", "pairing")
    return "allowed:everybody" if rules.allow_all and not narrowed else None


def _ids(origin: Origin, rules: AccessRules) -> frozenset[str]:
    """The sender's ids in canonical form. What has none (nothing but decoration) is like nobody else's."""
    forms = (rules.canonical(part) for part in (origin.user_id, origin.user_id_alt) if part)
    return frozenset(filter(None, forms))


def _among(ids: frozenset[str], listed: Iterable[str], rules: AccessRules) -> bool:
    return not ids.isdisjoint(map(rules.canonical, listed))
