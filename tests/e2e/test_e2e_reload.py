"""Restart policies of a real process: from the file, from the command line, and changed by SIGHUP while it runs."""

import signal
from collections.abc import Mapping
from typing import Any

import pytest
from harness import Gateway, hermes
from harness_fleet import Fleet

ADAPTER = "root/gateway/adapters/webchat:default"
WEB = "root/gateway/web"


def write(gateway: Gateway, text: str) -> None:
    gateway.home.mkdir(mode=0o700, exist_ok=True)
    (gateway.home / "config.yaml").write_text(text)
    (gateway.home / "config.yaml").chmod(0o600)


async def nodes(gateway: Gateway) -> dict[str, Mapping[str, Any]]:
    found = {}

    def add(node: Mapping[str, Any]) -> None:
        found[node["path"]] = node
        for child in node["children"]:
            add(child)

    add((await gateway.json("tree", "--policy"))["root"])
    return found


async def begun(gateway: Gateway) -> dict[str, tuple[int, float]]:
    """Incarnation and age of every actor."""
    return {path: (node["incarnation"], node["uptime_s"]) for path, node in (await nodes(gateway)).items()}


def logged(gateway: Gateway) -> str:
    return (gateway.home / "logs" / "gateway.log").read_text()


async def test_sighup_changes_the_policies_of_the_living_and_a_bad_file_changes_nothing(
    gateway: Gateway,
) -> None:
    write(gateway, f"supervision:\n  {ADAPTER}: {{backoff: 2..20}}\n")
    gateway.launch(options=("-v", "--restart", f"{WEB}=permanent,intensity=4/44"))
    await gateway.ready()

    async def adapter_up() -> bool:
        return ADAPTER in await nodes(gateway)

    await gateway.until(adapter_up)
    first, before = await nodes(gateway), await begun(gateway)
    assert (first[ADAPTER]["policy"]["backoff"], first[ADAPTER]["policy"]["overridden"]) == (
        "2..20",
        ["backoff"],
    )
    assert first[WEB]["policy"]["intensity"] == "4/44"

    write(
        gateway,
        f"web: {{host: localhost}}\nsupervision:\n  {ADAPTER}: {{backoff: 3..30}}\n  '**': {{intensity: 6/66}}\n",
    )
    gateway.signal(signal.SIGHUP)

    async def followed() -> bool:
        return (await nodes(gateway))[ADAPTER]["policy"]["backoff"] == "3..30"

    await gateway.until(followed)
    second = await nodes(gateway)
    assert second["root/store"]["policy"]["intensity"] == "6/66"
    assert second[WEB]["policy"]["intensity"] == "4/44", "the command line comes after the file"

    write(gateway, f"supervision:\n  {ADAPTER}:\n    backoff: 4..40\n    restart: permanant\n")
    gateway.signal(signal.SIGHUP)
    place = f"{gateway.home}/config.yaml, line 4: supervision: '{ADAPTER}': restart: 'permanant' is none of"

    async def refused() -> bool:
        return place in logged(gateway)

    await gateway.until(refused)
    third, after = await nodes(gateway), await begun(gateway)
    assert {path: node["policy"] for path, node in third.items()} == {
        path: node["policy"] for path, node in second.items()
    }
    assert "web.host changed in the file and will hold after a restart of the gateway" in logged(gateway)
    assert {path: life[0] for path, life in after.items()} == {path: life[0] for path, life in before.items()}
    assert all(after[path][1] > uptime for path, (_, uptime) in before.items())
    assert await gateway.stop() == 0


