"""Where a message is to go, as people write it: ``parse`` and ``str`` are inverses.

    origin | local | home | all | platform[@account] | platform[@account]:chat[:thread] | platform[@account]:name

Several stand in one text with commas between them. A platform's name is read in any case, ids are kept letter by letter.

What stands after the platform is an id if it looks like one there, and then the rest is a thread; else it is a name, to be
looked up. On platforms whose ids have no look of their own, everything is an id that does not begin with ``#`` or ``@``.
The original cut at every colon, tore ids apart that hold one (Matrix, Signal, Teams), and took a typo for ``local``.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from hermes.types.errors import Failure, GatewayError
from hermes.types.origin import DEFAULT_ACCOUNT, Origin

BAD_TARGET = "bad_target"
MOST_CHARACTERS = 512
NEAR_ENOUGH = 0.6

ID_SHAPES: Mapping[str, str] = {
    "api_server": "",
    "bluebubbles": "",
    "console": "",
    "dingtalk": "",
    "discord": r"\d+",
    "email": r"[^@\s:]+@[^@\s:]+",
    "feishu": r"o[a-z]_[A-Za-z0-9]+",
    "google_chat": r"spaces/[^:\s]+",
    "homeassistant": "",
    "irc": r"[^\s:]+",
    "line": r"[UCR][0-9a-f]{32}",
    "matrix": r"[!@][^:$]+(?::[^:$]+(?::\d{1,5})?)?",
    "mattermost": r"[a-z0-9]{26}",
    "ntfy": "",
    "qqbot": "",
    "signal": r"\+\d{5,15}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|group:[A-Za-z0-9+/=_-]+",
    "simplex": r"[a-z]+:[^:]+|\d+",
    "slack": r"[CDGUW][A-Z0-9]{5,}",
    "sms": r"\+?\d{3,15}",
    "teams": r"(?:\d+|a):[^:]+",
    "telegram": r"-?\d+|@[A-Za-z]\w{3,}",
    "webchat": "",
    "webhook": "",
    "wecom": "",
    "weixin": "",
    "whatsapp": r"[\d-]+(?::\d+)?@[a-z.]+|\+?\d{5,20}",
    "whatsapp_cloud": r"\+?\d{5,20}",
    "yuanbao": r"[a-z]+:[^:]+|\d+",
}
"""How the ids of each platform look, as a regular expression; empty: like anything. A platform that we do not know brings
its own in ``Capabilities.chat_ids``.
"""

THREADS: Mapping[str, str] = {"matrix": r"\$.+"}
"""Threads that can be told from a chat's id only by their look; elsewhere a thread may be anything."""

_PLATFORM = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ACCOUNT = re.compile(r"[^\s:@,]{1,64}")
_SIGILS = ("#", "@")


class BadTarget(GatewayError):
    """It names nothing that can be written to; the words say why, and what may have been meant."""

    def __init__(self, words: str) -> None:
        super().__init__(Failure(BAD_TARGET, detail=words))


@dataclass(frozen=True, slots=True)
class Place:
    """A chat, or a thread of it, on an account of a platform."""

    platform: str
    account: str
    chat_id: str
    thread_id: str | None = None

    def __str__(self) -> str:
        thread = "" if self.thread_id is None else f":{self.thread_id}"
        return f"{edge(self.platform, self.account)}:{self.chat_id}{thread}"


@dataclass(frozen=True, slots=True)
class Local:
    """A file below the home; nobody is written to."""

    def __str__(self) -> str:
        return "local"


@dataclass(frozen=True, slots=True)
class ToOrigin:
    """Back to where the request came from."""

    place: Place

    def __str__(self) -> str:
        return "origin"


@dataclass(frozen=True, slots=True)
class ToHome:
    """The home channel of the first platform that has one."""

    def __str__(self) -> str:
        return "home"


@dataclass(frozen=True, slots=True)
class ToAll:
    """Every home channel."""

    def __str__(self) -> str:
        return "all"


@dataclass(frozen=True, slots=True)
class ToPlatform:
    """The home channel of one account."""

    platform: str
    account: str = DEFAULT_ACCOUNT

    def __str__(self) -> str:
        return edge(self.platform, self.account)


@dataclass(frozen=True, slots=True)
class ToChat:
    """One chat by its id."""

    place: Place

    def __str__(self) -> str:
        return str(self.place)


