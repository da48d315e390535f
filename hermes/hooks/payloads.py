"""What is told with each event: plain values that JSON can hold, so that a program can be told the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from hermes.types.content import Outbound
from hermes.types.events import InboundEvent
from hermes.types.origin import Origin

SHOWN_CHARACTERS = 500
"""Of a message and of an answer."""

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GatewayView:
    """What a handler sees of the gateway: the platforms that are connected. To change it changes nothing."""

    platforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionView:
    """What a handler sees of the conversation a message belongs to. ``busy``: an answer is worked on."""

    session_key: str
    busy: bool


def before_dispatch(event: InboundEvent, gateway: GatewayView, session: SessionView) -> Payload:
    """For ``pre_gateway_dispatch``."""
    return {"event": event, "gateway": gateway, "session_store": session}


def startup(platforms: Sequence[str]) -> Payload:
    """For ``gateway:startup``."""
    return {"platforms": list(platforms)}


def session(origin: Origin, session_key: str, session_id: str | None = None) -> Payload:
    """For ``session:*``; only a start says the id."""
    told = {"platform": origin.platform, "user_id": origin.user_id, "session_key": session_key}
    return told if session_id is None else told | {"session_id": session_id}


def agent(origin: Origin, session_id: str, message: str, response: str | None = None) -> Payload:
    """For ``agent:start`` and, with a ``response``, ``agent:end``."""
    told = {
        "platform": origin.platform,
        "user_id": origin.user_id,
        "chat_id": origin.chat_id,
        "thread_id": origin.thread_id,
        "chat_type": origin.chat_type,
        "session_id": session_id,
        "message": message[:SHOWN_CHARACTERS],
    }
    return told if response is None else told | {"response": response[:SHOWN_CHARACTERS]}


def step(origin: Origin, session_id: str, iteration: int, tools: Sequence[tuple[str, str]]) -> Payload:
    """For ``agent:step``: ``tools`` are names and results."""
    return {
        "platform": origin.platform,
        "user_id": origin.user_id,
        "session_id": session_id,
        "iteration": iteration,
        "tool_names": [name for name, _ in tools],
        "tools": [{"name": name, "result": result[:SHOWN_CHARACTERS]} for name, result in tools],
    }


def delivery(message: Outbound, message_ids: Sequence[str | None], failure: str | None = None) -> Payload:
    """For ``delivery:sent`` and, with a ``failure``, ``delivery:dead``. The words are not told: they may be secret."""
    told = {
        "platform": message.platform,
        "account": message.account,
        "chat_id": message.chat_id,
        "thread_id": message.thread_id,
        "delivery_id": message.delivery_id,
        "kind": message.kind,
        "message_ids": [one for one in message_ids if one is not None],
    }
    return told if failure is None else told | {"failure": failure}


def command(origin: Origin, name: str, raw_name: str, args: str) -> Payload:
    """For ``command:<name>``; ``raw_name`` is how it was typed."""
    return {
        "platform": origin.platform,
        "user_id": origin.user_id,
        "command": name,
        "raw_command": raw_name,
        "args": args.strip(),
        "raw_args": args,
    }


def as_json(event: str, payload: Payload, cwd: str) -> bytes:
    """What a program reads on stdin, in the shape of the original's shell hooks."""
    told = {
        "hook_event_name": event,
        "tool_name": None,
        "tool_input": None,
        "session_id": payload.get("session_id") or "",
        "cwd": cwd,
        "extra": {name: _plain(value) for name, value in payload.items() if name != "session_id"},
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
