"""Which deliveries an order makes: a plan, for the shell to carry out (``actors.ports.router``; offline, ``hermes send``).

    order, targets ─▶ plan ─┬─ Post(place) ─▶ outbound ─▶ the outbox, and its lane
                            ├─ File         ─▶ a page below <home>/cron/output
                            ├─ Skipped      the same chat is written to already, or is dead; or there is nothing to say
                            └─ Refused      in words; the others go on

Where home is, the first that says so: /sethome in the chat · ``<P>_HOME_CHANNEL`` · ``platforms.<p>.home_channel``.
``home`` is the one set last by /sethome, else the first by the platform's name. ``all`` is each of them.

A long text is cut into parts by its lane, all of them arrive. Only for a platform that does not split
(``Capabilities.splits``) it is shortened (``hermes.ops.outputs``), to ``CAP`` characters or the platform's own limit, and the
whole is kept in a file.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, assert_never

from hermes.config.homes import Homes
from hermes.delivery import dead_targets
from hermes.delivery.directory import Aliases, Directory, NotFound, find
from hermes.delivery.silence import is_silence
from hermes.delivery.targets import (
    ID_SHAPES,
    BadTarget,
    Local,
    Place,
    Target,
    ToAll,
    ToChat,
    ToHome,
    ToName,
    ToOrigin,
    ToPlatform,
    edge,
    parse,
    pieces,
)
from hermes.types.content import Capabilities, Outbound
from hermes.types.ids import DeliveryId, TraceId

CAP = 4_000
MISC = "misc"
STAMP = "%Y%m%d_%H%M%S"
SILENCE = "silence"
"""What the result of a target says if the whole text only told that there is nothing to say."""

_JOB_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of where messages can go. ``accounts`` are the configured ones; ``homes`` in their order; ``dead`` chats
    as (platform, account, chat_id).
    """

    platforms: Mapping[str, Capabilities]
    accounts: frozenset[tuple[str, str]]
    homes: Sequence[Place] = ()
    directory: Directory = field(default_factory=dict)
    aliases: Aliases = field(default_factory=dict)
    dead: frozenset[tuple[str, str, str]] = frozenset()

    @property
    def shapes(self) -> Mapping[str, str]:
        """The look of every platform's ids; of those that run here, as they say themselves."""
        own = {name: one.chat_ids for name, one in self.platforms.items()}
        return {
            **ID_SHAPES,
            **{name: shape for name, shape in own.items() if shape or name not in ID_SHAPES},
        }


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be said. The same ``name`` for the same chat is one delivery, however often it is ordered.

    ``at`` and ``expires_at`` are epoch seconds. ``mirror`` is the role of the line that the chat's conversation keeps.
    ``by_person``: these are a person's own words, and sent even if an agent would say nothing by them.
    """

    name: str
    content: str
    at: float
    expires_at: float | None = None
    job_id: str | None = None
    job_name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    mirror: Literal["assistant", "user"] | None = None
    user_id: str | None = None
    trace: TraceId = TraceId("")
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """To be put into the outbox for ``place``."""

    target: str
    place: Place
    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class File:
    """To be written down, for nobody in particular."""

    target: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not to be delivered, and nobody's fault: the same place twice, a dead chat (``dead_target``), or ``silence``."""

    target: str
    words: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not to be delivered, and why."""

    target: str
    words: str


Step = Post | File | Skipped | Refused


def plan(
    targets: str | Sequence[str], order: Order, known: Known, *, origin: Place | None = None
) -> tuple[Step, ...]:
    """One step for each target, in order; ``home`` and ``all`` as the places they stand for. Never empty."""
    listed = (targets,) if isinstance(targets, str) else targets
    steps: list[Step] = []
    taken: dict[Place | None, str] = {}
    for text in (piece for one in listed for piece in pieces(one)):
        for step in _steps(text, order, known, origin):
            if isinstance(step, Post | File):
                place = step.place if isinstance(step, Post) else None
                if place in taken:
                    steps.append(Skipped(step.target, f"the same place as {taken[place]}"))
                    continue
                taken[place] = step.target
            steps.append(step)
    left = (_left_out(step, order, known) or step for step in steps)
    return tuple(left) or (Refused("", "no target is given"),)


def _left_out(step: Step, order: Order, known: Known) -> Skipped | None:
    """A file is written whatever it says; it bothers nobody."""
    if not isinstance(step, Post):
        return None
    if not order.by_person and is_silence(order.content):
        return Skipped(step.target, SILENCE)
    if (step.place.platform, step.place.account, step.place.chat_id) in known.dead:
        return Skipped(step.target, dead_targets.SKIPPED)
    return None


def homes_in_order(set_in_chat: Sequence[Place], written: Homes) -> tuple[Place, ...]:
    """One home for each account: those set in chat, in the order given, then those of the settings by name."""
    homes = {(place.platform, place.account): place for place in reversed(set_in_chat)}
    chosen = [place for place in set_in_chat if homes[place.platform, place.account] is place]
    rest = sorted(written.keys() - homes.keys())
    return (*chosen, *(Place(*key, written[key].chat_id, written[key].thread_id) for key in rest))


def outbound(order: Order, place: Place, text: str) -> Outbound:
    """The message for one place. The target's thread goes into the metadata, unless the order names another there."""
    metadata = dict(order.metadata)
    if place.thread_id is not None:
        metadata.setdefault("thread_id", place.thread_id)
    return Outbound(
        delivery_id=delivery_id(order.name, place),
        platform=place.platform,
        account=place.account,
        chat_id=place.chat_id,
        text=text,
        kind="notice",
        thread_id=metadata.get("thread_id"),
        trace=order.trace,
        expires_at=order.expires_at,
        metadata=metadata,
    )


