"""What local trusted code may say about a message before it is decided on, about a command and about a tool, and to whom that
question is put; and who is told what has happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hermes.types.events import InboundEvent


@dataclass(frozen=True, slots=True)
class Allow:
    """Go on as if there were no hook."""


@dataclass(frozen=True, slots=True)
class Skip:
    """The message ends here; whoever says so has taken it over."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Go on with ``text`` in place of what was written. Access decides after it, on the same sender."""

    text: str


Verdict = Allow | Skip | Rewrite


@dataclass(frozen=True, slots=True)
class Deny:
    """The command is not carried out; ``message`` is said, or words of ours where it is empty."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Handled:
    """The command has been carried out by whoever says so; ``message`` is its answer, if it has one."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Rephrase:
    """Carry out another command in its place, if its sender may."""

    name: str
    args: str = ""


CommandVerdict = Allow | Deny | Handled | Rephrase


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool. ``args`` are plain values that JSON can hold."""

    name: str
    args: Mapping[str, Any]
    platform: str = ""
    user_id: str | None = None
    session_id: str = ""
    turn_id: str = ""
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """The tool is not called; the model reads ``message``, which is never empty, in place of a result."""

    message: str


ToolVerdict = Allow | Block


class Hooks(Protocol):
    """Asked before a message that is not internal is decided on, before a command is carried out and before a tool is called;
    told of all else.
    """

    @property
    def minds_messages(self) -> bool:
        """False if ``before_dispatch`` would find nobody, and need not be asked."""

    async def before_dispatch(self, event: InboundEvent) -> Verdict:
        """Asked once for each message, before access, in the chat's own order. The first verdict of a handler, in registration
        order. ``event`` is a copy: to change it changes nothing.

        The caller's deadline holds for all handlers together; what is raised, and a deadline missed, count as ``Allow``.
        """

    async def before_command(self, event: InboundEvent, name: str, args: str) -> CommandVerdict:
        """Asked about a command, by its canonical name, that its sender may give. Else as ``before_dispatch``."""

    async def before_tool(self, use: ToolUse) -> ToolVerdict:
        """Asked about each call of a tool, before anybody is asked to approve it. The first that blocks it decides. Has a
        deadline of its own, and raises nothing: what goes wrong counts as ``Allow``, or as ``Block`` if one that is asked is to
        fail closed.
        """

    def happened(self, event: str, payload: Mapping[str, Any]) -> None:
        """Tell whoever hears ``event``. Returns at once and never raises; what nobody has time for is dropped and counted."""


class NoHooks:
    """Nobody has a say; to be made more of."""

    minds_messages = True

    async def before_dispatch(self, event: InboundEvent) -> Verdict:
        """See ``Hooks``."""
        return Allow()

    async def before_command(self, event: InboundEvent, name: str, args: str) -> CommandVerdict:
        """See ``Hooks``."""
        return Allow()

    async def before_tool(self, use: ToolUse) -> ToolVerdict:
        """See ``Hooks``."""
        return Allow()

    def happened(self, event: str, payload: Mapping[str, Any]) -> None:
        """See ``Hooks``."""
