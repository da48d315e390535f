"""The shipped configuration files say what the model says."""

import json
import re
from dataclasses import fields
from typing import Any

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

    assert schema["properties"].keys() == {section.name for section in fields(Config)}
    for model in schema["$defs"].values():
        assert model["description"]
        assert all(key["description"] for key in model["properties"].values())
