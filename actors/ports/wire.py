"""What the lanes alone hold: the way out through one incarnation of an adapter.

    lane ── AdapterTable.wire(ctx, …) ──▶ Wire ── deadline, incarnation ──▶ adapter.send

A wire is handed to a lane for the context it runs in, and to nobody else: a second way out would know nothing of order,
receipts and limits (AC-20).
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Protocol, TypeVar

import trio

from actors.ports.places import Places
from hermes.types.content import Capabilities, Draft, Part, SendResult
from hermes.types.errors import (
    NOT_EDITABLE,
    RATE_LIMITED,
    SEND_UNCONFIRMED,
    UNREACHABLE,
    Failure,
    GatewayError,
    SendError,
)
from hermes.types.ports import Adapter, Deletes, Drafts, Edits, Reactions, Typing
from hermes.types.whole import whole
from supervisors.reasons import flatten

log = logging.getLogger(__name__)

T = TypeVar("T")

DELETE_DEADLINE_S = 5.0
DRAFT_DEADLINE_S = 5.0
REACTION_DEADLINE_S = 5.0
TYPING_DEADLINE_S = 2.0
"""A reply waits behind it, so it is short."""

NOT_SHOWN = "not_shown"


class Life(Protocol):
    """The incarnation of an adapter that a wire goes through."""

    @property
    def up(self) -> bool:
        """It is connected."""

    @property
    def name(self) -> str:
        """``platform:account``, for logs."""

    def now_at(self, chat_id: str) -> str:
        """What ``chat_id`` is by now: the platform may have made another chat of it."""

    def borrowed(self, deadline_s: float) -> "Borrowed":
        """A scope in which the caller's task runs the adapter's code: ends with the deadline or the incarnation."""

    def report(self, error: BaseException) -> None:
        """Put a failure of the adapter's own code before its actor; until that has a new life, nothing goes through."""

    def note(self, error: Exception) -> None:
        """Leave a record of what the adapter's own code has raised in a call of somebody else's; its life goes on."""


class Borrowed:
    """A cancel scope that its incarnation can end; ``cut_short`` says that it, or the deadline, did."""

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
        caught = bool(self._scope.__exit__(kind, error, trace))
        # Foreign code with a nursery in it raises groups, and a failure in one has its name all the same.
        if not caught and isinstance(error, ExceptionGroup) and (named := flatten(error, trio.Cancelled)):
            raise named from None
        return caught

    @property
    def cut_short(self) -> bool:
        """True if what ran inside did not get to its end."""
        return self._scope.cancelled_caught


