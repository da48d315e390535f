"""What a handler may answer where it is asked, and what that means. Everywhere else an answer means nothing.

pre_gateway_dispatch  {"action": "skip" | "rewrite" | "allow", "text": …}
command:<name>        {"decision": "deny" | "handled" | "rewrite" | "allow", "message": …, "command_name": …, "raw_args": …}
pre_tool_call         {"action": "block" | "approve", "message": …} or {"decision": "block", "reason": …}
"""

from collections.abc import Mapping
from typing import Any

from hermes.types.hooks import (
    Allow,
    Block,
    CommandVerdict,
    Deny,
    Handled,
    Rephrase,
    Rewrite,
    Skip,
    ToolVerdict,
    Verdict,
)

BLOCKED = "A hook of the operator's does not allow this call."
UNDECIDED = "A hook of the operator's has to allow this call first, and could not be asked."
"""What the model reads where nobody has said anything better."""


def dispatch_verdict(answer: object) -> Verdict | None:
    """What it says about a message; None: nothing, so the next one is asked. Raises ``ValueError`` for what is no answer."""
    match _said(answer, "action"):
        case None:
            return None
        case "allow", _:
            return Allow()
        case "skip", _:
            return Skip()
        case "rewrite", {"text": str(text)}:
            return Rewrite(text)
        case _:
            raise ValueError(f"{answer!r:.100}: action is skip, allow, or rewrite with a text")


def command_verdict(answer: object) -> CommandVerdict | None:
    """As ``dispatch_verdict``, about a command. An ``allow`` decides nothing, as in the original: the next one is asked."""
    said = _said(answer, "decision")
    if said is None:
        return None
    decision, given = said
    match decision, given.get("command_name"):
        case "allow", _:
            return None
        case "deny", _:
            return Deny(_text(given, "message"))
        case "handled", _:
            return Handled(_text(given, "message"))
        case "rewrite", str(name) if name.strip():
            return Rephrase(name.strip().removeprefix("/"), _text(given, "raw_args"))
        case _:
            words = "decision is allow, deny, handled, or rewrite with a command_name"
            raise ValueError(f"{answer!r:.100}: {words}")


def tool_verdict(answer: object) -> ToolVerdict | None:
    """As ``command_verdict``, about a call of a tool. What ``approve`` would have a person asked about is blocked: no hook can
    ask one here, and to go on without would be the opposite of what it wants.
    """
    if answer is not None and not isinstance(answer, Mapping):
        raise ValueError(f"{answer!r:.100} is no answer: a mapping with action, or nothing")
    given = answer or {}
    said = (given.get("action"), given.get("decision"))
    if "block" in said or "approve" in said:
        return Block(_text(given, "message") or _text(given, "reason") or BLOCKED)
    return None


def _said(answer: object, key: str) -> tuple[str, Mapping[str, Any]] | None:
    if answer is None or (isinstance(answer, Mapping) and answer.get(key) is None):
        return None
    if not isinstance(answer, Mapping):
        raise ValueError(f"{answer!r:.100} is no answer: a mapping with {key}, or nothing")
    return str(answer[key]).strip().lower(), answer


def _text(given: Mapping[str, Any], key: str) -> str:
    found = given.get(key)
    if found is not None and not isinstance(found, str):
        raise ValueError(f"{key} is a text")
    return found or ""
