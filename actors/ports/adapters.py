"""The live adapters: what an adapter's incarnation may do, and who may send through it.

    adapter ──accept──▶ AdapterPort ──stamp, one commit──▶ inbox ──wake──▶ inbound
    lane ────send─────▶ Wire ──deadline────▶ adapter.send

A port belongs to one incarnation. When that ends the port closes, every send in it is cut off (and may have arrived),
and the adapter object can do nothing more.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import trio

from actors.ports.intake import Intake
from actors.ports.internal import external
from actors.ports.moves import Moves
from actors.ports.receiving import Receiving
from actors.ports.wire import Borrowed, Wire
from hermes.store import feed, ops, outbox, queries
from hermes.store.port import Store
from hermes.types import faults
from hermes.types.channels import Channel
from hermes.types.content import Capabilities, Media
from hermes.types.errors import RATE_LIMITED, UNREACHABLE, Failure, GatewayError, SendError
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import BootId
from hermes.types.origin import DEFAULT_ACCOUNT, LaneKey, lane_key
from hermes.types.ports import Accepted, Adapter, Channels, Files, FileSink, Receives
from hermes.types.records import FeedItem
from hermes.types.whole import whole
from supervisors.context import Context

log = logging.getLogger(__name__)

LIST_DEADLINE_S = 10.0
NOT_FETCHED = "not_fetched"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are on an account: our user id, and the name by which a command is addressed to us."""

    bot_id: str | None = None
    bot_name: str | None = None


NOBODY = Identity()
NOTHING_SPECIAL = Capabilities()


