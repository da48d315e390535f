"""What is set for the accounts of a platform: who wins, what turns one on, and what makes one unusable."""

import pytest

from hermes.config.load import load
from hermes.config.platforms import (
    PlatformConfig,
    Variable,
    is_placeholder,
    missing,
    placeholders,
    read_accounts,
)
from hermes.types.errors import BAD_CONFIG, GatewayError

TOKEN = Variable("CHAT_BOT_TOKEN", "token", "The bot's token", password=True, enables=True)
SWITCH = Variable("CHAT_ENABLED", "enabled", "On or off")
URL = Variable("CHAT_URL", "base_url", "Where it is")


@pytest.fixture
def read(tmp_path):
    def read(
        text="", environ=None, variables=(TOKEN, URL, SWITCH), always=False
    ) -> dict[str, PlatformConfig]:
        (tmp_path / "config.yaml").write_text(text)
        settings = load(tmp_path, environ or {})
        return read_accounts(settings.written, settings.environ, "chat", variables, always=always)

    return read


def test_nothing_is_off_unless_the_platform_is_always_there(read):
    assert not read()["default"].enabled
    assert read(always=True)["default"].enabled
    assert read("chat: {enabled: false}", always=True)["default"].enabled


@pytest.mark.parametrize(
    ("text", "environ", "on"),
    [
        ("", {"CHAT_BOT_TOKEN": "t"}, True),
        ("", {"CHAT_BOT_TOKEN": " "}, False),
        ("", {"CHAT_URL": "u"}, False),
        ("platforms: {chat: {token: t}}", {}, True),
        ("platforms: {chat: {extra: {token: t}}}", {}, True),
        ("platforms: {chat: {api_key: t}}", {}, True),
        ("platforms: {chat: {enabled: yes}}", {}, True),
        ("platforms: {chat: {enabled: 'on'}}", {}, True),
        ("platforms: {chat: {enabled: 1}}", {}, True),
        ("platforms: {chat: {enabled: false, token: t}}", {"CHAT_BOT_TOKEN": "t"}, False),
        ("platforms: {chat: {enabled: false}}", {"CHAT_ENABLED": "true"}, False),
        ("platforms: {chat: {enabled: true}}", {"CHAT_ENABLED": "0"}, False),
        ("", {"CHAT_ENABLED": "TRUE"}, True),
        ("platforms: {chat: {base_url: u}}", {}, False),
        ("platforms: {other: {token: t}}", {}, False),
    ],
)
def test_a_token_turns_it_on_and_off_stays_off(read, text, environ, on):
    assert read(text, environ)["default"].enabled is on


def test_what_stands_further_out_wins_and_maps_are_merged(read):
    text = """
gateway: {platforms: {chat: {extra: {a: 1, b: 1, m: {x: 1, y: 1}}}}}
platforms: {Chat: {b: 2, extra: {b: no, c: 2, m: {y: 2}}}}
chat: {c: 3, extra: {m: {z: 3}, base_url: file, allow_from: [1]}, home_channel: 5}
"""
    config = read(text, {"CHAT_URL": "environment"})["default"]

    assert config.settings == {
        "a": "1",
        "b": "2",
        "c": "3",
        "m": {"x": "1", "y": "2", "z": "3"},
        "base_url": "environment",
    }


def test_values_are_texts_letter_by_letter(read):
    config = read("chat: {token: 0123, account: +49151, at: 12:30:45, on: off, list: [1, ~, {a: 0x1}]}")[
        "default"
    ]

    assert (config.token, config.text("account"), config.text("at")) == ("0123", "+49151", "12:30:45")
    assert config.settings["list"] == ("1", "~", {"a": "0x1"})
    assert config.flag("on", default=True) is False


def test_an_account_has_what_its_platform_has_but_for_what_it_sets(read):
    text = """
platforms:
  chat:
    base_url: u
    list: [a, b]
    accounts:
      work: {token: second, extra: {list: [c]}}
      off: {token: third, enabled: false}
"""
    found = read(text, {"CHAT_BOT_TOKEN": "first"})

    assert list(found) == ["default", "work", "off"]
    assert [one.token for one in found.values()] == ["first", "second", "third"]
    assert [one.enabled for one in found.values()] == [True, True, False]
    assert found["work"].settings == {"token": "second", "base_url": "u", "list": ("c",)}
    assert found["default"].texts("list") == ("a", "b")


def test_accounts_alone_make_no_default_one(read):
    found = read("platforms: {chat: {enabled: true, accounts: {a: {token: one1}, b: {token: two2}}}}")

    assert list(found) == ["a", "b"]
    assert all(one.enabled and not one.problems for one in found.values())


