"""The live adapters: the one place that holds the send capability, and what an adapter's incarnation may do.

    adapter ──accept──▶ AdapterPort ──stamp, one commit──▶ inbox ──wake──▶ inbound
    lane ────send─────▶ AdapterPort ──deadline────▶ adapter.send

A port belongs to one incarnation. When that ends the port closes, every send in it is cut off (and may have arrived),
and the adapter object can do nothing more.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import trio

from actors.ports.intake import Intake
from hermes.store import feed, ops
from hermes.store.port import Store
from hermes.types import faults
from hermes.types.content import Capabilities, Draft, Part, SendResult
from hermes.types.errors import SEND_UNCONFIRMED, UNREACHABLE, Failure, GatewayError, SendError
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId
from hermes.types.origin import LaneKey, lane_key
from hermes.types.ports import Accepted, Adapter, Drafts, Typing
from hermes.types.records import FeedItem

log = logging.getLogger(__name__)

DRAFT_DEADLINE_S = 5.0
TYPING_DEADLINE_S = 2.0
"""A reply waits behind it, so it is short."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are on an account: our user id, and the name by which a command is addressed to us."""

    bot_id: str | None = None
    bot_name: str | None = None


NOBODY = Identity()


class Borrowed:
    """A cancel scope that its port can end; ``cut_short`` says that it, or the deadline, did."""

    def __init__(self, scopes: set[trio.CancelScope], deadline_s: float) -> None:
        self._scopes = scopes
        self._scope = trio.CancelScope(deadline=trio.current_time() + deadline_s)

    def __enter__(self) -> "Borrowed":
        self._scopes.add(self._scope)
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._scopes.discard(self._scope)
        return bool(self._scope.__exit__(kind, error, trace))

    @property
    def cut_short(self) -> bool:
        """True if what ran inside did not get to its end."""
        return self._scope.cancelled_caught


