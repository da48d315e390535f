"""Is it meant for us? In a direct message always; in a group only where something says so."""

from collections.abc import Set
from typing import Literal

from hermes.routing.commands import parse_command
from hermes.types.access import AccessRules
from hermes.types.events import InboundEvent
from hermes.types.origin import Origin

MOST_SEARCHED = 4_096
"""Characters of a text in which a mention is looked for: a pattern may be slow."""

Addressed = Literal["direct", "command", "mention", "reply", "free_response", "live_thread"]


def addressed(
    event: InboundEvent, rules: AccessRules, live_thread: bool, bot_name: str | None = None
) -> Addressed | None:
    """What addresses ``event`` to us, or None. ``live_thread``: its thread has a session of ours.

    A platform's own command (kind ``command``) is ours; a typed one is if it says ``/name@bot_name``. That another bot
    answers us, or speaks in our thread, addresses nothing: so two bots would talk for ever.
    """
    origin = event.origin
    if origin.chat_type == "dm":
        return "direct"
    places = _places(origin)
    if rules.allowed_channels and not _holds(rules.allowed_channels, places):
        return None
    if rules.allowed_topics and rules.allowed_topics.isdisjoint(_topics(origin)):
        return None
    if event.kind == "command" or _names_us(event, bot_name):
        return "command"
    if event.mentions_bot or _is_meant(event.text, rules):
        return "mention"
    if event.reply_to_is_own_message and not origin.is_bot:
        return "reply"
    if not rules.require_mention or _holds(rules.free_response_channels, places):
        return "free_response"
    if live_thread and origin.thread_id and not origin.is_bot:
        return "live_thread"
    return None


def _names_us(event: InboundEvent, bot_name: str | None) -> bool:
    typed = None if event.forwarded else parse_command(event.text)
    return bool(typed and typed.bot and bot_name and typed.bot.casefold() == bot_name.casefold())


def _is_meant(text: str, rules: AccessRules) -> bool:
    return any(pattern.search(text[:MOST_SEARCHED]) for pattern in rules.mention_patterns)


def _topics(origin: Origin) -> frozenset[str]:
    topic = origin.thread_id or "1"
    return frozenset({topic, *(f"{chat}:{topic}" for chat in (*_chats(origin), origin.parent_chat_id))})


def _places(origin: Origin) -> frozenset[str]:
    chats = _chats(origin)
    places = {*chats, origin.parent_chat_id, *(f"{chat}:{origin.thread_id}" for chat in chats)}
    return frozenset(filter(None, places))


def _chats(origin: Origin) -> tuple[str, ...]:
    """The chat by each of its ids."""
    return (origin.chat_id, *filter(None, [origin.chat_id_alt]))


def _holds(channels: Set[str], places: Set[str]) -> bool:
    return "*" in channels or not channels.isdisjoint(places)
