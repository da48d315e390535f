"""Stand-ins for what is injected: clocks, ids, an agent and a platform. Deterministic; they record what
happens.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import trio

from hermes.types.agent import AgentIO, Delta, Failed, Final, Turn
from hermes.types.content import Capabilities, Draft, Part, SendResult
from hermes.types.errors import Failure, SendError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import DEFAULT_ACCOUNT, ChatType, Origin
from hermes.types.ports import Accepted, AdapterIO, Route, SocketRoute, TaskStatus

EPOCH_S = 1_772_618_400.0
"""Where fake time begins: 2026-03-04 10:00 UTC."""


EDITABLE = Capabilities(authenticated=True, streaming=("edit",))
"""What shows answers by edits."""


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, wall: float = EPOCH_S) -> None:
        self._wall = wall
        self._mono = 0.0

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def mono(self) -> float:
        """Seconds since this clock was made."""
        return self._mono

    def advance(self, seconds: float) -> None:
        """Let time pass, on the wall and on the monotonic clock."""
        self._wall += seconds
        self._mono += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock alone forward or back, as an operator or NTP would."""
        self._wall += seconds


class TrioClock:
    """A clock that follows Trio's, and so agrees with its deadlines under ``autojump_clock``."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        return EPOCH_S + trio.current_time()

    def mono(self) -> float:
        """Trio's own time."""
        return trio.current_time()


class FakeIds:
    """Names that look random and are the same for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose

    def token(self, size: int) -> str:
        """``size`` lower-case hex digits."""
        return f"{self._random.getrandbits(4 * size):0{size}x}"


# --- an agent that follows a script -----------------------------------------------------------------------


def echo(turn: Turn) -> str:
    """Every text of the turn, a line each."""
    return "\n".join(event.text for event in turn.events)


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer with what ``text`` makes of the turn, after ``delay_s``; "" is an agent that says nothing."""

    text: Callable[[Turn], str] = echo
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the turn with a failure, as an agent does that knows it cannot answer."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Crash:
    """Raise, as an agent with a bug does."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Hang:
    """Never return."""


Act = Reply | GiveUp | Crash | Hang

REPLY = Reply()


class FakeAgent:
    """Follows ``acts``, one for each run, then repeats ``otherwise``; ``turns`` records every run that began."""

    name = "fake"
    model = ""

    def __init__(self, *acts: Act, otherwise: Act = REPLY) -> None:
        self._acts = list(acts)
        self._otherwise = otherwise
        self.turns: list[Turn] = []

    async def run(self, turn: Turn, io: AgentIO) -> Final | Failed:
        """Do what the script says next."""
        self.turns.append(turn)
        act = self._acts.pop(0) if self._acts else self._otherwise
        match act:
            case Reply(text, delay_s):
                await trio.sleep(delay_s)
                answer = text(turn)
                await io.emit(Delta(answer))
                return Final(answer)
            case GiveUp(failure):
                await trio.lowlevel.checkpoint()
                return Failed(failure)
            case Crash(error):
                await trio.lowlevel.checkpoint()
                raise error
            case Hang():
                await trio.sleep_forever()
                raise AssertionError
            case _:
                assert_never(act)


# --- a platform that is a list ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A part as it arrived on the platform."""

    chat_id: str
    part: Part
    reply_to: str | None
    metadata: Mapping[str, str]


