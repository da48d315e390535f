"""The keys of a platform's block that say who may speak: how each is written and what it means.

The names are the original's, and so are the variables; ``allow_all_users`` and ``allow_bots`` are variables only there.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Key:
    """How a key is read (raising ``ValueError`` in words), what it means, its variable without ``<P>_``, its other names."""

    read: Callable[[Sequence[str]], Any]
    meaning: str
    variable: str | None = None
    also: tuple[str, ...] = ()


def _one(texts: Sequence[str]) -> str:
    if len(texts) != 1:
        raise ValueError("one value, not a list")
    return texts[0].strip().casefold()


def flag(texts: Sequence[str]) -> bool:
    """True or false, as people write it. Raises ``ValueError`` in words."""
    word = _one(texts)
    if word not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
        raise ValueError(f"true or false, not {texts[0]!r:.80}")
    return word in ("true", "1", "yes", "on")


def _choice(*words: str) -> Callable[[Sequence[str]], str]:
    def read(texts: Sequence[str]) -> str:
        if _one(texts) not in words:
            raise ValueError(f"one of {', '.join(words)}, not {texts[0]!r:.80}")
        return _one(texts)

    return read


def _ids(texts: Sequence[str]) -> frozenset[str]:
    ids = frozenset(filter(None, (part.strip() for text in texts for part in text.split(","))))
    for part in ids:
        if any(mark.isspace() or unicodedata.category(mark) in ("Cc", "Cf") for mark in part):
            raise ValueError(
                f"{part!r:.80} is no id: ids have no white space and nothing invisible; names do not count"
            )
    return ids


def _patterns(texts: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    """In a variable one stands on a line."""
    found = []
    for text in filter(None, (line.strip() for part in texts for line in part.splitlines())):
        try:
            found.append(re.compile(text, re.IGNORECASE))
        except (re.error, OverflowError, RecursionError) as wrong:
            raise ValueError(f"{text!r:.80} is no regular expression: {wrong}") from wrong
    return tuple(found)


def _commands(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(name.removeprefix("/").casefold() for name in _ids(texts))


KEYS: Mapping[str, Key] = {
    "allow_from": Key(_ids, "Who may speak. `*` is everybody, and needs allow_all_users.", "ALLOWED_USERS"),
    "allow_all_users": Key(flag, "Everybody who finds the bot may speak.", "ALLOW_ALL_USERS"),
    "group_allow_from": Key(_ids, "Who may speak in groups only.", "GROUP_ALLOWED_USERS"),
    "group_allowed_chats": Key(_ids, "Groups in which every member may speak.", "GROUP_ALLOWED_CHATS"),
    "allowed_roles": Key(_ids, "Roles of the platform (Discord) whose holders may speak.", "ALLOWED_ROLES"),
    "allow_bots": Key(
        _choice("none", "mentions", "all"),
        "Other bots: none; those that mention us; or all. A stranger may speak through a bot that repeats what it hears.",
        "ALLOW_BOTS",
    ),
    "dm_policy": Key(
        _choice("open", "allowlist", "pairing", "disabled"),
        "Direct messages: open (needs allow_all_users), only those listed or paired, or nobody. pairing: like allowlist, "
        "and strangers may ask for a code.",
        "DM_POLICY",
    ),
    "group_policy": Key(_choice("open", "allowlist", "disabled"), "The same for groups.", "GROUP_POLICY"),
    "unauthorized_dm_behavior": Key(
        _choice("pair", "ignore"),
        "What a stranger's direct message gets: a pairing code, or nothing. Unset: a code only if nobody is listed, and "
        "never by e-mail.",
    ),
    "allow_admin_from": Key(
        _ids,
        "Who may use every command in direct messages; the others keep user_allowed_commands. Unset: everybody may.",
    ),
    "user_allowed_commands": Key(_commands, "Commands for everybody, besides /help, /whoami and /status."),
    "group_allow_admin_from": Key(_ids, "The same as allow_admin_from, for groups."),
    "group_user_allowed_commands": Key(_commands, "The same as user_allowed_commands, for groups."),
    "require_mention": Key(
        flag,
        "In groups we answer only what mentions us, answers us, or stands in a thread of ours. Unset: true.",
        "REQUIRE_MENTION",
    ),
    "free_response_channels": Key(
        _ids, "Groups that need no mention.", "FREE_RESPONSE_CHANNELS", ("free_response_chats",)
    ),
    "allowed_channels": Key(
        _ids, "The only groups in which we answer.", "ALLOWED_CHANNELS", ("allowed_chats",)
    ),
    "allowed_topics": Key(
        _ids,
        "The only topics (threads) of groups in which we answer: `TOPIC` or `CHAT:TOPIC`. 1 is what stands in none.",
        "ALLOWED_TOPICS",
    ),
    "mention_patterns": Key(
        _patterns,
        "Regular expressions: a message in which one is found mentions us. Case does not count.",
        "MENTION_PATTERNS",
    ),
}

BY_NAME = {name: main for main, key in KEYS.items() for name in (main, *key.also)}
"""Every name a key goes by → its main name."""

BY_VARIABLE = {key.variable: main for main, key in KEYS.items() if key.variable} | {
    name.upper(): main for main, key in KEYS.items() for name in key.also
}
"""Every variable without ``<P>_`` → the main name of its key."""
