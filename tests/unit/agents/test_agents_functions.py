"""The tools that are always there: what they say, and how far they reach."""

import json

import pytest

from hermes.agents.functions import functions
from hermes.types.errors import Failure, GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TraceId, TurnId
from hermes.types.origin import Origin
from hermes.types.records import Note, SearchHit
from hermes.types.tools import Call, ToolContext, ToolError


class Memory:
    """Notes by conversation; ``reached`` is how far each question went."""

    def __init__(self):
        self.kept = {"k": [Note(1, "tea", 0.0)], "other": [Note(2, "secret", 0.0)]}
        self.reached = []
        self.keys = []

    async def search(self, query, limit, of):
        self.reached.append(of)
        return [SearchHit(SessionKey("k"), "user", f"[{query}]", 0.0)] if query == "tea" else []

    async def notes(self, of):
        self.reached.append(of)
        return self.kept[of] if of else [*self.kept["k"], *self.kept["other"]]

    async def add_note(self, key, text):
        self.keys.append(key)
        return Note(3, text, 0.0)

    async def drop_note(self, note_id):
        self.kept = {
            key: [one for one in notes if one.note_id != note_id] for key, notes in self.kept.items()
        }
        return True


class Jobs:
    """Writes down what it is asked; a bad schedule is refused."""

    def __init__(self):
        self.asked = []

    async def on_behalf(self, event, verb, args, *, key=""):
        self.asked.append((event.origin.user_id, verb, dict(args), key))
        if args.get("schedule") == "never":
            raise GatewayError(Failure("bad_schedule", detail="'never' is no schedule"))
        return {"job": {"id": "j1", "name": "Täglich"}}

    async def author(self, origin):
        return None


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def jobs():
    return Jobs()


@pytest.fixture
def call(memory, jobs):
    tools = {tool.name: tool for tool in functions(memory, jobs)}

    async def call(name, platform="telegram", **arguments):
        event = InboundEvent("1", Origin(platform, "1", user_id="u1"), "x", 0.0, TraceId("t"))
        context = ToolContext(event, "user", SessionKey("k"), TurnId("t9"))
        return await tools[name].run(Call("c1", name, arguments), context)

    return call


async def test_search_and_notes_of_a_person_stay_in_their_conversation(call, memory):
    assert await call("search", query="tea") == "1970-01-01 00:00+00:00 user: [tea]"
    assert await call("search", query="rum") == "nothing was found"
    assert await call("notes", action="list") == "1: tea"
    with pytest.raises(ToolError, match="there is no note 2"):
        await call("notes", action="drop", number=2)
    assert memory.kept["other"], "somebody else's"
    assert set(memory.reached) == {"k"}


@pytest.mark.parametrize("platform", ["webchat", "console"])
async def test_the_operator_is_told_of_all(call, memory, platform):
    assert await call("notes", platform, action="list") == "1: tea\n2: secret"
    await call("notes", platform, action="drop", number=2)
    assert memory.kept["other"] == []


async def test_a_note_is_kept_once_for_each_call(call, memory):
    assert await call("notes", action="add", text="milk") == "kept as note 3"
    assert memory.keys == ["t9/c1"]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("search", {}, "query is missing"),
        ("search", {"query": 7}, "query is missing, or no text"),
        ("notes", {}, "action is list, add or drop"),
        ("notes", {"action": "add", "text": " "}, "text has 1 to"),
        ("notes", {"action": "add", "text": "x" * 5_000}, "text has 1 to"),
        ("notes", {"action": "drop", "number": True}, "no whole number"),
        ("cron", {"action": "burn"}, "action is one of list, create"),
        ("cron", {"action": ["list"]}, "action is one of list, create"),
    ],
)
async def test_what_cannot_be_is_said(call, name, arguments, words):
    with pytest.raises(ToolError, match=words):
        await call(name, **arguments)


async def test_a_job_is_made_for_who_asks_and_once(call, jobs):
    answer = await call("cron", action="create", schedule="every 2h", message="drink")

    assert json.loads(answer)["job"]["name"] == "Täglich"
    assert jobs.asked == [("u1", "create", {"schedule": "every 2h", "message": "drink"}, "t9:c1")]


async def test_what_the_desk_refuses_comes_as_it_is(call):
    with pytest.raises(GatewayError, match="no schedule"):
        await call("cron", action="create", schedule="never")


def test_every_tool_is_described(memory, jobs):
    for tool in functions(memory, jobs):
        schema = tool.function["parameters"]
        assert tool.description
        assert set(schema["required"]) <= set(schema["properties"])
        json.dumps(tool.function)
