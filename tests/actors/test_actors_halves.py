"""Half surrogates of foreign code: no store takes them, so each border makes them whole, once. AC-33."""

from dataclasses import replace

import trio
from test_actors_hooks import Called, hook
from world import PLAIN

from hermes.delivery.stream import MOST_CHARACTERS
from hermes.testing.fakes import FakeAdapter, FakeAgent, Reply
from hermes.types import texts
from hermes.types.agent import Delta, Final, Step
from hermes.types.errors import Failure, SendError

HALF = "\ud83d"


async def test_of_an_adapter(open_world, autojump_clock):
    world = await open_world()
    await world.platform.receive(f"a{HALF}b", "1", event_id=f"e{HALF}")
    await world.settle()
    assert world.rows("state, text") == [("answered", "a�b")]
    assert world.heard() == ["a�b"]


class Talking:
    """An agent that writes, takes a step and answers."""

    name, model = "talking", ""

    def __init__(self, *pieces, step="found", answer="done"):
        self.pieces, self.found, self.answer = pieces, step, answer

    async def run(self, _turn, io):
        for piece in self.pieces:
            await io.emit(Delta(piece))
            await trio.sleep(2)
        await io.step(Step("result", "web", self.found))
        return Final(self.answer)


async def test_of_an_agent(open_world, autojump_clock):
    world = await open_world(Talking("a", step=f"s{HALF}", answer=f"b{HALF}\ude00{HALF}"))
    await world.say("hello")
    await world.settle()
    assert world.rows("state") == ["answered"]
    assert world.heard() == ["b😀�"]


async def test_two_halves_that_an_agent_writes_one_after_the_other_are_one_character(
    open_world, autojump_clock
):
    world = await open_world(Talking("so far ", HALF, "\ude00", HALF, "b"))
    seen = []
    show = world.services.delivery.draft
    world.services.delivery.draft = lambda lane, draft, at: (seen.append(draft.text), show(lane, draft, at))
    await world.say("hello")
    await world.settle()
    assert seen == ["so far ", "so far ", "so far 😀", "so far 😀", "so far 😀�b"]


async def test_what_a_runaway_agent_writes_is_kept_up_to_a_limit_and_says_so(open_world, autojump_clock):
    world = await open_world(Talking(*["x" * 40_000] * 4))
    seen = []
    world.services.delivery.draft = lambda _lane, draft, _at: seen.append(draft.text)
    await world.say("hello")
    await world.settle()
    assert [len(text) for text in seen] == [40_000, 80_000, MOST_CHARACTERS, MOST_CHARACTERS]
    assert seen[-1].endswith(texts.STREAM_TOO_LONG)
    assert world.heard() == ["done"]


async def test_of_a_hook(open_world, autojump_clock):
    rewrites = Called({"action": "rewrite", "text": f"x{HALF}"})
    world = await open_world(handlers=[hook(rewrites, "pre_gateway_dispatch")])
    await world.say("hello")
    await world.settle()
    assert world.heard() == ["x�"]


class Odd(FakeAdapter):
    """Names its messages, and its failures, with halves."""

    async def send(self, chat_id, part, *, reply_to, metadata):
        result = await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
        return replace(result, message_id=f"{result.message_id}{HALF}")


async def test_of_a_receipt_and_of_a_failure(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(lambda _: "hi")), platform=Odd(capabilities=PLAIN))
    world.platform.failures = [SendError(Failure("busy", detail=f"no {HALF}"), "not_sent")]
    await world.say("hello")
    await world.settle()
    assert world.heard() == ["hi"]
    assert world.rows("state", "outbox") == ["sent"]
    assert world.rows("message_id, outbox_row_id AS row_id", "receipts") == [("m1�", 1)]
