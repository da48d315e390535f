"""Who may speak: what the environment and the file say, who wins, and what is refused."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from hermes.config.access import AccessSettings, open_policies, unauthorized_dm
from hermes.config.access_keys import KEYS
from hermes.config.load import load
from hermes.routing.access import check_access
from hermes.types.access import AccessRules, Members, Scope
from hermes.types.content import Capabilities
from hermes.types.errors import CONFIG_INVALID, GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "config.yaml"


def rules(home: Path, environ=None, platform="telegram", account="default") -> AccessRules:
    return load(home, environ or {}).access.rules(platform, account)


def faults(home: Path, environ=None) -> list[str]:
    with pytest.raises(GatewayError) as invalid:
        load(home, environ or {})
    failure = invalid.value.failure
    assert (failure.code, failure.severity) == (CONFIG_INVALID, "fatal")
    return failure.detail.splitlines()


def test_without_anything_nobody_gets_in_and_strangers_may_pair(tmp_path):
    assert rules(tmp_path) == AccessRules(unauthorized_dm="pair")
    assert AccessSettings().rules("any") == AccessRules(unauthorized_dm="pair")


# --- where it may stand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "platforms: {telegram: {allow_from: [1, 2]}}",
        "platforms: {telegram: {allow_from: '1, 2,'}}",
        "platforms: {telegram: {extra: {allow_from: [1, 2]}}}",
        "gateway: {platforms: {telegram: {extra: {allow_from: ['1', 2]}}}}",
        "telegram: {allow_from: [1, 2]}",
        "platforms: {Telegram: {allow_from: [1, 2]}}",
    ],
)
def test_a_list_of_ids_in_the_file(tmp_path, file, text):
    file.write_text(text)

    assert rules(tmp_path).allowed == {"1", "2"}


@pytest.mark.parametrize(
    ("text", "environ", "winner"),
    [
        ("platforms: {telegram: {allow_from: [a], extra: {allow_from: [b]}}}", {}, "a"),
        (
            "gateway: {platforms: {telegram: {allow_from: [a]}}}\nplatforms: {telegram: {extra: {allow_from: [b]}}}",
            {},
            "b",
        ),
        ("telegram: {extra: {allow_from: [a]}}\nplatforms: {telegram: {allow_from: [b]}}", {}, "a"),
        ("telegram: {allow_from: [a]}", {"TELEGRAM_ALLOWED_USERS": "b"}, "b"),
        ("telegram: {allow_from: [a]}", {"TELEGRAM_ALLOWED_USERS": " "}, "a"),
        ("telegram: {allow_from: [a]}", {"DISCORD_ALLOWED_USERS": "b"}, "a"),
        ("telegram: {allow_from: }", {"TELEGRAM_ALLOWED_USERS": "b"}, "b"),
        ("x: &x {allow_from: [a]}\ntelegram: {<<: *x, allow_from: [b]}", {}, "b"),
        ("x: &x {extra: {allow_from: [a]}}\ntelegram: {<<: *x, extra: {allow_from: [b]}}", {}, "b"),
    ],
)
def test_which_place_wins(tmp_path, file, text, environ, winner):
    file.write_text(text)

    assert rules(tmp_path, environ).allowed == {winner}


def test_the_gateway_s_list_adds_to_every_platform_s(tmp_path):
    environ = {"TELEGRAM_ALLOWED_USERS": "1", "GATEWAY_ALLOWED_USERS": "2"}

    assert rules(tmp_path, environ).allowed == {"1", "2"}
    assert rules(tmp_path, environ, "discord").allowed == {"2"}


def test_an_account_has_what_its_platform_has_but_for_its_own(tmp_path, file):
    file.write_text(
        "platforms:\n  telegram:\n    allow_from: [1]\n    require_mention: false\n"
        "    accounts:\n      work: {allow_from: [2]}\n      bare: {token: x}\n"
    )
    environ = {"TELEGRAM_ALLOW_BOTS": "all"}

    default, work, bare = (rules(tmp_path, environ, account=name) for name in ("default", "work", "bare"))
    assert (default.allowed, work.allowed, bare.allowed) == ({"1"}, {"2"}, {"1"})
    assert (work.require_mention, work.bots) == (False, "all")


EVERY_KEY = """
platforms:
  telegram:
    allow_from: [1]
    allow_all_users: yes
    group_allow_from: [2, "-100"]
    group_allowed_chats: "-200"
    allowed_roles: [r]
    allow_bots: Mentions
    dm_policy: allowlist
    group_policy: allowlist
    unauthorized_dm_behavior: pair
    allow_admin_from: [1]
    user_allowed_commands: [/New, help]
    group_allow_admin_from: []
    group_user_allowed_commands: stop
    require_mention: off
    free_response_channels: [c]
    allowed_channels: [c, d]
    allowed_topics: [17, "c:1"]
    mention_patterns: ["^hermes,", bot$]
