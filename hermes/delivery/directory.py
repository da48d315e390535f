"""The channel directory: which chats there are, by name; and how a name is looked up.

    adapters' lists ─┐
    known sessions ──┼─▶ directory ─▶ channel_directory.json        channel_aliases.json ─▶ names a person has given
    the last file ───┘        └──────────────────── find(name) ◀──────────────┘

Its keys are platforms as targets name them (``telegram``, ``telegram@work``). The file has the original's shape, which has
no other way to say that an entry is a thread than an id of ``chat:thread``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hermes.types.channels import Channel

Directory = Mapping[str, Sequence[Channel]]
Aliases = Mapping[str, Mapping[str, str]]
"""Platform → id → the name that a person has given it."""

MOST_CHANNELS = 10_000
"""Of one platform; a bot may be in many chats."""

NAMED = 5
"""How many candidates an ambiguous name is answered with."""


class NotFound(LookupError):
    """No chat, or more than one, goes by that name; the words say which."""


def find(channels: Sequence[Channel], name: str, aliases: Mapping[str, str] = {}) -> Channel:
    """The one chat that ``name`` means: by its id, its name, ``Guild/name``, or the beginning of its name, in that order.

    The case of names does not count, nor ``#`` or ``@`` before them. Raises ``NotFound``: for none, and for several, which
    it names; a worse match is no way out of several good ones.
    """
    wanted = _plain(name)
    rules: tuple[Callable[[Channel], bool], ...] = (
        lambda one: one.listed_id == name,
        lambda one: wanted in _names(one, aliases),
        lambda one: (
            one.guild is not None and _plain(f"{one.guild}/{_plain(one.name)}") == wanted.replace("/#", "/")
        ),
        lambda one: any(known.startswith(wanted) for known in _names(one, aliases)),
    )
    for rule in rules if wanted else ():
        found = {one.listed_id: one for one in channels if rule(one)}
        if len(found) > 1:
            named = ", ".join(
                f"{label(one, aliases)} ({one.listed_id})" for one in list(found.values())[:NAMED]
            )
            more = ", …" if len(found) > NAMED else ""
            raise NotFound(f"{name} is the name of several chats: {named}{more}; write the id")
        if found:
            return next(iter(found.values()))
    raise NotFound(f"no chat is known by the name {name}; `hermes channels list` shows those that are")


def label(channel: Channel, aliases: Mapping[str, str]) -> str:
    """What a person calls it."""
    own = aliases.get(channel.listed_id) or channel.name
    return f"{channel.guild}/{own}" if channel.guild and channel.listed_id not in aliases else own


def merged(*sources: Iterable[Channel]) -> tuple[Channel, ...]:
    """The channels of all ``sources``, each once: the first one that lists a chat has its name, if it has one."""
    found: dict[str, Channel] = {}
    for channel in (channel for source in sources for channel in source):
        known = found.get(channel.listed_id)
        if (known is None and len(found) < MOST_CHANNELS) or (
            known is not None and not known.name and channel.name
        ):
            found[channel.listed_id] = channel
    return tuple(found.values())


def _names(channel: Channel, aliases: Mapping[str, str]) -> list[str]:
    return [_plain(one) for one in (aliases.get(channel.listed_id), channel.name) if one]


def _plain(name: str) -> str:
    return name.strip().lstrip("#@").strip().casefold()


# --- the files ------------------------------------------------------------------------------------------------------------


def document(directory: Directory, at: float) -> dict[str, Any]:
    """The directory as its file holds it; ``at`` in epoch seconds."""
    return {
        "updated_at": datetime.fromtimestamp(at, UTC).isoformat(),
        "platforms": {
            platform: [_entry(one) for one in channels] for platform, channels in directory.items()
        },
    }


def read_document(found: object) -> Directory:
    """What a file holds, leaving out entries that are none. Raises ``ValueError`` if it is no directory at all."""
    match found:
        case {"platforms": dict(platforms)}:
            return {
                str(platform): tuple(
                    channel for entry in entries[:MOST_CHANNELS] if (channel := _channel(entry)) is not None
                )
                for platform, entries in platforms.items()
                if isinstance(entries, list)
            }
        case _:
            raise ValueError('it holds no {"platforms": {…}}')


def read_aliases(found: object) -> Aliases:
    """The names that a person has given, leaving out what is none. Raises ``ValueError`` if the whole is no map."""
    if not isinstance(found, dict):
        raise ValueError('it holds no {"platform": {"chat id": "name"}}')
    return {
        str(platform).lower(): {
            str(chat): name.strip() for chat, name in names.items() if isinstance(name, str) and name.strip()
        }
        for platform, names in found.items()
        if isinstance(names, dict)
    }


def _entry(channel: Channel) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": channel.listed_id,
        "name": channel.name,
        "type": channel.type,
        "thread_id": channel.thread_id,
    }
    return entry if channel.guild is None else entry | {"guild": channel.guild}


def _channel(entry: object) -> Channel | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str | int):
        return None
    chat_id = str(entry["id"])
    name, kind, thread, guild = (entry.get(key) for key in ("name", "type", "thread_id", "guild"))
    thread_id = str(thread) if isinstance(thread, str | int) and str(thread) else None
    if thread_id is not None:
        chat_id = chat_id.removesuffix(f":{thread_id}")
    return Channel(
        chat_id,
        name if isinstance(name, str) else "",
        kind if isinstance(kind, str) else "",
        thread_id,
        guild if isinstance(guild, str) and guild else None,
    )
