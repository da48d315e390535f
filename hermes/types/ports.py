"""Protocols between the domain and the tree: implemented in ``actors.ports``, injected by ``hermes.app``.

adapter ──io.accept──▶ store        lane ──send──▶ adapter        web ──route──▶ adapter
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from hermes.types.channels import Channel
from hermes.types.content import Capabilities, Draft, Media, Part, SendResult
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import BootId
from hermes.types.records import FeedItem


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event is durable as inbox row ``row_id``; ``duplicate`` if it already was."""

    row_id: int
    duplicate: bool


# --- HTTP and sockets, in our own types: no web framework leaks into an adapter ----------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """A request that passed the door: size, Host, Origin and ``Route.auth`` are checked. Header names are lower case; one that
    came twice is joined by a comma.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """What the handler answers."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Socket(Protocol):
    """A web socket, or a connection of the control socket, with text frames.

    Both directions raise ``SocketClosed`` once the peer is gone.
    """

    async def receive(self) -> str:
        """The next text frame."""

    async def send(self, text: str) -> None:
        """Hand a frame to the connection; returning proves nothing about its arrival."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close politely; never raises."""


class ResponseStream(Protocol):
    """The answer to one request while its client waits for it."""

    async def begin(self, response: Response) -> None:
        """Send status and headers, and ``response.body`` as the beginning of a body that goes on."""

    async def send(self, data: bytes) -> None:
        """Hand more of the body to the connection. Returning proves nothing about its arrival; once the client is gone, nothing
        happens.
        """

    async def gone(self) -> None:
        """Return once the client has left. For one task at a time."""


