"""The dump of one actor: stacks, what waits, what happened; and law O5, not a word of a message unless it was asked for."""

import json
from collections.abc import AsyncIterator, Awaitable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, Run, house, sleeps
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.context import Context
from supervisors.dump import BODY_CHARACTERS, ActorDump, Bodies, Letters, dump, stack_of
from supervisors.introspect import suspend
from supervisors.spec import Backoff, ChildSpec, MailboxSpec

NOW = Backoff(0, 0)


@dataclass(frozen=True)
class Secret:
    """A message with something in it that nobody else is to read."""

    text: str = "correct horse battery staple"
    more: tuple[int, ...] = field(default=(8675309,))


TEXT = ("correct", "horse", "battery", "staple", "8675309")


def functions(lines: tuple[str, ...] | list[str]) -> list[str]:
    """The functions of a stack that are in this file, outermost first."""
    return [line.rpartition(" ")[2] for line in lines if "test_kit_dump.py" in line]


# --- stacks ------------------------------------------------------------------------------------------------------------


async def sleeps_deep() -> None:
    await trio.sleep_forever()


async def branch() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sleeps_deep, name="leaf")
        nursery.start_soon(sleeps_deep, name="leaf")


async def child(ctx: Context[Any]) -> None:
    ctx.spawn_child(ChildSpec("grandchild", grandchild))
    await sleeps_deep()


async def grandchild(ctx: Context[Any]) -> None:
    await sleeps_deep()


async def parent(ctx: Context[Any]) -> None:
    ctx.spawn_child(ChildSpec("helper", child))
    ctx.ready()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(branch, name="branch")
        await ctx.stopping()
        nursery.cancel_scope.cancel()


async def test_the_stacks_are_of_all_tasks_the_actor_owns_and_of_no_other() -> None:
    async with house(ChildSpec("a", parent), Book().spec("b")) as it:
        stacks = dump(it.system, "root/a").stacks

        assert [(stack.task, functions(stack.lines)) for stack in stacks] == [
            ("root/a#1", ["parent"]),
            ("branch", ["branch"]),
            ("leaf", ["sleeps_deep"]),
            ("leaf", ["sleeps_deep"]),
            ("root/a/helper#1", ["child", "sleeps_deep"]),
            ("root/a/helper/grandchild#1", ["grandchild", "sleeps_deep"]),
        ]
        assert any(line.endswith(" receive") for line in stacks[0].lines)
        assert [stack.task for stack in dump(it.system, "root/b").stacks] == ["root/b#1"]


async def test_a_life_that_was_given_up_shows_where_it_hangs_beside_its_successor(
    autojump_clock: MockClock,
) -> None:
    async def deaf_once(ctx: Context[Any]) -> None:
        ctx.ready()
        with trio.CancelScope(shield=ctx.incarnation == 1):
            await trio.sleep(60)

    async with house(ChildSpec("a", deaf_once, shutdown=0, grace=0.1)) as it:
        await it.commands("root").restart_child("a", 5)
        await wait_all_tasks_blocked()
        stacks = dump(it.system, "root/a").stacks

        assert [(stack.task, functions(stack.lines)) for stack in stacks] == [
            ("root/a#1", ["deaf_once"]),
            ("root/a#2", ["deaf_once"]),
        ]


class Wrapped:
    """Awaits a coroutine in Python."""

    def __await__(self) -> Generator[Any, None, None]:
        return sleeps_deep().__await__()