async def test_a_policy_for_nobody_is_a_warning_in_the_file_and_wrong_usage_on_the_command_line(
    gateway: Gateway,
) -> None:
    write(gateway, "supervision:\n  root/gateway/adapters/telegram:*: {shutdown: 3}\n")
    await gateway.start()
    assert "line 2: 'root/gateway/adapters/telegram:*' matches no actor" in logged(gateway)
    await gateway.stop()

    option = "root/gateway/adapters/telegram:*=permanent"
    done = await hermes("run", "--home", str(gateway.home), "--restart", option)
    assert done.code == 2
    assert f"--restart '{option}': 'root/gateway/adapters/telegram:*' matches no actor" in done.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "supervision:\n  root/store: {restart: permanant}\n",
            "line 2: supervision: 'root/store': restart: 'permanant'",
        ),
        (
            "supervision:\n  root/store: {backoff: 20..30}\n",
            "line 2: below root, store can never exceed its own limit",
        ),
    ],
)
async def test_policies_that_cannot_be_followed_are_exit_code_78_with_their_line(
    gateway: Gateway, text: str, words: str
) -> None:
    write(gateway, text)

    done = await hermes("run", "--home", str(gateway.home))

    assert done.code == 78
    assert f"{gateway.home}/config.yaml, {words}" in done.err


async def test_S47_a_secret_that_a_reload_brings_in_is_hidden_from_then_on(gateway: Gateway) -> None:
    secret = "brought-in-later"
    write(gateway, "model: {api_key: known-from-the-start}\n")
    await gateway.start()
    write(gateway, f"model: {{api_key: {secret}}}\nsupervision:\n  root/gateway/{secret}: {{shutdown: 1}}\n")
    gateway.signal(signal.SIGHUP)

    async def read_again() -> bool:
        return "matches no actor" in logged(gateway)

    await gateway.until(read_again)
    assert "line 3: 'root/gateway/[redacted]' matches no actor" in logged(gateway)
    assert secret not in logged(gateway) + gateway.printed
    assert await gateway.stop() == 0


async def test_what_nobody_reads_yet_is_said_once_at_the_start(gateway: Gateway) -> None:
    write(
        gateway,
        "model: {default: x}\nplatforms:\n  discord: {token: a-secret-token}\n  webchat: {enabled: false}\n"
        "security: {redact_secrets: true}\n",
    )
    await gateway.start()
    gateway.signal(signal.SIGHUP)

    async def read_again() -> bool:
        return "reloaded" in logged(gateway)

    await gateway.until(read_again)
    said = [line for line in logged(gateway).splitlines() if " WARNING " in line]
    assert [line.partition(f"{gateway.home}/config.yaml, ")[2] for line in said] == [
        "line 1: model: base_url is missing: where the model's server is; the built-in agent answers, without a language model",
        "line 4: platforms.webchat.enabled: webchat cannot be turned off; it is there",
        "line 3: platforms.discord: this version has no adapter for discord; nobody is reached there",
    ]
    assert await gateway.stop() == 0


async def test_AC53_saved_files_have_an_adapter_come_and_go_and_a_bad_one_changes_nothing(
    gateway: Gateway,
) -> None:
    api = "root/gateway/adapters/api_server:default"
    write(gateway, "# nothing\n")
    await gateway.start()
    before = await gateway.lives()
    fleet = Fleet(gateway, await gateway.log_in(), clients=2, messages=20, seed=0)
    async with fleet.talking():
        await gateway.cli("config", "set", "API_SERVER_KEY", "a-key-of-some-length")

        async def come() -> bool:
            return (await gateway.lives()).get(api) == (1, "running")

        await gateway.until(come)  # by the saved file alone
        write(gateway, "web:\n  port: none\n")
        refused = await gateway.ask("config", "reload")
        assert (refused.code, "config.yaml, line 2: web.port" in refused.err) == (1, True)
        assert "line 2: web.port" in (await gateway.status())["settings"]["problem"]
        write(gateway, "# nothing\n")
        await gateway.cli("config", "unset", "API_SERVER_KEY")
        answer = await gateway.json("config", "reload")
        await fleet.until_answered(fleet.messages)
        violations = await fleet.violations()

    after = await gateway.lives()
    assert violations == []
    assert (answer["needs_restart"], after[api]) == ([], (1, "stopped"))
    assert {path: after[path] for path in before} == before, "nobody else has begun a new life"
    assert await gateway.stop() == 0