class Wire:
    """Sends through one incarnation, while that is connected."""

    def __init__(self, adapter: Adapter, life: Life) -> None:
        self._adapter = adapter
        self._life = life
        # Where the platform drops second copies, there is nothing to bound.
        self.places = Places(bounded=not adapter.capabilities.idempotent_send)

    @property
    def up(self) -> bool:
        """Something can be sent."""
        return self._life.up

    @property
    def capabilities(self) -> Capabilities:
        """What its platform can do."""
        return self._adapter.capabilities

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """Send one part under the platform's deadline. Raises ``SendError`` and nothing else.

        A failure of the whole adapter is also put before its actor; that the platform has had enough for now is none. What it
        has no name for may have happened after all, leaves a record, and is no trouble of other messages.
        """
        if (at := self._life.now_at(chat_id)) != chat_id:
            reply_to = None  # there that id is another message's, or nobody's
        send = partial(self._adapter.send, at, part, reply_to=reply_to, metadata=metadata)
        result = await self._call("send", send)
        if not isinstance(result, SendResult):  # foreign code: checked, not believed
            raise self._nameless("send", TypeError(f"send returned {type(result).__name__}, not SendResult"))
        return whole(result)

    async def edit(
        self, chat_id: str, message_id: str, part: Part, *, metadata: Mapping[str, str], final: bool
    ) -> None:
        """Have a message of ours say ``part``, as ``send`` does: its deadline, its failures."""
        if not isinstance(adapter := self._adapter, Edits) or self._has_moved(chat_id):
            raise SendError(Failure(NOT_EDITABLE), "not_sent")
        await self._call(
            "edit", partial(adapter.edit, chat_id, message_id, part, metadata=metadata, final=final)
        )

    async def _call(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """What ``call`` returns. Raises ``SendError`` and nothing else."""
        if not self._life.up:
            raise SendError(Failure(UNREACHABLE, scope="adapter", detail="the adapter is not up"), "not_sent")
        deadline_s = self.capabilities.send_timeout_s
        try:
            with self._life.borrowed(deadline_s):
                return await call()
        except SendError as error:
            if error.failure.scope == "adapter" and error.failure.code != RATE_LIMITED:
                self._life.report(error)
            if (failure := whole(error.failure)) is not error.failure:
                raise SendError(failure, error.phase) from error
            raise
        except Exception as error:
            raise self._nameless(name, error) from error
        why = f"the adapter went away, or gave no answer within {deadline_s:g} s"
        raise SendError(Failure(SEND_UNCONFIRMED, detail=why), "unknown")

    def _nameless(self, name: str, error: Exception) -> SendError:
        log.error("%s: %s failed in a way it has no name for", self._life.name, name, exc_info=error)
        self._life.note(error)
        return SendError(Failure(SEND_UNCONFIRMED, detail=type(error).__name__), "unknown")

    async def delete(self, chat_id: str, message_id: str) -> Failure | None:
        """Take a message of ours back; as ``draft``."""
        if isinstance(adapter := self._adapter, Deletes) and not self._has_moved(chat_id):
            return await self._show(partial(adapter.delete, chat_id, message_id), DELETE_DEADLINE_S)
        return Failure(NOT_EDITABLE)

    async def draft(self, chat_id: str, draft: Draft) -> Failure | None:
        """Show the newest text of an answer where the platform can. Losing it is harmless, so nothing is raised; what was
        against it is returned.
        """
        if isinstance(adapter := self._adapter, Drafts):
            at = self._life.now_at(chat_id)
            return await self._show(partial(adapter.draft, at, draft), DRAFT_DEADLINE_S)
        return None

    async def typing(self, chat_id: str, thread_id: str | None, on: bool) -> Failure | None:
        """Show, or take away, that an answer is being worked on; as ``draft``."""
        if isinstance(adapter := self._adapter, Typing):
            at = self._life.now_at(chat_id)
            return await self._show(partial(adapter.typing, at, thread_id, on), TYPING_DEADLINE_S)
        return None

    async def react(self, chat_id: str, message_id: str, emoji: str) -> Failure | None:
        """Put ``emoji`` to a message; as ``draft``."""
        if isinstance(adapter := self._adapter, Reactions) and not self._has_moved(chat_id):
            return await self._show(partial(adapter.react, chat_id, message_id, emoji), REACTION_DEADLINE_S)
        return None

    def _has_moved(self, chat_id: str) -> bool:
        """What was said there before it moved keeps its id, and nobody can reach it any more."""
        return self._life.now_at(chat_id) != chat_id

    async def _show(self, call: Callable[[], Awaitable[None]], deadline_s: float) -> Failure | None:
        """Foreign code: also what it raises before it is awaited is no trouble of the lane's."""
        if not self._life.up:
            return Failure(UNREACHABLE, scope="adapter", detail="the adapter is not up")
        try:
            with self._life.borrowed(deadline_s):
                await call()
                return None
        except GatewayError as error:
            return error.failure
        except Exception as error:
            log.debug("%s: something that may be lost was not shown", self._life.name, exc_info=True)
            return Failure(NOT_SHOWN, detail=type(error).__name__)
        return Failure(SEND_UNCONFIRMED, detail=f"no answer within {deadline_s:g} s")
