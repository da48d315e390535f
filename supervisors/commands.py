"""What one may ask of a supervisor, and the book of those who wait until it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from supervisors.reasons import ExitReason, describe
from supervisors.ref import ActorRef
from supervisors.reply import Reply
from supervisors.spec import ChildSpec, Kind
from supervisors.step import State


class ChildNotUpError(Exception):
    """A child that was started or restarted did not get ready; ``reason`` is why, if it ended."""

    def __init__(self, path: str, state: State, reason: ExitReason | None) -> None:
        super().__init__(f"{path} is {state.value}" + (f": {describe(reason)}" if reason else ""))
        self.path = path
        self.state = state
        self.reason = reason


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child, or wait for the one of that id; the reply, if anybody waits, is its ref once it is ready."""

    spec: ChildSpec
    reply: Reply[ActorRef[Any]] | None = None


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Stop a child and start it again; the reply is its ref once the new incarnation is ready."""

    child: str
    reply: Reply[ActorRef[Any]]


@dataclass(frozen=True, slots=True)
class EnableChild:
    """Start a disabled child; the reply, if anybody waits, is its ref once it is ready."""

    child: str
    reply: Reply[ActorRef[Any]] | None = None


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """Stop a child for good; the reply comes when it has ended."""

    child: str
    reply: Reply[None]


@dataclass(frozen=True, slots=True)
class DisableChild:
    """Stop a child and keep it visible as disabled; the reply comes when it has ended."""

    child: str
    reply: Reply[None]


@dataclass(frozen=True, slots=True)
class AdjustChild:
    """Give the child of that id a new spec; its incarnation goes on, the next decision about it follows the new spec."""

    spec: ChildSpec
    reply: Reply[None]


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One child as its supervisor sees it at the moment of the question."""

    id: str
    kind: Kind
    state: State
    incarnation: int
    restarts: int


@dataclass(frozen=True, slots=True)
class WhichChildren:
    """Who is there, in start order."""

    reply: Reply[tuple[ChildInfo, ...]]


Command = (
    StartChild | RestartChild | EnableChild | TerminateChild | DisableChild | AdjustChild | WhichChildren
)

_UP = frozenset({State.RUNNING})
_DOWN = frozenset({State.STOPPED, State.DISABLED})
_GONE = _DOWN | {State.STARTING}
"""An order to stop is carried out, and another one may have started the child again since."""
_FAILED = frozenset({State.BACKOFF, State.STOPPED, State.DISABLED})


@dataclass(eq=False, slots=True)
class Waiter:
    """Somebody who waits for ``child`` to be ``up``, or down; without a ``reply`` he has left already."""

    child: str
    reply: Reply[Any] | None
    up: bool


class Waiters:
    """Who waits for which child of the supervisor at ``path``; each is answered once. ``ref`` names a child."""

    def __init__(self, path: Callable[[str], str], ref: Callable[[str], ActorRef[Any]]) -> None:
        self._path = path
        self._ref = ref
        self._by_child: dict[str, list[Waiter]] = {}

    def add(self, waiter: Waiter) -> None:
        """From now on, every change of the child is his."""
        self._by_child.setdefault(waiter.child, []).append(waiter)

    def refuse(self, waiter: Waiter, error: Exception) -> None:
        """His order is not carried out."""
        self._drop(waiter)
        if waiter.reply is not None:
            waiter.reply.fail(error)

    def _drop(self, waiter: Waiter) -> None:
        others = self._by_child[waiter.child]
        others.remove(waiter)
        if not others:
            del self._by_child[waiter.child]

    def settle(self, waiter: Waiter, state: State, reason: ExitReason | None, *, already: bool) -> None:
        """The order is given, and the child is in ``state`` now; ``already``: that may be all that was wanted."""
        if waiter not in self._by_child.get(waiter.child, ()):
            return
        if already and state in (_UP if waiter.up else _DOWN):
            self._answer(waiter, state)
        elif waiter.up and state in _DOWN:
            self._fail(waiter, state, reason)

    def changed(self, child: str, state: State, reason: ExitReason | None) -> None:
        """``child`` has entered ``state``; ``reason`` is its last end's."""
        for waiter in tuple(self._by_child.get(child, ())):
            if state in (_UP if waiter.up else _GONE):
                self._answer(waiter, state)
            elif waiter.up and state in _FAILED:
                self._fail(waiter, state, reason)

    def fail_all(self, reason: ExitReason | None) -> None:
        """Nothing more will be done."""
        for waiter in [waiter for waiters in self._by_child.values() for waiter in waiters]:
            self._fail(waiter, State.STOPPED, reason)

    def _answer(self, waiter: Waiter, state: State) -> None:
        self._drop(waiter)
        if waiter.reply is not None:
            waiter.reply.send(self._ref(waiter.child) if state is State.RUNNING else None)

    def _fail(self, waiter: Waiter, state: State, reason: ExitReason | None) -> None:
        self.refuse(waiter, ChildNotUpError(self._path(waiter.child), state, reason))
