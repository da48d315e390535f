"""The model calls tools: what is asked, in which order, what is committed, and what comes of a second attempt."""

import json

import pytest
from openai_kit import Shown, asking, turn
from schema_openai import fits

from hermes.agents.openai import agent as module
from hermes.agents.openai.work import Asked, Reply, call_id
from hermes.testing.model import FakeModel, Raw, Say, Use
from hermes.testing.model_errors import Refuse, error
from hermes.types.agent import Final, Step
from hermes.types.backoff import Backoff
from hermes.types.records import TranscriptLine, Used
from hermes.types.tools import MOST_ARGUMENT_BYTES, Tool

ADD = Tool("add", "Adds.", {"properties": {"a": {"type": "integer"}}}, run=print)
MUL = Tool("mul", "Multiplies.", {}, run=print)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(module, "BACKOFF", Backoff(min=0.0, max=0.0))


@pytest.fixture
async def model():
    async with FakeModel().listening() as model:
        yield model


async def answered(model, *acts, shown=None, of=None, **config):
    model.plan(*acts)
    shown = Shown(ADD, MUL) if shown is None else shown
    async with asking(model, **config) as agent:
        return await agent.run(turn("what is it?") if of is None else of, shown), shown


def told(model, n=-1):
    """The messages of a request, without the system's."""
    return model.asked[n].body["messages"][1:]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("indexed", [True, False])
async def test_calls_of_one_reply_run_in_order_and_their_results_go_back(model, stream, indexed):
    calls = [("add", '{"a": 1}'), ("mul", '{"b": [2, 3]}')]
    outcome, shown = await answered(model, Use(calls, indexed=indexed), Say("six"), stream=stream)

    assert outcome.text == "six"
    assert shown.called == [(call_id(0, 0), *calls[0]), (call_id(0, 1), *calls[1])]
    user, said, *results = told(model)
    assert user == {"role": "user", "content": "what is it?"}
    assert said["content"] is None
    assert [(one["id"], one["function"]) for one in said["tool_calls"]] == [
        (call_id(0, 0), {"name": "add", "arguments": '{"a": 1}'}),
        (call_id(0, 1), {"name": "mul", "arguments": '{"b": [2, 3]}'}),
    ]
    assert results == [
        {"role": "tool", "tool_call_id": call_id(0, 0), "content": 'add: {"a": 1}'},
        {"role": "tool", "tool_call_id": call_id(0, 1), "content": 'mul: {"b": [2, 3]}'},
    ]


async def test_tools_are_described_in_each_request(model):
    await answered(model, Use([("add", "{}")]), Say("done"))

    for asked in model.asked:
        assert [one["function"]["name"] for one in asked.body["tools"]] == ["add", "mul"]
        assert asked.body["tools"][0]["function"]["parameters"]["type"] == "object"
        assert "tool_choice" not in asked.body


async def test_the_reply_is_committed_before_anything_is_called(model):
    shown = Shown(ADD)
    order = []
    shown.step, step = lambda one: order.append("step") or step(one), shown.step
    shown.call, call = lambda *asked: order.append("call") or call(*asked), shown.call

    await answered(model, Use([("add", "{}"), ("add", "{}")]), Say("done"), shown=shown)

    assert order == ["step", "call", "call"]


async def test_what_it_says_beside_its_calls_is_part_of_the_answer(model):
    outcome, shown = await answered(model, Use([("add", "{}")], text="Let me look."), Say("It is 1."))

    assert outcome.text == shown.text == "Let me look.\n\nIt is 1."
    assert told(model)[1]["content"] == "Let me look."


async def test_a_turn_that_is_run_again_goes_on_where_it_stopped(model):
    step = Reply("Let me look.", (Asked("add", '{"a": 1}'),), told=1).step()
    shown = Shown(ADD)
    shown.results[call_id(0, 0)] = "known already"
    outcome, _ = await answered(model, Say("It is 1."), shown=shown, of=turn("what?", steps=(step,)))

    assert outcome.text == shown.text == "Let me look.\n\nIt is 1."
    assert shown.steps == [], "nothing is committed twice"
    assert len(model.asked) == 1
    assert told(model)[-1]["content"] == "known already"


@pytest.mark.parametrize("step", [Step("result", "t/0", "noted"), Step("reply", "parrot", "polly")])
async def test_steps_of_another_agent_are_passed_over(model, step):
    outcome, _ = await answered(model, Say("yes"), of=turn("what?", steps=(step,)))

    assert outcome == Final("yes", outcome.usage)
    assert len(told(model)) == 1


async def test_what_is_written_meanwhile_comes_after_the_results(model):
    shown = Shown(ADD)
    shown.coming = ["and 2?"]
    await answered(model, Use([("add", "{}")]), Use([("add", "{}")]), Say("done"), shown=shown)

    assert [one["role"] for one in told(model)] == ["user", "assistant", "tool", "user", "assistant", "tool"]
    assert told(model)[3]["content"] == "and 2?"
    again = turn("what is it?", "and 2?", steps=tuple(shown.steps))
    await answered(model, Say("done"), shown=Shown(ADD), of=again)
    assert told(model)[3]["content"] == "and 2?", "in its place after a restart, too"


async def test_a_model_that_calls_for_ever_has_to_answer(model):
    acts = [Use([("add", "{}")])] * 3
    outcome, shown = await answered(model, *acts, Say("enough"), max_rounds=3)

    assert outcome.text == "enough"
    assert len(shown.called) == 3
    assert [asked.body.get("tool_choice") for asked in model.asked] == [None, None, None, "none"]


