"""The parameters of a call, however they were sent: JSON, a form, a form with files, or the query."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from hermes.testing.telegram.refusal import Refused


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form."""

    name: str
    mime: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Params:
    """What a call was given. Numbers and objects may have come as their text, as Telegram takes them."""

    given: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A string; "" if there is none."""
        value = self.given.get(name, "")
        return value if isinstance(value, str) else json.dumps(value)

    def number(self, name: str) -> int | None:
        """A whole number; None if there is none."""
        try:
            return int(self.given[name]) if name in self.given else None
        except (TypeError, ValueError):
            raise Refused(400, f"Bad Request: invalid {name} specified") from None

    def flag(self, name: str) -> bool:
        """A truth value."""
        return str(self.given.get(name, "")).lower() in ("true", "1")

    def value(self, name: str) -> Any:
        """An object or a list; None if there is none."""
        value = self.given.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(400, f"Bad Request: can't parse {name} JSON object") from None

    def items(self, name: str) -> list[Any]:
        """A list; empty if there is none."""
        value = self.value(name)
        if value is not None and not isinstance(value, list):
            raise Refused(400, f"Bad Request: object expected as {name}")
        return value or []


def parse(query: str, content_type: str, body: bytes) -> Params:
    """Raises ``Refused`` for what cannot be read."""
    given: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    kind, boundary = _content_type(content_type)
    if not body:
        return Params(given)
    if kind == "application/json":
        try:
            sent = json.loads(body)
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            raise Refused(400, "Bad Request: can't parse request: JSON object expected")
        return Params(given | {name: value for name, value in sent.items() if value is not None})
    if kind == "application/x-www-form-urlencoded":
        return Params(given | dict(parse_qsl(body.decode(), keep_blank_values=True)))
    if kind == "multipart/form-data" and boundary:
        fields, files = _multipart(body, boundary.encode())
        return Params(given | fields, files)
    raise Refused(400, f"Bad Request: unsupported Content-Type {kind}")


def _content_type(header: str) -> tuple[str, str]:
    parsed = Message()
    parsed["content-type"] = header or "application/octet-stream"
    return parsed.get_content_type(), str(parsed.get_param("boundary", ""))


def _multipart(body: bytes, boundary: bytes) -> tuple[dict[str, str], dict[str, Upload]]:
    fields: dict[str, str] = {}
    files: dict[str, Upload] = {}
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = Message()
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(":")
            headers[name] = value.strip()
        field_name = str(headers.get_param("name", "", "content-disposition"))
        if (file_name := headers.get_filename()) is None:
            fields[field_name] = content.decode()
        else:
            files[field_name] = Upload(file_name, headers.get_content_type(), content)
    return fields, files