class AdapterPort:
    """``AdapterIO`` for the adapter, and the life that the lanes' wire and its routes go through."""

    def __init__(
        self,
        adapter: Adapter,
        *,
        account: str,
        boot_id: BootId,
        incarnation: int,
        store: Store,
        intake: Intake,
        moves: Moves,
        now: Callable[[], float],
        identified: Callable[[Identity], None],
        commands: Callable[[], Sequence[tuple[str, str]]],
        wake_inbound: Callable[[LaneKey], None],
        wake_lane: Callable[[LaneKey], None],
        fault: Callable[[BaseException], None],
        raised: Callable[[Exception], None],
    ) -> None:
        self.account = account
        self.boot_id = boot_id
        self.incarnation = incarnation
        self.up = False
        self.duplicates = 0
        """Events of this life that had been accepted before."""
        self.receiving = Receiving(adapter.receive_deadline_s if isinstance(adapter, Receives) else None)
        self._adapter = adapter
        self._store = store
        self._intake = intake
        self._moves = moves
        self._now = now
        self._identified = identified
        self._commands = commands
        self._wake_inbound = wake_inbound
        self._wake_lane = wake_lane
        self._fault = fault
        self._raised = raised
        self._closed = False
        self._scopes: set[trio.CancelScope] = set()

    @property
    def platform(self) -> str:
        """Its platform."""
        return self._adapter.platform

    @property
    def name(self) -> str:
        """``platform:account``."""
        return f"{self.platform}:{self.account}"

    @property
    def capabilities(self) -> Capabilities:
        """What its platform can do."""
        return self._adapter.capabilities

    # --- AdapterIO -----------------------------------------------------------------------------------------------------

    async def accept(self, events: Sequence[InboundEvent]) -> Sequence[Accepted]:
        """See ``ports.AdapterIO``: one commit for all, then the wake-ups."""
        self._check()
        with self.receiving.handing_in():
            await self._intake.passage()
            stamped = tuple(self._stamped(whole(event)) for event in events)
            accepted = await self._store.write(ops.Accept(stamped))
            self.duplicates += sum(one.duplicate for one in accepted)
        faults.point("after_inbox_commit")
        for lane in {event.origin.lane for event in stamped}:
            self._wake_inbound(lane)
        return accepted

    async def undecodable(self, event_id: str, raw: bytes) -> None:
        """See ``ports.AdapterIO``: ended with its commit, so nobody has to be woken."""
        self._check()
        with self.receiving.handing_in():
            await self._intake.passage()
            log.warning("%s: event %s cannot be decoded; kept as it came", self.name, ascii(event_id))
            name = whole(external(event_id))
            kept = ops.Undecodable(self.platform, self.account, name, raw, self._now())
            await self._store.write(kept)

    def identify(self, bot_id: str, bot_name: str | None = None) -> None:
        """See ``ports.AdapterIO``."""
        self._check()
        self._identified(Identity(bot_id, bot_name))

    def beat(self) -> None:
        """See ``ports.AdapterIO``."""
        self.receiving.beat()

    def chat_up(self, chat_id: str) -> None:
        """See ``ports.AdapterIO``."""
        self._wake_lane(lane_key(self.platform, self.account, chat_id))

    async def chat_moved(self, chat_id: str, moved_to: str) -> None:
        """See ``ports.AdapterIO``."""
        self._check()
        with self.receiving.handing_in():
            await self._moves.move(self.platform, self.account, chat_id, moved_to, self._now())

    def commands(self) -> Sequence[tuple[str, str]]:
        """See ``ports.AdapterIO``."""
        return self._commands()

    async def feed(self, chat_id: str, since: str | None, limit: int) -> Sequence[FeedItem]:
        """See ``ports.AdapterIO``."""
        return await self._store.read(feed.feed, self.platform, self.account, chat_id, since, limit)

    async def unanswered(self, row_ids: Collection[int]) -> Collection[int]:
        """See ``ports.AdapterIO``."""
        return await self._store.read(queries.unanswered, self.platform, self.account, list(row_ids))

    async def attachments(self, delivery_id: str) -> Sequence[Media]:
        """See ``ports.AdapterIO``."""
        return await self._store.read(outbox.attachments, delivery_id, self.platform, self.account)

    # --- the channel directory -----------------------------------------------------------------------------------------

    @property
    def lists_chats(self) -> bool:
        """Its platform can say in which chats it is."""
        return isinstance(self._adapter, Channels)

    async def channels(self) -> Sequence[Channel] | None:
        """The chats that its platform lists; None where it cannot, or did not do so now."""
        if not isinstance(self._adapter, Channels) or self._closed or not self.up:
            return None
        try:
            with self.borrowed(LIST_DEADLINE_S):
                listed = tuple(await self._adapter.list_channels())
                if all(isinstance(one, Channel) for one in listed):  # foreign code: checked, not believed
                    return listed
                raise TypeError("list_channels returned what is no Channel")
        except Exception as error:
            log.warning("%s: its chats were not listed: %s", self.name, error)
        return None

    # --- files that people send ----------------------------------------------------------------------------------------

    async def fetch(self, attachment: Attachment, to: FileSink, deadline_s: float) -> None:
        """Hand all bytes of ``attachment`` to ``to``, by the platform's own way. Raises ``GatewayError`` and nothing else.

        A failure of the whole adapter is also put before its actor. One that it has no name for is not: the next file may be
        made to bring it about again, and no file is worth a platform.
        """
        if not isinstance(self._adapter, Files):
            raise GatewayError(Failure(NOT_FETCHED, detail=f"{self.platform} hands out no files"))
        if self._closed or not self.up:
            raise GatewayError(Failure(UNREACHABLE, scope="adapter", detail="the adapter is not up"))
        try:
            with self.borrowed(deadline_s) as call:
                await self._adapter.fetch(attachment, to)
        except GatewayError as error:
            if error.failure.scope == "adapter" and error.failure.code != RATE_LIMITED:
                self.report(error)
            raise
        except Exception as error:
            log.exception("%s: a file was not fetched for a reason that has no name", self.name)
            raise GatewayError(Failure(NOT_FETCHED, detail=type(error).__name__)) from error
        if call.cut_short:
            why = f"the adapter went away, or was not done within {deadline_s:g} s"
            raise GatewayError(Failure(UNREACHABLE, detail=why))

    # --- the incarnation -----------------------------------------------------------------------------------------------

    def now_at(self, chat_id: str) -> str:
        """What ``chat_id`` is by now."""
        return self._moves.now_at(self.platform, self.account, chat_id)

    def borrowed(self, deadline_s: float) -> Borrowed:
        """A scope in which the caller's task runs the adapter's code: ends with the deadline or the incarnation."""
        return Borrowed(self._scopes, deadline_s)

    def report(self, error: BaseException) -> None:
        """Put a failure of the adapter's own code before its actor; until that has a new life, nothing goes through."""
        self.up = False
        self._fault(error)

    def note(self, error: Exception) -> None:
        """Leave a record of what the adapter's own code has raised in a call of somebody else's; its life goes on."""
        self._raised(error)

    def close(self) -> None:
        """The incarnation has ended."""
        self._closed = True
        self.up = False
        for scope in self._scopes:
            scope.cancel()

    def _stamped(self, event: InboundEvent) -> InboundEvent:
        """``event`` as one of this adapter's: nothing on a wire decides where it came from, or that it came from within."""
        if former := self._moves.former(self.platform, self.account, event.origin.chat_id):
            event = replace(event, origin=replace(event.origin, chat_id_alt=former))
        origin, event_id = event.origin, external(event.event_id)
        claims = (origin.platform, origin.account, event.event_id, event.internal)
        if claims == (self.platform, self.account, event_id, False):
            return event
        log.warning("%s: an event says that it is not from here; it is", self.name)
        ours = replace(origin, platform=self.platform, account=self.account)
        return replace(event, event_id=event_id, internal=False, origin=ours)

    def _check(self) -> None:
        if self._closed:
            raise SendError(
                Failure(UNREACHABLE, scope="adapter", detail="this incarnation has ended"), "not_sent"
            )


