"""The agent against a real server on loopback: answers, failures, what is asked again, and what is never left behind."""

import json
import logging
from pathlib import Path

import pytest
import trio
from openai_kit import Shown, asking, turn

from hermes.agents.openai import agent as module
from hermes.agents.openai import answer
from hermes.ops.redaction import Redaction
from hermes.testing.model import Cut, FakeModel, Hang, Raw, Say
from hermes.testing.model_errors import HTML, Refuse, refusal
from hermes.types import texts
from hermes.types.agent import Failed, Final, LocalFile
from hermes.types.backoff import Backoff
from hermes.types.errors import (
    MODEL_BUSY,
    MODEL_ERROR,
    MODEL_FILTERED,
    MODEL_REFUSED_KEY,
    MODEL_UNREACHABLE,
)

SOON_S = 5.0


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(module, "BACKOFF", Backoff(min=0.0, max=0.0))


@pytest.fixture
async def model():
    async with FakeModel().listening() as model:
        yield model


async def soon(condition):
    with trio.fail_after(SOON_S):
        while not condition():
            await trio.sleep(0.005)


async def answered(model, *acts, said="hello", **config):
    model.plan(*acts)
    shown = Shown()
    async with asking(model, **config) as agent:
        return await agent.run(turn(said), shown), shown


# --- answers -----------------------------------------------------------------------------------------------------------


async def test_an_emoji_that_is_cut_in_two_is_put_together_and_half_a_one_is_no_text(model):
    pieces = [*(r"a \ud83d", r"\ude00 b", r" \ude00", r"c\ud83d")]
    events = [b'data: {"choices": [{"delta": {"content": "%b"}}]}\n\n' % one.encode() for one in pieces]
    outcome, shown = await answered(model, Raw([*events, b"data: [DONE]\n\n"]))

    assert outcome.text == "a 😀 b \ufffdc\ufffd"
    assert shown.text == "a 😀 b \ufffdc"


async def test_an_answer_comes_word_by_word_and_with_what_it_cost(model):
    outcome, shown = await answered(model, Say("one two three", pace_s=0.01, thoughts="hm", cached=7))

    assert outcome.text == shown.text == "one two three "
    assert len(shown.events) > 3
    assert outcome.usage.cache_read_tokens == 7
    assert outcome.usage.input_tokens > 0
    assert outcome.usage.output_tokens > 0


async def test_thoughts_are_not_part_of_the_answer_but_a_sign_of_life(model):
    outcome, shown = await answered(model, Say("yes", thoughts="well well well", pace_s=0.02))

    assert outcome.text == shown.text == "yes "
    assert len([event for event in shown.events if not event.text]) >= 3


async def test_a_server_that_does_not_stream_is_understood_too(model):
    outcome, shown = await answered(model, Say("all at once", cached=1), stream=False)

    assert outcome.text == "all at once"
    assert outcome.usage.cache_read_tokens == 1
    assert shown.events == []
    assert model.asked[0].body["stream"] is False
    assert "stream_options" not in model.asked[0].body


async def test_a_server_that_answers_a_wish_for_a_stream_with_a_whole_is_understood(model):
    whole = b'{"choices":[{"message":{"content":[{"type":"text","text":"hi"}]},"finish_reason":"stop"}]}'
    outcome, _ = await answered(model, Refuse(200, whole, {"content-type": "application/json"}))

    assert outcome == Final("hi")


