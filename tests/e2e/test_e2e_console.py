"""`hermes chat` and `hermes run --console` with a real gateway: for scripts, and in a terminal."""

import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from harness import CLI_DEADLINE_S, Finished, Gateway
from harness_pty import CTRL_C, CTRL_D, Terminal, in_terminal

from hermes.cli.chat import login_name

LONG = "echo " + " ".join(["word"] * 20)


async def chat(gateway: Gateway, *arguments: str) -> Finished:
    """What it said; but for that it waits, which on a starved machine it may for anything."""
    done = await gateway.ask("chat", *arguments)
    said = [line for line in done.err.splitlines() if not line.startswith("hermes: waiting: ")]
    return replace(done, err="\n".join(said))


async def piped(gateway: Gateway, text: str) -> Finished:
    run = partial(
        subprocess.run,
        [sys.executable, "-m", "hermes.cli", "chat", "--home", str(gateway.home)],
        input=text,
        capture_output=True,
        text=True,
        timeout=CLI_DEADLINE_S,
    )
    done = await trio.to_thread.run_sync(run)
    return Finished(done.returncode, done.stdout, done.stderr.strip())


async def all_settled(gateway: Gateway) -> bool:
    figures = await gateway.status()
    return figures["counts"]["pending"] == 0 and not any(figures["outbox"].values())


# --- scripts ----------------------------------------------------------------------------------------------------------


async def test_a_script_sends_one_message_and_gets_its_answer(gateway: Gateway) -> None:
    await gateway.start()

    plain = await chat(gateway, "-m", "echo **hi**\nthere")
    as_json = await chat(gateway, "-m", "echo hello", "--user", "ann", "--session", "work", "--json")

    assert plain == Finished(0, "**hi**\nthere\n", "")
    document = json.loads(as_json.out)
    assert (as_json.code, document["ok"], document["reply"], document["earlier"]) == (0, True, "hello", [])
    assert (document["user"], document["session_key"]) == ("ann", "agent:main:console:dm:ann:work")
    assert document.keys() >= {"message_id", "delivery_id", "at"}
    assert "root/gateway/sessions/agent:main:console:dm:ann:work" in await gateway.lives()
    await gateway.until(partial(all_settled, gateway))
    assert await gateway.stop() == 0


async def test_several_at_once_get_their_own_answers(gateway: Gateway) -> None:
    await gateway.start()
    found: dict[str, Finished] = {}

    async def one(text: str, user: str) -> None:
        found[text] = await chat(gateway, "-m", f"echo {text}", "--user", user)

    async with trio.open_nursery() as nursery:
        for n in range(8):
            nursery.start_soon(one, f"number{n}", "ann" if n < 5 else f"user{n}")

    assert found == {f"number{n}": Finished(0, f"number{n}\n", "") for n in range(8)}
    await gateway.until(partial(all_settled, gateway))
    lives = await gateway.lives()
    assert {life for path, life in lives.items() if "console" in path} == {(1, "running")}


@pytest.mark.parametrize("form", ["plain", "json"])
async def test_an_answer_whose_asker_has_left_is_told_the_next_time(gateway: Gateway, form: str) -> None:
    await gateway.start("before_turn_commit:kill9")
    words = [sys.executable, "-m", "hermes.cli", "chat", "--home", str(gateway.home), "-m", "echo first"]
    asker = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert await gateway.ended() == -9  # it has the message
    finally:
        asker.kill()
        asker.wait()
    await gateway.start()

    following = await chat(gateway, "-m", "echo second", *(["--json"] if form == "json" else []))

    if form == "json":
        document = json.loads(following.out)
        assert document["reply"] == "second"
        assert [one["reply"] for one in document["earlier"]] == ["first"]
    else:
        assert following == Finished(0, "second\n", "[to an earlier message] first")


async def test_piped_lines_are_messages_and_the_end_waits_for_the_answers(gateway: Gateway) -> None:
    await gateway.start()

    done = await piped(gateway, f"echo one\n\n{LONG}\necho three\n")

    assert done == Finished(0, f"one\n{LONG.removeprefix('echo ')}\nthree\n", "")


async def test_a_line_that_is_too_long_is_refused_and_the_others_are_answered(gateway: Gateway) -> None:
    await gateway.start()

    done = await piped(gateway, f"echo one\n{'x' * 100_001}\necho three\n")

    assert (done.code, done.out) == (1, "one\nthree\n")
    assert "100,000" in done.err


async def test_a_paused_console_and_a_refused_command_are_no_answers(gateway: Gateway) -> None:
    await gateway.start()

    unknown = await chat(gateway, "-m", "/frobnicate")
    await gateway.cli("adapter", "pause", "console")
    paused = await chat(gateway, "-m", "echo hi")
    await gateway.cli("adapter", "resume", "console")

    assert (unknown.code, unknown.out) == (1, "")
    assert "I know no command `/frobnicate`" in unknown.err
    assert (paused.code, paused.out) == (1, "")
    assert "console:default is paused" in paused.err
    assert "hermes adapter resume console" in paused.err
    assert await chat(gateway, "-m", "echo hi") == Finished(0, "hi\n", "")