async def test_one_that_calls_all_the_same_is_not_listened_to(model):
    outcome, shown = await answered(model, *[Use([("add", "{}")], text="hm")] * 3, max_rounds=2)

    assert outcome.text == "hm\n\nhm\n\nhm"
    assert len(shown.called) == 2


NO_TOOLS = [
    (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
    (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    (500, "tools param requires --jinja flag"),
    (404, "No endpoints found that support tool use."),
    (400, "Invalid schema for function 'add': object schema missing properties"),
    (422, "tools is not supported"),
]


@pytest.mark.parametrize(("status", "words"), NO_TOOLS)
async def test_a_server_without_tools_is_asked_without_from_then_on(model, caplog, status, words):
    refuse = Refuse(status, json.dumps(error(message=words)).encode())
    history = (
        TranscriptLine("user", "before", 0.0),
        TranscriptLine("assistant", "it was 1", 0.0, used=(Used("add", "{}", "1"),)),
    )
    model.plan(refuse, Say("without"), Say("again"))
    async with asking(model) as agent:
        outcome = await agent.run(turn("what?", history=history), Shown(ADD))
        await agent.run(turn("what?"), Shown(ADD))

    assert outcome.text == "without"
    assert ["tools" in asked.body for asked in model.asked] == [True, False, False]
    assert [one["role"] for one in told(model, 1)] == ["user", "assistant", "user"]
    assert words[:20] in caplog.text


async def test_a_refusal_that_has_nothing_to_do_with_tools_costs_none(model):
    refuse = Refuse(400, json.dumps(error(message="the temperature is not supported")).encode())
    await answered(model, refuse)

    assert len(model.asked) == 1


async def test_earlier_turns_show_their_tools_in_pairs(model):
    history = (
        TranscriptLine("user", "before", 0.0),
        TranscriptLine("assistant", "it was 1", 0.0, used=(Used("add", "{", "1"), Used("a b", "{}", "2"))),
        TranscriptLine("user", "stop that", 0.0),
        TranscriptLine(
            "notice", "It took too long.", 0.0, used=(Used("mul", '{"b": 1}', "error: outcome unknown"),)
        ),
    )
    await answered(model, Say("done"), of=turn("what?", history=history))

    before, said, *results, answer, now = told(model)
    assert (before["content"], answer["content"]) == ("before", "it was 1")
    names = [one["function"] for one in said["tool_calls"]]
    assert names == [{"name": "add", "arguments": "{}"}, {"name": "unknown", "arguments": "{}"}]
    assert [one["content"] for one in results] == ["1", "2"]
    assert "stop that" in now["content"]
    assert '[Before that you had called mul {"b": 1}: error: outcome unknown]' in now["content"]


async def test_a_result_that_finds_no_room_is_left_out_the_oldest_first(model):
    shown = Shown(ADD)
    shown.results = {call_id(0, 0): "x" * 4_000, call_id(1, 0): "y" * 4_000}
    acts = [Use([("add", "{}")]), Use([("add", "{}")]), Say("done")]
    await answered(model, *acts, shown=shown, context_length=2_048)

    results = [one["content"] for one in told(model) if one["role"] == "tool"]
    assert results == ["[left out: there is no room for it any more]", "y" * 4_000]


async def test_arguments_without_end_are_cut_and_no_memory_is_lost(model):
    piece = json.dumps("x" * 100_000)[1:-1]
    chunk = {"index": 0, "function": {"name": "add", "arguments": piece}}
    events = [
        b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [chunk]}}]}).encode() + b"\n\n"
    ] * 60
    outcome, shown = await answered(model, Raw(events), Say("done"))

    assert outcome.text == "done"
    assert 0 < len(shown.called[0][2]) <= 3 * MOST_ARGUMENT_BYTES


async def test_more_calls_than_anybody_needs_are_not_made(model):
    _, shown = await answered(model, Use([("add", "{}")] * 100), Say("done"))

    assert len(shown.called) == 32


async def test_calls_without_end_are_not_waited_for(model):
    call = {"function": {"name": "add", "arguments": json.dumps("x" * 100_000)}}
    events = [
        b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"
    ] * 60
    outcome, shown = await answered(model, Raw(events), Say("done"))

    assert (outcome.text, len(shown.called)) == ("done", 32)


async def test_usage_covers_all_requests(model):
    one, _ = await answered(model, Say("done"))
    both, _ = await answered(model, Raw(_with_usage()), Say("done"))

    assert both.usage.output_tokens == one.usage.output_tokens + 7


def _with_usage():
    call = {"index": 0, "id": "x", "function": {"name": "add", "arguments": "{}"}}
    said = [
        {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 7}},
    ]
    return [*(b"data: " + json.dumps(one).encode() + b"\n\n" for one in said), b"data: [DONE]\n\n"]


async def test_its_requests_are_as_openai_describes_them(model):
    history = (
        TranscriptLine("user", "before", 0.0),
        TranscriptLine("assistant", "it was 1", 0.0, used=(Used("add", "{}", "1"),)),
    )
    calls = Use([("add", '{"a": 1}'), ("mul", "{}")], text="Let me see.")
    await answered(model, calls, calls, Say("done"), of=turn("what?", history=history), max_rounds=2)

    assert [wrong for asked in model.asked for wrong in fits(asked.body, "CreateChatCompletionRequest")] == []
    assert len(model.asked) == 3