Auth = Literal["token", "key", "own"]
"""``token``: a browser session; ``key``: the route's own ``key`` as a bearer token; ``own``: the handler checks a signature.

Without a ``key`` such a route is open to this machine, where the server can be reached from nowhere else, and shut otherwise.
"""


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP route of an adapter. A path that ends in ``/*`` matches the whole subtree."""

    path: str
    auth: Auth
    handler: Callable[[Request], Awaitable[Response]]
    methods: frozenset[str] = frozenset({"GET"})
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StreamRoute:
    """An HTTP route whose answer may take its time, and be sent piece by piece.

    The handler returns the whole answer, or None once it has begun the stream: that ends there. It owns the request until it
    returns or its adapter's incarnation ends; nobody ends it when its client leaves, so it has to watch ``gone``.
    """

    path: str
    auth: Auth
    handler: Callable[[Request, ResponseStream], Awaitable[Response | None]]
    methods: frozenset[str] = frozenset({"POST"})
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SocketRoute:
    """A web-socket route of an adapter; the handler owns the socket until it returns."""

    path: str
    auth: Auth
    handler: Callable[[Request, Socket], Awaitable[None]]
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ControlVerb:
    """A verb of an adapter on the control socket, where the peer is proved to be the operator's own user.

    ``verb`` is the adapter's platform, or begins with it and a dot. The handler gets the request's arguments, unchecked,
    and owns the connection as a socket until it returns.
    """

    verb: str
    handler: Callable[[Mapping[str, Any], Socket], Awaitable[None]]


Mount = Route | StreamRoute | SocketRoute | ControlVerb
"""What an adapter may mount."""


# --- the adapter contract ----------------------------------------------------------------------------------------------


class TaskStatus(Protocol):
    """Says "ready"; Trio's own task_status fits."""

    def started(self) -> None:
        """The adapter is logged in and receives."""


class AdapterIO(Protocol):
    """What one incarnation of an adapter may do; closed and useless once that incarnation has ended."""

    account: str
    boot_id: BootId
    incarnation: int

    async def accept(self, events: Sequence[InboundEvent]) -> Sequence[Accepted]:
        """Return when all events are durable, in one commit; only then may the platform's cursor move or an ack go out.

        Blocks while intake is paused (store away or degraded, drain). Cancelling withdraws nothing that was handed in.
        Platform and account of an event are this adapter's own, whatever it says, and none of them is ``internal``.
        """

    async def undecodable(self, event_id: str, raw: bytes) -> None:
        """Return when an event that cannot be decoded is kept as it came, ended and counted, so that the cursor may move.

        ``event_id`` as of any other event, or a digest of ``raw`` where that too cannot be read. Blocks as ``accept`` does.
        """

    def identify(self, bot_id: str, bot_name: str | None = None) -> None:
        """Who we are on this account: our user id, so that our own echo is known, and the name that ``/command@name`` uses.

        Called once logged in, before ``started()``; remembered while the adapter is down.
        """

    def beat(self) -> None:
        """A receive has completed, whether or not it brought a message; health is reported from this clock alone. Where others
        come to us (no ``Receives``), ``accept`` does it.
        """

    def chat_up(self, chat_id: str) -> None:
        """This chat can be reached again: its lane looks for open rows now."""

    async def chat_moved(self, chat_id: str, moved_to: str) -> None:
        """Return when it is durable that the platform has made another chat of ``chat_id``. Whatever is for it goes to
        ``moved_to`` from then on, and its conversations go on there; so it is said before an event from there is handed in.
        """

    def commands(self) -> Sequence[tuple[str, str]]:
        """What everybody may use who may speak, as (name, what it does), for a menu. What is for admins alone is in none:
        others would see it, too.
        """

    async def feed(self, chat_id: str, since: str | None, limit: int) -> Sequence[FeedItem]:
        """The chat's messages after cursor ``since`` (None: the newest ``limit``), oldest first."""

    async def unanswered(self, row_ids: Collection[int]) -> Collection[int]:
        """Which of these rows of ours have ended so that nobody answers them any more: stopped, dropped, taken away. What is said
        of that, if anything, may still be on its way.
        """

    async def attachments(self, delivery_id: str) -> Sequence[Media]:
        """The files of a message that went out, or goes, by this account; none of any other."""


class Adapter(Protocol):
    """One account of one platform. It fails only by raising out of ``connect``: one attempt, no retry inside."""

    platform: str
    capabilities: Capabilities

    def routes(self) -> Sequence[Mount]:
        """Routes and control verbs to mount while connected."""

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """Log in, ``task_status.started()``, receive until cancelled, or raise ``GatewayError``."""

    async def disconnect(self) -> None:
        """Say goodbye while ``connect`` still runs; under a deadline, and not called after a crash."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """Send one part, once. Raises ``SendError`` with the phase it failed in."""


@runtime_checkable
class Receives(Protocol):
    """Optional: the adapter asks, or holds a connection that gives signs of life; so its silence means something."""

    @property
    def receive_deadline_s(self) -> float | None:
        """How long a sound connection may be without ``io.beat()``, time inside ``io.accept`` not counted. Past it the adapter is
        shown as ``stale``; one and a half times past it its incarnation is ended. None: others come to us, as by a webhook.
        """


@runtime_checkable
class Drafts(Protocol):
    """Optional: the platform can show an answer while it is written."""

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """Show the newest text; losing one is harmless."""


@runtime_checkable
class Edits(Protocol):
    """Optional: a message of ours can be changed after it was sent."""

    async def edit(
        self, chat_id: str, message_id: str, part: Part, *, metadata: Mapping[str, str], final: bool
    ) -> None:
        """Have ``message_id`` say ``part`` from now on, once; ``final``: it will not change again. That it says so already is
        success. Raises ``SendError`` as ``send`` does.
        """


@runtime_checkable
class Deletes(Protocol):
    """Optional: a message of ours can be taken back."""

    async def delete(self, chat_id: str, message_id: str) -> None:
        """Take it back. One attempt; losing it is harmless."""


@runtime_checkable
class Files(Protocol):
    """Optional: files that people send are fetched by a reference that only the platform's own API understands."""

    async def fetch(self, attachment: Attachment, to: "FileSink") -> None:
        """Hand all bytes of the file to ``to``, in order. One attempt, under the caller's deadline. Raises ``GatewayError``,
        and lets through what ``to`` raises.
        """


class FileSink(Protocol):
    """Takes a file as it comes."""

    async def write(self, data: bytes) -> None:
        """Keep ``data``. Raises ``GatewayError`` (``too_large``) past the most that is taken."""


class FetchUrl(Protocol):
    """Fetches what somebody else has named: from the public internet alone, whatever the URL says."""

    async def __call__(self, url: str, sink: FileSink, *, deadline_s: float, max_bytes: int) -> object:
        """Hand all bytes behind ``url`` to ``sink``, in order. One attempt. Raises ``GatewayError``, and lets through what
        ``sink`` raises.
        """


@runtime_checkable
class Typing(Protocol):
    """Optional: the platform can show that an answer is being worked on."""

    async def typing(self, chat_id: str, thread_id: str | None, on: bool) -> None:
        """Show it until some moments after ``typing_interval_s`` of the capabilities, when it is asked for again if need be;
        or take it away, where that is possible. One attempt, no loop inside; losing one is harmless.
        """


@runtime_checkable
class Channels(Protocol):
    """Optional: the platform can say in which chats the account is."""

    async def list_channels(self) -> Sequence[Channel]:
        """All chats that can be written to, with the names people know them by, so that a target may name one. Asked for once
        connected and every few minutes; one attempt, under a deadline. Raises ``GatewayError``: then the last list holds.
        """


@runtime_checkable
class Reactions(Protocol):
    """Optional: the platform can put an emoji to a message."""

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """Put it there, in place of one of ours. One attempt; losing it is harmless."""


# --- what the web server and the control socket see of the tree --------------------------------------------------------


class MountedRoute(Protocol):
    """A route as the web server finds it. Its handler runs in the caller's task, fenced by its adapter's incarnation."""

    @property
    def auth(self) -> Auth:
        """What the caller has to prove."""

    @property
    def key(self) -> str:
        """By which key, where that is ``key``; empty: none is set."""

    @property
    def streams(self) -> bool:
        """It is to be asked by ``stream``, not by ``call``."""

    async def call(self, request: Request) -> Response:
        """The handler's answer; 503 while its adapter is not up, 504 past the deadline, 500 if it raised."""

    async def stream(self, request: Request, out: ResponseStream) -> Response | None:
        """As ``call``, without a deadline; None once the answer was sent through ``out``. An error that is returned after
        ``out`` was begun means that the rest is missing.
        """

    async def open(self, request: Request, socket: Socket) -> None:
        """Run a socket handler until it returns, its peer leaves or its adapter's incarnation ends; then close the socket."""


class MountedVerb(Protocol):
    """A control verb as the control socket finds it; fenced as a route is."""

    @property
    def up(self) -> bool:
        """Its adapter is connected."""

    async def open(self, args: Mapping[str, Any], socket: Socket) -> None:
        """Run the handler until it returns, its peer leaves or its adapter's incarnation ends; then close the socket."""


class Routes(Protocol):
    """The live route table."""

    def find(self, method: str | None, path: str) -> MountedRoute | None:
        """The route for an HTTP ``method`` and ``path``; ``method`` None asks for a socket route."""


class Overview(Protocol):
    """The running gateway, for people and monitors; shapes as documented in docs/interface.md."""

    def waiting(self) -> Sequence[str]:
        """Why the gateway is not ready, as names of parts; empty when it is."""

    def was_ready(self) -> bool:
        """True once the gateway has been ready in this boot."""

    def seen(self) -> Callable[[], Mapping[str, Any]]:
        """A consistent snapshot of the actor tree; what is returned makes the document of it, in whichever thread."""

    async def status(self) -> Mapping[str, Any]:
        """State, adapters, counts, outbox and sessions; unknown figures are None."""

    async def restart(self, path: str) -> Mapping[str, Any]:
        """Restart one actor; returns its path with the old and new incarnation. Raises ``GatewayError`` if there is none."""
