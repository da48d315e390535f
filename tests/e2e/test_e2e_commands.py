"""Quick commands of a real gateway, with real programs: stopped, killed, and reloaded."""

import signal
from pathlib import Path

import psutil
import pytest
import trio
from client import WebChatClient
from harness import Gateway

from hermes.types import texts

TURN_S, CHILDREN_S = 2.0, 5.0
"""AC-37: by then the turn has ended, and by then all that it has started."""

CONFIG = """
quick_commands:
  hang:
    type: exec
    command: "trap '' TERM; echo $$ >> born; sleep 1000 & echo $! >> born; wait"
    timeout_s: 600
  hello: {{type: exec, command: 'echo "$@"'}}
  {more}
"""


@pytest.fixture
def home(gateway: Gateway) -> Path:
    gateway.home.mkdir()
    write(gateway.home)
    return gateway.home


def write(home: Path, more: str = "") -> None:
    (home / "config.yaml").write_text(CONFIG.format(more=more))


async def born(home: Path) -> list[psutil.Process]:
    """The program and what it has started."""
    file = home / "born"
    with trio.fail_after(20):
        while not file.exists() or len(file.read_text().splitlines()) < 2:
            await trio.sleep(0.01)
    return [psutil.Process(int(pid)) for pid in file.read_text().split()]


async def gone(people: list[psutil.Process]) -> None:
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in people):
        await trio.sleep(0.01)


async def test_AC37_stop_ends_a_program_that_hears_nothing_and_the_next_message_is_answered(
    gateway, home, nursery
):
    await gateway.start()
    client = WebChatClient(gateway.url, await gateway.log_in())
    nursery.start_soon(client.run)
    client.send("/hang")
    people = await born(home)

    began = trio.current_time()
    with trio.fail_after(CHILDREN_S):
        client.send("/stop")
        client.send("/hello again")
        await client.until(lambda: len(client.answers) == 2)
        assert trio.current_time() - began < TURN_S
        assert [answer.text for answer in client.answers] == [texts.STOPPED, "```\nagain\n```"]
        await gone(people)
    nursery.cancel_scope.cancel()


async def test_a_program_that_a_kill_of_the_gateway_cut_off_is_ended_and_not_started_again(
    gateway, home, nursery
):
    await gateway.start()
    client = WebChatClient(gateway.url, await gateway.log_in())
    nursery.start_soon(client.run)
    client.send("/hang")
    people = await born(home)

    await gateway.kill9()
    with trio.fail_after(CHILDREN_S):
        await gone(people)
    await gateway.start()
    with trio.fail_after(20):
        await client.until(lambda: bool(client.answers))

    assert client.answers[0].text == texts.QUICK_UNCERTAIN.format(name="hang")
    assert len((home / "born").read_text().split()) == 2
    nursery.cancel_scope.cancel()


async def test_a_quick_command_comes_with_sighup_and_a_bad_one_names_its_line(gateway, home, nursery):
    await gateway.start()
    client = WebChatClient(gateway.url, await gateway.log_in())
    nursery.start_soon(client.run)
    with trio.fail_after(30):
        assert (await client.ask("/hi")).startswith(texts.UNKNOWN_COMMAND.format(name="`/hi`"))
        write(home, "hi: {type: alias, target: /hello there}")
        gateway.signal(signal.SIGHUP)
        while (answer := await client.ask("/hi")).startswith(texts.UNKNOWN_COMMAND.format(name="`/hi`")):
            await trio.sleep(0.1)
        assert answer == "```\nthere\n```"
        write(home, "stop: {type: alias, target: /hello}")
        gateway.signal(signal.SIGHUP)
        fault = f"{home}/config.yaml, line 8: quick_commands: stop: there is a command of that name already"
        while fault not in gateway.log.read_text():
            await trio.sleep(0.05)
        assert await client.ask("/hi") == "```\nthere\n```"
    nursery.cancel_scope.cancel()


async def test_a_gateway_does_not_start_with_a_quick_command_that_cannot_be(gateway, home):
    write(home, "stop: {type: alias, target: /hello}")
    gateway.launch()

    assert await gateway.ended() == 78
    assert "line 8: quick_commands: stop: there is a command of that name already" in gateway.log.read_text()
