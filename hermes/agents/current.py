"""The agent in force, which may become another one while turns run."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass

import trio

from hermes.types.agent import Agent, AgentIO, Failed, Final, Turn

CLOSE_DEADLINE_S = 5.0


@dataclass(slots=True)
class _Life:
    """An agent, what it holds open, and how many turns it has begun and not ended."""

    agent: Agent
    holds: AsyncExitStack
    turns: int = 0


class CurrentAgent:
    """Implements ``Agent``. A turn is answered to its end by the agent that was in force at its beginning."""

    def __init__(self) -> None:
        self.name = self.model = ""
        self._lives: list[_Life] = []

    async def adopt(self, opened: AbstractAsyncContextManager[Agent]) -> Agent:
        """Have turns that begin from now on answered by the agent that ``opened`` gives; returns it. Raises what that raises, and
        then nothing has changed. It may hold no nursery and no cancel scope: another task closes it.
        """
        async with AsyncExitStack() as opening:
            agent = await opening.enter_async_context(opened)
            self._lives.append(_Life(agent, opening.pop_all()))
            self.name, self.model = agent.name, agent.model
        await self._close_those_at_rest()
        return agent

    async def run(self, turn: Turn, io: AgentIO) -> Final | Failed:
        """See ``Agent``."""
        life = self._lives[-1]
        life.turns += 1
        try:
            return await life.agent.run(turn, io)
        finally:
            life.turns -= 1
            if not self._lives or life is not self._lives[-1]:
                with trio.move_on_after(CLOSE_DEADLINE_S, shield=True):
                    await self._close_those_at_rest()

    async def aclose(self) -> None:
        """Close every agent, whatever still runs."""
        lives, self._lives = self._lives, []
        for life in lives:
            await _close(life)

    async def _close_those_at_rest(self) -> None:
        """The one in force is the last."""
        for life in [life for life in self._lives[:-1] if not life.turns]:
            self._lives.remove(life)
            await _close(life)


async def _close(life: _Life) -> None:
    with trio.move_on_after(CLOSE_DEADLINE_S, shield=True):
        await life.holds.aclose()
