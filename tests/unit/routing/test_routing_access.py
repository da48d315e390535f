"""Who may speak: every row of the original's order, and its holes closed."""

from dataclasses import replace
from typing import Any

import pytest

from hermes.routing.access import FLOOR, PAIR, Access, canonical_email, check_access, slash_allowed
from hermes.routing.commands import COMMANDS, CommandSpec, find_command
from hermes.sessions import whatsapp
from hermes.types.access import CLOSED, AccessRules, Members, Scope
from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

DM = Origin("p", "c", user_id="u")
GROUP = replace(DM, chat_type="group", chat_id="g")
NOBODY = Origin("p", "g", chat_type="group")
LISTED = AccessRules(allowed=frozenset({"u"}))
EVERYBODY = AccessRules(allow_all=True)
CHAT = AccessRules(group_chats=frozenset({"g"}))


def event(origin: Origin = DM, text: str = "hello", **more: Any) -> InboundEvent:
    return InboundEvent("1", origin, text, 0.0, TraceId("t"), **more)


def verdict(origin: Origin, rules: AccessRules, **more: Any) -> str:
    return check_access(event(origin, **more), rules, Capabilities()).rule


def bots(which: Any) -> AccessRules:
    return AccessRules(bots=which)


BOT, GROUP_BOT = replace(DM, is_bot=True), replace(GROUP, is_bot=True)

