"""AC-04: every task that lives belongs to an actor, and the tree names it."""

import pytest
import trio
from world import World

from hermes.testing.fakes import FakeAgent, Hang

STOPPER = "system/stopper"
KEEPER = "world.World.keep"
"""The task that runs the world's system."""


def tasks_below(task: trio.lowlevel.Task) -> list[trio.lowlevel.Task]:
    return [child for nursery in task.child_nurseries for child in nursery.child_tasks]


def unowned(world: World, known: set[trio.lowlevel.Task]) -> list[str]:
    """Names of tasks, anywhere in the process, that are neither in ``known`` nor an actor's nor within an actor."""
    actors = {f"{path}#{incarnation}" for path, incarnation in world.incarnations().items()} | {STOPPER}
    found = []

    def walk(task: trio.lowlevel.Task) -> None:
        if task.name in actors:
            return  # what it has in nurseries of its own ends with it
        if task not in known:
            found.append(task.name)
        for child in tasks_below(task):
            walk(child)

    root = trio.lowlevel.current_root_task()
    assert root is not None
    walk(root)
    return found


def everything() -> set[trio.lowlevel.Task]:
    found = set()

    def walk(task: trio.lowlevel.Task) -> None:
        found.add(task)
        for child in tasks_below(task):
            walk(child)

    root = trio.lowlevel.current_root_task()
    assert root is not None
    walk(root)
    return found


@pytest.fixture
async def running(open_world):
    """A world at work on several chats, and the tasks that do not belong to it."""
    known = everything()
    world = await open_world(FakeAgent(otherwise=Hang()))
    known |= {task for task in everything() if task.name == KEEPER}
    for chat in "abc":
        await world.say("hello", chat)
        await world.say("/help", chat)
    await trio.sleep(1)
    return world, known


async def test_AC_04_every_task_is_an_actors(running, autojump_clock):
    world, known = running

    assert unowned(world, known) == []


async def test_AC_04_as_many_tasks_as_live_actors(running, autojump_clock):
    world, _ = running
    (system_nursery,) = [
        nursery
        for task in everything()
        if task.name == KEEPER
        for nursery in task.child_nurseries
        if any(child.name == STOPPER for child in nursery.child_tasks)
    ]

    names = sorted(task.name for task in system_nursery.child_tasks)
    actors = [f"{path}#{incarnation}" for path, incarnation in world.incarnations().items()]
    assert names == sorted([*actors, STOPPER])
    assert len([name for name in names if name.endswith("/turn#1")]) == 3


async def test_AC_04_a_task_of_nobodys_is_found(running, autojump_clock, nursery):
    world, known = running

    nursery.start_soon(trio.sleep, 1, name="nobody's")
    trio.lowlevel.spawn_system_task(trio.sleep, 1, name="nobody's either")

    assert sorted(unowned(world, known)) == ["nobody's", "nobody's either"]


async def test_AC_04_no_task_is_left_after_crashes_and_a_stop(open_world, autojump_clock):
    before = everything()
    world = await open_world(FakeAgent(otherwise=Hang()))
    for chat in "ab":
        await world.say("hello", chat)
    await trio.sleep(1)
    for path in (world.session("a"), "root/gateway/sessions", "root/gateway/inbound"):
        world.crash(path)
        await trio.sleep(1)

    await world.stop()

    assert [task.name for task in everything() - before] == []
