"""What the author of an adapter tells the suite: how to make one, how to move its platform, and what to expect.

say, repeat, garble … ──▶ platform ──▶ adapter ──▶ inbox            the suite looks at both ends
read, drafts, calls … ◀── platform ◀── adapter ◀── send, edit …
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

from hermes.types.content import Capabilities, MediaKind
from hermes.types.errors import Scope, SendPhase, Severity
from hermes.types.events import EventKind
from hermes.types.origin import DEFAULT_ACCOUNT
from hermes.types.ports import Adapter

Fault = Literal[
    "dns",
    "refused",
    "reset",
    "dropped",
    "mute",
    "half_open",
    "server_error",
    "page",
    "limited",
    "conflict",
    "doubted",
    "revoked",
]
"""What goes wrong with receiving, from then on until ``heal``.

    dns        the server's name leads nowhere            server_error  5xx
    refused    nothing listens                            page          a page of a proxy instead of an answer
    reset      every connection is cut off                limited       too many requests; wait so long
    dropped    every connection is closed unanswered      conflict      somebody else receives for this account
    mute       connections are taken, nothing is read     doubted       the credentials are refused, once
    half_open  all but the receiving itself is answered   revoked       the credentials are refused, for good
"""

SendFault = Literal[
    "refused", "reset_before", "reset_after", "dropped", "server_error", "page", "chat_limited", "bot_limited", "format",
    "forbidden", "chat_gone", "too_long", "revoked",
]  # fmt: skip
"""What goes wrong with the next send; ``reset_after``: it arrives, and nobody says so."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How ``connect`` ends for a fault: a ``GatewayError`` with this code and severity, and at least this ``retry_after``.

    ``attempts``: how often it may call one thing before it gives up, a probe included. ``moments``: when the fault can strike.
    """

    code: str
    severity: Severity = "transient"
    retry_after: float | None = None
    attempts: int = 1
    moments: frozenset[Literal["connecting", "connected"]] = frozenset({"connecting", "connected"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """How ``send`` ends for a fault: a ``SendError`` like this. ``arrives``: people see the message all the same."""

    code: str
    phase: SendPhase
    scope: Scope = "message"
    severity: Severity = "transient"
    retry_after: float | None = None
    arrives: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of ours as people see it by now; ``files`` are the bytes of its files."""

    message_id: str
    text: str
    reply_to: str | None = None
    thread_id: str | None = None
    files: tuple[bytes, ...] = ()
    reactions: tuple[str, ...] = ()


class Subject(ABC):
    """An adapter under test with its platform, for one test. What is not overridden is not there, and not tested.

    ``adapter``: what ``make`` makes; ``capabilities`` are those of its class, unless said.
    ``receive_deadline_s``: the adapter's own (``ports.Receives``), and a peer that falls silent is noticed within it; None for a
    platform that comes to us (a webhook, a socket that people open) and whose silence means nothing. Make it short here, a second
    or less: time is real.
    ``patience_s``: what must happen does so within; ``settle_s``: what must not happen has not happened after; ``slack_s``: how
    much later than a deadline is still in time on a machine with other work. ``beats``: how many receives without a word make a
    silent day. ``kinds``: the events its platform has. ``answers_only``: nobody sees anything but the answer to what they have
    said, so something is said before each message.
    """

    adapter: ClassVar[type[Adapter]]
    account = DEFAULT_ACCOUNT
    chat = "1"
    thread_id: str | None = None
    receive_deadline_s: float | None = None
    patience_s = 10.0
    settle_s = 0.05
    slack_s = 2.0
    beats = 20
    kinds: frozenset[EventKind] = frozenset({"message"})
    answers_only = False
    faults: ClassVar[Mapping[Fault, Verdict]] = {}
    send_faults: ClassVar[Mapping[SendFault, Refusal]] = {}

    @classmethod
    def capabilities(cls) -> Capabilities:
        """What its adapters say they can do."""
        return cls.adapter.capabilities

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The platform is up while the test runs."""
        yield

    @abstractmethod
    def make(self) -> Adapter:
        """A new adapter for one life of the account, as its factory makes it."""

    @abstractmethod
    async def say(self, text: str) -> None:
        """A person writes in ``chat``; also while no adapter is connected, if the platform keeps it."""

    @abstractmethod
    def read(self) -> Sequence[Shown]:
        """Our messages in ``chat``, oldest first."""

    def message_id(self) -> str:
        """The platform's name for what was said last."""
        return ""

    async def connected(self) -> None:
        """A life has begun: do what people do then, such as open the page."""

    # --- receiving ---------------------------------------------------------------------------------------------------------

    async def happen(self, kind: EventKind) -> Mapping[str, object]:
        """An event of ``kind`` comes about; what the fields of its ``InboundEvent`` must be, those that can be said."""
        await self.say("hello")
        return {"kind": kind, "text": "hello"}

    async def garble(self) -> None:
        """The platform delivers an event that no adapter can read."""

    async def repeat(self) -> None:
        """The platform delivers its last event once more."""

    def unacknowledged(self) -> int:
        """Events that the platform would deliver again if the adapter died now."""
        return 0

    async def send_file(self, body: bytes) -> None:
        """A person sends a file."""

    # --- what goes wrong ---------------------------------------------------------------------------------------------------

    async def break_receiving(self, fault: Fault) -> None:
        """Have one of ``faults`` strike, at once."""

    async def break_sending(self, fault: SendFault) -> None:
        """Have one of ``send_faults`` strike the next send."""

    async def heal(self) -> None:
        """Nothing is broken any more."""

    # --- what the platform sees --------------------------------------------------------------------------------------------

    def calls(self) -> Sequence[str]:
        """What adapters have called so far, by name, oldest first; without what is told beside, such as a list of commands."""
        return ()

    def connections(self) -> int:
        """How many connections are open."""
        return 0

    def connections_ever(self) -> int:
        """How many have ever been opened."""
        return 0

    def receivers(self) -> int:
        """The most that have ever received for this account at once, where a platform allows one."""
        return 0

    def drafts(self) -> Sequence[str]:
        """The drafts that were shown, as their texts."""
        return ()

    def typed(self) -> int:
        """How often typing was shown."""
        return 0

    def media(self, kind: MediaKind) -> tuple[str, bytes]:
        """A file name and small contents that pass for ``kind``."""
        return _SAMPLES[kind]


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
"""A picture of one pixel."""

_SAMPLES: Mapping[MediaKind, tuple[str, bytes]] = {
    "image": ("dot.png", PNG),
    "voice": ("note.ogg", b"OggS" + bytes(60)),
    "audio": ("song.mp3", b"ID3\x04" + bytes(60)),
    "video": ("film.mp4", b"\0\0\0\x18ftypmp42" + bytes(60)),
    "document": ("notes.txt", b"some notes\n"),
}