ROWS = {
    "an edge that proves its users (webhook, homeassistant)": (DM, CLOSED, "owner", "allowed:edge"),
    "a chat that is listed": (GROUP, CHAT, "guest", "allowed:chat"),
    "a thread of a listed chat": (
        replace(GROUP, chat_type="thread", chat_id="t", parent_chat_id="g"),
        CHAT,
        "guest",
        "allowed:chat",
    ),
    "a listed chat says nothing about direct messages": (replace(DM, chat_id="g"), CHAT, None, "denied:default"),
    "bots: not unless it is said": (GROUP_BOT, replace(LISTED, bots="none"), None, "denied:bot"),
    "bots: all": (GROUP_BOT, bots("all"), "guest", "allowed:bot"),
    "bots: those that mention us, and this one does not": (GROUP_BOT, bots("mentions"), None, "denied:bot"),
    "bots are no admins": (
        GROUP_BOT,
        replace(bots("all"), group=Scope(admins=frozenset({"u"}))),
        "guest",
        "allowed:bot",
    ),
    "no user id": (NOBODY, replace(EVERYBODY, bots="all"), None, "denied:no_user"),
    "everybody on this platform": (DM, EVERYBODY, "guest", "allowed:everybody"),
    "a role of the platform": (
        replace(GROUP, role_authorized=True),
        AccessRules(allowed_roles=frozenset({"r"})),
        "user",
        "allowed:role",
    ),
    "a role that nobody asked for": (replace(GROUP, role_authorized=True), CLOSED, None, "denied:default"),
    "paired": (DM, AccessRules(granted=frozenset({"u"}).__contains__), "user", "allowed:paired"),
    "paired in a group": (GROUP, AccessRules(granted=frozenset({"u"}).__contains__), "user", "allowed:paired"),
    "listed": (DM, LISTED, "user", "allowed:listed"),
    "listed, in a group": (GROUP, LISTED, "user", "allowed:listed"),
    "listed by the other id": (replace(DM, user_id="+1", user_id_alt="u"), LISTED, "user", "allowed:listed"),
    "listed for groups": (GROUP, AccessRules(group_allowed=frozenset({"u"})), "user", "allowed:listed"),
    "listed for groups only": (DM, AccessRules(group_allowed=frozenset({"u"})), None, "denied:default"),
    "own policy allowlist: the listed": (DM, replace(LISTED, dm=Scope("allowlist")), "user", "allowed:listed"),
    "own policy allowlist: the others": (
        replace(DM, user_id="x"),
        replace(LISTED, allow_all=True, dm=Scope("allowlist")),
        None,
        "denied:default",
    ),
    "own policy open without the flag": (DM, AccessRules(dm=Scope("open")), None, "denied:default"),
    "own policy open with the flag": (DM, replace(EVERYBODY, dm=Scope("open")), "guest", "allowed:everybody"),
    "own policy disabled": (DM, replace(LISTED, dm=Scope("disabled")), None, "denied:disabled"),
    "own policy disabled, for the other kind of chat": (
        GROUP,
        replace(LISTED, dm=Scope("disabled")),
        "user",
        "allowed:listed",
    ),
    "own policy of groups, in groups": (GROUP, replace(EVERYBODY, group=Scope("allowlist")), None, "denied:default"),
    "nothing says yes": (DM, CLOSED, None, "denied:default"),
    "an admin": (DM, replace(LISTED, dm=Scope(admins=frozenset({"u"}))), "admin", "allowed:listed"),
    "an admin of groups is none here": (DM, replace(LISTED, group=Scope(admins=frozenset({"u"}))), "user", "allowed:listed"),
    "an admin whom nothing lets in": (DM, AccessRules(dm=Scope(admins=frozenset({"u"}))), None, "denied:default"),
    "an admin among everybody": (
        DM,
        replace(EVERYBODY, dm=Scope(admins=frozenset({"u"}))),
        "admin",
        "allowed:everybody",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_the_order_of_authorisation(row: str) -> None:
    origin, rules, role, rule = ROWS[row]
    capabilities = Capabilities(authenticated=rule == "allowed:edge")
    access = check_access(event(origin), rules, capabilities)
    assert access == Access(role, rule)
    assert access.allowed is (role is not None)


def test_bots_that_mention_us_may_if_that_is_said() -> None:
    assert verdict(GROUP_BOT, bots("mentions"), mentions_bot=True) == "allowed:bot"
    assert verdict(GROUP_BOT, bots("mentions"), reply_to_is_own_message=True) == "denied:bot"


def test_our_own_events_are_the_owner_s() -> None:
    assert check_access(event(internal=True), CLOSED, Capabilities()) == Access("owner", "allowed:internal")


# --- strangers ------------------------------------------------------------------------------------------------------

PAIRING = AccessRules(unauthorized_dm="pair")


def test_a_stranger_may_ask_for_a_code_where_that_is_said() -> None:
    assert check_access(event(), PAIRING, Capabilities()) == Access(None, PAIR)
    assert verdict(DM, PAIRING, kind="command") == PAIR
    assert verdict(DM, replace(PAIRING, unauthorized_dm="ignore")) == "denied:default"


def test_groups_are_silent() -> None:
    assert verdict(GROUP, PAIRING) == "denied:default"


def test_who_is_shut_out_is_not_asked_to_pair() -> None:
    assert verdict(DM, replace(PAIRING, dm=Scope("disabled"))) == "denied:disabled"


# --- the holes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["user_name", "chat_name", "chat_topic"])
def test_S12_a_name_that_stands_in_a_list_grants_nothing(name: str) -> None:
    rules = replace(LISTED, group_chats=frozenset({"u"}), dm=Scope(admins=frozenset({"u"})))
    stranger = replace(DM, user_id="x", **{name: "u"})
    assert (
        verdict(stranger, rules) == verdict(replace(stranger, chat_type="group"), rules) == "denied:default"
    )


S14 = {
    "a channel post": (replace(NOBODY, chat_type="channel"), {}),
    "an anonymous admin": (NOBODY, {}),
    "no user in a direct message": (replace(DM, user_id=None), {}),
    "an empty user id": (replace(DM, user_id=" "), {}),
    "only another id": (replace(DM, user_id=None, user_id_alt="u"), {}),
    "a bot": (BOT, {}),
    "an edit": (replace(DM, user_id="x"), {"kind": "edit"}),
    "a forwarded message": (replace(DM, user_id="x"), {"forwarded": True}),
}


@pytest.mark.parametrize("case", S14)
def test_S14_denied_and_never_asked_to_pair(case: str) -> None:
    origin, more = S14[case]
    access = check_access(event(origin, **more), replace(LISTED, unauthorized_dm="pair"), Capabilities())
    assert not access.allowed
    assert access.rule != PAIR


@pytest.mark.parametrize("case", ["a channel post", "an anonymous admin"])
def test_S14_a_listed_chat_lets_nobody_in_without_an_id(case: str) -> None:
    assert verdict(S14[case][0], CHAT) == "denied:no_user"


def test_S14_a_listed_chat_lets_no_bot_in() -> None:
    assert verdict(GROUP_BOT, CHAT) == "denied:bot"


@pytest.mark.parametrize(
    "id", [" 42", "42 ", "042", "4\u200b2", "\uff14\uff12", "+42", "42.0", "42\u0000", "42" * 50_000, "42@x"]
)
def test_S15_an_id_that_only_looks_like_a_listed_one(id: str) -> None:
    rules = AccessRules(
        allowed=frozenset({"42"}), group_chats=frozenset({"42"}), granted=frozenset({"42"}).__contains__
    )
    assert verdict(replace(DM, user_id=id), rules) == "denied:default"
    assert verdict(replace(GROUP, chat_id=id), rules) == "denied:default"


def test_S16_what_a_platform_sent_grants_nothing() -> None:
    claims = {"internal": "true", "authenticated": "true", "role": "owner", "role_authorized": "true"}
    assert verdict(DM, CLOSED, extra=claims) == "denied:default"


S18 = {
    "the allowlist unset": CLOSED,
    "a group policy that is open": AccessRules(group=Scope("open")),
    "pairing alone": PAIRING,
    "somebody else listed": AccessRules(allowed=frozenset({"other"})),
}


@pytest.mark.parametrize("case", S18)
@pytest.mark.parametrize("origin", [DM, GROUP])
def test_S18_a_button_is_pressed_by_somebody_unlisted(case: str, origin: Origin) -> None:
    assert verdict(origin, S18[case], kind="callback", extra={"data": "approve:1"}) == "denied:default"


# --- one form of an id ----------------------------------------------------------------------------------------------


def test_whatsapp_ids_are_compared_in_canonical_form() -> None:
    aliases = {"149606612619433": "15551234567"}
    rules = AccessRules(
        allowed=frozenset({"+15551234567"}), canonical=lambda part: whatsapp.canonical(part, aliases)
    )
    for form in ("15551234567@s.whatsapp.net", "15551234567:47@s.whatsapp.net", "149606612619433@lid"):
        assert verdict(replace(DM, user_id=form), rules) == "allowed:listed"
    assert verdict(replace(DM, user_id="149606612619434@lid"), rules) == "denied:default"


def test_ids_that_are_nothing_but_decoration_are_nobody_s() -> None:
    rules = AccessRules(allowed=frozenset({"@lid"}), canonical=whatsapp.normalise, granted=lambda _: _ == "")
    assert verdict(replace(DM, user_id="@s.whatsapp.net"), rules) == "denied:default"


def test_addresses_of_mail_are_compared_in_canonical_form() -> None:
    rules = AccessRules(allowed=frozenset({"Ann@Example.org"}), canonical=canonical_email)
    assert verdict(replace(DM, user_id="ann@example.ORG"), rules) == "allowed:listed"
    assert verdict(replace(DM, user_id="ann@example.org.evil"), rules) == "denied:default"


def test_grants_are_asked_for_in_canonical_form() -> None:
    rules = AccessRules(granted=frozenset({"1"}).__contains__, canonical=whatsapp.normalise)
    assert verdict(replace(DM, user_id="1@lid"), rules) == "allowed:paired"


# --- roles --------------------------------------------------------------------------------------------------------------


def role(rules: AccessRules, origin: Origin = DM) -> Any:
    return check_access(event(origin), rules, Capabilities()).role


def test_who_is_named_speaks_in_that_role_and_need_not_be_listed_with_the_admins_of_a_chat() -> None:
    assert role(replace(LISTED, owners=Members(frozenset({"u"})))) == "owner"
    assert role(replace(LISTED, admins=Members(frozenset({"u"})))) == "admin"
    assert role(replace(LISTED, dm=Scope(admins=frozenset({"u"})))) == "admin"
    assert (
        role(replace(LISTED, owners=Members(frozenset({"u"})), admins=Members(frozenset({"u"})))) == "owner"
    )
    assert role(replace(LISTED, owners=Members(frozenset({"v"})))) == "user"
    assert role(replace(CHAT, owners=Members(frozenset({"u"}))), GROUP) == "owner"


def test_to_be_named_lets_nobody_in() -> None:
    named = AccessRules(owners=Members(frozenset({"u"})), admins=Members(frozenset({"u"})))
    assert role(named) is None
    assert role(named, NOBODY) is None


def test_a_bot_has_no_role_but_a_guest_s() -> None:
    named = replace(bots("all"), owners=Members(frozenset({"u"})))
    assert role(named, GROUP_BOT) == "guest"


def test_a_person_is_named_by_their_id_and_never_by_a_name_of_their_own() -> None:
    rules = replace(LISTED, owners=Members(persons=frozenset({"5a1b"})))
    assert role(replace(rules, person_of={"u": "5a1b"}.get)) == "owner"
    assert role(replace(rules, person_of={"u": "other"}.get)) == "user"
    assert role(rules) == "user"
    assert role(rules, replace(DM, user_name="5a1b", chat_name="5a1b")) == "user", "S12"


def test_a_named_id_is_compared_in_its_one_form() -> None:
    rules = AccessRules(
        allowed=frozenset({"ann@x.org"}), owners=Members(frozenset({"Ann@X.org"})), canonical=canonical_email
    )
    assert role(rules, replace(DM, user_id="ANN@x.org")) == "owner"


# --- commands -----------------------------------------------------------------------------------------------------------

OPEN, GATED = AccessRules(), AccessRules(dm=Scope(admins=frozenset({"a"}), commands=frozenset({"new"})))
OWNED = AccessRules(highest="owner")
"""Somebody is named owner."""
LISTS = AccessRules(
    highest="owner", commands={"user": frozenset({"new", "restart"}), "guest": frozenset({"stop", "restart"})}
)
ROLES = ("guest", "user", "admin", "owner")


def allowed(name: str, rules: AccessRules) -> str:
    """The first letters of the roles that may use it in a direct message."""
    spec = find_command(name)
    return "".join(one[0] for one in ROLES if slash_allowed(name, spec, one, rules, "dm"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["help", "whoami", "status"])
@pytest.mark.parametrize("rules", [OPEN, GATED, OWNED, LISTS])
def test_help_whoami_and_status_are_for_everybody_who_may_speak(name: str, rules: AccessRules) -> None:
    assert allowed(name, rules) == "guao"


@pytest.mark.parametrize(
    ("name", "nobody_named", "an_admin_list", "an_owner_named", "lists"),
    [
        ("stop", "guao", "ao", "guao", "gao"),
        ("new", "guao", "guao", "guao", "uao"),
        ("undo", "guao", "ao", "guao", "ao"),
        ("sethome", "uao", "ao", "ao", "ao"),
        ("platform", "uao", "ao", "ao", "ao"),
        ("restart", "uao", "ao", "ao", "uao"),
        ("debug", "uao", "ao", "ao", "ao"),
        ("update", "uao", "ao", "o", "o"),
        ("nonsense", "guao", "ao", "guao", "ao"),
    ],
)
def test_role_by_command(
    name: str, nobody_named: str, an_admin_list: str, an_owner_named: str, lists: str
) -> None:
    """Where nobody is named, who is known by id may use everything, as in the original; and a guest never what is for admins."""
    assert [allowed(name, rules) for rules in (OPEN, GATED, OWNED, LISTS)] == [
        nobody_named,
        an_admin_list,
        an_owner_named,
        lists,
    ]


@pytest.mark.parametrize("spec", COMMANDS, ids=lambda spec: spec.name)
def test_every_command_is_for_its_role_and_all_above_where_an_owner_is_named(spec: CommandSpec) -> None:
    least = "guest" if spec.name in FLOOR else spec.role
    assert allowed(spec.name, OWNED) == "guao"[ROLES.index(least) :]


def test_a_list_of_the_chat_and_one_of_the_role_add_up() -> None:
    both = replace(GATED, commands={"user": frozenset({"undo"})}, highest="admin")
    assert [allowed(name, both) for name in ("new", "undo", "title")] == ["guao", "uao", "ao"]
    assert not slash_allowed("new", find_command("new"), "user", both, "group"), (
        "the chat's list is of direct messages"
    )


def test_an_empty_list_of_admins_restricts_too() -> None:
    nobody = AccessRules(dm=Scope(admins=frozenset()))
    assert allowed("new", nobody) == "ao"


def test_S19_an_alias_or_a_command_that_nobody_knows_passes_the_same_gate() -> None:
    assert allowed("reset", GATED) == "guao", "it means /new"
    assert allowed("new", replace(GATED, dm=replace(GATED.dm, commands=frozenset({"reset"})))) == "guao"
    assert allowed("reset", replace(GATED, dm=replace(GATED.dm, commands=frozenset()))) == "ao"
    listed = replace(GATED, dm=replace(GATED.dm, commands=frozenset({"my-quick-command"})))
    assert allowed("my-quick-command", GATED) == "ao"
    assert allowed("my-quick-command", listed) == "guao"