def test_two_accounts_never_sign_in_with_the_same(read):
    found = read("chat: {token: first, accounts: {work: {reactions: true}}}")

    assert found["default"].problems == ()
    assert found["work"].problems == ("it signs in as account default does; give it a token of its own",)


@pytest.mark.parametrize("name", ["a:b", "a/b", "a b", "@a", "", "x" * 65])
def test_a_name_that_no_path_could_hold_is_a_problem(read, name):
    (config,) = read(f"chat: {{accounts: {{'{name}': {{token: t1}}}}}}").values()

    assert config.problems[0].endswith("is no name for an account: letters, digits and . _ -")


def test_a_switch_that_is_neither_is_a_problem_and_seen(read, tmp_path):
    config = read("\nchat: {enabled: perhaps}")["default"]

    assert config.enabled
    assert config.problems == (f"{tmp_path}/config.yaml, line 2: chat.enabled: true or false",)
    assert read("", {"CHAT_ENABLED": "perhaps"})["default"].problems == (
        "environment variable CHAT_ENABLED: true or false",
    )


@pytest.mark.parametrize(
    "text",
    [
        "chat:\n  token: t\n  x: &x [" + "[" * 25 + "]" * 25 + "]",
        "chat:\n  token: t\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
        "  c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n  d: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]",
    ],
)
def test_endless_values_are_a_problem_of_that_account(read, text):
    (problem,) = read(text)["default"].problems

    assert "more than anybody could mean" in problem
    assert "line " in problem


@pytest.mark.parametrize(
    ("text", "use", "words"),
    [
        ("x: [1]", lambda config: config.text("x"), "one value, not a list or a map"),
        ("x: 2", lambda config: config.flag("x"), "true or false, not '2'"),
        ("x: {a: b}", lambda config: config.texts("x"), "a list of plain values"),
        ("x: [[a]]", lambda config: config.texts("x"), "a list of plain values"),
        ("x: nan", lambda config: config.number("x", 1), "a number from 0 to 1e+09, not 'nan'"),
        ("x: 9", lambda config: config.number("x", 1, most=8), "a number from 0 to 8, not '9'"),
        ("x: ten", lambda config: config.number("x", 1), "a number from 0 to 1e+09, not 'ten'"),
    ],
)
def test_a_value_that_an_adapter_cannot_use_is_named_with_its_place(read, tmp_path, text, use, words):
    config = read(f"\nplatforms:\n  chat:\n    {text}")["default"]

    with pytest.raises(GatewayError) as wrong:
        use(config)

    assert wrong.value.failure.code == BAD_CONFIG
    assert wrong.value.failure.severity == "needs_operator"
    assert wrong.value.failure.detail == f"{tmp_path}/config.yaml, line 4: platforms.chat.x: {words}"


def test_what_is_not_set_has_its_default(read):
    config = read("chat: {n: 2.5, list: 'a, b,,'}")["default"]

    assert (config.text("x"), config.flag("x"), config.number("x", 7), config.texts("x")) == (
        "",
        False,
        7,
        (),
    )
    assert (config.number("n", 7), config.texts("list")) == (2.5, ("a", "b"))
    assert (config.token, config.api_key) == ("", "")


@pytest.mark.parametrize(
    "token",
    [
        "your-token-here",
        "YOUR_BOT_TOKEN",
        "changeme",
        "Change-Me",
        "xxx",
        "xxxxxxxxxxxx",
        "********",
        "<token>",
        "${TOKEN}",
        "abc",
        "...",
        "TODO",
        "insert-token-here",
    ],
)
def test_a_placeholder_is_known(read, token):
    assert is_placeholder(token)
    config = read(environ={"CHAT_BOT_TOKEN": token, "CHAT_URL": token})["default"]
    assert list(placeholders(config, (TOKEN, URL))) == ["environment variable CHAT_BOT_TOKEN"]


@pytest.mark.parametrize(
    "token", ["123456:AAH-x_y", "xoxb-1-2-xxxx", "syt_YWJj_x", '{"type": "service_account"}', "yourself"]
)
def test_a_token_is_none(token):
    assert not is_placeholder(token)


def test_what_is_missing_is_named(read):
    assert missing(read("chat: {enabled: true}")["default"], (TOKEN, URL, SWITCH)) == [TOKEN, URL]


def test_no_value_is_shown_and_a_line_that_moves_changes_nothing(read):
    one, other = read("chat: {token: a-secret}")["default"], read("\nchat: {token: a-secret}")["default"]

    assert "a-secret" not in repr(one)
    assert one == other
    assert one != read("chat: {token: b-secret}")["default"]
