"""Callers who may leave: cancelled at some instant, after some steps of their own, or after some rounds of the scheduler."""

import random
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import trio
from kit_ledger import Ledger, Question

from supervisors.reply import AskError


@types.coroutine
def cut(scope: trio.CancelScope, steps: int, body: Awaitable[Any]) -> Generator[Any, Any, Any]:
    """Await ``body``; at the end of its ``steps``-th step of the scheduler, ``scope`` is cancelled."""
    inner, sent = body.__await__(), None
    while True:
        steps -= 1
        if steps == 0:
            scope.cancel()
        try:
            trap = inner.send(sent)
        except StopIteration as stop:
            return stop.value
        sent = yield trap


class Callers:
    """``nursery`` outlives them all; what they come to is in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.nursery: trio.Nursery

    async def call(self, what: str, body: Awaitable[Any], rng: random.Random) -> None:
        """Await ``body``, perhaps not to its end; ``what`` it is, for the count of those that were cancelled."""
        with trio.CancelScope() as scope:
            match rng.randrange(6):
                case 0:
                    scope.deadline = trio.current_time() + rng.choice((0.0, 0.3, 3.0))
                case 1:
                    body = cut(scope, rng.randint(1, 4), body)
                case 2:
                    self.nursery.start_soon(self._cancel_after, scope, rng.randint(1, 9))
            await body
        self.ledger.kinds[f"cancelled {what}"] += scope.cancelled_caught

    async def _cancel_after(self, scope: trio.CancelScope, rounds: int) -> None:
        for _ in range(rounds):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    async def ask(self, ask: Callable[..., Awaitable[int]], path: str, rng: random.Random) -> None:
        """Put a question to the actor at ``path``, by ``ask``; its one outcome is written down."""
        number, timeout = self.ledger.number(), rng.choice((0.2, 2.0, 20.0))
        deadline = trio.current_time() + timeout

        async def question() -> None:
            answer: int | BaseException
            try:
                answer = await ask(
                    self.ledger.system.registry.ref(path),
                    lambda reply: Question(number, reply),
                    timeout,
                    urgent=rng.random() < 0.2,
                )
            except (AskError, trio.TooSlowError) as error:
                answer = error
            self.ledger.outcome(number, deadline, answer)

        await self.call("ask", question(), rng)
