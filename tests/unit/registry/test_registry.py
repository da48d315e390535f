"""The registry: who wins, and the gates before an adapter."""

import logging
from pathlib import Path

import pytest

from hermes.config.load import load
from hermes.config.platforms import Variable
from hermes.registry.accounts import Accounts, Changes, enabled_accounts, secrets_of
from hermes.registry.entry import AdapterSetup, PlatformEntry
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.testing.fakes import FakeAdapter, FakeClock, FakeIds
from hermes.types.content import Capabilities
from hermes.types.errors import Failure, GatewayError

TOKEN = Variable("CHAT_BOT_TOKEN", "token", "The bot's token", password=True, enables=True)
PIN = Variable("CHAT_PIN", "pin", "A number", password=True)


def boom(*_args):
    raise ZeroDivisionError("boom")


def timed(setup, receive_deadline_s):
    adapter = FakeAdapter(setup.platform)
    adapter.receive_deadline_s = receive_deadline_s
    return adapter


def entry(name="chat", **fields) -> PlatformEntry:
    return PlatformEntry(
        **{"name": name, "label": "Chat", "factory": lambda setup: FakeAdapter(setup.platform)} | fields
    )


def accounts(home: Path, *entries: PlatformEntry, text="", environ=None) -> Accounts:
    (home / "config.yaml").write_text(text)
    settings = load(home, {"CHAT_BOT_TOKEN": "a-token"} if environ is None else environ)
    return Accounts(PlatformRegistry(entries), settings, home=home, clock=FakeClock(), ids=FakeIds())


def made(home: Path, **fields):
    return accounts(home, entry(**{"required_env": (TOKEN,)} | fields)).create("chat", "default")


# --- entries ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "Chat", "a-b", "a:b", "1a", "x" * 33, "all", "origin", "web", "status", "gateway", "stop"]
)
def test_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(ValueError, match="is no name for a platform"):
        entry(name)


@pytest.mark.parametrize(
    "fields",
    [
        {"required_env": ("CHAT_BOT_TOKEN",)},
        {"optional_env": None},
        {"capabilities": {}},
        {"label": None},
        {"factory": 3},
        {"always": "yes"},
    ],
)
def test_an_entry_that_would_stop_the_start_later_is_refused_when_it_is_made(fields):
    (name,) = fields
    with pytest.raises(TypeError, match=f"{name} cannot be"):
        entry(**fields)


def test_an_entry_knows_its_variables_by_name_and_what_its_platform_can_do():
    capabilities = Capabilities(max_length=450, pii_safe=True, hint="no Markdown", update_command=False)
    chat = entry(capabilities=capabilities, required_env=(TOKEN,), optional_env=(PIN,))

    assert chat.variables == (TOKEN, PIN)
    assert (chat.allowed_users_env, chat.allow_all_env) == ("CHAT_ALLOWED_USERS", "CHAT_ALLOW_ALL_USERS")
    assert (chat.home_channel_env, entry("matrix").home_channel_env) == (
        "CHAT_HOME_CHANNEL",
        "MATRIX_HOME_ROOM",
    )
    assert (chat.max_message_length, chat.pii_safe) == (450, True)
    assert (chat.platform_hint, chat.allow_update_command) == ("no Markdown", False)
    assert (chat.source, chat.plugin_name, chat.emoji) == ("plugin", "", "🔌")


# --- the registry -------------------------------------------------------------------------------------------------------


def test_the_last_writer_wins_and_the_log_names_both(caplog):
    registry = PlatformRegistry([entry(source="builtin"), entry("other")])
    with caplog.at_level(logging.WARNING):
        registry.register(newer := entry(plugin_name="better"))

    assert registry.get("chat") is newer
    assert caplog.messages == ["platform chat is now that of plug-in better, not that of the gateway itself"]
    assert [one.name for one in registry.all_entries()] == ["chat", "other"]
    assert registry.plugin_entries() == registry.all_entries()


def test_what_is_unregistered_is_gone():
    registry = PlatformRegistry([entry()])

    assert registry.is_registered("chat")
    assert (registry.unregister("chat"), registry.unregister("chat")) == (True, False)
    assert not registry.is_registered("chat")
    assert registry.get("chat") is None
    assert registry.plugin_entries() == ()


# --- the gates ----------------------------------------------------------------------------------------------------------


def test_an_adapter_is_made_of_what_its_factory_is_handed(tmp_path):
    seen: list[AdapterSetup] = []
    adapter = made(tmp_path, factory=lambda setup: seen.append(setup) or FakeAdapter("chat"))

    (setup,) = seen
    assert isinstance(adapter, FakeAdapter)
    assert (setup.platform, setup.account, setup.home, setup.config.token) == (
        "chat",
        "default",
        tmp_path,
        "a-token",
    )


def test_what_is_not_registered_is_unavailable(tmp_path):
    setup = AdapterSetup("nobody", "default", None, tmp_path, FakeClock(), FakeIds())  # type: ignore[arg-type]

    assert PlatformRegistry().create_adapter("nobody", setup) == Unavailable(
        "unknown_platform", "there is no platform nobody"
    )


