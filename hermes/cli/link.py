"""The chat client's connection: comes back by itself, sends again what may be lost, tells what arrives.

say ─▶ Conversation ─▶ stream ─▶ gateway
tell(Event) ◀─ thread ◀─ stream ◀─
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, assert_never

from hermes.cli.conversation import Conversation
from hermes.cli.trouble import trouble
from hermes.net import clientlink
from hermes.ops.control.client import (
    NOT_RUNNING,
    ControlError,
    NotRunning,
    Stream,
    StreamClosed,
    open_stream,
)
from hermes.types.errors import UNREACHABLE, GatewayError

VERB = "console"
CLIENT = "hermes chat"
RETRY_S = 0.1
AWAY_S = 3.0
PING_S = 25.0
OPEN_TIMEOUT_S = 5.0
SETTLE_S = 2.0
LEAVE_S = 1.0

_REFUSED = 1008
LASTING = frozenset({"paused", "disabled"})
"""Why the console may not be talked to until somebody resumes it."""

_PASSING = frozenset({UNREACHABLE, NOT_RUNNING, "starting", "unavailable", "busy"}) | LASTING
"""Why a gateway may not be talked to just now; everything else stays as it is, however often one asks."""


@dataclass(frozen=True, slots=True)
class Up:
    """The first connection stands; ``history`` is the end of what was said before, oldest first."""

    history: tuple[clientlink.Item, ...]


@dataclass(frozen=True, slots=True)
class Away:
    """There has been no connection for a while, or is none for a reason of ``LASTING``; it is tried again until there is one."""

    reason: ControlError


@dataclass(frozen=True, slots=True)
class Held:
    """The gateway does not take what was said, and says why; it is taken as soon as it can be."""

    why: str


@dataclass(frozen=True, slots=True)
class Back:
    """The connection stands again."""


@dataclass(frozen=True, slots=True)
class Came:
    """A message of the agent that this client has not seen. ``ours``: the answer to what it waited for.

    Wants a ``Link.shown`` once it is on the screen.
    """

    item: clientlink.Item
    ours: bool


@dataclass(frozen=True, slots=True)
class Said:
    """The same user's message, from another terminal."""

    item: clientlink.Item