async def test_what_is_asked(model):
    await answered(
        model, api_key="sk-1", max_tokens=99, temperature=0.5, context_length=9_000, soul="You are Ann."
    )

    (asked,) = model.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer sk-1"
    assert asked.body | {"messages": None} == {
        "model": "m",
        "messages": None,
        "max_tokens": 99,
        "temperature": 0.5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert asked.body["messages"][0]["content"].startswith("You are Ann.\n\n")
    assert asked.body["messages"][1] == {"role": "user", "content": "hello"}


async def test_without_a_name_and_a_key_neither_is_sent(model):
    await answered(model, default="")

    assert "model" not in model.asked[0].body
    assert "authorization" not in model.asked[0].headers


async def test_half_a_surrogate_pair_harms_nobody(model):
    outcome, _ = await answered(model, said="\ud83d")

    assert isinstance(outcome, Final)


@pytest.mark.parametrize("vision", [True, False])
async def test_pictures_go_along_only_where_the_model_can_see(model, tmp_path: Path, vision: bool):
    (tmp_path / "a.png").write_bytes(b"png")
    files = (
        LocalFile(0, "image", str(tmp_path / "a.png"), "a.png", "image/png"),
        LocalFile(0, "image", str(tmp_path / "gone.png"), "gone.png", "image/png"),
        LocalFile(0, "image", "", "late.png", problem="too large"),
        LocalFile(0, "document", str(tmp_path / "a.png"), "a.pdf"),
    )
    async with asking(model, vision=vision) as agent:
        await agent.run(turn("look", files=files), Shown())

    content = model.asked[0].body["messages"][-1]["content"]
    seen = [part["image_url"]["url"] for part in content if isinstance(part, dict) and "image_url" in part]
    assert seen == (["data:image/png;base64,cG5n"] if vision else [])


async def test_one_connection_serves_one_answer_after_the_other(model):
    async with asking(model) as agent:
        for act in (Say("a"), Say("b"), refusal("openai", "context"), Say("c")):
            model.plan(act)
            await agent.run(turn("x"), Shown())

    assert model.connections == 1


async def test_AC31_turns_side_by_side_have_their_own_answers(model):
    model.latency_s = 0.05
    answers = {}

    async def ask(agent, n):
        shown = Shown()
        outcome = await agent.run(turn(f"message {n}", name=f"t{n}"), shown)
        answers[n] = outcome.text, shown.text

    async with asking(model) as agent, trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(ask, agent, n)

    assert answers == {n: (f"You said: message {n}",) * 2 for n in range(20)}
    assert model.most_open == 20


# --- how an answer ends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (Say("cut", finish="length"), f"cut\n\n{texts.MODEL_CUT}"),
        (Say("no [DONE]", ending=False), "no [DONE]"),
        (Say("no reason", finish=None), "no reason"),
        (Say("as if for a tool", finish="tool_calls"), "as if for a tool"),
        (Say("", finish="stop"), ""),
        (Say("", finish="length"), MODEL_ERROR),
        (Say("half of it", finish="content_filter"), MODEL_FILTERED),
        (Say("broken off", finish=None, ending=False), MODEL_UNREACHABLE),
        (Cut("broken off"), MODEL_UNREACHABLE),
        (Raw([b"data: {\n\n"]), MODEL_ERROR),
        (Raw([b"data: [1]\n\n"]), MODEL_ERROR),
        (Raw([b"data: " + b"[" * 100_000 + b"\n\n"]), MODEL_ERROR),
        (
            Raw(
                [
                    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
                    b'data: {"error":{"message":"Context size has been exceeded.","code":500}}\n\n',
                ]
            ),
            "context_too_long",
        ),
    ],
)
async def test_every_end_of_a_stream(model, act, outcome):
    ended, _ = await answered(model, act)

    assert (ended.failure.code if isinstance(ended, Failed) else ended.text) == outcome
    assert len(model.asked) == 1, "what had begun is not asked again"


@pytest.mark.parametrize("last", [b"", b"data: [DONE]\n\n"])
async def test_a_stream_that_does_not_end_after_its_answer_is_not_waited_for(model, monkeypatch, last):
    monkeypatch.setattr(module, "LAST_WORDS_S", 0.05)
    event = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    with trio.fail_after(3):
        outcome, _ = await answered(model, Raw([event, last], end=False), silence_s=60.0)

    assert outcome == Final("a")
    await soon(lambda: model.open == 0)


async def test_a_model_that_writes_for_ever_is_cut_off(model, monkeypatch):
    monkeypatch.setattr(answer, "MAX_ANSWER_BYTES", 20)
    event = b'data: {"choices":[{"delta":{"content":"and so on, "}}]}\n\n'
    outcome, _ = await answered(model, Raw([event] * 1_000))

    assert outcome.text.startswith("and so on, and so on,")
    assert outcome.text.endswith(texts.MODEL_CUT)
    await soon(lambda: model.open == 0)


# --- what is asked again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (refusal("openai", "busy"), MODEL_BUSY),
        (refusal("llama.cpp", "busy"), MODEL_BUSY),
        (refusal("openai", "failed"), MODEL_ERROR),
        (HTML, MODEL_UNREACHABLE),
        (Cut(), MODEL_UNREACHABLE),
        (Raw([b'data: {"error":{"message":"overloaded","code":503}}\n\n']), MODEL_BUSY),
        (Raw([]), MODEL_UNREACHABLE),
    ],
)
async def test_what_may_pass_is_asked_twice_more_and_no_more(model, act, code):
    recovered, _ = await answered(model, act, act)
    assert recovered == Final("You said: hello", recovered.usage)
    assert len(model.asked) == 3

    given_up, shown = await answered(model, act, act, act)
    assert given_up.failure.code == code
    assert len(model.asked) == 6
    assert shown.text == ""


