"""Who may talk to the agent: nobody, unless something says so. Ids decide, never names and never text.

    ours, or of an edge that proved its user ─▶ owner
    no user id · a bot · a scope that is closed ─▶ denied, unless bots are let in
    listed · paired · of an allowed role ─▶ user        a whole chat, everybody ─▶ guest        admins by id ─▶ admin

The order is the original's where it is sound. There a chat list also let in senders without an id, and bots.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hermes.routing.commands import find_command
from hermes.types.access import AccessRules, Role, Scope
from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent
from hermes.types.origin import Origin

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
    is_admin = _among(ids, scope.admins or (), rules)
    if rule := _known(origin, ids, rules):
        return Access("admin" if is_admin else "user", rule)
    if rule := _opening(origin, scope, rules):
        return Access("admin" if is_admin else "guest", rule)
    asks = origin.chat_type == "dm" and not event.forwarded and event.kind in ("message", "command")
    return Access(None, PAIR if asks and rules.unauthorized_dm == "pair" else "denied:default")


def slash_allowed(command: str, role: Role, scope: Scope) -> bool:
    """May somebody in that role use ``command``, whether it exists or not? An alias stands for its command, both ways."""
    if scope.admins is None or role in ("owner", "admin"):
        return True
    spec = find_command(command)
    names = {spec.name, *spec.aliases} if spec else {command}
    return not names.isdisjoint(FLOOR | scope.commands)


def canonical_email(address: str) -> str:
    """The form in which e-mail addresses are compared: no server that matters tells their case apart."""
    return address.strip().casefold()


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
    here = {origin.chat_id, origin.parent_chat_id}
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
