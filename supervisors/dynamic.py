"""Keyed children: they come, go, and are steered by commands to their supervisor."""

from __future__ import annotations

from collections import Counter
from typing import Any

from supervisors.commands import (
    AdjustChild,
    ChildInfo,
    Command,
    DisableChild,
    EnableChild,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from supervisors.ref import ActorRef
from supervisors.spec import ChildSpec
from supervisors.step import State


class SupervisorRef:
    """Commands to the supervisor at ``path``; each waits at most ``timeout_s`` seconds (``trio.TooSlowError``).

    Cancelling a command does not withdraw it: the child is then started or stopped all the same, never half.
    Raises ``LookupError`` for an unknown child, ``ChildNotUpError`` where a child did not get ready,
    ``TooManyChildrenError`` where there may be no more, ``ActorDownError`` if the supervisor itself ended.
    """

    def __init__(self, ref: ActorRef[Command]) -> None:
        self._ref = ref

    async def start_child(self, spec: ChildSpec, timeout_s: float) -> ActorRef[Any]:
        """A ref to child ``spec.id``, started if it is not there: n callers at once start one (law N2)."""
        return await self._ref.ask(lambda reply: StartChild(spec, reply), timeout_s, urgent=True)

    def start_child_soon(self, spec: ChildSpec) -> None:
        """Start child ``spec.id`` if it is not there, without waiting; refused for want of room it is a dead letter."""
        self._ref.urge(StartChild(spec))

    def enable_child_soon(self, child: str) -> None:
        """Start a disabled child with a fresh budget, without waiting; one that is up stays as it is."""
        self._ref.urge(EnableChild(child))

    async def restart_child(self, child: str, timeout_s: float) -> ActorRef[Any]:
        """Stop and start a child; no budget is spent."""
        return await self._ref.ask(lambda reply: RestartChild(child, reply), timeout_s, urgent=True)

    async def enable_child(self, child: str, timeout_s: float) -> ActorRef[Any]:
        """Start a disabled child with a fresh budget."""
        return await self._ref.ask(lambda reply: EnableChild(child, reply), timeout_s, urgent=True)

    async def terminate_child(self, child: str, timeout_s: float) -> None:
        """Stop a child for good."""
        await self._ref.ask(lambda reply: TerminateChild(child, reply), timeout_s, urgent=True)

    async def disable_child(self, child: str, timeout_s: float) -> None:
        """Stop a child and leave it down, visibly."""
        await self._ref.ask(lambda reply: DisableChild(child, reply), timeout_s, urgent=True)

    async def adjust_child(self, spec: ChildSpec, timeout_s: float) -> None:
        """Give child ``spec.id`` a new spec: nothing is restarted, the next decision about it follows the new one.

        Raises ``ValueError`` for a spec that contradicts itself.
        """
        await self._ref.ask(lambda reply: AdjustChild(spec, reply), timeout_s, urgent=True)

    async def which_children(self, timeout_s: float) -> tuple[ChildInfo, ...]:
        """The children, in start order."""
        return await self._ref.ask(WhichChildren, timeout_s, urgent=True)

    async def count_children(self, timeout_s: float) -> Counter[State]:
        """How many children are in which state."""
        return Counter(child.state for child in await self.which_children(timeout_s))