async def test_with_no_gateway_it_exits_with_3(gateway: Gateway) -> None:
    done = await chat(gateway, "-m", "hi")

    assert (done.code, done.out) == (3, "")
    assert f"no gateway runs on {gateway.home}" in done.err


@pytest.mark.parametrize(
    "point", ["after_inbox_commit", "before_turn_commit", "after_turn_commit", "before_send"]
)
async def test_a_kill_between_message_and_answer_costs_the_client_nothing(
    gateway: Gateway, point: str
) -> None:
    await gateway.start(f"{point}:kill9")
    found: list[Finished] = []

    async def ask() -> None:
        found.append(await chat(gateway, "-m", "echo hello"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        assert await gateway.ended() == -9
        await gateway.start()

    assert found == [Finished(0, "hello\n", "")]
    await gateway.until(partial(all_settled, gateway))
    counts = (await gateway.status())["counts"]
    assert (counts["received"], counts["answered"]) == (1, 1)
    assert await chat(gateway, "-m", "echo again") == Finished(0, "again\n", "")


# --- a person in a terminal ---------------------------------------------------------------------------------------------


async def greeted(terminal: Terminal, user: str) -> None:
    await terminal.until(f"you as {user}")
    await terminal.until("> ")


async def says(terminal: Terminal, keys: str, shown: str, answer: str) -> None:
    """Type a message, see it on the line, and its answer above the next prompt."""
    await terminal.type(f"{keys}\r")
    await terminal.until(shown)
    await terminal.until(f"{answer} > ")


async def test_a_person_talks_in_a_terminal(gateway: Gateway) -> None:
    await gateway.start()
    me = login_name()
    async with in_terminal("chat", "--home", str(gateway.home)) as terminal:
        await greeted(terminal, me)
        await says(terminal, "echo one", "echo one", "one")
        await says(terminal, "echo two \\\rthree", "two \\ . three", "two three")
        await says(terminal, '"""\recho a\rb\r"""', '. b . """', "a b")
        await says(terminal, "\x1b[200~note pasted\nlines\x1b[201~", "note pasted", "Noted as number 1.")
        await terminal.type("half a line")
        await terminal.until("half a line")
        await terminal.type(CTRL_C)
        await terminal.until("> ")
        await terminal.type(CTRL_C)
        await terminal.until("Ctrl-C again, or Ctrl-D, leaves. > ")
        await terminal.type(CTRL_C)
        assert await terminal.ended() == 0

    history = gateway.home / "console_history"
    assert "echo one" in history.read_text()
    assert "half a line" not in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    await gateway.until(partial(all_settled, gateway))

    async with in_terminal("chat", "--home", str(gateway.home)) as terminal:
        await terminal.until("Before:")
        await terminal.until("Noted as number 1. > ")
        assert "> note pasted lines Noted as number 1." in terminal.seen
        assert "echo one" not in terminal.seen  # the newest six alone
        await terminal.type("\x1b[A\x1b[A")  # the arrow goes back through what was typed
        await terminal.until("note pasted")
        await terminal.type(CTRL_C)
        await terminal.until("> ")
        await terminal.type(CTRL_D)
        assert await terminal.ended() == 0


async def test_a_ctrl_c_is_one_whatever_else_comes_at_the_same_moment(gateway: Gateway) -> None:
    await gateway.start()
    async with in_terminal("chat", "--home", str(gateway.home)) as terminal:
        await greeted(terminal, login_name())
        for _ in range(3):  # SIGINT and SIGCONT are there together when it goes on
            await says(terminal, "echo one", "echo one", "one")
            terminal.signal(signal.SIGSTOP)
            await terminal.type(CTRL_C)
            terminal.signal(signal.SIGCONT)
            await terminal.until("Ctrl-C again, or Ctrl-D, leaves. > ")
        await terminal.type(CTRL_D)
        assert await terminal.ended() == 0
        assert "Error" not in terminal.seen


async def test_another_users_lines_are_not_remembered(gateway: Gateway) -> None:
    await gateway.start()
    async with in_terminal("chat", "--user", "somebody-else", "--home", str(gateway.home)) as terminal:
        await greeted(terminal, "somebody-else")
        await says(terminal, "echo secret", "echo secret", "secret")
        await terminal.type("/quit\r")
        assert await terminal.ended() == 0

    assert not (gateway.home / "console_history").exists()


async def test_ctrl_c_stops_the_answer_that_is_worked_on(gateway: Gateway) -> None:
    await gateway.start()
    async with in_terminal("chat", "--home", str(gateway.home)) as terminal:
        await greeted(terminal, login_name())
        for _ in range(20):
            await terminal.type(f"{LONG}\r")
        await terminal.until(f"> {LONG.removeprefix('echo ')}")
        await terminal.type(CTRL_C)
        await terminal.until("Stopped.")
        await says(terminal, "echo and on", "echo and on", "and on")
        await terminal.type(CTRL_D)
        assert await terminal.ended() == 0

    await gateway.until(partial(all_settled, gateway))
    counts = (await gateway.status())["counts"]
    assert counts["stopped"] > 0
    assert counts["unaccounted"] == 0


async def test_a_restart_of_the_gateway_is_one_calm_line(gateway: Gateway) -> None:
    await gateway.start()
    async with in_terminal("chat", "--home", str(gateway.home)) as terminal:
        await greeted(terminal, login_name())
        await says(terminal, "echo before", "echo before", "before")
        await gateway.kill9()
        await terminal.type("echo meanwhile\r")
        await terminal.until("echo meanwhile")
        await gateway.start()
        await terminal.until("the conversation goes on")
        await terminal.until("meanwhile")
        await says(terminal, "echo after", "echo after", "after")
        await terminal.type(CTRL_D)
        assert await terminal.ended() == 0
        assert terminal.seen.count("the conversation goes on") == 1
        assert terminal.seen.count("before") == 2  # typed, and answered once
        assert "Traceback" not in terminal.seen

    assert (await gateway.status())["counts"]["answered"] == 3


async def test_what_a_script_of_the_same_user_says_is_shown_above_the_prompt(gateway: Gateway) -> None:
    await gateway.start()
    async with in_terminal("chat", "--home", str(gateway.home)) as terminal:
        await greeted(terminal, login_name())
        await terminal.type("half a")
        await terminal.until("half a")
        assert await chat(gateway, "-m", "echo from a script") == Finished(0, "from a script\n", "")
        await terminal.until("> echo from a script")
        await terminal.until("from a script > half a")
        await terminal.type(f"{CTRL_C}")
        await terminal.until("> ")
        await terminal.type(CTRL_D)
        assert await terminal.ended() == 0


# --- gateway and chat in one terminal -----------------------------------------------------------------------------------


async def test_run_console_is_gateway_and_chat_in_one_terminal(tmp_path: Path) -> None:
    home = tmp_path / "home"
    gateway = Gateway(home)
    async with in_terminal("run", "--console", "--port", "0", "--home", str(home)) as terminal:
        await greeted(terminal, login_name())
        await says(terminal, "echo one", "echo one", "one")
        assert await chat(gateway, "-m", "echo two", "--user", "ann") == Finished(0, "two\n", "")
        assert (await gateway.status())["state"] == "running"
        await terminal.type(CTRL_D)
        assert await terminal.ended() == 0
        assert "INFO" not in terminal.seen

    assert "stopped, exit code 0" in (home / "logs" / "gateway.log").read_text()


async def test_run_console_restarts_itself_in_its_terminal(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "home")
    async with in_terminal("run", "--console", "--port", "0", "--home", str(gateway.home)) as terminal:
        await greeted(terminal, login_name())
        before = await gateway.status()
        await terminal.type("/restart\r")
        await terminal.until("> I am restarting.")
        await terminal.until(f"with you as {login_name()}")
        await terminal.until("I have restarted, and am back.")
        await says(terminal, "echo after", "echo after", "after")
        after = await gateway.status()
        await terminal.type(CTRL_D)
        assert await terminal.ended() == 0
    assert after["pid"] == before["pid"]
    assert "Traceback" not in terminal.seen


@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 1), ("SIGUSR1", 75)])
async def test_a_signal_ends_both(tmp_path: Path, number: str, code: int) -> None:
    import signal

    async with in_terminal("run", "--console", "--port", "0", "--home", str(tmp_path / "home")) as terminal:
        await greeted(terminal, login_name())
        terminal.signal(getattr(signal, number))
        assert await terminal.ended() == code


async def test_a_stop_from_elsewhere_ends_both(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "home")
    async with in_terminal("run", "--console", "--port", "0", "--home", str(gateway.home)) as terminal:
        await greeted(terminal, login_name())
        await gateway.cli("stop")
        assert await terminal.ended() == 0


async def test_run_console_on_a_held_home_says_so_and_stops_nobody(gateway: Gateway) -> None:
    await gateway.start()
    async with in_terminal("run", "--console", "--port", "0", "--home", str(gateway.home)) as terminal:
        assert await terminal.ended() == 1
        assert "held by process" in terminal.seen

    assert (await gateway.status())["pid"] == gateway.pid


async def test_run_console_needs_a_terminal(gateway: Gateway) -> None:
    done = await gateway.ask("run", "--console", "--port", "0")

    assert done.code == 2
    assert "hermes chat" in done.err
    assert not os.path.exists(gateway.home / "gateway.db")
