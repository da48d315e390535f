"""The fake as a process of its own, and its people moved from outside: one line of JSON each way.

    {"do": "say", "person": 10001, "text": "hello"}  ──▶
                                                     ◀──  {"result": 1}   or   {"error": "…"}

People and chats are named by their ids, bots by their tokens. What is bytes is base64.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from typing import Any

import trio

from hermes.testing.platform import Delay, HalfClose, Hang, Reset, read_line
from hermes.testing.telegram.fake import FakeTelegram
from hermes.testing.telegram.faults import Drop, Fault, Html, Status
from hermes.testing.telegram.world import Chat, Person

FAULTS: Mapping[str, Callable[..., Fault]] = {
    kind.__name__: kind for kind in (Status, Html, Delay, Hang, HalfClose, Reset, Drop)
}
DO = frozenset(
    "person group say edit react press forward block unblock join kick migrate garble repeat seen plan plan_for always "
    "heal".split()
)
"""Methods of ``FakeTelegram``; beside them there are ``plug``, ``revoke``, ``calls``, ``wrongs`` and ``counts``."""


class Control:
    """Serves the orders that come by one connection, in turn."""

    def __init__(self, fake: FakeTelegram) -> None:
        self._fake = fake

    async def serve(self, stream: trio.SocketStream) -> None:
        """Until the other side closes."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while line := await read_line(stream):
                try:
                    answer = {"result": _plain(await self._do(json.loads(line)))}
                except Exception as error:  # it is told to whoever gave the order
                    answer = {"error": f"{type(error).__name__}: {error}"}
                await stream.send_all(json.dumps(answer).encode() + b"\n")

    async def _do(self, order: dict[str, Any]) -> Any:
        what = order.pop("do")
        fake = self._fake
        if what in DO:
            args, named = self._arguments(what, order)
            result = getattr(fake, what)(*args, **named)
            return await result if what == "heal" else result
        match what:
            case "plug":
                await fake.server.plug(order["how"])
            case "revoke":
                fake.bot.revoked = True
            case "calls":
                return [[call.at, call.method] for call in list(fake.calls)[order.get("after", 0) :]]
            case "wrongs":
                return list(fake.wrongs)
            case "counts":
                updates = fake.bot.updates
                return {
                    "waiting": len(updates.waiting),
                    "polls": updates.polls,
                    "most_polls": updates.most_polls,
                    "connections": fake.server.connections,
                    "connections_ever": fake.server.connections_ever,
                }
            case _:
                raise ValueError(f"there is no {what}")
        return None

    def _arguments(self, what: str, order: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        world = self._fake.world
        named = dict(order)
        for name in ("person", "of"):
            if name in named:
                named[name] = world.people[named[name]]
        for name in ("chat", "place"):
            if name in named:
                named[name] = world.people.get(named[name], named[name])
        if what in ("join", "kick", "migrate"):
            named["chat"] = world.groups[order["chat"]]
        if "bot" in named:
            named["bot"] = self._fake.bots[named["bot"]]
        if "files" in named:
            named["files"] = {kind: b64decode(body) for kind, body in named["files"].items()}
        if "fault" in named:
            named["fault"] = _fault(named["fault"])
        args = [world.people[member] for member in named.pop("members", ())]
        planned = [fault and _fault(fault) for fault in named.pop("faults", ())]
        first = [named.pop(name) for name in ("title", "method") if name in named and (args or planned)]
        return [*first, *args, *planned], named


def _fault(told: Mapping[str, Any]) -> Fault:
    return FAULTS[told["kind"]](**{name: value for name, value in told.items() if name != "kind"})


def _plain(value: Any) -> Any:
    """``value`` as JSON has it."""
    match value:
        case Chat():
            return {"id": value.id, "topics": value.topics}
        case Person():
            return {"id": value.id}
        case bytes():
            return b64encode(value).decode()
        case Mapping():
            return {name: _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _plain(asdict(value))
        case _:
            return value


class RemoteTelegram:
    """Gives orders to a fake in another process; one at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def __call__(self, do: str, **order: Any) -> Any:
        """What came of it. Raises ``RuntimeError`` with the fake's words."""
        await self._stream.send_all(json.dumps({"do": do, **order}).encode() + b"\n")
        answer = json.loads(await read_line(self._stream) or b'{"error": "it is gone"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]