roles:
  owner: [telegram:1]
  admin: [telegram:2]
  commands: {user: [new]}
"""
EVERY_RULE = AccessRules(
    allowed=frozenset({"1"}),
    allow_all=True,
    group_allowed=frozenset({"2"}),
    group_chats=frozenset({"-100", "-200"}),
    allowed_roles=frozenset({"r"}),
    bots="mentions",
    unauthorized_dm="pair",
    dm=Scope("allowlist", frozenset({"1"}), frozenset({"new", "help"})),
    group=Scope("allowlist", frozenset(), frozenset({"stop"})),
    require_mention=False,
    free_response_channels=frozenset({"c"}),
    allowed_channels=frozenset({"c", "d"}),
    allowed_topics=frozenset({"17", "c:1"}),
    mention_patterns=(re.compile("^hermes,", re.IGNORECASE), re.compile("bot$", re.IGNORECASE)),
    owners=Members(frozenset({"1"})),
    admins=Members(frozenset({"2"})),
    commands={"user": frozenset({"new"})},
    highest="owner",
)


def test_every_key(tmp_path, file):
    file.write_text(EVERY_KEY)

    assert rules(tmp_path) == EVERY_RULE
    assert all(f"    {key}:" in EVERY_KEY for key in KEYS)
    given = {"canonical", "granted", "person_of"}
    assert {
        key.name
        for key in fields(AccessRules)
        if getattr(EVERY_RULE, key.name) == getattr(AccessRules(), key.name)
    } == given


SAMPLES = {
    "allow_all_users": "true",
    "require_mention": "true",
    "allow_bots": "all",
    "dm_policy": "disabled",
    "group_policy": "disabled",
}


def test_every_variable(tmp_path):
    environ = {
        f"WHATSAPP_CLOUD_{key.variable}": SAMPLES.get(name, f"<{name}>")
        for name, key in KEYS.items()
        if key.variable
    }
    found = rules(tmp_path, environ, "whatsapp_cloud")

    assert found == AccessRules(
        allowed=frozenset({"<allow_from>"}),
        allow_all=True,
        group_allowed=frozenset({"<group_allow_from>"}),
        group_chats=frozenset({"<group_allowed_chats>"}),
        allowed_roles=frozenset({"<allowed_roles>"}),
        bots="all",
        unauthorized_dm="ignore",
        dm=Scope("disabled"),
        group=Scope("disabled"),
        free_response_channels=frozenset({"<free_response_channels>"}),
        allowed_channels=frozenset({"<allowed_channels>"}),
        allowed_topics=frozenset({"<allowed_topics>"}),
        mention_patterns=(re.compile("<mention_patterns>", re.IGNORECASE),),
    )
    assert rules(tmp_path, {"TELEGRAM_FREE_RESPONSE_CHATS": "c"}).free_response_channels == {"c"}


def test_other_names_of_the_original(tmp_path, file):
    file.write_text("require_mention: false\ntelegram: {free_response_chats: [c], allowed_chats: [d]}\n")

    found = rules(tmp_path)
    assert (found.free_response_channels, found.allowed_channels, found.require_mention) == (
        {"c"},
        {"d"},
        False,
    )
    assert rules(tmp_path, platform="discord").require_mention, "at the top it is telegram's"


def test_groups_among_senders_are_groups(tmp_path, file):
    file.write_text("whatsapp: {group_allow_from: [1203@g.us, 1555]}\ndiscord: {group_allow_from: ['-1']}")

    whatsapp, discord = rules(tmp_path, platform="whatsapp"), rules(tmp_path, platform="discord")
    assert (whatsapp.group_chats, whatsapp.group_allowed) == ({"1203@g.us"}, {"1555"})
    assert (discord.group_chats, discord.group_allowed) == (frozenset(), {"-1"})


def test_S15_ids_are_taken_as_they_are_written(tmp_path, file):
    file.write_text("telegram: {allow_from: [0123, 12:30:45, 1_000, 1e3, 0x10, yes, 2026-01-02]}")

    assert rules(tmp_path).allowed == {"0123", "12:30:45", "1_000", "1e3", "0x10", "yes", "2026-01-02"}


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("telegram:\n  allow_from: [Ann Smith]", 2, "telegram.allow_from: 'Ann Smith' is no id"),
        ("telegram:\n  allow_from: ['4\u200b2']", 2, "telegram.allow_from: '4\\u200b2' is no id"),
        ("telegram:\n\n  allow_from: [[1]]", 3, "telegram.allow_from: a value or a plain list"),
        ("telegram: {allow_from: {a: b}}", 1, "telegram.allow_from: a value or a plain list"),
        ("platforms:\n  p:\n    extra: {allow_bots: true}", 3, "platforms.p.extra.allow_bots: one of none, mentions, all"),
        ("p: {dm_policy: anyone}", 1, "p.dm_policy: one of open, allowlist, pairing, disabled, not 'anyone'"),
        ("p: {group_policy: pairing}", 1, "p.group_policy: one of open, allowlist, disabled, not 'pairing'"),
        ("p: {require_mention: maybe}", 1, "p.require_mention: true or false, not 'maybe'"),
        ("p: {require_mention: [true, true]}", 1, "p.require_mention: one value, not a list"),
        ("\nunauthorized_dm_behavior: answer", 2, "unauthorized_dm_behavior: one of pair, ignore, not 'answer'"),
        ("p:\n  accounts:\n    a: {dm_policy: x}", 3, "p.accounts.a.dm_policy: one of"),
        ("p: {dm_polcy: disabled}", 1, "p.dm_polcy: unknown key; did you mean dm_policy?"),
        ("p: {alow_from: [1]}", 1, "p.alow_from: unknown key; did you mean allow_from?"),
    ],
)  # fmt: skip
def test_a_fault_names_its_place(tmp_path, file, text, line, words):
    file.write_text(text, encoding="utf-8")

    (fault,) = faults(tmp_path)
    assert fault.startswith(f"{file}, line {line}: {words}")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("DISCORD_ALLOW_BOTS", "true", "one of none, mentions, all, not 'true'"),
        ("TELEGRAM_ALLOW_ALL_USERS", "maybe", "true or false, not 'maybe'"),
        ("GATEWAY_ALLOWED_USERS", "1,Ann Smith", "'Ann Smith' is no id"),
    ],
)
def test_a_fault_of_the_environment_names_the_variable(tmp_path, variable, value, words):
    (fault,) = faults(tmp_path, {variable: value})
    assert fault.startswith(f"environment variable {variable}: {words}")


def test_every_fault_is_named(tmp_path, file):
    file.write_text("p: {dm_policy: x, require_mention: y}\n")

    assert len(faults(tmp_path, {"P_ALLOW_BOTS": "z"})) == 3


@pytest.mark.parametrize(
    "text",
    [
        "discord: {ignored_channels: [1], no_thread_channels: [2], auto_thread: true, token: t}",
        "telegram: {group_rules: {a: b}, reactions: false}",
        "display: {platforms: {telegram: {streaming: true}}}\napprovals: {deny: []}",
        "telegram: just a text",
        "telegram: {allow_from: null, dm_policy: ~, allow_admin_from: ''}",
        "agent: {require_mention: perhaps}\nlogging: {allow_from: [Ann Smith]}",
        "platforms: [1, 2]",
        "platforms: {telegram: null, 5: {allow_from: [1]}}",
    ],
)
def test_other_keys_of_a_platform_are_its_adapter_s(tmp_path, file, text):
    file.write_text(text)

    assert rules(tmp_path) == AccessRules(unauthorized_dm="pair")


def test_S45_a_bomb_of_anchors_does_not_go_off(tmp_path, file):
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    file.write_text(f"a0: &a0 boom\n{levels}\nb: &b {{accounts: *a29, allow_from: *a29}}\ntelegram: *b\n")

    assert len(faults(tmp_path)) == 2


def test_other_people_s_variables_are_left_alone(tmp_path):
    environ = {
        "GATEWAY_ALLOW_BOTS": "x",
        "ALLOWED_USERS": "*",
        "allowed_users": "*",
        "X_ALLOWED_USERS_OLD": "*",
    }

    assert load(tmp_path, environ).access == AccessSettings()


# --- everybody --------------------------------------------------------------------------------------------------------

OPEN = {
    "TELEGRAM_ALLOWED_USERS": "*",
    "TELEGRAM_GROUP_ALLOWED_USERS": "1, *",
    "TELEGRAM_GROUP_ALLOWED_CHATS": "*",
    "TELEGRAM_DM_POLICY": "open",
    "TELEGRAM_GROUP_POLICY": "open",
}


@pytest.mark.parametrize("variable", OPEN)
def test_an_open_policy_is_refused_without_the_flag_that_says_so(tmp_path, variable):
    environ = {variable: OPEN[variable]}

    (fault,) = faults(tmp_path, environ)
    assert fault.startswith(f"environment variable {variable}: ")
    assert "set TELEGRAM_ALLOW_ALL_USERS=true" in fault
    assert rules(tmp_path, environ | {"TELEGRAM_ALLOW_ALL_USERS": "true"}).allow_all
    assert rules(tmp_path, environ | {"GATEWAY_ALLOW_ALL_USERS": "true"}).allow_all


def test_an_open_policy_in_the_file_names_its_line(tmp_path, file):
    file.write_text("platforms:\n  discord:\n    allow_from: ['*']\n")

    (fault,) = faults(tmp_path)
    assert fault.startswith(f"{file}, line 3: platforms.discord.allow_from: * is everybody")
    assert "set DISCORD_ALLOW_ALL_USERS=true" in fault


def test_a_flag_that_says_no_is_what_must_change(tmp_path):
    environ = {"P_ALLOWED_USERS": "*", "P_ALLOW_ALL_USERS": "false", "GATEWAY_ALLOW_ALL_USERS": "true"}

    (fault,) = faults(tmp_path, environ)
    assert "change environment variable P_ALLOW_ALL_USERS" in fault


def test_everybody_everywhere_needs_the_gateway_s_flag(tmp_path):
    (fault,) = faults(tmp_path, {"GATEWAY_ALLOWED_USERS": "*", "TELEGRAM_ALLOW_ALL_USERS": "1"})

    assert fault.startswith("environment variable GATEWAY_ALLOWED_USERS: ")
    assert "GATEWAY_ALLOW_ALL_USERS=true" in fault
    assert rules(tmp_path, {"GATEWAY_ALLOWED_USERS": "*", "GATEWAY_ALLOW_ALL_USERS": "1"}, "any").allow_all


@pytest.mark.parametrize("policy", ["pairing", "allowlist", "disabled"])
@pytest.mark.parametrize("variable", ["TELEGRAM_ALLOWED_USERS", "GATEWAY_ALLOWED_USERS"])
def test_S08_everybody_against_a_policy_that_says_otherwise(tmp_path, file, policy, variable):
    file.write_text(f"telegram:\n  dm_policy: {policy}\n")
    flags = {"TELEGRAM_ALLOW_ALL_USERS": "true", "GATEWAY_ALLOW_ALL_USERS": "true"}

    (fault,) = faults(tmp_path, {variable: "*"} | flags)
    assert fault.startswith(f"environment variable {variable}: ")
    assert f"{file}, line 2: telegram.dm_policy" in fault


def test_S08_a_wildcard_of_one_account(tmp_path, file):
    file.write_text("telegram:\n  dm_policy: pairing\n  accounts:\n    work:\n      allow_from: ['*']\n")

    assert [fault.partition(" ")[2][:7] for fault in faults(tmp_path)] == ["line 5:"] * 2


def test_the_word_everybody_is_never_an_id(tmp_path):
    environ = {name: value for name, value in OPEN.items() if "ALLOWED" in name}
    found = rules(tmp_path, environ | {"TELEGRAM_ALLOW_ALL_USERS": "true"})

    assert not {"*"} & (found.allowed | found.group_allowed | found.group_chats)


@pytest.mark.parametrize(
    ("environ", "everybody"),
    [
        ({"GATEWAY_ALLOW_ALL_USERS": "true"}, True),
        ({"GATEWAY_ALLOW_ALL_USERS": "true", "TELEGRAM_ALLOWED_USERS": "1"}, False),
        ({"GATEWAY_ALLOW_ALL_USERS": "true", "GATEWAY_ALLOWED_USERS": "1"}, False),
        ({"GATEWAY_ALLOW_ALL_USERS": "true", "TELEGRAM_GROUP_ALLOWED_CHATS": "-1"}, False),
        ({"GATEWAY_ALLOW_ALL_USERS": "true", "DISCORD_ALLOWED_USERS": "1"}, True),
        ({"GATEWAY_ALLOW_ALL_USERS": "true", "TELEGRAM_ALLOW_ALL_USERS": "false"}, False),
        ({"TELEGRAM_ALLOW_ALL_USERS": "true", "TELEGRAM_ALLOWED_USERS": "1"}, True),
        ({"DISCORD_ALLOW_ALL_USERS": "true"}, False),
        ({"TELEGRAM_ALLOW_ALL_USERS": "0"}, False),
    ],
)
def test_the_gateway_s_flag_counts_only_where_nobody_is_listed(tmp_path, environ, everybody):
    assert rules(tmp_path, environ).allow_all is everybody


def test_an_open_group_policy_may_leave_direct_messages_closed(tmp_path, file):
    file.write_text("p: {allow_from: [1], allow_all_users: true, group_policy: open, dm_policy: allowlist}")
    found = rules(tmp_path, platform="p")

    def rule(chat_type):
        event = InboundEvent("1", Origin("p", "c", user_id="2", chat_type=chat_type), "hi", 0.0, TraceId("t"))
        return check_access(event, found, Capabilities()).rule

    assert (rule("group"), rule("dm")) == ("allowed:everybody", "denied:default")


def test_open_policies_of_nothing(tmp_path):
    assert open_policies(AccessSettings()) == []


# --- strangers ----------------------------------------------------------------------------------------------------------

ROWS = [
    # platform, its own word, the gateway's word, dm_policy, is anybody listed?
    ("telegram", None, None, None, False, "pair"),
    ("telegram", "ignore", None, None, False, "ignore"),
    ("telegram", "pair", "ignore", "allowlist", True, "pair"),
    ("email", None, None, None, False, "ignore"),
    ("email", None, "pair", "pairing", False, "ignore"),
    ("email", "pair", None, None, False, "pair"),
    ("telegram", None, "ignore", "pairing", False, "ignore"),
    ("telegram", None, "pair", None, True, "ignore"),
    ("telegram", None, "pair", "allowlist", False, "ignore"),
    ("telegram", None, None, "pairing", True, "pair"),
    ("telegram", None, None, "allowlist", False, "ignore"),
    ("telegram", None, None, "disabled", False, "ignore"),
    ("telegram", None, None, "open", False, "pair"),
    ("telegram", None, None, None, True, "ignore"),
]


@pytest.mark.parametrize(("platform", "own", "everywhere", "policy", "listed", "expected"), ROWS)
def test_what_a_stranger_s_direct_message_gets(
    tmp_path, file, platform, own, everywhere, policy, listed, expected
):
    assert unauthorized_dm(platform, own, everywhere, policy, listed) == expected

    block = {"unauthorized_dm_behavior": own, "dm_policy": policy, "allow_from": "1" if listed else None}
    lines = [f"  {key}: {value}\n" for key, value in block.items() if value]
    flag = "  allow_all_users: true\n" if policy == "open" else ""
    above = f"unauthorized_dm_behavior: {everywhere}\n" if everywhere else ""
    file.write_text(f"{above}{platform}:\n  enabled: true\n{flag}{''.join(lines)}")
    assert rules(tmp_path, platform=platform).unauthorized_dm == expected


@pytest.mark.parametrize(
    "environ",
    [
        {"TELEGRAM_ALLOWED_USERS": "1"},
        {"GATEWAY_ALLOWED_USERS": "1"},
        {"TELEGRAM_GROUP_ALLOWED_USERS": "1"},
        {"TELEGRAM_GROUP_ALLOWED_CHATS": "-1"},
    ],
)
def test_S06_silence_for_strangers_while_anybody_is_listed(tmp_path, environ):
    assert rules(tmp_path, environ).unauthorized_dm == "ignore"


def test_the_word_at_the_top_wins_over_the_same_below_gateway(tmp_path, file):
    file.write_text("gateway: {unauthorized_dm_behavior: ignore}\n")
    assert rules(tmp_path).unauthorized_dm == "ignore"

    file.write_text("gateway: {unauthorized_dm_behavior: ignore}\nunauthorized_dm_behavior: pair\n")
    assert rules(tmp_path).unauthorized_dm == "pair"


@pytest.mark.parametrize("pattern", ["(", "[", "*x", "(?P<a>"])
def test_a_pattern_that_is_none_is_refused_with_its_place(tmp_path, file, pattern):
    file.write_text(f"telegram:\n  mention_patterns:\n    - fine\n    - '{pattern}'\n")

    with pytest.raises(GatewayError) as caught:
        rules(tmp_path)
    assert "mention_patterns" in caught.value.failure.detail or "line" in caught.value.failure.detail
    assert "regular expression" in caught.value.failure.detail


def test_patterns_of_a_variable_stand_on_lines(tmp_path):
    found = rules(tmp_path, {"TELEGRAM_MENTION_PATTERNS": "^hermes,\nbot$"})

    assert [pattern.pattern for pattern in found.mention_patterns] == ["^hermes,", "bot$"]