class AdapterPort:
    """``AdapterIO`` for the adapter, and the lanes' way to it."""

    def __init__(
        self,
        adapter: Adapter,
        *,
        account: str,
        boot_id: BootId,
        incarnation: int,
        store: Store,
        intake: Intake,
        now: Callable[[], float],
        identified: Callable[[Identity], None],
        wake_inbound: Callable[[LaneKey], None],
        wake_lane: Callable[[LaneKey], None],
        fault: Callable[[BaseException], None],
    ) -> None:
        self.account = account
        self.boot_id = boot_id
        self.incarnation = incarnation
        self.up = False
        self.beat_at: float | None = None
        self._adapter = adapter
        self._store = store
        self._intake = intake
        self._now = now
        self._identified = identified
        self._wake_inbound = wake_inbound
        self._wake_lane = wake_lane
        self._fault = fault
        self._closed = False
        self._scopes: set[trio.CancelScope] = set()

    @property
    def platform(self) -> str:
        """Its platform."""
        return self._adapter.platform

    @property
    def capabilities(self) -> Capabilities:
        """What its platform can do."""
        return self._adapter.capabilities

    # --- AdapterIO -----------------------------------------------------------------------------------------------------

    async def accept(self, events: Sequence[InboundEvent]) -> Sequence[Accepted]:
        """See ``ports.AdapterIO``: one commit for all, then the wake-ups."""
        self._check()
        await self._intake.passage()
        stamped = tuple(map(self._stamped, events))
        accepted = await self._store.write(ops.Accept(stamped))
        faults.point("after_inbox_commit")
        for lane in {event.origin.lane for event in stamped}:
            self._wake_inbound(lane)
        return accepted

    async def undecodable(self, event_id: str, raw: bytes) -> None:
        """See ``ports.AdapterIO``: ended with its commit, so nobody has to be woken."""
        self._check()
        await self._intake.passage()
        log.warning(
            "%s:%s: event %s cannot be decoded; kept as it came", self.platform, self.account, ascii(event_id)
        )
        await self._store.write(ops.Undecodable(self.platform, self.account, event_id, raw, self._now()))

    def identify(self, bot_id: str, bot_name: str | None = None) -> None:
        """See ``ports.AdapterIO``."""
        self._check()
        self._identified(Identity(bot_id, bot_name))

    def beat(self) -> None:
        """See ``ports.AdapterIO``."""
        self.beat_at = trio.current_time()

    def chat_up(self, chat_id: str) -> None:
        """See ``ports.AdapterIO``."""
        self._wake_lane(lane_key(self.platform, self.account, chat_id))

    async def feed(self, chat_id: str, since: str | None, limit: int) -> Sequence[FeedItem]:
        """See ``ports.AdapterIO``."""
        return await self._store.read(feed.feed, self.platform, self.account, chat_id, since, limit)

    # --- the lanes' side -----------------------------------------------------------------------------------------------

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """Send one part under the platform's deadline. Raises ``SendError`` and nothing else.

        A failure of the whole adapter, and whatever it has no name for, is also put before its actor.
        """
        if self._closed or not self.up:
            raise SendError(Failure(UNREACHABLE, scope="adapter", detail="the adapter is not up"), "not_sent")
        deadline_s = self.capabilities.send_timeout_s
        try:
            with self.borrowed(deadline_s) as call:
                result = await self._adapter.send(chat_id, part, reply_to=reply_to, metadata=metadata)
                if not isinstance(result, SendResult):  # foreign code: checked, not believed
                    raise TypeError(f"send returned {type(result).__name__}, not SendResult")
        except SendError as error:
            if error.failure.scope == "adapter":
                self.report(error)
            raise
        except Exception as error:
            log.exception("%s:%s: send failed in a way it has no name for", self.platform, self.account)
            self.report(error)
            raise SendError(Failure(SEND_UNCONFIRMED, detail=type(error).__name__), "unknown") from error
        if call.cut_short:
            why = f"the adapter went away, or gave no answer within {deadline_s:g} s"
            raise SendError(Failure(SEND_UNCONFIRMED, detail=why), "unknown")
        return result

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """Show the newest text of an answer where the platform can; losing it is harmless, so nothing is raised."""
        if self._closed or not self.up or not isinstance(self._adapter, Drafts):
            return
        try:
            with self.borrowed(DRAFT_DEADLINE_S):
                await self._adapter.draft(chat_id, draft)
        except Exception:
            log.debug("%s:%s: a draft was not shown", self.platform, self.account, exc_info=True)

    async def typing(self, chat_id: str, thread_id: str | None, on: bool) -> float:
        """Show, or take away, that an answer is being worked on; losing it is harmless, so nothing is raised.

        Returns for how many seconds the platform wants to be left alone.
        """
        if self._closed or not self.up or not isinstance(self._adapter, Typing):
            return 0.0
        try:
            with self.borrowed(TYPING_DEADLINE_S):
                await self._adapter.typing(chat_id, thread_id, on)
        except GatewayError as error:
            return error.failure.retry_after or 0.0
        except Exception:
            log.debug("%s:%s: typing was not shown", self.platform, self.account, exc_info=True)
        return 0.0

    def borrowed(self, deadline_s: float) -> "Borrowed":
        """A scope in which the caller's task runs the adapter's code: ends with the deadline or the incarnation."""
        return Borrowed(self._scopes, deadline_s)

    def report(self, error: BaseException) -> None:
        """Put a failure of the adapter's own code before its actor; until that has a new life, nothing goes through."""
        self.up = False
        self._fault(error)

    def close(self) -> None:
        """The incarnation has ended."""
        self._closed = True
        self.up = False
        for scope in self._scopes:
            scope.cancel()

    def _stamped(self, event: InboundEvent) -> InboundEvent:
        """``event`` as one of this adapter's: nothing on a wire decides where it came from, or that it came from within."""
        origin = event.origin
        if (origin.platform, origin.account, event.internal) == (self.platform, self.account, False):
            return event
        log.warning("%s:%s: an event says that it is not from here; it is", self.platform, self.account)
        ours = replace(origin, platform=self.platform, account=self.account)
        return replace(event, internal=False, origin=ours)

    def _check(self) -> None:
        if self._closed:
            raise SendError(
                Failure(UNREACHABLE, scope="adapter", detail="this incarnation has ended"), "not_sent"
            )


class AdapterTable:
    """Which accounts of which platforms there are, which of them are paused, and the live port of each.

    It belongs to root: what an operator has paused stays so when its actor, or any above it, is started again.
    """

    def __init__(self) -> None:
        self._ports: dict[tuple[str, str], AdapterPort] = {}
        self._capabilities: dict[str, Capabilities] = {}
        self._identities: dict[tuple[str, str], Identity] = {}
        self._paused: set[tuple[str, str]] = set()

    def configure(self, platform: str, capabilities: Capabilities) -> None:
        """Make a platform known before any adapter of it is up: decisions need its capabilities."""
        self._capabilities[platform] = capabilities

    def capabilities(self, platform: str) -> Capabilities:
        """What ``platform`` can do; nothing special if it is not configured any more."""
        return self._capabilities.get(platform, Capabilities())

    @property
    def platforms(self) -> Mapping[str, Capabilities]:
        """All configured platforms."""
        return self._capabilities

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

    def add(self, port: AdapterPort) -> None:
        """This is the live port of its account now; one that is still there belongs to a life that was given up."""
        given_up = self._ports.get((port.platform, port.account))
        if given_up is not None:
            given_up.close()
        self._ports[port.platform, port.account] = port

    def remove(self, port: AdapterPort) -> None:
        """Close ``port``; a newer one of that account stays."""
        port.close()
        if self._ports.get((port.platform, port.account)) is port:
            del self._ports[port.platform, port.account]

    def find(self, platform: str, account: str) -> AdapterPort | None:
        """The live port of an account, if its adapter runs."""
        return self._ports.get((platform, account))
