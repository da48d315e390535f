"""The shipped configuration files say what the model says."""

import json
import re
from dataclasses import fields
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from hermes.config.load import load as read
from hermes.config.model import Config
from hermes.config.paths import shipped_conf


def load(*args: Any, **flags: Any) -> Config:
    return read(*args, **flags).config


def uncommented() -> str:
    text = (shipped_conf() / "default.yaml").read_text()
    return re.sub(r"^# ", "", text.partition("\n\n")[2], flags=re.MULTILINE)


def test_the_default_file_uncommented_is_the_default_configuration(tmp_path):
    (tmp_path / "config.yaml").write_text(uncommented())

    assert load(tmp_path, {}) == Config()


def test_the_default_file_holds_every_key():
    for section in fields(Config):
        assert re.search(rf"^{section.name}:", uncommented(), re.MULTILINE)
        for key in (
            fields(section.type)
            if section.default is not None and hasattr(section.type, "__dataclass_fields__")
            else ()
        ):
            assert re.search(rf"^  {key.name}:", uncommented(), re.MULTILINE)


def test_every_key_has_a_meaning_in_the_schema():
    schema = json.loads((shipped_conf() / "schema.json").read_text())

    assert schema["properties"].keys() == {section.name for section in fields(Config)} | {
        "platforms",
        "roles",
    }
    for model in schema["$defs"].values():
        assert model["description"]
        assert all(key["description"] for key in model["properties"].values())


THEIRS = """
_config_version: 33
model: {default: m, provider: custom, base_url: "http://127.0.0.1/v1", api_key: k}
session_reset: {mode: both, at_hour: 4, idle_minutes: 60, notify: true, bg_process_max_age_hours: 24}
reset_triggers: [/new]
streaming: {enabled: true, mode: auto, edit_interval: 0.8, fresh_final_after_seconds: 0}
display: {busy_input_mode: queue, skin: dark, platforms: {telegram: {streaming: true, tool_progress: off}}}
platforms:
  telegram: {enabled: true, token: t, reply_to_mode: first, home_channel: {platform: telegram, chat_id: "1", name: Home}}
telegram: {require_mention: true, free_response_channels: [1]}
approvals: {mode: smart, timeout: 60}
cron: {wrap_response: true, output_retention: 50}
logging: {level: INFO}
security: {redact_secrets: true}
gateway: {delivery_ledger: true, strict: false}
profile_routes: []
"""
SCHEMA = Draft202012Validator(json.loads((shipped_conf() / "schema.json").read_text()))


@pytest.mark.parametrize("text", [uncommented(), THEIRS])
def test_the_schema_takes_the_default_file_and_one_of_the_original(text):
    assert list(SCHEMA.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "web: {port: x}",
        "display: {busy_input_mode: quue}",
        "platforms: {telegram: 5}",
        "platforms: {telegram: {accounts: [a]}}",
        "roles: {owners: []}",
        "model: 5",
        "session_reset: {at_hour: 24}",
    ],
)
def test_the_schema_refuses_what_the_gateway_would(text):
    assert list(SCHEMA.iter_errors(yaml.safe_load(text)))
