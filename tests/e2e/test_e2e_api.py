"""The API in a real process, as OpenAI's own client and the examples in the documentation use it."""

import contextlib
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
import trio
from harness import Gateway

from hermes.testing.model import FakeModel, Hang, Say
from hermes.testing.model_errors import refusal

KEY = "5b0f6c1d9e8a7432b0f6c1d9e8a74321"
DOCS = Path(__file__).parents[2] / "docs" / "api.md"
LEFT_WITHIN_S = 2.0


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def examples(gateway: Gateway) -> dict[str, str]:
    """The documentation's, by their language; of those in sh the one that asks."""
    found = re.findall(r"```(\w+)\n(.*?)```", DOCS.read_text(), re.DOTALL)
    here = [(kind, code.replace("http://127.0.0.1:8642", gateway.url)) for kind, code in found]
    return dict(one for one in here if one[0] == "python" or "curl" in one[1])


def shell(code: str) -> str:
    return subprocess.run(["sh", "-c", code], capture_output=True, text=True, timeout=10, check=True).stdout


def python(code: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    return printed.getvalue()


async def test_AC37_openai_s_own_client_is_answered_stopped_and_told_what_is_wrong(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeModel().listening() as model:
        gateway.home.mkdir(mode=0o700)
        (gateway.home / "config.yaml").write_text(f"model:\n  base_url: {model.base_url}\n  default: qwen\n")
        env = gateway.home / ".env"
        env.write_text(f"API_SERVER_KEY={KEY}\n")
        env.chmod(0o600)
        await gateway.start()
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)

        async def ask(text: str, **more: Any) -> Any:
            create: Callable[..., Any] = client.chat.completions.create
            return await trio.to_thread.run_sync(
                partial(create, **{"model": "gpt-4o", "messages": user(text), **more})
            )

        async def until_idle() -> None:
            with trio.fail_after(LEFT_WITHIN_S):
                while model.open:
                    await trio.sleep(0.01)

        # plain
        whole = await ask("hello")
        assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (
            "You said: hello",
            "stop",
        )
        assert (whole.object, whole.model) == ("chat.completion", "gpt-4o")
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0

        # streaming
        model.plan(Say("one two three", pace_s=0.2))
        chunks = await trio.to_thread.run_sync(
            list, await ask("count", stream=True, stream_options={"include_usage": True})
        )
        pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert "".join(pieces).split() == ["one", "two", "three"]
        assert len([piece for piece in pieces if piece]) > 1
        assert chunks[0].choices[0].delta.role == "assistant"
        assert chunks[-1].usage.total_tokens > 0

        # the history: the request's own, or ours
        before = [
            {"role": "system", "content": "be brief"},
            *user("one"),
            {"role": "assistant", "content": "1"},
        ]
        await ask("", messages=[*before, *user("two")])
        system, *said = [message["content"] for message in model.asked[-1].body["messages"]]
        assert (system.endswith("be brief"), said) == (True, ["one", "1", "two"])
        for text in ("three", "four"):
            await ask(text, extra_headers={"X-Hermes-Session-Id": "s"})
        said = [message["content"] for message in model.asked[-1].body["messages"][1:]]
        assert said == ["three", "You said: three", "four"]

        # errors
        with pytest.raises(openai.AuthenticationError, match="key is missing or wrong"):
            await trio.to_thread.run_sync(client.with_options(api_key="wrong").models.list)
        with pytest.raises(openai.BadRequestError) as bad:
            await ask("", messages=[{"role": "robot", "content": "x"}])
        assert (bad.value.code, bad.value.param) == ("invalid_value", "messages[0].role")
        model.plan(refusal("openai", "key"))
        with pytest.raises(openai.InternalServerError) as failed:
            await trio.to_thread.run_sync(
                partial(
                    client.with_options(max_retries=2).chat.completions.create, model="x", messages=user("x")
                )
            )
        assert (failed.value.status_code, failed.value.code) == (502, "model_refused_key")

        # a client that leaves
        model.plan(Say("word " * 1000, pace_s=0.1))
        stream = await ask("tell me", stream=True)
        await trio.to_thread.run_sync(next, iter(stream))
        assert model.open == 1
        await trio.to_thread.run_sync(stream.close)
        await until_idle()
        model.plan(Hang())
        with pytest.raises(openai.APITimeoutError):
            await ask("wait", timeout=0.5)
        await until_idle()

        # the documentation's examples
        (name,) = (await trio.to_thread.run_sync(client.models.list)).data
        assert name.id == "hermes-agent"
        code = examples(gateway)
        monkeypatch.setenv("API_SERVER_KEY", KEY)
        assert "My name is Ann." in await trio.to_thread.run_sync(python, code["python"])
        if shutil.which("curl"):
            assert '"You said: hello"' in await trio.to_thread.run_sync(shell, code["sh"])

        status = await gateway.status()
        assert {one["platform"]: one["state"] for one in status["adapters"]}["api_server"] == "listening"
        assert status["counts"]["pending"] == 0
        assert await gateway.stop() == 0
        logged = (gateway.home / "logs" / "gateway.log").read_text() + gateway.printed
        assert KEY not in logged
