"""Home channels: where on each platform goes what has no other place to go.

    <P>_HOME_CHANNEL, _NAME, _THREAD_ID  >  platforms.<p>.home_channel {chat_id, thread_id, name}

A variable replaces the whole of what the file says, for a thread belongs to its chat. /sethome wins over both
(``hermes.delivery.router``). Ids are read letter by letter.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hermes.config.access import Problem
from hermes.config.blocks import platform_blocks
from hermes.config.dotenv import place_of
from hermes.config.written import Written
from hermes.types.origin import DEFAULT_ACCOUNT


@dataclass(frozen=True, slots=True)
class HomeChannel:
    """A chat, or a thread of it, and what its people call it."""

    chat_id: str
    thread_id: str | None = None
    name: str = ""


Homes = Mapping[tuple[str, str], HomeChannel]
"""(platform, account) → its home channel."""

_VARIABLE = re.compile(r"([A-Z][A-Z0-9_]*?)_HOME_CHANNEL")
_OWN_VARIABLES = {"MATRIX_HOME_ROOM": "matrix", "EMAIL_HOME_ADDRESS": "email", "QQ_HOME_CHANNEL": "qqbot"}
"""Where the original does not keep to ``<P>_HOME_CHANNEL``."""

_KEYS = ("chat_id", "thread_id", "name", "platform")


def read_homes(root: Written, environ: Mapping[str, str]) -> tuple[Homes, list[Problem]]:
    """What the file and the environment say about home channels, and what is wrong with it."""
    homes: dict[tuple[str, str], HomeChannel] = {}
    problems: list[Problem] = []
    for name, account, part in accounts_in(root):
        try:
            home = _home(part["home_channel"])
        except ValueError as wrong:
            problems.append(Problem(part["home_channel"].place, str(wrong)))
        else:
            if home is not None:
                homes[name, account] = home
    for variable, platform in _variables(environ):
        chat_id, thread_id, label = (
            environ.get(variable + end, "").strip() for end in ("", "_THREAD_ID", "_NAME")
        )
        if (chat_id + thread_id).isprintable():
            homes[platform, DEFAULT_ACCOUNT] = HomeChannel(chat_id, thread_id or None, label)
        else:
            problems.append(Problem(place_of(environ, variable), "it holds something invisible"))
    return homes, problems


def accounts_in(root: Written) -> Iterator[tuple[str, str, Written]]:
    """(platform, account, block) of every block that may say something of an account; the last one to say it wins."""
    for name, block in platform_blocks(root):
        yield from ((name, account, part) for account, part in _accounts(block))


def home_variable(platform: str) -> str:
    """The variable that names the home channel of ``platform``."""
    own = {name: variable for variable, name in _OWN_VARIABLES.items()}
    return own.get(platform, f"{platform.upper()}_HOME_CHANNEL")


def written_home(platform: str, home: HomeChannel) -> dict[str, str | None]:
    """The variables that say that this is the home of the platform's default account; None for one that is to go."""
    name, label = home_variable(platform), home.name.strip()
    return {
        name: home.chat_id,
        f"{name}_THREAD_ID": home.thread_id,
        f"{name}_NAME": label if label.isprintable() and label else None,
    }


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Those that are set, with their platforms; the last of one platform wins."""
    set_ones = {name for name, value in environ.items() if value.strip()}
    yield from ((name, platform) for name, platform in _OWN_VARIABLES.items() if name in set_ones)
    for name in sorted(set_ones - _OWN_VARIABLES.keys()):
        if found := _VARIABLE.fullmatch(name):
            yield name, found[1].lower()


def _accounts(block: Written) -> Iterator[tuple[str, Written]]:
    yield DEFAULT_ACCOUNT, block["extra"]
    yield DEFAULT_ACCOUNT, block
    for accounts in (block["extra"]["accounts"], block["accounts"]):
        for account in accounts.entries:
            yield account.key[-1], account


def _home(block: Written) -> HomeChannel | None:
    """None if nothing stands there. A plain value is the chat's id. Raises ``ValueError`` in words."""
    if block.node is None:
        return None
    parts = {part.key[-1]: part for part in block.entries}
    if not parts:
        return HomeChannel(_one(block))
    if unknown := parts.keys() - set(_KEYS):
        raise ValueError(f"unknown key {min(unknown)}; it may hold chat_id, thread_id and name")
    if "chat_id" not in parts:
        raise ValueError("chat_id is missing")
    return HomeChannel(
        _one(parts["chat_id"]),
        _one(parts["thread_id"]) if "thread_id" in parts else None,
        _one(parts["name"]) if "name" in parts else "",
    )


def _one(part: Written) -> str:
    texts = part.texts()
    if len(texts) != 1 or not (text := texts[0].strip()) or not text.isprintable():
        raise ValueError(f"{part.key[-1]} is one id or name, with nothing invisible in it")
    return text
