"""What local trusted code may say about a message before it is decided on, and to whom inbound puts that question."""

from dataclasses import dataclass
from typing import Protocol

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


class Hooks(Protocol):
    """Asked once for each message that is not internal, before access, in the chat's own order."""

    async def before_dispatch(self, event: InboundEvent) -> Verdict:
        """The first verdict of a handler, in registration order. ``event`` is a copy: to change it changes nothing.

        The caller's deadline holds for all handlers together; what is raised, and a deadline missed, count as ``Allow``.
        """


class NoHooks:
    """Nobody has a say."""

    async def before_dispatch(self, event: InboundEvent) -> Verdict:
        """See ``Hooks``."""
        return Allow()
