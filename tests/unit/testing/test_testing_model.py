"""The fake endpoint is honest: what it is asked and what it answers fit OpenAI's own description of the API."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio

from hermes.testing.model import FakeModel, Say

SPEC = Path(__file__).parents[4] / "shared/specs/openai/openapi.json"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def http():
    async with (
        FakeModel().listening() as model,
        httpx.AsyncClient(base_url=model.base_url, trust_env=False) as http,
    ):
        http.model = model
        yield http


def fits(document, schema):
    jsonschema = pytest.importorskip("jsonschema", reason="judges what fits the schema")
    referencing = pytest.importorskip("referencing", reason="judges what fits the schema")
    if not SPEC.exists():
        pytest.skip("OpenAI's description of its API is not here")
    from referencing.jsonschema import DRAFT202012

    resource = referencing.Resource.from_contents(
        json.loads(SPEC.read_text()), default_specification=DRAFT202012
    )
    registry = referencing.Registry().with_resource("urn:openai", resource)
    validator = jsonschema.Draft202012Validator(
        {"$ref": f"urn:openai#/components/schemas/{schema}"}, registry=registry
    )
    # It says ``nullable``, as older versions of the format did, which no validator of this one knows.
    return [
        error.message
        for error in validator.iter_errors(document)
        if not (error.instance is None and error.schema.get("nullable"))
    ]


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
