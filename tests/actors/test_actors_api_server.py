"""The API server in the whole tree, in virtual time: what its clients get, whatever becomes of the turn."""

import json
from pathlib import Path

import pytest
import trio
from agents import Typist
from world import QUEUE

from hermes.config.model import Agent, Config
from hermes.config.platforms import PlatformConfig
from hermes.platforms.api_server import adapter as api
from hermes.platforms.api_server.adapter import ApiServer
from hermes.registry.entry import AdapterSetup
from hermes.store import ops
from hermes.store.sessions import session_list, session_show
from hermes.testing.fakes import Crash, FakeAgent, FakeIds, GiveUp, Hang, Reply, TrioClock
from hermes.types.agent import Delta, Final, Usage
from hermes.types.errors import MODEL_UNREACHABLE, STORE_GONE, Failure, GatewayError
from hermes.types.events import Earlier
from hermes.types.hooks import NoHooks, Skip
from hermes.types.ports import Request

PATH = "root/gateway/adapters/api_server:default"


class Api(ApiServer):
    """As many requests as a test wants, one after the other."""

    account = "default"
    sent = ()

    def __init__(self, **settings):
        config = PlatformConfig(enabled=True, settings=settings)
        super().__init__(AdapterSetup("api_server", "default", config, Path("/"), TrioClock(), FakeIds(7)))


class Client:
    """A request, and what its client has read."""

    def __init__(self, world, text="hello", *, before=(), session=None, **fields):
        messages = [*before, {"role": "user", "content": text}]
        headers = {"content-type": "application/json"} | ({"x-hermes-session-id": session} if session else {})
        body = json.dumps({"messages": messages, **fields}).encode()
        self.request = Request("POST", "/v1/chat/completions", headers=headers, body=body)
        self.route = world.services.routes.find("POST", "/v1/chat/completions")
        self.leaves = trio.Event()
        self.ended = trio.Event()
        self.begun = None
        self.body = b""
        self.answer = None

    async def run(self):
        self.answer = await self.route.stream(self.request, self)
        self.ended.set()

    async def whole(self):
        await self.run()
        return self.answer

    async def begin(self, response):
        await trio.lowlevel.checkpoint()
        self.begun, self.body = response, response.body

    async def send(self, data):
        await trio.lowlevel.checkpoint()
        self.body += data

    async def gone(self):
        await self.leaves.wait()

    @property
    def said(self):
        return json.loads(self.answer.body)["choices"][0]["message"]["content"]

    @property
    def fault(self):
        return self.answer.status, json.loads(self.answer.body)["error"]["code"]

    @property
    def events(self):
        return [line.removeprefix("data: ") for line in self.body.decode().split("\n\n") if line]

    @property
    def chunks(self):
        return [json.loads(line) for line in self.events if line.startswith("{")]

    @property
    def streamed(self):
        deltas = [chunk["choices"][0]["delta"] for chunk in self.chunks if chunk.get("choices")]
        return "".join(delta.get("content", "") for delta in deltas)


async def begun(nursery, *clients):
    """Let them ask, and the turns of what they ask begin."""
    for client in clients:
        nursery.start_soon(client.run)
        await trio.sleep(1)


async def test_a_request_is_a_message_and_its_answer_the_response(open_world, autojump_clock):
    class Counting(FakeAgent):
        """Says what it has cost."""

        async def run(self, turn, io):
            await super().run(turn, io)
            return Final("hi", Usage(5, 2))

    world = await open_world(Counting(), platform=Api())
    answer = await Client(world, model="gpt-4o").whole()

    body = json.loads(answer.body)
    (choice,) = body["choices"]
    session = answer.headers["x-hermes-session-id"]
    assert (answer.status, body["object"], body["model"]) == (200, "chat.completion", "gpt-4o")
    assert choice["message"] == {"role": "assistant", "content": "hi", "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert body["id"] == session  # without a header each request is a conversation of its own
    assert body["usage"]["total_tokens"] == 7
    await world.settle()
    assert world.rows("state, rule") == [("answered", "answered")]
    assert world.rows("state, failure", "outbox") == [("sent", "")]
    assert world.rows("session_key") == [f"agent:main:api_server:dm:{session}"]


async def test_there_is_one_model(open_world, autojump_clock):
    world = await open_world(platform=Api(model_name="ann"))
    answer = await world.services.routes.find("GET", "/v1/models").call(Request("GET", "/v1/models"))

    (model,) = json.loads(answer.body)["data"]
    assert (model["id"], model["object"]) == ("ann", "model")


async def test_a_stream_grows_and_ends_as_the_api_says(open_world, autojump_clock):
    world = await open_world(Typist(20, 0.5), platform=Api())
    client = Client(world, stream=True, stream_options={"include_usage": True})
    await client.run()

    assert client.answer is None
    assert client.begun.media_type == "text/event-stream"
    first, *middle, last, usage = client.chunks
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert len(middle) > 5
    assert last["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 0)
    assert {chunk["object"] for chunk in client.chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in client.chunks}) == 1
    assert client.events[-1] == "[DONE]"
    assert client.streamed == "".join(f"{n} " for n in range(20))


async def test_a_stream_that_is_silent_shows_that_it_is_alive(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=50)), platform=Api())
    client = Client(world, stream=True)
    await client.run()

    assert client.events.count(": keep-alive") == 3
    assert client.streamed == "hello"


