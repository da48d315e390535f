"""The console against a fake gateway and fake terminals; what it shares with the web chat is proved there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from chat_double import FakeIO, FakeTab, Outcome
from trio.testing import MockClock

from hermes.net.linkchat import ACK_DEADLINE_S, POLICY_VIOLATION
from hermes.platforms.console.adapter import Console
from hermes.sessions.keys import build_session_key
from hermes.testing.fakes import EPOCH_S, FakeIds, TrioClock
from hermes.types import ports
from hermes.types.content import Part
from hermes.types.ids import DeliveryId
from hermes.types.records import FeedItem


class Chat:
    """A connected console and as many terminals as a test wants."""

    def __init__(self, adapter: Console, io: FakeIO, nursery: trio.Nursery) -> None:
        self.adapter = adapter
        self.io = io
        self._nursery = nursery

    def connect(self, **args: Any) -> FakeTab:
        terminal = FakeTab()
        (verb,) = self.adapter.routes()
        self._nursery.start_soon(verb.handler, args, terminal)
        return terminal

    async def terminal(self, user: str = "ann", *, own: bool = False, session: str | None = None) -> FakeTab:
        terminal = self.connect(user=user, session=session)
        terminal.say(t="hello", client="test", own=own)
        assert (await terminal.hear())["t"] == "welcome"
        return terminal

    def answer(self, delivery_id: str, reply_to: str | None = None, chat: str = "ann") -> Outcome:
        part = Part(DeliveryId(delivery_id), 0, 1, "**yes**")
        outcome = Outcome()
        self._nursery.start_soon(
            outcome.of, lambda: self.adapter.send(chat, part, reply_to=reply_to, metadata={})
        )
        return outcome


@asynccontextmanager
async def gateway(io: FakeIO | None = None) -> AsyncIterator[Chat]:
    adapter, io = Console(TrioClock(), FakeIds()), io or FakeIO()
    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: adapter.connect(io, task_status=task_status))
            yield Chat(adapter, io, nursery)
            nursery.cancel_scope.cancel()


async def asks(terminal: FakeTab, name: str) -> None:
    terminal.say(t="send", id=name, text="?")
    assert (await terminal.hear_until("accepted"))["id"] == name


async def hears_nothing(terminal: FakeTab) -> None:
    await trio.testing.wait_all_tasks_blocked()
    terminal.say(t="ping")
    assert await terminal.hear() == {"t": "pong"}


def test_it_is_an_adapter_with_one_verb_whose_users_are_known() -> None:
    adapter = Console(TrioClock(), FakeIds())

    (mount,) = adapter.routes()
    assert isinstance(mount, ports.ControlVerb)
    assert (mount.verb, adapter.platform) == ("console", "console")
    assert (adapter.capabilities.authenticated, adapter.capabilities.idempotent_send) == (True, True)


async def test_a_user_has_a_conversation_and_may_have_others_beside_it(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        await asks(await chat.terminal("ann"), "1")
        await asks(await chat.terminal("ann", session="work"), "1")
        await asks(await chat.terminal("bob@home"), "1")

    assert [build_session_key(event.origin) for event in chat.io.events] == [
        "agent:main:console:dm:ann",
        "agent:main:console:dm:ann:work",
        "agent:main:console:dm:bob@home",
    ]
    assert [event.origin.user_id for event in chat.io.events] == ["ann", "ann", "bob@home"]
    assert len({event.event_id for event in chat.io.events}) == 3


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"user": ""},
        {"user": "a b"},
        {"user": "a:b"},
        {"user": "a\nb"},
        {"user": "x" * 65},
        {"user": ["ann"]},
        {"user": 7.5, "session": {}},
        {"user": "ann", "session": ""},
        {"user": "ann", "session": "a/b"},
    ],
)
async def test_names_that_are_none_are_refused_in_words(
    args: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with gateway() as chat:
        terminal = chat.connect(**args)
        await trio.testing.wait_all_tasks_blocked()
        assert terminal.closed is not None
        code, words = terminal.closed
        assert code == POLICY_VIOLATION
        assert "1 to 64 letters" in words
        assert chat.io.asked == []


async def test_history_comes_in_short_pages_and_as_text(autojump_clock: MockClock) -> None:
    io = FakeIO()
    io.history = [FeedItem(str(n), "agent", f"i{n}", "**x**", EPOCH_S + n) for n in range(1, 31)]
    async with gateway(io) as chat:
        terminal = chat.connect(user="ann")
        terminal.say(t="hello", client="test")
        welcome = await terminal.hear()

    assert [item["item_id"] for item in welcome["items"]] == [f"i{n}" for n in range(11, 31)]
    assert {item["html"] for item in welcome["items"]} == {None}


async def test_an_answer_goes_to_the_script_that_asked_and_not_to_another(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        first, second = await chat.terminal(own=True), await chat.terminal(own=True)
        await asks(first, "a")
        await asks(second, "b")
        assert (await first.hear())["t"] == "said"
        outcome = chat.answer("d1", reply_to="a")
        frame = await first.hear()
        assert (frame["t"], frame["item"]["text"], frame["item"]["html"]) == ("message", "**yes**", None)
        await hears_nothing(second)
        first.say(t="ack", item="d1")
        await outcome.known.wait()

    assert outcome.message_id == "d1"


async def test_an_answer_that_nobody_else_takes_goes_to_whoever_is_there(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        script = await chat.terminal(own=True)
        await asks(script, "b")
        outcome = chat.answer("d1", reply_to="a")
        assert (await script.hear())["item"]["reply_to"] == "a"
        script.say(t="ack", item="d1")
        await outcome.known.wait()

    assert outcome.message_id == "d1"


async def test_a_person_sees_every_answer(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        script, person = await chat.terminal(own=True), await chat.terminal()
        await asks(script, "a")
        assert (await person.hear())["t"] == "said"
        outcome = chat.answer("d1", reply_to="a")
        assert (await person.hear())["item"]["item_id"] == "d1"
        assert (await script.hear())["item"]["item_id"] == "d1"
        person.say(t="ack", item="d1")
        await outcome.known.wait()

    assert outcome.message_id == "d1"


async def test_when_the_one_that_asked_leaves_the_answer_is_free_at_once(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        asker, other = await chat.terminal(own=True), await chat.terminal(own=True)
        await asks(asker, "a")
        assert (await other.hear())["t"] == "said"
        outcome = chat.answer("d1", reply_to="a")
        await asker.hear()
        began = trio.current_time()
        asker.leave()
        await outcome.known.wait()
        assert outcome.error is not None
        assert (trio.current_time() - began < ACK_DEADLINE_S, outcome.error.phase) == (True, "unknown")
        again = chat.answer("d1", reply_to="a")
        assert (await other.hear())["item"]["item_id"] == "d1"
        other.say(t="ack", item="d1")
        await again.known.wait()

    assert again.message_id == "d1"


async def test_a_client_that_never_acks_costs_nobody_else_anything(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        silent, bob = await chat.terminal("ann"), await chat.terminal("bob")
        outcome = chat.answer("d1")
        assert (await silent.hear())["t"] == "message"
        other = chat.answer("d2", chat="bob")
        await bob.hear()
        bob.say(t="ack", item="d2")
        await other.known.wait()
        assert other.message_id == "d2"
        await outcome.known.wait()

    assert outcome.error is not None
    assert outcome.error.phase == "unknown"


async def test_S16_no_argument_and_no_frame_of_a_terminal_makes_an_event_internal(
    autojump_clock: MockClock,
) -> None:
    async with gateway() as chat:
        terminal = chat.connect(user="ann", internal=True, platform="telegram")
        terminal.say(t="hello", client="test", internal=True)
        terminal.say(t="send", id="c1", text="hi", internal=True, origin={"platform": "telegram"})
        await terminal.hear_until("accepted")

    (event,) = chat.io.events
    assert (event.internal, event.origin.platform, event.origin.user_id) == (False, "console", "ann")


async def test_typing_is_shown_in_every_terminal(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        terminal = await chat.terminal()
        await chat.adapter.typing("ann", None, True)
        assert await terminal.hear() == {"t": "typing", "on": True}
