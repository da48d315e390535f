"""The census: all actors in figures, by what they run."""

from typing import Any

import trio
from kit_house import house
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import Down, Stop
from supervisors.census import census
from supervisors.context import Context
from supervisors.spec import ChildSpec, MailboxSpec
from supervisors.supervisor import supervisor


async def rests(ctx: Context[Any]) -> None:
    """Waits for its stop."""
    ctx.ready()
    await ctx.stopping()


async def busy(ctx: Context[Any]) -> None:
    """Takes a message and works on it for ever; has a child of its own."""
    ctx.spawn_child(ChildSpec("own", rests))
    ctx.ready()
    match await ctx.receive():
        case Stop() | Down():
            return
        case _:
            await trio.sleep_forever()


async def test_law_O2_a_group_for_each_kind_with_what_waits_and_for_how_long_it_works(
    autojump_clock: MockClock,
) -> None:
    async with house(
        ChildSpec("a", busy, mailbox=MailboxSpec(4), shutdown=0),
        ChildSpec("b", busy, mailbox=MailboxSpec(4), shutdown=0),
        supervisor("below", [ChildSpec("c", rests)]),
    ) as home:
        for _ in range(4):
            home.ref("root/a").tell_nowait(1)
            await wait_all_tasks_blocked()
        await trio.sleep(3)
        home.ref("root/b").tell_nowait(1)
        home.ref("root/b").tell_nowait(1)
        await trio.sleep(4)

        groups = census(home.system, lambda start: start.__name__)

        assert dict(groups["busy"].states) == {"running": 2}
        assert (groups["busy"].waiting, groups["busy"].fullest) == (4, 0.75)
        assert (groups["busy"].in_work_s, groups["busy"].oldest_s) == (7, 7)
        assert dict(groups["rests"].states) == {"running": 3}  # two of them linked
        assert (groups["rests"].waiting, groups["rests"].oldest_s) == (0, 0)
        assert sum(sum(group.states.values()) for group in groups.values()) == len(home.system.registry) - 1