class AdapterTable:
    """Which accounts of which platforms there are, which of them are paused, and the live port of each.

    It belongs to root: what an operator has paused stays so when its actor, or any above it, is started again.
    """

    def __init__(self, lanes: str) -> None:
        """``lanes``: the path below which the lanes live."""
        self._lanes = lanes
        self._ports: dict[tuple[str, str], AdapterPort] = {}
        self._wires: dict[tuple[str, str], Wire] = {}
        self._capabilities: dict[str, Capabilities] = {}
        self._accounts: set[tuple[str, str]] = set()
        self._identities: dict[tuple[str, str], Identity] = {}
        self._paused: set[tuple[str, str]] = set()
        self._duplicates: Counter[tuple[str, str]] = Counter()
        self._unavailable: set[tuple[str, str]] = set()
        self._opened = trio.Event()

    def configure(self, platform: str, capabilities: Capabilities, account: str = DEFAULT_ACCOUNT) -> None:
        """Make an account known before its adapter is up: decisions need the platform's capabilities."""
        self._capabilities[platform] = capabilities
        self._accounts.add((platform, account))

    def forget(self, platform: str, account: str) -> None:
        """The account is not configured any more. What its platform can do stays known, for what waits for it."""
        self._accounts.discard((platform, account))
        self._paused.discard((platform, account))
        self._unavailable.discard((platform, account))

    def capabilities(self, platform: str) -> Capabilities:
        """What ``platform`` can do; nothing special if it is not configured any more."""
        return self._capabilities.get(platform, NOTHING_SPECIAL)

    @property
    def platforms(self) -> Mapping[str, Capabilities]:
        """All configured platforms."""
        return self._capabilities

    @property
    def accounts(self) -> frozenset[tuple[str, str]]:
        """All configured accounts, as (platform, account)."""
        return frozenset(self._accounts)

    def identify(self, platform: str, account: str, identity: Identity) -> None:
        """This is who we are there, also while its adapter is down."""
        self._identities[platform, account] = identity

    def identity(self, platform: str, account: str) -> Identity:
        """Who we are there, as far as its adapter has ever said in this process."""
        return self._identities.get((platform, account), NOBODY)

    def pause(self, platform: str, account: str) -> None:
        """No incarnation of this account's adapter connects from now on, until ``resume``."""
        self._paused.add((platform, account))

    def resume(self, platform: str, account: str) -> None:
        """End ``pause``."""
        self._paused.discard((platform, account))

    def is_paused(self, platform: str, account: str) -> bool:
        """Whether it may connect."""
        return (platform, account) in self._paused

    @property
    def paused(self) -> frozenset[tuple[str, str]]:
        """All accounts that are paused."""
        return frozenset(self._paused)

    def examined(self, platform: str, account: str, *, usable: bool) -> None:
        """Whether an adapter could be made of this account, the last time."""
        (self._unavailable.discard if usable else self._unavailable.add)((platform, account))

    @property
    def unavailable(self) -> frozenset[tuple[str, str]]:
        """All accounts of which none could be made."""
        return frozenset(self._unavailable)

    def add(self, port: AdapterPort, adapter: Adapter) -> None:
        """This is the live port of its account now; one that is still there belongs to a life that was given up."""
        key = (port.platform, port.account)
        if (given_up := self._ports.get(key)) is not None:
            given_up.close()
        self._ports[key], self._wires[key] = port, Wire(adapter, port)

    def remove(self, port: AdapterPort) -> None:
        """Close ``port``; a newer one of that account stays."""
        port.close()
        key = (port.platform, port.account)
        self._duplicates[key] += port.duplicates
        if self._ports.get(key) is port:
            del self._ports[key], self._wires[key]

    def duplicates(self, platform: str, account: str) -> int:
        """How many events of an account had been accepted before, in this process."""
        port = self.find(platform, account)
        return self._duplicates[platform, account] + (0 if port is None else port.duplicates)

    def open(self, port: AdapterPort) -> None:
        """``port`` is connected."""
        port.up = True
        port.receiving.begin()
        self._opened.set()
        self._opened = trio.Event()

    async def connected(self, platform: str, account: str) -> AdapterPort:
        """The live port of an account, as soon as it is connected."""
        while (port := self.find(platform, account)) is None or not port.up:
            await self._opened.wait()
        return port

    def find(self, platform: str, account: str) -> AdapterPort | None:
        """The live port of an account, if its adapter runs."""
        return self._ports.get((platform, account))

    def wire(self, ctx: Context[Any], platform: str, account: str) -> Wire | None:
        """The way out through an account's adapter, for the lane that runs in ``ctx``; None while no adapter runs.

        Raises ``PermissionError`` for anybody else.
        """
        if not ctx.path.startswith(f"{self._lanes}/"):
            raise PermissionError(f"{ctx.path} is no lane: what leaves goes through the outbox")
        return self._wires.get((platform, account))
