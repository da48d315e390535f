"""The Bot API as a schema (with the project's shared files, where they are): what a method may be asked, and what it answers."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SCHEMA = Path(__file__).parents[2] / "shared/specs/telegram/telegram_openapi3_derived.json"


class TelegramSchema:
    """Parameters that there are not, and types that are wrong, raise ``jsonschema.ValidationError``."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths = document["paths"]
        self._registry = (
            pytest.importorskip("referencing")
            .Registry()
            .with_contents(
                [("urn:doc", {"$schema": "https://json-schema.org/draft/2020-12/schema", **document})]
            )
        )

    def check_request(self, method: str, params: Mapping[str, Any]) -> None:
        """``params`` as they were sent in JSON."""
        if "requestBody" in self._paths[f"/bot{{token}}/{method}"]["post"]:
            self._check(params, method, "requestBody")
        else:
            assert not params

    def check_answer(self, method: str, answer: Mapping[str, Any]) -> None:
        """``answer`` as a whole."""
        self._check(answer, method, "responses", "200" if answer["ok"] else "default")

    def _check(self, value: Mapping[str, Any], method: str, *way: str) -> None:
        self._validator(method, *way).validate(value)

    @cache  # noqa: B019 - there is one of it
    def _validator(self, method: str, *way: str) -> Any:
        steps = ["paths", f"/bot{{token}}/{method}", "post", *way, "content", "application/json", "schema"]
        pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)
        jsonschema = pytest.importorskip("jsonschema")
        return jsonschema.Draft202012Validator({"$ref": f"urn:doc#/{pointer}"}, registry=self._registry)


@cache
def _loaded() -> TelegramSchema:
    return TelegramSchema(json.loads(SCHEMA.read_text()))


def telegram_schema() -> TelegramSchema:
    """The schema; skips the test where it, or what reads it, is missing."""
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is missing")
    return _loaded()