class FakeAdapter:
    """A platform without a wire: ``receive`` is a person writing, ``sent`` is what that person reads.

    ``failures`` are raised by the next sends, one each, None standing for a send that works; append to it at
    any time. A send that raises a ``SendError`` of phase ``unknown`` arrives all the same if
    ``unknown_arrives``. One instance serves one incarnation after the other, as the platform behind it would.
    """

    def __init__(
        self,
        platform: str = "fake",
        capabilities: Capabilities = Capabilities(authenticated=True),  # noqa: B008 - frozen
        *,
        account: str = DEFAULT_ACCOUNT,
        bot_id: str | None = None,
    ) -> None:
        self.platform = platform
        self.capabilities = capabilities
        self.account = account
        self.bot_id = bot_id
        self.sent: list[Sent] = []
        self.drafts: list[tuple[str, Draft]] = []
        self.typed: list[tuple[float, str, str | None, bool]] = []
        self.failures: list[Exception | None] = []
        self.unknown_arrives = True
        self.connects = 0
        self._io: AdapterIO | None = None
        self._up = trio.Event()
        self._death: Exception | None = None
        self._dying = trio.Event()
        self._received = 0

    def routes(self) -> Sequence[Route | SocketRoute]:
        """None."""
        return ()

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """Be ready at once and stay until cancelled or told to ``crash``."""
        self.connects += 1
        self._io, self._dying = io, trio.Event()
        if self.bot_id is not None:
            io.identify(self.bot_id, self.bot_id)
        self._up.set()
        task_status.started()
        try:
            await self._dying.wait()
        finally:
            self._io, self._up = None, trio.Event()
        assert self._death is not None  # noqa: S101 - set before the event
        raise self._death

    async def disconnect(self) -> None:
        """Nothing to say goodbye to."""
        await trio.lowlevel.checkpoint()

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """Record the part, or fail as the script says."""
        await trio.lowlevel.checkpoint()
        failure = self.failures.pop(0) if self.failures else None
        unknown = isinstance(failure, SendError) and failure.phase == "unknown"
        if failure is None or (unknown and self.unknown_arrives):
            self.sent.append(Sent(chat_id, part, reply_to, metadata))
        if failure is not None:
            raise failure
        return SendResult(f"m{len(self.sent)}")

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """Record it."""
        await trio.lowlevel.checkpoint()
        self.drafts.append((chat_id, draft))

    async def typing(self, chat_id: str, thread_id: str | None, on: bool) -> None:
        """Record it, with Trio's time."""
        await trio.lowlevel.checkpoint()
        self.typed.append((trio.current_time(), chat_id, thread_id, on))

    async def receive(
        self, text: str, chat_id: str = "1", *, event_id: str | None = None, chat_type: ChatType = "dm"
    ) -> Accepted:
        """Hand in a message as this platform would, once connected; returns when it is durable.

        ``event_id`` names it for the sake of a redelivery; new ones are counted up. In a group it mentions us.
        """
        self._received += 1
        name = event_id or f"e{self._received}"
        event = InboundEvent(
            event_id=name,
            origin=Origin(self.platform, chat_id, account=self.account, chat_type=chat_type, user_id="u1"),
            text=text,
            received_at=EPOCH_S + trio.current_time(),
            trace=TraceId(f"trace-{name}"),
            message_id=name,
            mentions_bot=chat_type != "dm",
        )
        return (await self.hand_in(event))[0]

    async def hand_in(self, *events: InboundEvent) -> Sequence[Accepted]:
        """Hand in ``events`` as they are, as one poll, once connected; returns when they are durable."""
        return await (await self.io()).accept(events)

    async def io(self) -> AdapterIO:
        """What the present incarnation was given, once connected."""
        while (io := self._io) is None:
            await self._up.wait()
        return io

    def crash(self, error: Exception) -> None:
        """Make the present ``connect`` raise ``error``."""
        self._death = error
        self._dying.set()

    @property
    def texts(self) -> list[str]:
        """The texts that arrived, in order."""
        return [sent.part.text for sent in self.sent]


class EditingAdapter(FakeAdapter):
    """A platform on which messages can be changed: ``page`` is what people see by now, in order.

    ``edit_failures`` are raised by the next edits as ``failures`` are by sends. With ``idempotent_send`` it drops a second copy
    of the same part.
    """

    def __init__(self, platform: str = "fake", capabilities: Capabilities = EDITABLE) -> None:
        super().__init__(platform, capabilities)
        self.page: dict[str, Sent] = {}
        self.edits: list[tuple[float, str, Part, bool]] = []
        self.edit_failures: list[Exception | None] = []
        self._names: dict[tuple[str, int], str] = {}

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """See ``FakeAdapter``."""
        key, before = (part.delivery_id, part.index), len(self.sent)
        if self.capabilities.idempotent_send and key in self._names:
            await trio.lowlevel.checkpoint()
            return SendResult(self._names[key])
        try:
            return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
        finally:
            if len(self.sent) > before:
                self._names[key] = f"m{len(self.sent)}"
                self.page[f"m{len(self.sent)}"] = self.sent[-1]

    async def edit(
        self, chat_id: str, message_id: str, part: Part, *, metadata: Mapping[str, str], final: bool
    ) -> None:
        """Change the page, or fail as the script says."""
        failure = self.edit_failures.pop(0) if self.edit_failures else None
        await trio.lowlevel.checkpoint()
        if failure is None and message_id not in self.page:
            failure = SendError(Failure("message_not_found", "needs_operator"), "not_sent")
        unknown = isinstance(failure, SendError) and failure.phase == "unknown"
        if failure is None or (unknown and self.unknown_arrives):
            self.edits.append((trio.current_time(), message_id, part, final))
            self.page[message_id] = replace(self.page[message_id], part=part)
        if failure is not None:
            raise failure

    def read(self, chat_id: str = "1") -> list[str]:
        """The texts that people see in a chat, in order."""
        return [sent.part.text for sent in self.page.values() if sent.chat_id == chat_id]


class DeletingAdapter(EditingAdapter):
    """... and can be taken back; ``deletes`` are the names of those that were."""

    def __init__(self, platform: str = "fake", capabilities: Capabilities = EDITABLE) -> None:
        super().__init__(platform, capabilities)
        self.deletes: list[str] = []

    async def delete(self, chat_id: str, message_id: str) -> None:
        """Take it off the page."""
        await trio.lowlevel.checkpoint()
        self.deletes.append(message_id)
        self.page.pop(message_id, None)