async def test_what_is_written_anew_follows_what_was_shown(open_world, autojump_clock):
    class Fickle:
        """Changes its mind."""

        name = "fickle"

        async def run(self, turn, io):
            await io.emit(Delta("This is what I was going to say"))
            await trio.sleep(2)
            return Final("But no.")

    world = await open_world(Fickle(), platform=Api())
    client = Client(world, stream=True)
    await client.run()

    assert client.streamed == "This is what I was going to say\n\nBut no."


async def test_without_a_session_the_agent_is_told_what_the_client_tells(open_world, autojump_clock):
    agent = FakeAgent()
    world = await open_world(agent, platform=Api())
    before = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "and before?"},
        {"role": "assistant", "content": "this"},
    ]
    await Client(world, before=before).whole()
    await Client(world, before=before).whole()

    for turn in agent.turns:
        assert [(line.role, line.text) for line in turn.history] == [
            ("user", "and before?"),
            ("assistant", "this"),
        ]
        assert turn.context.endswith("\n\nbe brief")
        assert turn.events[0].earlier[0] == Earlier("system", "be brief")
    assert all(
        b"and before?" not in event for event in world.rows("event")
    )  # not again with each message, for ever


async def test_with_a_session_our_own_history_counts(open_world, autojump_clock):
    agent = FakeAgent()
    world = await open_world(agent, platform=Api())
    before = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "what is not true"}]
    first = await Client(world, "one", session="s1").whole()
    await Client(world, "two", session="s1", before=before).whole()
    await Client(world, "three", session="s2").whole()

    assert first.headers["x-hermes-session-id"] == "s1"
    assert [[line.text for line in turn.history] for turn in agent.turns] == [[], ["one", "one"], []]
    assert agent.turns[1].context.endswith("\n\nbe brief")


@pytest.mark.parametrize("stream", [False, True])
async def test_AC37_a_client_that_leaves_stops_its_turn(open_world, autojump_clock, nursery, stream):
    world = await open_world(FakeAgent(Hang()), platform=Api())
    client = Client(world, stream=stream)
    await begun(nursery, client)
    assert world.rows("state") == ["in_turn"]

    client.leaves.set()
    with trio.fail_after(2):
        while any(path.endswith("/turn") for path in world.tree()) or world.rows("state")[0] != "stopped":
            await trio.sleep(0.01)

    await world.settle()
    assert client.ended.is_set()
    assert world.rows("rule") == ["command:stop", "command:stop"]
    # Nobody is there to be told: that stands in the store, and is no dead letter and no backlog.
    assert world.rows("state, failure, attempts", "outbox") == [("sent", "stored", 1)]
    assert world.state(PATH) == "running"
    assert world.incarnations()[PATH] == 1


async def test_a_client_that_leaves_stops_nothing_that_another_waits_for(open_world, autojump_clock, nursery):
    world = await open_world(FakeAgent(Reply(delay_s=5)), platform=Api(), config=Config(display=QUEUE))
    leaves, stays = (Client(world, text, session="s") for text in ("one", "two"))
    await begun(nursery, leaves, stays)

    leaves.leaves.set()
    await stays.ended.wait()
    await world.settle()

    assert stays.said == "two"
    assert world.rows("state") == ["answered", "answered"]
    assert sorted(world.rows("failure", "outbox")) == ["", "stored"]


async def test_two_that_are_answered_together_both_have_the_answer(open_world, autojump_clock, nursery):
    world = await open_world(FakeAgent(otherwise=Reply(delay_s=5)), platform=Api(), config=Config())
    one, two = Client(world, "one", session="s"), Client(world, "two", session="s", stream=True)
    await begun(nursery, one, two)
    await one.ended.wait()
    await two.ended.wait()

    assert one.said == two.streamed == "one\ntwo"


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_stopped_from_elsewhere_ends_its_request(open_world, autojump_clock, nursery, stream):
    world = await open_world(FakeAgent(Hang()), platform=Api())
    client = Client(world, session="s", stream=stream)
    await begun(nursery, client)

    stop = await Client(world, "/stop", session="s").whole()
    with trio.fail_after(2 * api.LOOK_S):
        await client.ended.wait()

    assert json.loads(stop.body)["choices"][0]["message"]["content"] == "Stopped."
    assert client.fault == (409, "stopped")


