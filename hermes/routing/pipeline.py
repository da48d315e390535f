"""One decision for each inbound event, in a fixed order that no platform can cut short.

    normalise → addressed to us? → access → commands → session key

A stranger learns nothing: neither that a text was too long nor which commands there are.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hermes.routing.access import check_access
from hermes.routing.commands import CommandKind, find_command, parse_command, unknown_command
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey
from hermes.types.origin import Origin

MAX_TEXT_CHARACTERS = 100_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision depends on besides the event.

    ``booted_at`` is in epoch seconds; ``session_key_of`` is ``sessions.keys.build_session_key`` with this
    gateway's rules; ``bot_name`` is ours on this platform, where people address a command to a bot by name.
    """

    capabilities: Capabilities
    booted_at: float
    session_key_of: Callable[[Origin], SessionKey]
    bot_name: str | None = None


@dataclass(frozen=True, slots=True)
class ToSession:
    """The agent answers it, in this conversation."""

    session_key: SessionKey
    rule: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the gateway, by its canonical name."""

    name: str
    args: str
    session_key: SessionKey
    kind: CommandKind

    @property
    def rule(self) -> str:
        """What decided it, for the row."""
        return f"command:{self.name}"


@dataclass(frozen=True, slots=True)
class Drop:
    """It ends here; ``reply`` is said about it, if anything. ``keep_text`` is for what was meant for us."""

    state: Literal["refused", "denied", "ignored"]
    rule: str
    keep_text: bool
    reply: str | None = None


Decision = ToSession | Command | Drop


def decide(event: InboundEvent, context: Context) -> Decision:
    """Decide what becomes of ``event``. Total, pure, and the same for a redelivered event."""
    if not _clean_ids(event.origin):
        return Drop("refused", "refused:bad_id", keep_text=False)
    if not event.internal:
        if event.kind not in ("message", "command"):
            return Drop("ignored", f"ignored:{event.kind}", keep_text=False)
        if not (event.text.strip() or event.attachments):
            return Drop("ignored", "ignored:empty", keep_text=False)
        if not _addressed(event):
            return Drop("ignored", "ignored:unaddressed", keep_text=False)

    # Hooks decide here, before access on purpose: a plug-in may take over a stranger's message.

    access = check_access(event, context.capabilities)
    if not access.allowed:
        return Drop("denied", access.rule, keep_text=False)
    if len(event.text) > MAX_TEXT_CHARACTERS:
        reply = texts.TOO_LONG.format(limit=MAX_TEXT_CHARACTERS)
        return Drop("refused", "refused:too_long", keep_text=True, reply=reply)

    session_key = context.session_key_of(event.origin)
    return _command(event, context, session_key) or ToSession(session_key, access.rule)


def _clean_ids(origin: Origin) -> bool:
    """True if no id holds a control character, so that all of them may appear in keys, paths and logs."""
    ids = (origin.chat_id, origin.thread_id, origin.user_id, origin.user_id_alt)
    return not any(part and _CONTROL.search(part) for part in ids)


def _addressed(event: InboundEvent) -> bool:
    return event.origin.chat_type == "dm" or event.mentions_bot


def _command(event: InboundEvent, context: Context, session_key: SessionKey) -> Command | Drop | None:
    # What the gateway says to itself is never a command, whatever text it quotes.
    typed = None if event.internal else parse_command(event.text)
    if typed is None:
        return None
    if typed.bot and context.bot_name and typed.bot.casefold() != context.bot_name.casefold():
        return Drop("ignored", "ignored:other_bot", keep_text=False)
    spec = find_command(typed.name)
    if spec is None:
        return Drop("refused", "refused:unknown_command", keep_text=True, reply=unknown_command(typed.name))
    if spec.kind == "control" and (event.sent_at or event.received_at) < context.booted_at:
        # A replayed or late /stop would hit a turn that it was never meant for.
        reply = texts.STALE_COMMAND.format(name=spec.name)
        return Drop("ignored", "ignored:stale_command", keep_text=True, reply=reply)
    return Command(spec.name, typed.args, session_key, spec.kind)
