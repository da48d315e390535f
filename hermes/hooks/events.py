"""The events by name, and which hooks hear one: those that name it, then those that name ``<base>:*``, each in their order."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

GATEWAY_STARTUP = "gateway:startup"
SESSION_START, SESSION_END, SESSION_RESET = "session:start", "session:end", "session:reset"
AGENT_START, AGENT_STEP, AGENT_END = "agent:start", "agent:step", "agent:end"
DELIVERY_SENT, DELIVERY_DEAD = "delivery:sent", "delivery:dead"
ACTOR_CRASHED = "actor:crashed"
COMMAND = "command"
BEFORE_DISPATCH = "pre_gateway_dispatch"
PRE_TOOL_CALL, POST_TOOL_CALL = "pre_tool_call", "post_tool_call"
PRE_LLM_CALL, POST_LLM_CALL = "pre_llm_call", "post_llm_call"
AROUND_TOOLS = frozenset({PRE_TOOL_CALL, POST_TOOL_CALL})

EVENTS: Mapping[str, str] = {
    GATEWAY_STARTUP: "The gateway is up: platforms.",
    SESSION_START: "A conversation begins: platform, user_id, session_id, session_key.",
    SESSION_END: "A conversation is over: platform, user_id, session_key.",
    SESSION_RESET: "Somebody has begun a new one: platform, user_id, session_key.",
    AGENT_START: "Work on an answer begins: platform, user_id, chat_id, thread_id, chat_type, session_id, message.",
    AGENT_STEP: "A step of it is done: platform, user_id, session_id, iteration, tool_names, tools.",
    AGENT_END: "It is over: as agent:start, and response.",
    f"{COMMAND}:<name>": "Somebody gives a command: platform, user_id, command, raw_command, args, raw_args. May decide.",
    DELIVERY_SENT: "A message has arrived: platform, account, chat_id, thread_id, delivery_id, kind, message_ids.",
    DELIVERY_DEAD: "A message was given up: as delivery:sent, and failure.",
    ACTOR_CRASHED: "A part of the gateway has crashed: path, incarnation, reason, decision.",
    BEFORE_DISPATCH: "A message is about to be decided on: event, gateway, session_store. May decide.",
    PRE_TOOL_CALL: "A tool is about to be called: tool_name, args, tool_call_id, platform, user_id, session_id, turn_id."
    " May decide.",
    POST_TOOL_CALL: "It was called, or blocked: as pre_tool_call, and result, status, duration_ms, error_type, error_message.",
    PRE_LLM_CALL: "A model is about to be asked: session_id, turn_id, platform, model.",
    POST_LLM_CALL: "It has answered: as pre_llm_call, and response.",
}
"""All that happen here, with what is told."""


class Subscriber(Protocol):
    """Whoever names the events that it hears."""

    @property
    def events(self) -> tuple[str, ...]:
        """Names, and ``<base>:*`` for all of a kind."""


S = TypeVar("S", bound=Subscriber)


def hearing(subscribers: Iterable[S], event: str) -> list[S]:
    """Who hears ``event``, in the order in which they are told; nobody twice."""
    every, all_of_kind = tuple(subscribers), f"{event.partition(':')[0]}:*"
    exact = [one for one in every if event in one.events]
    wide = [one for one in every if event not in one.events and all_of_kind in one.events]
    return exact + wide


def happens(pattern: str) -> bool:
    """Does anything that ``pattern`` names ever happen here?"""
    base, colon, name = pattern.partition(":")
    if base == COMMAND:
        return bool(colon and name)
    if name == "*":
        return any(event.startswith(f"{base}:") for event in EVENTS)
    return pattern in EVENTS
