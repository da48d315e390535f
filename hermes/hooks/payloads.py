"""What is told with each event: plain values that JSON can hold, so that a program can be told the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Literal

from hermes.types.content import Outbound
from hermes.types.events import InboundEvent
from hermes.types.hooks import ToolUse
from hermes.types.origin import Origin
from hermes.types.whole import whole

SHOWN_CHARACTERS = 500
"""Of a message and of an answer."""

ToolStatus = Literal["ok", "error", "blocked"]

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


def tool(use: ToolUse) -> dict[str, Any]:
    """For ``pre_tool_call``."""
    return {
        "tool_name": use.name,
        "args": dict(use.args),
        "platform": use.platform,
        "user_id": use.user_id,
        "session_id": use.session_id,
        "turn_id": use.turn_id,
        "tool_call_id": use.tool_call_id,
    }


def tool_done(
    use: ToolUse,
    result: str,
    status: ToolStatus,
    duration_s: float,
    *,
    error_type: str | None = None,
    error_message: str | None = None,
) -> Payload:
    """For ``post_tool_call``."""
    return tool(use) | {
        "result": result[:SHOWN_CHARACTERS],
        "status": status,
        "duration_ms": round(duration_s * 1000),
        "error_type": error_type,
        "error_message": error_message,
    }


def model_call(
    session_id: str, turn_id: str, platform: str, model: str, response: str | None = None
) -> Payload:
    """For ``pre_llm_call`` and, with a ``response``, ``post_llm_call``."""
    told = {"session_id": session_id, "turn_id": turn_id, "platform": platform, "model": model}
    return told if response is None else told | {"response": response[:SHOWN_CHARACTERS]}


def as_json(event: str, payload: Payload, cwd: str) -> bytes:
    """What a program reads on stdin, in the shape of the original's shell hooks."""
    above = ("session_id", "tool_name", *(("args",) if "tool_name" in payload else ()))
    told = {
        "hook_event_name": event,
        "tool_name": payload.get("tool_name"),
        "tool_input": payload["args"] if "tool_name" in payload else None,
        "session_id": payload.get("session_id") or "",
        "cwd": cwd,
        "extra": {name: _plain(value) for name, value in payload.items() if name not in above},
    }
    return whole(json.dumps(told, ensure_ascii=False)).encode()


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
