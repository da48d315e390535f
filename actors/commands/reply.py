"""What a command asks with and what it comes to; data, which inbound commits and says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from actors.ports.services import Services
from hermes.routing.pipeline import Command
from hermes.store.ops import Op
from hermes.types.records import InboxRow


@dataclass(frozen=True, slots=True)
class Ask:
    """One command of one person, in one chat."""

    services: Services
    row: InboxRow
    command: Command


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said, and what is done with it in one commit: both or none.

    ``otherwise`` is said where ``effect`` came to nothing (its result was falsy); None: ``text`` all the same. ``after`` is
    called once all is committed, if it came to anything or not; it neither waits nor raises. ``secret``: the words are
    erased once they have arrived, and stand in no dump, trace or search.
    """

    text: str
    effect: Op[Any] | None = None
    otherwise: str | None = None
    after: Callable[[], None] | None = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """The row goes to the conversation after all, with ``text`` in place of what was written, for the turn to answer."""

    text: str
    rule: str


Handler = Callable[[Ask], Awaitable[Reply | Prompt]]
