"""A home as the original writes it, with a model behind it, in a real process."""

import trio
from client import WebChatClient
from harness import Gateway

from hermes.testing.model import FakeModel, Hang, Say
from hermes.testing.model_errors import refusal
from hermes.types import texts

KEY = "sk-the-key-in-the-env-file"
WITHIN_S = 2.0


async def soon(condition):
    with trio.fail_after(WITHIN_S):
        while not condition():
            await trio.sleep(0.01)


async def test_AC37_S46_an_original_home_answers_is_stopped_and_says_what_is_wrong(gateway: Gateway):
    async with FakeModel(key=KEY).listening() as model, trio.open_nursery() as nursery:
        gateway.home.mkdir(mode=0o700)
        (gateway.home / "config.yaml").write_text(
            f"_config_version: 33\nmodel:\n  provider: custom\n  base_url: {model.base_url}\n"
            "  api_key: ${LLM_API_KEY}\n  default: qwen\n  context_length: 200000\n"
        )
        env = gateway.home / ".env"
        env.write_text(f"LLM_API_KEY={KEY}\n")
        env.chmod(0o600)
        (gateway.home / "SOUL.md").write_text("You are Ann.")
        await gateway.start()
        client = WebChatClient(gateway.url, await gateway.log_in())
        nursery.start_soon(client.run)

        assert (await gateway.cli("chat", "-m", "hello")).strip() == "You said: hello"
        asked = model.asked[0].body
        assert asked["model"] == "qwen"
        assert asked["messages"][0]["content"].startswith("You are Ann.")
        assert "console" in asked["messages"][0]["content"]

        assert await client.ask("one") == "You said: one"
        model.plan(Say("word by word", pace_s=0.02))
        assert await client.ask("two") == "word by word "
        assert [message["content"] for message in model.asked[-1].body["messages"][1:]] == [
            "one",
            "You said: one",
            "two",
        ]

        model.plan(Hang())
        client.send("three")
        await soon(lambda: model.open)
        assert texts.STOPPED in await client.ask("/stop")
        await soon(lambda: not model.open)

        model.plan(refusal("openai", "key"))
        assert await client.ask("four") == texts.MODEL_REFUSED_KEY
        assert "`qwen`" in await client.ask("/model")

        nursery.cancel_scope.cancel()
    assert await gateway.stop() == 0
    logged = (gateway.home / "logs" / "gateway.log").read_text() + gateway.printed
    assert "401 invalid_request_error invalid_api_key" in logged
    assert KEY not in logged