@dataclass(frozen=True, slots=True)
class Refused:
    """A message of ours will never be taken; the words are for the user."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Ended:
    """It makes no sense to try on."""

    reason: ControlError


LinkEvent = Up | Away | Held | Back | Came | Said | Refused | Ended


class Link:
    """One client. ``tell`` is called in the link's own thread, one event at a time; everything else from any thread.

    ``own``: a script, which hears the answers to its own messages and others only where nobody else would.
    ``patient``: a gateway that does not run yet is waited for; else it is an end, ``NotRunning``.
    ``history``: of how many earlier messages the first connection tells.
    """

    def __init__(
        self,
        home: Path,
        names: Mapping[str, Any],
        tell: Callable[[LinkEvent], None],
        *,
        own: bool = False,
        patient: bool = False,
        history: int = 0,
    ) -> None:
        self._home = home
        self._names = names
        self._tell = tell
        self._own = own
        self._patient = patient
        self._history = history
        self._books = Conversation(secrets.token_hex(8))
        self._changed = threading.Condition()
        self._stream: Stream | None = None
        self._closing = threading.Event()
        self._met = False
        self._lost_at: float | None = None
        self._away: str | None = None
        self._held = False
        self._unconfirmed: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="chat-link", daemon=True)

    def __enter__(self) -> "Link":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with self._changed:
            if self._stream is not None:
                self._stream.close()
        self._thread.join(LEAVE_S)

    @property
    def waiting(self) -> int:
        """How many messages have no answer yet."""
        with self._changed:
            return len(self._books.waiting)

    @property
    def unsafe(self) -> int:
        """How many messages the gateway has not taken yet."""
        with self._changed:
            return len(self._books.unaccepted)

    def say(self, text: str) -> str:
        """Send a message, now or when there is a connection; returns its id. ``text`` is within the limit and not blank."""
        with self._changed:
            frame = self._books.say(text)
            self._write(frame)
            return frame.id

    def shown(self, item: clientlink.Item) -> None:
        """``item`` is on the screen: the gateway gets its receipt."""
        with self._changed:
            self._write(clientlink.Ack(item.item_id))

    def settle(self) -> None:
        """Before leaving, wait a moment: for what was said last to be taken, and for what was found in the history to be sent
        as well, so that it gets its receipt.
        """
        with self._changed:
            self._changed.wait_for(lambda: not (self._unconfirmed or self._books.unaccepted), SETTLE_S)

    # --- the link's thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._connection()
            except ControlError as gone:
                if self._final(gone):
                    self._tell(Ended(gone))
                    return
                self._lost(gone)
            self._closing.wait(RETRY_S)

    def _final(self, gone: ControlError) -> bool:
        match gone:
            case StreamClosed(close_code=code):
                return code == _REFUSED
            case NotRunning():
                return not (self._patient or self._met)
            case _:
                return gone.failure.code not in _PASSING

    def _lost(self, gone: ControlError) -> None:
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        code = gone.failure.code
        news = self._away != code if code in LASTING else not self._away and now - self._lost_at >= AWAY_S
        if news and not self._closing.is_set():
            self._away = code
            self._tell(Away(gone))

    def _connection(self) -> None:
        stream = open_stream(self._home, VERB, self._names, OPEN_TIMEOUT_S)
        try:
            stream.send(clientlink.encode(clientlink.Hello(CLIENT, self._books.cursor, self._own)))
            self._read(stream)
        finally:
            with self._changed:
                self._stream = None
            stream.close()

    def _read(self, stream: Stream) -> None:
        quiet_s, asked = 0.0, False
        while not self._closing.is_set():
            text = stream.receive(AWAY_S)
            if text is not None:
                quiet_s, asked = 0.0, False
                try:
                    self._take(stream, clientlink.decode_server(text))
                except ControlError:
                    raise
                except GatewayError:
                    pass  # a frame that a later gateway knows
                continue
            self._mind()
            quiet_s += AWAY_S
            if quiet_s >= PING_S:
                if asked:
                    raise StreamClosed(None, "the gateway is silent")
                with self._changed:
                    self._write(clientlink.Ping())
                quiet_s, asked = 0.0, True

    def _mind(self) -> None:
        """It has been quiet: if something said is not taken, find out why, and tell it once."""
        if not self.unsafe:
            self._held = False
        elif not self._held and (why := trouble(self._home, VERB)):
            self._held = True
            self._tell(Held(why))

    def _take(self, stream: Stream, frame: clientlink.ServerFrame) -> None:
        match frame:
            case clientlink.Welcome(_, cursor, items):
                self._welcome(stream, cursor, items)
            case clientlink.Accepted(message_id):
                with self._changed:
                    self._books.accepted(message_id)
                    self._changed.notify_all()
            case clientlink.Refused(message_id, code, words):
                with self._changed:
                    ours = self._books.refused(message_id)
                if ours:
                    self._tell(Refused(code, words))
            case clientlink.Message(item):
                self._came(item, pushed=True)
            case clientlink.Said(item):
                if not self._own:
                    self._tell(Said(item))
            case clientlink.Draft() | clientlink.Typing() | clientlink.Pong() | clientlink.Error():
                pass  # a terminal shows whole answers
            case _:
                assert_never(frame)

    def _welcome(self, stream: Stream, cursor: str | None, items: tuple[clientlink.Item, ...]) -> None:
        with self._changed:
            first_page = self._stream is None
            self._books.cursor = cursor
            if first_page:
                self._stream = stream
                for frame in self._books.again(unanswered=self._own):
                    self._write(frame)
        was_met, self._met = self._met, True
        if first_page:
            self._lost_at, self._away = None, None
        if not was_met:
            history = items[-self._history :] if self._history else ()
            with self._changed:
                for item in history:
                    self._books.see(item)
            self._tell(Up(history))
            return
        if first_page:
            self._tell(Back())
        for item in items:
            if item.role == "agent":
                self._came(item, pushed=False)
            elif not (self._own or self._books.mine(item)):
                self._tell(Said(item))

    def _came(self, item: clientlink.Item, *, pushed: bool) -> None:
        with self._changed:
            ours = self._books.asked(item)
            if not pushed and self._own and not ours:
                return  # it has been, or will be, for somebody else
            new = self._books.see(item)
            if pushed:
                self._unconfirmed.discard(item.item_id)
                self._changed.notify_all()
            elif new:
                self._unconfirmed.add(item.item_id)
        if new:
            self._tell(Came(item, ours))
        elif pushed:
            self.shown(item)

    def _write(self, frame: clientlink.ClientFrame) -> None:
        if self._stream is not None:
            try:
                self._stream.send(clientlink.encode(frame))
            except StreamClosed:
                self._stream.close()  # the reader learns it from that, and connects again