class Delegated:
    """Awaits another by a generator."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from Wrapped().__await__()


class Odd:
    """Says yes to everything."""

    def __init__(self, inner: Generator[Any, Any, Any]) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return self

    def __await__(self) -> "Odd":
        return self

    def __iter__(self) -> "Odd":
        return self

    def __next__(self) -> Any:
        return next(self.inner)

    def send(self, value: Any) -> Any:
        return self.inner.send(value)

    def throw(self, *args: Any) -> Any:
        return self.inner.throw(*args)


async def generates() -> AsyncIterator[int]:
    async for number in generates_deeper():
        yield number


async def generates_deeper() -> AsyncIterator[int]:
    yield 1
    await sleeps_deep()


async def through_generators() -> None:
    async for _ in generates():
        pass


@asynccontextmanager
async def managed() -> AsyncIterator[None]:
    await sleeps_deep()
    yield


async def through_a_manager() -> None:
    async with managed():
        pass


async def awaits(awaited: Awaitable[None]) -> None:
    await awaited


@pytest.mark.parametrize(
    ("start", "stack"),
    [
        (through_generators, ["through_generators", "generates", "generates_deeper", "sleeps_deep"]),
        (through_a_manager, ["through_a_manager", "managed", "sleeps_deep"]),
        (lambda: awaits(Wrapped()), ["awaits", "sleeps_deep"]),
        (lambda: awaits(Delegated()), ["awaits", "__await__", "sleeps_deep"]),
        (lambda: awaits(Odd(sleeps_deep().__await__())), ["awaits"]),
    ],
)
async def test_a_stack_leads_through_what_is_written_in_python(start: Any, stack: list[str]) -> None:
    tasks: list[trio.lowlevel.Task] = []

    async def main() -> None:
        tasks.append(trio.lowlevel.current_task())
        await start()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(main)
        await wait_all_tasks_blocked()

        assert functions(stack_of(tasks[0])) == ["main", *stack]
        nursery.cancel_scope.cancel()


async def test_an_actor_may_dump_itself() -> None:
    found: list[ActorDump] = []

    async def looks(ctx: Context[Any]) -> None:
        found.append(dump(ctx.system, ctx.path))

    async with house(Book().spec("a")) as it:
        it.ref("root/a").tell_nowait(Run(looks))
        await wait_all_tasks_blocked()

    assert found[0].stacks[0].task == "root/a#1"
    assert found[0].node.current is not None
    assert found[0].node.current[0] == "Run"


# --- what waits, what happened -------------------------------------------------------------------------------------------


async def test_what_waits_is_counted_by_type_and_lane(autojump_clock: MockClock) -> None:
    async def busy(ctx: Context[Any]) -> None:
        ctx.ready()
        await ctx.receive()
        ctx.send_after(1, Secret())
        await trio.sleep(5)

    async with house(ChildSpec("a", busy)) as it:
        ref = it.ref("root/a")
        ref.tell_nowait("go")
        await wait_all_tasks_blocked()
        for message in (1, "two", 3, Secret()):
            ref.tell_nowait(message)
        ref.urge(Secret())
        ref.stop()
        await trio.sleep(2)

        found = dump(it.system, "root/a")
        assert found.waiting == {
            "control": {"Secret": 1, "Stop": 1},
            "user": {"int": 2, "str": 1, "Secret": 1},
        }
        assert found.node.current == ("str", 2)


async def test_a_timer_that_fell_due_is_shown_as_its_message() -> None:
    async def own(ctx: Context[Any]) -> None:
        ctx.ready()
        ctx.send_after(0, Secret())
        ctx._hand_over_due(ctx._timers)  # type: ignore[arg-type]  # as receive does, and then it is cancelled
        await sleeps_deep()

    async with house(ChildSpec("a", own)) as it:
        found = dump(it.system, "root/a", bodies=True)

        assert found.waiting["control"] == {"Secret": 1}
        assert found.bodies is not None
        assert found.bodies.control == (repr(Secret()),)
        it.system.hurry(0)


async def test_the_newest_events_of_the_path_and_below_and_the_letters_of_the_path(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    spec = book.spec(
        "a", backoff=NOW, mailbox=MailboxSpec(1, overflow="drop_newest", in_flight="redeliver:1")
    )

    async def spawn(ctx: Context[Any]) -> None:
        ctx.spawn_child(book.spec("helper"))

    async with house(spec, book.spec("ab", backoff=NOW)) as it:
        it.ref("root/a").tell_nowait(Run(spawn))
        await wait_all_tasks_blocked()
        it.ref("root/ab").tell_nowait(Fail(ValueError()))
        it.ref("root/ac").tell_nowait("to another")
        it.ref("root/a").tell_nowait(Fail(ValueError("boom")))
        it.ref("root/a").tell_nowait(1)
        it.ref("root/a").tell_nowait(2)
        await wait_all_tasks_blocked()

        found = dump(it.system, "root/a")
        assert {(letters.message, letters.why, letters.count) for letters in found.letters} == {
            ("Fail", "its reader failed on it again and again", 1),
            ("int", "the mailbox was full", 2),
        }
        assert {event.path for event in found.events} == {"root/a", "root/a/helper"}
        own = [event.kind for event in found.events if event.path == "root/a"]
        assert own == ["started", "ready", "exited", "started", "ready"]
        assert dump(it.system, "root/a", events=2).events == found.events[-2:]
        assert dump(it.system, "root/a", events=0).events == ()
        assert len(dump(it.system, "root").events) > len(found.events)


async def test_a_dump_awaits_nobody_and_knows_who_is_not_there(autojump_clock: MockClock) -> None:
    async with house(Book().spec("a", backoff=Backoff(60, 60))) as it:
        it.ref("root/a").tell_nowait(Fail(ValueError()))
        it.ref("root/a").tell_nowait("waits")
        await wait_all_tasks_blocked()

        found = dump(it.system, "root/a")
        assert (found.node.state, found.stacks, found.waiting["user"]) == ("backoff", (), {"str": 1})
        with pytest.raises(LookupError, match="root/nobody"):
            dump(it.system, "root/nobody")


# --- what it tells -----------------------------------------------------------------------------------------------------


async def full_of_secrets(ctx: Context[Any]) -> None:
    """Crashes on the first one, and then never comes to an end with one."""
    ctx.ready()
    message = await ctx.receive()
    if ctx.incarnation == 1:
        raise ValueError("a crash that says nothing")
    ctx.send_after(0, message)
    await trio.sleep(3600)


@pytest.mark.parametrize("bodies", [False, True])
async def test_law_O5_not_a_word_of_a_message_unless_it_was_asked_for(
    bodies: bool, autojump_clock: MockClock
) -> None:
    mailbox = MailboxSpec(2, overflow="drop_newest", in_flight="redeliver:3")
    async with house(ChildSpec("a", full_of_secrets, backoff=NOW, mailbox=mailbox)) as it:
        for _ in range(5):
            it.ref("root/a").tell_nowait(Secret())
        it.ref("root/a").urge(Secret())
        await trio.sleep(10)
        it.ref("root/a").urge(Secret())

        found = dump(it.system, "root/a", bodies=bodies)
        assert found.node.current == ("Secret", 10)
        assert found.waiting == {"control": {"Secret": 1}, "user": {"Secret": 2}}
        assert found.letters == (Letters("Secret", "the mailbox was full", 3),)
        assert [event.kind for event in found.events].count("exited") == 1
        assert [word for word in TEXT if word in repr(found)] == []
        document = json.dumps(found.to_json())
        assert [word for word in TEXT if word in document] == (list(TEXT) if bodies else [])
        if found.bodies is not None:
            text = repr(Secret())
            assert found.bodies == Bodies(text, control=(text,), user=(text, text), letters=(text,) * 3)


async def test_a_body_is_cut_and_one_without_a_text_harms_nobody() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise ValueError

    async with house(Book().spec("a")) as it:
        suspend(it.system, "root/a")
        it.ref("root/a").tell_nowait("x" * 10_000)
        it.ref("root/a").tell_nowait(Mute())
        found = dump(it.system, "root/a", bodies=True).bodies

        assert found is not None
        assert [len(text) for text in found.user[:1]] == [BODY_CHARACTERS] == [500]
        assert found.user[1] == "<Mute, whose text cannot be made>"


async def test_the_document_is_plain_json(autojump_clock: MockClock) -> None:
    async with house(Book().spec("a")) as it:
        it.ref("root/a").tell_nowait(sleeps(3))
        await wait_all_tasks_blocked()
        document = dump(it.system, "root/a", bodies=True).to_json()

        assert json.loads(json.dumps(document)) == document | {
            "bodies": {lane: text if lane == "current" else [] for lane, text in document["bodies"].items()},
            "stacks": [{**stack, "lines": list(stack["lines"])} for stack in document["stacks"]],
        }
        assert document["node"]["path"] == "root/a"