async def test_what_a_hook_takes_away_ends_its_request(open_world, autojump_clock):
    class Taking(NoHooks):
        """A plug-in that answers elsewhere."""

        async def before_dispatch(self, event):
            return Skip()

    world = await open_world(platform=Api(), hooks=Taking())
    client = Client(world)
    with trio.fail_after(2 * api.LOOK_S):
        await client.run()

    assert client.fault == (409, "stopped")


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (GiveUp(Failure(MODEL_UNREACHABLE, detail="10.0.0.7")), (502, "model_unreachable")),
        (Crash(ValueError("a bug")), (500, "poison")),
        (Hang(), (504, "turn_deadline")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_that_fails_is_an_error_in_words(open_world, autojump_clock, act, fault, stream):
    world = await open_world(
        FakeAgent(otherwise=act), platform=Api(), config=Config(agent=Agent(turn_timeout_s=10))
    )
    client = Client(world, stream=stream)
    await client.run()

    assert client.fault == fault
    assert b"10.0.0.7" not in client.answer.body
    assert client.answer.headers["x-should-retry"] == "false"


async def test_a_turn_that_fails_in_its_stream_ends_it_with_the_error(open_world, autojump_clock):
    world = await open_world(Typist(1000, 1.0), platform=Api(), config=Config(agent=Agent(turn_timeout_s=10)))
    client = Client(world, stream=True)
    await client.run()

    assert client.answer is None
    assert client.chunks[-1]["error"]["code"] == "turn_deadline"
    assert client.events[-1] == "[DONE]"


async def test_no_more_at_once_than_is_set(open_world, autojump_clock, nursery):
    world = await open_world(FakeAgent(otherwise=Hang()), platform=Api(max_concurrent_runs="2"))
    waiting = [Client(world), Client(world)]
    await begun(nursery, *waiting)
    more = Client(world)
    await more.run()
    waiting[0].leaves.set()
    await waiting[0].ended.wait()
    nursery.start_soon((again := Client(world)).run)
    await trio.sleep(1)

    assert more.fault == (429, "too_many_requests")
    assert "Retry-After" in more.answer.headers
    assert not again.ended.is_set()
    again.leaves.set()
    waiting[1].leaves.set()


async def test_while_nothing_is_taken_in_it_is_503_soon(open_world, autojump_clock):
    world = await open_world(platform=Api())
    world.services.intake.shut_down()
    client, began = Client(world), trio.current_time()
    await client.run()

    assert client.fault == (503, "paused")
    assert client.answer.headers["Retry-After"]
    assert trio.current_time() - began == pytest.approx(api.ACCEPT_DEADLINE_S)
    assert world.rows("state") == []


async def test_the_end_of_the_adapter_ends_its_requests(open_world, autojump_clock, nursery):
    world = await open_world(Typist(1000, 1.0), platform=Api())
    whole, stream = Client(world), Client(world, stream=True)
    await begun(nursery, whole, stream)
    before = stream.body

    world.crash(PATH)
    await whole.ended.wait()
    await stream.ended.wait()
    await world.up()

    assert before
    assert [client.answer.status for client in (whole, stream)] == [503, 503]
    assert "[DONE]" not in stream.events  # its end is missing, and its client can tell
    await Client(world, "/stop").whole()


async def test_a_store_that_refuses_is_no_fault_of_the_adapters_and_cuts_off_nobody_else(
    open_world, autojump_clock, nursery
):
    world = await open_world(FakeAgent(otherwise=Reply(delay_s=10)), platform=Api())
    other = Client(world)
    await begun(nursery, other)
    real = world.services.store.write

    async def refuse(op):
        if isinstance(op, ops.Accept):
            world.services.store.write = real
            raise GatewayError(Failure(STORE_GONE, scope="gateway"))
        return await real(op)

    world.services.store.write = refuse
    client = Client(world)
    await client.whole()
    await other.ended.wait()

    assert client.fault == (503, STORE_GONE)
    assert other.answer.status == 200
    assert world.incarnations()[PATH] == 1


async def test_a_request_that_names_no_conversation_is_listed_as_long_as_it_is_worked_on(
    open_world, autojump_clock, nursery
):
    world = await open_world(Typist(3, 5.0), platform=Api())

    def listed():
        return [row["chat_id"] for row in world.look(session_list, None, None, 9)]

    passing, kept = Client(world), Client(world, session="kept")
    await begun(nursery, passing, kept)
    assert sorted(chat[:4] for chat in listed()) == ["chat", "kept"]
    await passing.ended.wait()
    await kept.ended.wait()
    await world.settle()
    assert listed() == ["kept"]
    name = passing.answer.headers["x-hermes-session-id"]
    assert world.look(session_show, f"agent:main:api_server:dm:{name}")["chat_id"] == name

    await Client(world, session=name).whole()  # it is named after all, and goes on
    await world.settle()
    assert sorted(listed()) == sorted(["kept", name])


async def test_one_whose_client_leaves_is_listed_no_more(open_world, autojump_clock, nursery):
    world = await open_world(Typist(3, 5.0), platform=Api())
    client = Client(world)
    await begun(nursery, client)
    client.leaves.set()
    await world.settle()
    assert world.look(session_list, None, None, 9) == []