@dataclass(frozen=True, slots=True)
class ToName:
    """One chat by its name, as written, to be looked up in the channel directory."""

    platform: str
    account: str
    name: str

    def __str__(self) -> str:
        return f"{edge(self.platform, self.account)}:{self.name}"


Target = Local | ToOrigin | ToHome | ToAll | ToPlatform | ToChat | ToName

_WORDS: Mapping[str, Target] = {"local": Local(), "home": ToHome(), "all": ToAll()}


def place_of(origin: Origin) -> Place:
    """Where an answer to a message from ``origin`` goes."""
    return Place(origin.platform, origin.account, origin.chat_id, origin.thread_id)


def pieces(text: str) -> Iterator[str]:
    """The targets that ``text`` lists, each stripped; empty ones too, for ``parse`` to refuse."""
    return (piece.strip() for piece in text.split(","))


def parse(text: str, shapes: Mapping[str, str] = ID_SHAPES, *, origin: Place | None = None) -> Target:
    """The one target that ``text`` names. ``shapes``: the platforms there are, with the look of their ids.

    ``str`` of the result is ``text`` in its one form, and parses to the same. Raises ``BadTarget``.
    """
    text = text.strip()
    _check(text)
    head, colon, rest = text.partition(":")
    word = head.strip().casefold()
    if not colon and (target := _WORDS.get(word)):
        return target
    if not colon and word == "origin":
        if origin is None:
            raise BadTarget("origin: this was asked for in no chat, so there is none to go back to")
        return ToOrigin(origin)
    platform, account = _platform(head, shapes)
    if not colon:
        return ToPlatform(platform, account)
    rest = rest.strip()
    if not rest:
        raise BadTarget(f"{text} names no chat; {head} alone is its home channel")
    chat_id, thread_id = _split(platform, rest, shapes[platform])
    if chat_id is None:
        return ToName(platform, account, rest)
    if not chat_id or thread_id == "":
        raise BadTarget(f"{text} ends in nothing: write {head}:chat or {head}:chat:thread")
    return ToChat(Place(platform, account, chat_id, thread_id))


def _split(platform: str, rest: str, shape: str) -> tuple[str | None, str | None]:
    """Chat and thread of an id; (None, None) if it is none."""
    if shape:
        thread = THREADS.get(platform, r".*")
        found = re.fullmatch(rf"(?P<chat>{shape})(?:\s*:\s*(?P<thread>{thread}))?", rest, re.DOTALL)
        return (found["chat"], found["thread"]) if found else (None, None)
    if rest.startswith(_SIGILS):
        return None, None
    chat_id, colon, thread = rest.partition(":")
    return chat_id.rstrip(), thread.lstrip() if colon else None


def _platform(head: str, shapes: Mapping[str, str]) -> tuple[str, str]:
    name, at, account = head.strip().partition("@")
    platform = name.strip().lower().replace("-", "_")
    if not name:
        raise BadTarget(f"{head or ':'} names no platform: write platform:chat, such as telegram:12345")
    if platform not in shapes or not _PLATFORM.fullmatch(platform):
        _unknown(name, shapes)
    if at and not _ACCOUNT.fullmatch(account):
        raise BadTarget(f"{head}: {account!r} is no account's name")
    return platform, account or DEFAULT_ACCOUNT


def _unknown(name: str, shapes: Mapping[str, str]) -> NoReturn:
    if name.startswith("#"):
        raise BadTarget(f"{name} needs its platform before it: platform:{name}")
    near = get_close_matches(name.lower(), [*shapes, *_WORDS, "origin"], 3, NEAR_ENOUGH)
    meant = (
        f"; did you mean {' or '.join(near)}?" if near else "; targets are local, home, all or platform:chat"
    )
    raise BadTarget(f"there is no platform {name}{meant}")


def _check(text: str) -> None:
    if not text:
        raise BadTarget("a target is missing: write platform:chat, platform, home, all or local")
    if len(text) > MOST_CHARACTERS:
        raise BadTarget(f"a target is {MOST_CHARACTERS} characters long at most")
    if "," in text:
        raise BadTarget(f"{text!r:.80} is more than one target")
    if any(unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Zl", "Zp") for mark in text):
        raise BadTarget(f"{text!r:.80} holds something invisible")


def edge(platform: str, account: str) -> str:
    """An account as a target names it."""
    return platform if account == DEFAULT_ACCOUNT else f"{platform}@{account}"
