"""Who may speak when, by the strictest of the servers; for ``hermes.testing.model``."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def out_of_order(messages: Sequence[Mapping[str, Any]], *, described: bool) -> str:
    """What is wrong with who speaks when; empty if nothing is."""
    last, due = "assistant", list[str]()
    for message in messages[1:] if messages[:1] and messages[0].get("role") == "system" else messages:
        role, calls = message.get("role"), message.get("tool_calls") or ()
        if due and (role != "tool" or message.get("tool_call_id") != due.pop(0)):
            return "An assistant message with 'tool_calls' must be followed by tool messages"
        if role == "tool" and last != "call":
            return "a tool message must follow the call that it answers"
        if role not in ("user", "assistant", "tool") or role == last:
            return "Conversation roles must alternate user/assistant/user/assistant/..."
        if calls and not described:
            return "tools must be described where they were called"
        if any(not isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls):
            return "the arguments of a call must be an object"
        due += [call["id"] for call in calls]
        last = ("call" if due else "result") if role == "tool" else ("call" if calls else role)
    return "" if last in ("user", "result") else "the last message must be the user's"