def delivery_id(name: str, place: Place) -> DeliveryId:
    """The delivery of order ``name`` at ``place``: the same in every boot."""
    digest = hashlib.sha256(repr(place).encode(errors="surrogatepass")).hexdigest()
    return DeliveryId(f"{name}:{digest[:12]}")


def page(order: Order) -> str:
    """The order as a file for people."""
    facts = {"Timestamp": f"{datetime.fromtimestamp(order.at):%Y-%m-%d %H:%M:%S}"}
    if order.job_id:
        facts["Job ID"] = order.job_id
    lines = [f"**{_line(key)}:** {_line(value)}" for key, value in (facts | dict(order.metadata)).items()]
    title = _line(order.job_name or order.job_id or "Message")
    return "\n".join([f"# {title}", "", *lines, "", "---", "", order.content, ""])


def stamp(order: Order) -> str:
    """Its time as it stands in names of files: local, as people look for it."""
    return f"{datetime.fromtimestamp(order.at):{STAMP}}"


def _line(text: str) -> str:
    return " ".join(text.split())


# --- one target -----------------------------------------------------------------------------------------------------------


def _steps(text: str, order: Order, known: Known, origin: Place | None) -> Iterator[Step]:
    try:
        _check(order)
        target = parse(text, known.shapes, origin=origin)
        if isinstance(target, Local):
            yield File(str(target))
            return
        places = _places(target, known)
        for place in places:
            name = str(place) if isinstance(target, ToAll | ToHome) else str(target)
            try:
                yield Post(name, place, _capabilities(place, known))
            except BadTarget as wrong:
                yield Refused(name, wrong.failure.detail)
    except BadTarget as wrong:
        yield Refused(text, wrong.failure.detail)


def _places(target: Target, known: Known) -> Sequence[Place]:
    usable = [home for home in known.homes if (home.platform, home.account) in known.accounts]
    match target:
        case ToOrigin(place) | ToChat(place):
            return [place]
        case ToHome():
            return _homes(usable[:1])
        case ToAll():
            return _homes(usable)
        case ToPlatform(platform, account):
            found = [home for home in known.homes if (home.platform, home.account) == (platform, account)]
            if not found:
                variable = f" or set {platform.upper()}_HOME_CHANNEL" if str(target) == platform else ""
                raise BadTarget(
                    f"{target} has no home channel: write /sethome in one of its chats{variable}, or name a chat"
                )
            return found[:1]
        case ToName(platform, account, name):
            listed = edge(platform, account)
            try:
                chat = find(known.directory.get(listed, ()), name, known.aliases.get(listed, {}))
            except NotFound as wrong:
                raise BadTarget(f"{target}: {wrong}") from wrong
            return [Place(platform, account, chat.chat_id, chat.thread_id)]
        case Local():
            return []
        case _:
            assert_never(target)


def _homes(found: Sequence[Place]) -> Sequence[Place]:
    if not found:
        raise BadTarget("no home channel is known: write /sethome in the chat that is to be home")
    return found


def _capabilities(place: Place, known: Known) -> Capabilities:
    if place.platform not in known.platforms:
        there = ", ".join(sorted(known.platforms))
        raise BadTarget(f"{place.platform} is not configured here; there is {there or 'nothing'}")
    if (place.platform, place.account) not in known.accounts:
        own = ", ".join(sorted(account for platform, account in known.accounts if platform == place.platform))
        raise BadTarget(f"{place.platform} has no account {place.account}; it has {own}")
    return known.platforms[place.platform]


def _check(order: Order) -> None:
    if not order.content.strip():
        raise BadTarget("there is nothing to send: the text is empty")
    if "\0" in order.content:
        raise BadTarget("the text holds a NUL, which no platform takes")
    if order.job_id is not None and not _JOB_ID.fullmatch(order.job_id):
        raise BadTarget(f"{order.job_id!r:.80} is no job's id: letters, digits, _ - and . after the first")
