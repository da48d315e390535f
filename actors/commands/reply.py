"""What a command asks with and what it comes to; data, which inbound commits and says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from actors.ports.services import Services
from hermes.routing.access import slash_allowed
from hermes.routing.commands import written
from hermes.routing.pipeline import Command
from hermes.store.ops import Op
from hermes.types import texts
from hermes.types.records import InboxRow


@dataclass(frozen=True, slots=True)
class Ask:
    """One command of one person, in one chat."""

    services: Services
    row: InboxRow
    command: Command

    def may(self, name: str) -> bool:
        """May who asks use the command of that name here?"""
        origin = self.row.event.origin
        rules = self.services.access.rules(origin.platform, origin.account)
        spec = self.services.commands.catalogue.find(name)
        return slash_allowed(name, spec, self.command.role, rules, origin.chat_type)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said, and what is done with it in one commit: both or none.

    ``otherwise`` is said where ``effect`` came to nothing (its result was falsy); None: ``text`` all the same. ``after`` is
    called once all is committed, if it came to anything or not; it neither waits nor raises. ``secret``: the words are
    erased once they have arrived, and stand in no dump, trace or search. ``keep_text`` False: what was written is erased, for it
    held one.
    """

    text: str
    effect: Op[Any] | None = None
    otherwise: str | None = None
    after: Callable[[], None] | None = None
    secret: bool = False
    keep_text: bool = True


@dataclass(frozen=True, slots=True)
class Prompt:
    """The row goes to the conversation, with ``text`` in place of what was written (None: as it was), for the turn to answer.

    ``effect`` happens with that, in one commit; if it comes to nothing, the row is answered by the words for a conversation that
    is at work.
    """

    text: str | None
    rule: str
    effect: Op[Any] | None = None


def misused(ask: Ask) -> Reply:
    """What was written after the command says nothing."""
    spec = ask.services.commands.catalogue.find(ask.command.name)
    return Reply(texts.WRITE_IT_SO.format(usage=written(spec) if spec else f"/{ask.command.name}"))


Answer = Reply | Prompt

Handler = Callable[[Ask], Answer | Awaitable[Answer]]
"""Waits where it has to read something."""