@pytest.mark.parametrize("kind", ["key", "model", "context"])
async def test_what_will_not_pass_is_asked_once(model, kind):
    outcome, _ = await answered(model, refusal("openai", kind))

    assert isinstance(outcome, Failed)
    assert len(model.asked) == 1


async def test_nobody_listening_is_asked_again_and_then_said():
    model = FakeModel()
    async with model.listening():
        pass
    async with asking(model) as agent:
        outcome = await agent.run(turn("x"), Shown())

    assert outcome.failure.code == MODEL_UNREACHABLE
    assert "connect_refused" in outcome.failure.detail


async def test_a_server_that_wants_a_long_wait_is_not_waited_for(model):
    outcome, _ = await answered(model, refusal("openai", "busy", retry_after="90"))

    assert (outcome.failure.code, outcome.failure.retry_after) == (MODEL_BUSY, 90.0)
    assert len(model.asked) == 1


async def test_a_wait_that_the_turn_has_no_time_for_is_not_begun(model):
    model.plan(refusal("openai", "busy", retry_after="20"))
    async with asking(model) as agent:
        with trio.fail_after(10):
            outcome = await agent.run(turn("x"), Shown())

    assert outcome.failure.code == MODEL_BUSY


async def test_a_silent_server_is_given_up_and_not_asked_again(model):
    outcome, _ = await answered(model, Hang(), silence_s=0.1)

    assert outcome.failure.code == MODEL_UNREACHABLE
    assert len(model.asked) == 1
    await soon(lambda: model.open == 0)


async def test_options_that_a_server_does_not_know_are_left_out_from_then_on(model):
    model.refuses = ("stream_options", "max_tokens")
    async with asking(model, max_tokens=50) as agent:
        first, second = [await agent.run(turn("x"), Shown()) for _ in range(2)]

    assert first.text == second.text == "You said: x"
    assert first.usage is None
    assert len(model.asked) == 4
    assert model.asked[-1].body.keys() == {"model", "messages", "stream", "max_completion_tokens"}


async def test_an_option_that_is_not_ours_to_leave_out_is_a_failure(model):
    model.refuses = ("temperature",)
    outcome, _ = await answered(model, temperature=1.0)

    assert outcome.failure.code == MODEL_ERROR
    assert "'temperature' is not supported" in outcome.failure.detail
    assert len(model.asked) == 1


# --- what is left behind -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [Hang(), Say("a b c d e f g", pace_s=0.5), Say("late", delay_s=60.0)])
async def test_AC37_a_turn_that_is_cancelled_hangs_up_at_once(model, act):
    model.plan(act)
    async with asking(model) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agent.run, turn("x"), Shown())
            await soon(lambda: model.open == 1)
            nursery.cancel_scope.cancel()
        with trio.fail_after(1):
            await soon(lambda: model.open == 0)
        assert isinstance(await agent.run(turn("y"), Shown()), Final)


async def test_S46_the_key_is_in_no_failure_and_in_no_log(model, caplog):
    caplog.set_level(logging.DEBUG)
    key = "sk-a-key-of-the-operator"
    echoing = Refuse(500, json.dumps({"error": {"message": f"bad key {key}"}}).encode())
    outcome, _ = await answered(model, *[echoing] * 3, api_key=key, redact=Redaction([key]).redact)

    assert "bad key [redacted]" in outcome.failure.detail
    assert key not in caplog.text + repr(outcome)


async def test_S46_the_key_goes_nowhere_else(model):
    async with FakeModel().listening() as elsewhere:
        moved = Refuse(307, b"", {"location": f"{elsewhere.base_url}/chat/completions"})
        outcome, _ = await answered(model, moved, api_key="sk-1")

        assert outcome.failure.code == MODEL_UNREACHABLE
        assert "is base_url right?" in outcome.failure.detail
        assert len(elsewhere.asked) == 0


async def test_the_wrong_key_is_said():
    async with FakeModel(key="right").listening() as model:
        outcome, _ = await answered(model, api_key="wrong")

    assert outcome.failure.code == MODEL_REFUSED_KEY
    assert outcome.failure.severity == "needs_operator"


async def test_a_wrong_base_url_is_said_to_be_one(model):
    outcome, _ = await answered(model, base_url=model.base_url.removesuffix("/v1"))

    assert outcome.failure.code == "model_not_found"
    assert outcome.failure.detail == "404 Not Found; is base_url right? It mostly ends in /v1"


async def test_its_name_for_people(model):
    async with asking(model, default="") as nameless, asking(model) as named:
        assert (nameless.model, named.model) == (f"127.0.0.1:{model.port}", "m")
