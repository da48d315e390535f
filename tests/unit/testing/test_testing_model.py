"""The fake endpoint is honest: what it is asked and what it answers fit OpenAI's own description of the API."""

import json
import subprocess
import sys

import httpx
import pytest
import trio
from schema_openai import fits

from hermes.testing.model import FakeModel, Say, Use

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def http():
    async with (
        FakeModel().listening() as model,
        httpx.AsyncClient(base_url=model.base_url, trust_env=False) as http,
    ):
        http.model = model
        yield http


async def test_a_whole_answer(http):
    answer = (await http.post("/chat/completions", json=ASKED)).json()

    assert answer["choices"][0]["message"]["content"] == "You said: hi"
    assert fits(answer, "CreateChatCompletionResponse") == []


async def test_a_streamed_answer(http):
    http.model.plan(Say("one two", pace_s=0.001))
    asked = ASKED | {"stream": True, "stream_options": {"include_usage": True}}
    lines = (await http.post("/chat/completions", json=asked)).text.split("\n\n")
    events = [line.removeprefix("data: ") for line in lines if line]

    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]) == "one two "
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert [wrong for chunk in chunks for wrong in fits(chunk, "CreateChatCompletionStreamResponse")] == []


CALLS = Use([("add", '{"a": 1}'), ("mul", "{}")], text="Let me see.")


async def test_calls_of_tools(http):
    http.model.plan(CALLS)
    answer = (await http.post("/chat/completions", json=ASKED)).json()

    assert [call["function"]["name"] for call in answer["choices"][0]["message"]["tool_calls"]] == [
        "add",
        "mul",
    ]
    assert fits(answer, "CreateChatCompletionResponse") == []


async def test_streamed_calls_of_tools(http):
    http.model.plan(CALLS)
    lines = (await http.post("/chat/completions", json=ASKED | {"stream": True})).text.split("\n\n")
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    pieces = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]

    assert "".join(piece["function"]["arguments"] for piece in pieces if piece["index"] == 0) == '{"a": 1}'
    assert [wrong for chunk in chunks for wrong in fits(chunk, "CreateChatCompletionStreamResponse")] == []


def spoken(*said):
    """A request in which these have spoken: u(ser), a(ssistant), c(all of two), 1, 2 (their results)."""
    calls = [{"id": name, "type": "function", "function": {"name": "x", "arguments": "{}"}} for name in "12"]
    one = {
        "u": {"role": "user", "content": "x"},
        "a": {"role": "assistant", "content": "x"},
        "c": {"role": "assistant", "content": None, "tool_calls": calls},
        **{name: {"role": "tool", "tool_call_id": name, "content": "x"} for name in "12"},
    }
    return {
        "messages": [one[name] for name in said],
        "tools": [{"type": "function", "function": {"name": "x"}}],
    }


@pytest.mark.parametrize("said", ["uc12", "uc12u", "uc12c12", "uc12au", "uc12uc12"])
async def test_each_call_has_its_result(http, said):
    assert (await http.post("/chat/completions", json=spoken(*said))).status_code == 200


@pytest.mark.parametrize(
    "said", ["uc", "uc1", "uc21", "uc1u", "uc122", "u1", "uc12a", "uca", "c12u", "uac12"]
)
async def test_a_call_without_its_result_is_refused(http, said):
    assert (await http.post("/chat/completions", json=spoken(*said))).status_code == 400


async def test_tools_must_be_described_where_they_were_called(http):
    asked = spoken(*"uc12") | {"tools": []}

    assert (await http.post("/chat/completions", json=asked)).status_code == 400


async def test_its_models(http):
    listed = (await http.get("/models")).json()

    assert [one["id"] for one in listed["data"]] == ["fake-model"]


@pytest.mark.parametrize(
    "roles", [["system"], ["user", "user"], ["assistant", "user"], ["user", "assistant"], []]
)
async def test_roles_must_take_turns(http, roles):
    asked = {"messages": [{"role": role, "content": "x"} for role in roles]}

    assert (await http.post("/chat/completions", json=asked)).status_code == 400


async def test_what_is_no_request_is_refused(http):
    assert (await http.post("/chat/completions", content=b"{")).status_code == 400
    assert (await http.get("/elsewhere")).status_code == 404


async def test_it_is_a_program_too():
    process = subprocess.Popen(
        [sys.executable, "-m", "hermes.testing.model", "--key", "k"], stdout=subprocess.PIPE, text=True
    )
    try:
        base_url = (await trio.to_thread.run_sync(process.stdout.readline)).strip()
        async with httpx.AsyncClient(trust_env=False) as http:
            headers = {"authorization": "Bearer k"}
            answer = await http.post(f"{base_url}/chat/completions", json=ASKED, headers=headers)
            refused = await http.post(f"{base_url}/chat/completions", json=ASKED)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()

    assert answer.json()["choices"][0]["message"]["content"] == "You said: hi"
    assert refused.status_code == 401