def test_gates_come_in_their_order(tmp_path):
    passed = []
    made(
        tmp_path,
        check=lambda: passed.append("check") or True,
        validate=lambda config: passed.append("validate") or "",
        factory=lambda setup: passed.append("factory") or FakeAdapter("chat"),
    )

    assert passed == ["check", "validate", "factory"]


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        (
            {"check": lambda: False, "install_hint": "pip install chat"},
            "missing_dependency",
            "what Chat needs is not installed; pip install chat",
        ),
        ({"check": boom}, "missing_dependency", "what Chat needs is not installed: ZeroDivisionError: boom"),
        ({"validate": lambda config: f"{config.token} is odd"}, "bad_config", "a-token is odd"),
        ({"validate": boom}, "bad_config", "ZeroDivisionError: boom"),
        (
            {"validate": lambda config: str(config.number("token", 1))},
            "bad_config",
            "CHAT_BOT_TOKEN: a number from",
        ),
        ({"factory": boom}, "factory_failed", "ZeroDivisionError: boom; see logs/gateway.log"),
        ({"factory": lambda setup: None}, "factory_failed", "NoneType is no adapter of chat"),
        ({"factory": lambda setup: timed(setup, "soon")}, "factory_failed", "is no adapter of chat"),
        ({"factory": lambda setup: timed(setup, 0)}, "factory_failed", "is no adapter of chat"),
        (
            {"factory": lambda setup: FakeAdapter("other")},
            "factory_failed",
            "FakeAdapter is no adapter of chat",
        ),
        ({"required_env": (TOKEN, PIN)}, "bad_config", "CHAT_PIN is not set; set it in "),
    ],
)
def test_a_gate_that_fails_is_said_in_words_and_ends_nothing(tmp_path, caplog, fields, code, words):
    result = made(tmp_path, **fields)

    assert isinstance(result, Unavailable)
    assert result.code == code
    assert words in str(result)
    assert any(record.exc_info for record in caplog.records) is (boom in fields.values())


def test_what_a_factory_says_itself_is_what_is_shown(tmp_path):
    def refuse(_setup):
        raise GatewayError(Failure("not_paired", "needs_operator", detail="pair it first"))

    assert made(tmp_path, factory=refuse) == Unavailable("not_paired", "pair it first")


def test_what_is_missing_of_a_second_account_is_named_by_its_place(tmp_path):
    text = "platforms: {chat: {accounts: {work: {enabled: true}}}}"
    found = accounts(tmp_path, entry(required_env=(TOKEN,)), text=text, environ={})

    assert list(found) == [("chat", "work")]
    assert str(found.create("chat", "work")) == (
        "platforms.chat.accounts.work.token is not set; set it in config.yaml"
    )


def test_what_the_file_says_wrong_is_unavailable_with_its_place(tmp_path):
    found = accounts(tmp_path, entry(), text="platforms: {chat: {enabled: perhaps}}")

    result = found.create("chat", "default")
    assert isinstance(result, Unavailable)
    assert (result.code, str(result)) == (
        "bad_config",
        f"{tmp_path}/config.yaml, line 1: platforms.chat.enabled: true or false",
    )


def test_a_placeholder_is_unavailable_and_never_shown(tmp_path):
    found = accounts(tmp_path, entry(required_env=(TOKEN,)), environ={"CHAT_BOT_TOKEN": "your-token-here"})

    assert str(found.create("chat", "default")) == (
        "environment variable CHAT_BOT_TOKEN: a placeholder stands there; put in the real one"
    )


# --- accounts -----------------------------------------------------------------------------------------------------------


def test_the_enabled_accounts_of_registered_platforms_run(tmp_path):
    text = "platforms: {chat: {accounts: {b: {token: bbbb}, c: {enabled: no}}}, other: {enabled: yes}, nobody: {enabled: yes}}"
    found = accounts(
        tmp_path,
        entry("always", always=True),
        entry("other"),
        entry("off"),
        entry(required_env=(TOKEN,)),
        text=text,
    )

    assert list(found) == [("always", "default"), ("other", "default"), ("chat", "default"), ("chat", "b")]
    assert found.capabilities["chat", "b"] == Capabilities()


def test_new_settings_are_for_whatever_is_made_next(tmp_path):
    chat = entry(required_env=(TOKEN,), factory=lambda setup: FakeAdapter("chat", bot_id=setup.config.token))
    found = accounts(tmp_path, chat, entry("other", always=True))

    (tmp_path / "config.yaml").write_text("platforms: {chat: {accounts: {work: {token: more}}}}")
    settings = load(tmp_path, {"CHAT_BOT_TOKEN": "b-token"})
    changes = found.changes(settings)
    found.adopt(settings)

    assert changes == Changes((("chat", "default"),), (("chat", "work"),), ())
    adapter = found.create("chat", "default")
    assert isinstance(adapter, FakeAdapter)
    assert adapter.bot_id == "b-token"
    (tmp_path / "config.yaml").write_text("# nothing")
    gone = load(tmp_path, {})
    assert found.changes(gone) == Changes((), (), (("chat", "default"), ("chat", "work")))
    found.adopt(gone)
    nobody = found.create("chat", "default")
    assert isinstance(nobody, Unavailable)
    assert nobody.code == "not_configured"


def test_passwords_are_secret_whatever_they_are_called(tmp_path):
    registry = PlatformRegistry([entry(required_env=(TOKEN,), optional_env=(PIN,))])
    settings = load(tmp_path, {"CHAT_BOT_TOKEN": "a-token", "CHAT_PIN": "31415926"})

    assert set(secrets_of(registry, settings)) == {"a-token", "31415926"}
    assert "31415926" not in settings.secrets
    assert list(enabled_accounts(registry, settings)) == [("chat", "default")]
