"""One decision for each inbound event, in a fixed order that no platform can cut short.

    screen: normalise → addressed to us?  →  [hook: heed]  →  admit: access → commands → too old? → session key

A stranger learns nothing: neither that a text was too long nor which commands there are. A hook stands before access on
purpose, since a plug-in may take over a stranger's message; whatever it makes of the text, access decides after it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import floor
from typing import Literal, assert_never

from hermes.routing.access import check_access, slash_allowed
from hermes.routing.addressing import addressed
from hermes.routing.approvals import bare_word
from hermes.routing.catalogue import BUILT_IN, Catalogue
from hermes.routing.commands import PINGS, CommandKind, Typed, asks_for_restart, parse_command
from hermes.routing.loops import is_tagged
from hermes.types import texts
from hermes.types.access import CLOSED, AccessRules, Role
from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent
from hermes.types.hooks import Allow, Deny, Handled, Rewrite, Skip, Verdict
from hermes.types.ids import SessionKey
from hermes.types.origin import ChatType, Origin

MAX_TEXT_CHARACTERS = 100_000
MAX_ID_CHARACTERS = 1024
TOO_OLD = "ignored:too_old"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _nothing_waits(_: SessionKey) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision depends on besides the event.

    ``booted_at`` is in epoch seconds; ``session_key_of`` is ``sessions.keys.build_session_key`` with this
    gateway's rules; ``rules`` are those of the event's account. ``bot_id`` is who we are there, ``bot_name`` what we are
    called where people address a command to a bot by name. ``live_thread``: the event's thread has a session of ours.
    What was sent before ``oldest`` (epoch seconds) is not answered any more. ``catalogue``: the commands in force.
    ``asks``: may something in that session wait for a person's yes or no?
    """

    capabilities: Capabilities
    booted_at: float
    session_key_of: Callable[[Origin], SessionKey]
    bot_name: str | None = None
    bot_id: str | None = None
    rules: AccessRules = CLOSED
    live_thread: bool = False
    oldest: float = 0.0
    catalogue: Catalogue = BUILT_IN
    asks: Callable[[SessionKey], bool] = _nothing_waits

    def may(self, name: str, role: Role, chat_type: ChatType) -> bool:
        """May somebody in that role use the command of that name there?"""
        return slash_allowed(name, self.catalogue.find(name), role, self.rules, chat_type)


@dataclass(frozen=True, slots=True)
class ToSession:
    """The agent answers it, in this conversation."""

    session_key: SessionKey
    rule: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the gateway, by its canonical name; ``role`` is in which its sender speaks."""

    name: str
    args: str
    session_key: SessionKey
    kind: CommandKind
    role: Role
    otherwise: ToSession | None = None
    """It is a bare word, ``args`` being all of it: where it goes if it turns out that nothing waits for one."""

    @property
    def rule(self) -> str:
        """What decided it, for the row."""
        return f"command:{self.name}"


@dataclass(frozen=True, slots=True)
class Revise:
    """A message of this conversation now reads ``text``, or (None) is taken back: if it still waits for its turn."""

    session_key: SessionKey
    message_id: str
    text: str | None

    @property
    def rule(self) -> str:
        """What decided it, for the log."""
        return "delete" if self.text is None else "edit"


@dataclass(frozen=True, slots=True)
class Drop:
    """It ends here; ``reply`` is said about it, if anything. ``keep_text`` is for what was meant for us."""

    state: Literal["refused", "denied", "ignored", "answered"]
    rule: str
    keep_text: bool
    reply: str | None = None


Decision = ToSession | Command | Revise | Drop


def decide(event: InboundEvent, context: Context) -> Decision:
    """Decide what becomes of ``event`` where no hook has a say. Total, pure, and the same for a redelivered event."""
    return screen(event, context) or admit(event, context)


def screen(event: InboundEvent, context: Context) -> Drop | None:
    """What is dropped before any hook sees it: our own echo, what is no message, what is not meant for us."""
    origin = event.origin
    if not _clean_ids(origin):
        return Drop("refused", "refused:bad_id", keep_text=False)
    if event.internal:
        return None
    canonical = context.rules.canonical
    if origin.user_id and context.bot_id and canonical(origin.user_id) == canonical(context.bot_id):
        return Drop("ignored", "ignored:own", keep_text=False)
    if is_tagged(event):
        return Drop("ignored", "ignored:notice", keep_text=False)
    if event.kind == "delete":
        return None  # it has no words that could address us; it finds a message of ours, or it ends
    if event.kind not in ("message", "command", "edit"):
        return Drop("ignored", f"ignored:{event.kind}", keep_text=False)
    if not (event.text.strip() or event.attachments):
        return Drop("ignored", "ignored:empty", keep_text=False)
    if not addressed(event, context.rules, context.live_thread, context.bot_name):
        return Drop("ignored", "ignored:unaddressed", keep_text=False)
    return None


def heed(event: InboundEvent, verdict: Verdict) -> InboundEvent | Drop:
    """``event`` as a hook wants it seen. A hook can change words or take the message away, and nothing else."""
    match verdict:
        case Allow():
            return event
        case Rewrite(text) if text.strip() or event.attachments:
            return replace(event, text=text)
        case Rewrite() | Skip():
            return Drop("ignored", "ignored:hook", keep_text=False)
        case _:
            assert_never(verdict)


def heed_command(command: Command, verdict: Allow | Deny | Handled) -> Command | Drop:
    """What becomes of a command that its sender may give, as a hook wants it."""
    match verdict:
        case Allow():
            return command
        case Deny(message):
            reply = message or texts.COMMAND_DENIED.format(name=command.name)
            return Drop("refused", "refused:hook", keep_text=True, reply=reply)
        case Handled(message):
            return Drop("answered", f"{command.rule}:hook", keep_text=True, reply=message or None)
        case _:
            assert_never(verdict)


def admit(event: InboundEvent, context: Context) -> Decision:
    """What becomes of an event that was not dropped; ``event.text`` may be a hook's by now."""
    access = check_access(event, context.rules, context.capabilities)
    if access.role is None:
        return Drop("denied", access.rule, keep_text=False)
    if len(event.text) > MAX_TEXT_CHARACTERS:
        reply = texts.TOO_LONG.format(limit=MAX_TEXT_CHARACTERS)
        return Drop("refused", "refused:too_long", keep_text=True, reply=reply)

    session_key = context.session_key_of(event.origin)
    if event.kind in ("edit", "delete"):
        return _revision(event, session_key)
    to_session = ToSession(session_key, access.rule)
    decision = (
        _command(event, context, session_key, access.role)
        or _bare_word(event, context, to_session, access.role)
        or to_session
    )
    if not event.internal and not isinstance(decision, Drop) and _sent_at(event) < context.oldest:
        return Drop("ignored", TOO_OLD, keep_text=True)
    return decision


