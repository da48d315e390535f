"""The agent in force, while it becomes another one."""

from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from hermes.agents.current import CurrentAgent
from hermes.testing.fakes import FakeAgent
from hermes.types.agent import Final


class Named(FakeAgent):
    """Answers with its name, once it may."""

    def __init__(self, name):
        super().__init__()
        self.name, self.model = name, f"model of {name}"
        self.may, self.open = trio.Event(), False

    async def run(self, turn, io):
        await self.may.wait()
        assert self.open
        return Final(self.name)

    @asynccontextmanager
    async def opened(self):
        self.open = True
        try:
            yield self
        finally:
            self.open = False


async def test_a_turn_is_answered_to_its_end_by_the_agent_it_began_with(autojump_clock):
    current, old, new = CurrentAgent(), Named("old"), Named("new")
    answers = {}
    await current.adopt(old.opened())

    async def turn(name):
        answers[name] = (await current.run(None, None)).text

    async with trio.open_nursery() as nursery:
        nursery.start_soon(turn, "before")
        await trio.testing.wait_all_tasks_blocked()
        await current.adopt(new.opened())
        assert (current.name, current.model) == ("new", "model of new")
        nursery.start_soon(turn, "after")
        await trio.testing.wait_all_tasks_blocked()
        assert old.open
        new.may.set()
        old.may.set()

    assert answers == {"before": "old", "after": "new"}
    assert (old.open, new.open) == (False, True)
    await current.aclose()
    assert not new.open


async def test_an_agent_that_cannot_be_opened_leaves_the_old_one_in_force():
    @asynccontextmanager
    async def broken():
        raise OSError("no")
        yield

    current, old = CurrentAgent(), Named("old")
    await current.adopt(old.opened())

    with pytest.raises(OSError, match="no"):
        await current.adopt(broken())

    assert (current.name, old.open) == ("old", True)
    await current.aclose()
