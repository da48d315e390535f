"""Plug-ins in a real gateway: the one in the documentation, and some that are of no use."""

import re
from pathlib import Path

import trio
from harness import Gateway, _free_port

from hermes.testing.model import FakeModel, Say, Use

PAGE = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
MOST_LINES = 50


def documented(language: str, nth: int = 0) -> str:
    """A block of that language on the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)[nth]


def install(home: Path, name: str, source: str, manifest: str = "kind: platform\n") -> None:
    path = home / "plugins" / name
    path.mkdir(parents=True, mode=0o700)
    (path / "plugin.yaml").write_text(manifest)
    (path / "__init__.py").write_text(source)


def test_the_plug_in_of_the_page_is_short():
    lines = [line for line in documented("python").splitlines() if line.strip()]

    assert len(lines) <= MOST_LINES


async def test_the_plug_in_of_the_page_answers_and_useless_ones_are_shown_and_hold_up_nobody(
    gateway: Gateway,
):
    port = _free_port()
    gateway.home.mkdir(mode=0o700)
    install(gateway.home, "linechat", documented("python"), documented("yaml"))
    install(gateway.home, "crashing", "raise RuntimeError('no luck')")
    install(gateway.home, "original", "from gateway.platforms.base import BasePlatformAdapter")
    install(gateway.home, "quiet", "raise SystemExit")
    (gateway.home / "config.yaml").write_text("plugins: {disabled: [quiet]}\n")
    env = gateway.home / ".env"
    env.write_text(f"LINECHAT_PORT={port}\nLINECHAT_ALLOW_ALL_USERS=true\n")
    env.chmod(0o600)

    await gateway.start()
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(b"ann help\n")
    with trio.fail_after(20):
        answer = await stream.receive_some()
    adapters = {one["platform"]: one for one in (await gateway.status())["adapters"]}
    listed = await gateway.cli("adapter", "list")
    answer_to_shell = await gateway.json("send", "--to", "linechat:ann", "hello from the shell")
    with trio.fail_after(20):
        sent = await stream.receive_some()

    assert answer.strip()
    assert sent == b"hello from the shell\n"
    assert answer_to_shell["ok"]
    assert {name: one["state"] for name, one in adapters.items()} == {
        "webchat": "listening",
        "console": "listening",
        "linechat": "listening",
        "crashing": "unavailable",
        "original": "unavailable",
    }
    assert "crashing:default  unavailable  plugin_unusable: RuntimeError: no luck" in listed
    assert "original:default  unavailable  plugin_unusable: asyncio plug-in" in listed
    assert (await gateway.lives())["root/gateway/adapters/original:default"] == (1, "unavailable")
    await stream.aclose()
    assert await gateway.stop() == 0


async def test_a_model_uses_the_tool_of_the_page_and_a_person_its_command(gateway: Gateway):
    gateway.home.mkdir(mode=0o700)
    install(gateway.home, "dice", documented("python", 1), documented("yaml", 1))
    install(
        gateway.home,
        "nonsense",
        "def register(ctx):\n    ctx.register_tool('a b', handler=print)",
        "version: 1\n",
    )
    async with FakeModel().listening() as model:
        model.plan(Use([("roll", '{"sides": 2}'), ("nothing", "{}")]), Say("There it is."))
        (gateway.home / "config.yaml").write_text(f"model: {{base_url: {model.base_url}}}\n")
        await gateway.start()
        answer = await gateway.json("chat", "-m", "throw a coin")
        thrown = await gateway.json("chat", "-m", "/roll 2")
        rows = {one["name"]: one for one in (await gateway.json("plugins", "list"))["plugins"]}

    results = [one["content"] for one in model.asked[1].body["messages"] if one["role"] == "tool"]
    assert answer["reply"] == "There it is."
    assert results[0] in {"1", "2"}
    assert results[1].startswith("error: there is no tool 'nothing'; there are: search, notes, cron, roll")
    assert thrown["reply"].startswith("You have thrown a ")
    assert rows["dice"]["brings"] == ["tool roll", "command /roll", "memory dice"]
    assert rows["nonsense"]["state"] == "unavailable"
    assert (await gateway.lives())["root/gateway/plugins/nonsense"] == (1, "unavailable")
    assert await gateway.stop() == 0
