"""What the control socket answers to requests: right ones, wrong ones, and those that fail."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors import control
from hermes.ops.control.frames import REPLY, FrameDecoder, Request
from hermes.ops.redaction import Redaction
from hermes.types.errors import Failure, GatewayError

SECRET = "a-secret-of-the-operator"


class Overview:
    """Answers with what it was asked; fails as it is told."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def seen(self, *path: str) -> object:
        return lambda: ["tree", *path]

    async def restart(self, path: str) -> object:
        if self.error is not None:
            raise self.error
        return ["restart", path]

    async def trace(self, wanted: str) -> object:
        return ["trace", wanted]

    async def pause(self, name: str) -> object:
        return ["pause", name]

    async def resume(self, name: str) -> object:
        return ["resume", name]


class Inspection:
    """The same."""

    def dump(self, path: str, *, bodies: bool) -> object:
        return lambda: ["dump", path, bodies]

    async def top(self, by: str, count: int, over_s: float) -> object:
        return ["top", by, count, over_s]


@pytest.fixture
def door() -> control.ControlDoor:
    nobody = cast("Any", None)
    return control.ControlDoor(
        system=nobody,
        overview=cast("Any", Overview()),
        inspection=cast("Any", Inspection()),
        redact=Redaction((SECRET,)).redact,
        web=nobody,
        adapters=nobody,
        routes=nobody,
        desks={},
    )


async def said(door: control.ControlDoor, verb: str, **args: Any) -> Any:
    (reply,) = FrameDecoder(REPLY).feed(await control._reply(door, Request(7, verb, args)))
    assert reply["id"] == 7
    return reply["result"] if reply["ok"] else SimpleNamespace(**reply["error"])


@pytest.mark.parametrize(
    ("verb", "args", "result"),
    [
        ("tree", {}, ["tree"]),
        ("tree", {"path": "root/x"}, ["tree", "root/x"]),
        ("restart", {"path": "root/x"}, ["restart", "root/x"]),
        ("dump", {"path": "root"}, ["dump", "root", False]),
        ("dump", {"path": "root", "bodies": True}, ["dump", "root", True]),
        ("dump", {"path": "root", "bodies": "yes"}, ["dump", "root", False]),
        ("top", {"by": "busy", "count": 3, "over_s": 1}, ["top", "busy", 3, 1]),
        ("top", {"by": "busy", "count": 10**9, "over_s": 1e9}, ["top", "busy", 1_000, 30.0]),
        ("top", {"by": "busy", "count": -1, "over_s": -1}, ["top", "busy", 0, 0.0]),
        ("trace", {"id": "7"}, ["trace", "7"]),
        ("adapter_pause", {"adapter": "x"}, ["pause", "x"]),
        ("adapter_resume", {"adapter": "x"}, ["resume", "x"]),
    ],
)
async def test_a_request_is_answered(
    door: control.ControlDoor, verb: str, args: dict[str, Any], result: object
) -> None:
    assert await said(door, verb, **args) == result


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("restart", {}),
        ("restart", {"path": 7}),
        ("dump", {}),
        ("top", {"by": "beauty", "count": 1, "over_s": 1}),
        ("top", {"by": "busy", "count": "many", "over_s": 1}),
        ("adapter_pause", {"adapter": None}),
        ("adapter_resume", {}),
        ("trace", {}),
        ("trace", {"id": 7}),
    ],
)
async def test_a_request_without_what_it_needs_is_refused_in_words(
    door: control.ControlDoor, verb: str, args: dict[str, Any]
) -> None:
    error = await said(door, verb, **args)

    assert error.type == "usage"
    assert error.message.startswith(f"{verb} needs ")


async def test_a_number_that_is_none_is_no_number(door: control.ControlDoor) -> None:
    assert await said(door, "top", by="busy", count=1, over_s=float("nan")) == ["top", "busy", 1, 0.0]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (GatewayError(Failure("not_restarted", detail=f"GET /{SECRET}/me")), "not_restarted"),
        (ValueError(f"GET /{SECRET}/me"), "internal"),
    ],
)
async def test_S50_an_error_quotes_no_secret(door: control.ControlDoor, error: Exception, kind: str) -> None:
    cast("Any", door.overview).error = error

    answer = await said(door, "restart", path="root/x")

    assert answer.type == kind
    assert "GET /[redacted]/me" in answer.message