def _revision(event: InboundEvent, session_key: SessionKey) -> Revise | Drop:
    """An edit never becomes a command, nor reaches the agent as the text of one."""
    edit = event.kind == "edit"
    if event.message_id is None or (edit and parse_command(event.text) is not None):
        return Drop("ignored", f"ignored:{event.kind}", keep_text=False)
    return Revise(session_key, event.message_id, event.text if edit else None)


def _sent_at(event: InboundEvent) -> float:
    return event.sent_at or event.received_at


def _sent_before(event: InboundEvent, at: float) -> bool:
    """Of a platform that tells whole seconds, what was sent in the second of ``at`` counts as sent after it."""
    sent = _sent_at(event)
    return sent < (floor(at) if sent.is_integer() else at)


def _clean_ids(origin: Origin) -> bool:
    """True if every id is a text, not endless and without control characters, so that it may stand in keys and logs."""
    ids: tuple[object, ...] = (
        *(origin.chat_id, origin.chat_id_alt, origin.thread_id, origin.parent_chat_id, origin.scope_id),
        *(origin.user_id, origin.user_id_alt),
    )
    return all(part is None or _clean(part) for part in ids)


def _clean(part: object) -> bool:
    return isinstance(part, str) and len(part) <= MAX_ID_CHARACTERS and not _CONTROL.search(part)


def _command(
    event: InboundEvent, context: Context, session_key: SessionKey, role: Role
) -> Command | Drop | None:
    typed = _typed(event)
    if typed is None:
        return None
    if typed.bot and context.bot_name and typed.bot.casefold() != context.bot_name.casefold():
        return Drop("ignored", "ignored:other_bot", keep_text=False)
    if typed.name in PINGS:
        return Drop("ignored", f"ignored:{typed.name}", keep_text=False)
    may = partial(context.may, role=role, chat_type=event.origin.chat_type)
    if not may(typed.name):
        reply = texts.COMMAND_FOR_ADMINS.format(name=typed.name)
        return Drop("refused", "refused:slash_access", keep_text=True, reply=reply)
    meant = context.catalogue.resolve(typed)
    spec = context.catalogue.find(meant.name)
    if spec is None:
        reply = context.catalogue.unknown(typed.name, may)
        return Drop("refused", "refused:unknown_command", keep_text=True, reply=reply)
    if spec.kind == "control" and _sent_before(event, context.booted_at):
        # A replayed or late /stop would hit a turn that it was never meant for.
        reply = texts.STALE_COMMAND.format(name=spec.name)
        return Drop("ignored", "ignored:stale_command", keep_text=True, reply=reply)
    return Command(spec.name, meant.args, session_key, spec.kind, role)


def _bare_word(event: InboundEvent, context: Context, otherwise: ToSession, role: Role) -> Command | None:
    """The decision that a plain yes or no is, where its conversation may wait for one. It passes the gate of the command that
    it stands for (S20).
    """
    plain = event.kind == "message" and not (event.internal or event.forwarded or event.attachments)
    verdict = bare_word(event.text) if plain and not event.origin.is_bot else None
    if verdict is None or not context.asks(otherwise.session_key):
        return None
    if not context.may(verdict, role=role, chat_type=event.origin.chat_type):
        return None
    return Command(verdict, event.text, otherwise.session_key, "info", role, otherwise)


def _typed(event: InboundEvent) -> Typed | None:
    """The command that the event is. What the gateway says to itself, what is passed on from somebody else, and what stands
    under a picture is none; a native one is of its own kind, whatever comes with it.
    """
    if event.internal or event.forwarded or (event.attachments and event.kind != "command"):
        return None
    if event.origin.chat_type == "dm" and asks_for_restart(event.text):
        return Typed("restart", "")
    return parse_command(event.text)
