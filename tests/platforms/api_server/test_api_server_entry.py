"""What turns the API server on, and what keeps it shut."""

from pathlib import Path

import pytest

from hermes.config.load import load
from hermes.platforms.api_server.adapter import ApiServer
from hermes.platforms.api_server.entry import ENTRY
from hermes.registry.accounts import Accounts, enabled_accounts
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.testing.fakes import FakeClock, FakeIds
from hermes.types.errors import BAD_CONFIG

KEY = "5b0f6c1d9e8a7432"


def made(home: Path, yaml: str = "", **environ: str) -> object:
    """The adapter of the default account, why there is none, or None if it is not turned on."""
    (home / "config.yaml").write_text(yaml)
    named = {f"API_SERVER_{name}": value for name, value in environ.items()}
    settings, registry = load(home, named), PlatformRegistry([ENTRY])
    if not enabled_accounts(registry, settings):
        return None
    return Accounts(registry, settings, home=home, clock=FakeClock(), ids=FakeIds()).create(
        "api_server", "default"
    )


@pytest.mark.parametrize(
    ("yaml", "environ", "on"),
    [
        ("", {}, False),
        ("", {"HOST": "127.0.0.1", "PORT": "8642"}, False),
        ("", {"KEY": "k9-x"}, True),
        ("", {"ENABLED": "true"}, True),
        ("", {"ENABLED": "false", "KEY": KEY}, False),
        ("platforms:\n  api_server:\n    enabled: false\n", {"KEY": KEY}, False),
        (f"platforms:\n  api_server:\n    extra:\n      key: {KEY}\n", {}, True),
        ("", {"KEY": KEY, "HOST": "0.0.0.0"}, True),
        ("", {"ENABLED": "true", "HOST": "::1"}, True),
    ],
)
def test_a_key_turns_it_on_or_a_word(tmp_path: Path, yaml: str, environ: dict[str, str], on: bool) -> None:
    adapter = made(tmp_path, yaml, **environ)

    assert isinstance(adapter, ApiServer) if on else adapter is None
    if isinstance(adapter, ApiServer):
        assert {(route.path, route.auth, route.key) for route in adapter.routes()} == {
            (path, "key", environ.get("KEY", KEY if yaml else ""))
            for path in ("/v1/chat/completions", "/v1/models")
        }
        assert KEY not in repr(adapter.routes())


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ENABLED": "true", "HOST": "0.0.0.0"}, "set API_SERVER_KEY to at least 16 random characters"),
        ({"KEY": "short", "HOST": "10.0.0.7"}, "set API_SERVER_KEY to at least 16 random characters"),
        ({"KEY": "your-api-key-goes-here"}, "a placeholder stands there"),
        ({"KEY": "***"}, "a placeholder stands there"),
    ],
)
def test_S25_S30_a_key_that_is_none_serves_nobody(
    tmp_path: Path, environ: dict[str, str], words: str
) -> None:
    found = made(tmp_path, **environ)

    assert isinstance(found, Unavailable)
    assert found.code == BAD_CONFIG
    assert words in str(found)


def test_a_number_that_is_none_is_said(tmp_path: Path) -> None:
    found = made(tmp_path, "platforms:\n  api_server:\n    max_concurrent_runs: many\n", KEY=KEY)

    assert isinstance(found, Unavailable)
    assert "max_concurrent_runs: a number" in found.reason
