"""Keyed children: they come, go, and are steered by commands to their supervisor."""

from __future__ import annotations

from typing import Any

from supervisors.ref import ActorRef
from supervisors.reply import Reply
from supervisors.spec import ChildSpec
from supervisors.supervisor import (
    DisableChild,
    EnableChild,
    Message,
    RestartChild,
    StartChild,
    TerminateChild,
)


class SupervisorRef:
    """Commands to the supervisor at ``path``; each waits at most ``timeout_s`` seconds (``trio.TooSlowError``).

    Cancelling a command does not withdraw it: the child is then started or stopped all the same, never half.
    Raises ``LookupError`` for an unknown child, ``ChildNotUpError`` where a child did not get ready, ``ActorDownError``
    if the supervisor itself ended.
    """

    def __init__(self, ref: ActorRef[Message]) -> None:
        self._ref = ref

    async def start_child(self, spec: ChildSpec, timeout_s: float) -> ActorRef[Any]:
        """A ref to child ``spec.id``, started if it is not there: n callers at once start one (law N2)."""
        return await self._ref.ask(lambda reply: StartChild(spec, reply), timeout_s, urgent=True)

    def start_child_soon(self, spec: ChildSpec) -> None:
        """Start child ``spec.id`` if it is not there, without waiting."""
        self._ref.urge(StartChild(spec, Reply()))

    def enable_child_soon(self, child: str) -> None:
        """Start a disabled child with a fresh budget, without waiting; one that is up stays as it is."""
        self._ref.urge(EnableChild(child, Reply()))

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
