"""The blocking client: answers, refusals, silence, and a gateway that is gone."""

import os
import subprocess
import sys

import pytest
from gateway_double import gateway_on

from hermes.ops.control import client, frames
from hermes.ops.control.client import ControlError, NotRunning
from hermes.ops.control.endpoint import SOCKET_NAME, bind_control_socket
from hermes.ops.lock import HomeLock, prepare_home
from hermes.types.errors import UNREACHABLE


def test_an_answer_comes_back(tmp_path):
    with gateway_on(tmp_path, {"tree": {"live": True}}) as asked:
        assert client.ask(tmp_path, "tree", {"path": "root"}) == {"live": True}
    assert asked == [frames.Request(1, "tree", {"path": "root"})]


def test_a_large_answer_comes_back(tmp_path):
    large = [{"n": n} for n in range(50_000)]
    with gateway_on(tmp_path, {"tree": large}):
        assert client.ask(tmp_path, "tree") == large


def test_a_refusal_keeps_its_type_message_and_hint(tmp_path):
    refuse = {
        "restart": lambda _: frames.error(1, "no_such_path", "there is no such actor", "look at hermes tree")
    }
    with gateway_on(tmp_path, refuse), pytest.raises(ControlError) as refused:
        client.ask(tmp_path, "restart")

    error = refused.value
    assert (error.failure.code, error.failure.detail, error.hint) == (
        "no_such_path",
        "there is no such actor",
        "look at hermes tree",
    )


@pytest.mark.parametrize("prepare", ["nothing", "home", "stale socket"])
def test_with_nobody_there_it_says_not_running(tmp_path, prepare):
    if prepare != "nothing":
        prepare_home(tmp_path / "home")
    if prepare == "stale socket":
        bind_control_socket(tmp_path / "home" / "run").close()

    with pytest.raises(NotRunning):
        client.ask(tmp_path / "home", "ping")


def test_S44_a_symlink_in_place_of_the_socket_is_not_followed(tmp_path):
    with gateway_on(tmp_path / "real", {"ping": {}}):
        prepare_home(tmp_path / "trap")
        (tmp_path / "trap" / "run" / SOCKET_NAME).symlink_to(tmp_path / "real" / "run" / SOCKET_NAME)

        with pytest.raises(ControlError, match="not a socket"):
            client.ask(tmp_path / "trap", "ping")


def test_silence_ends_at_the_deadline(tmp_path):
    prepare_home(tmp_path)
    with bind_control_socket(tmp_path / "run"), pytest.raises(ControlError, match="in time") as silent:
        client.ask(tmp_path, "ping", timeout_s=0.01)

    assert silent.value.failure.code == UNREACHABLE


@pytest.mark.parametrize("reply", [b"\xff" * 8, frames.encode({"id": 1}), frames.encode({"ok": False})])
def test_a_nonsensical_reply_is_an_error(tmp_path, reply):
    with gateway_on(tmp_path, {"ping": lambda _: reply}), pytest.raises(ControlError) as wrong:
        client.ask(tmp_path, "ping")

    assert wrong.value.failure.code == UNREACHABLE


def test_a_gateway_that_hangs_up_is_an_error(tmp_path):
    with gateway_on(tmp_path, {"ping": lambda _: None}), pytest.raises(ControlError, match="hung up"):
        client.ask(tmp_path, "ping")


STOPPING_GATEWAY = """
import pathlib, sys
from hermes.ops.control import frames
from hermes.ops.control.endpoint import bind_control_socket
from hermes.ops.lock import HomeLock, prepare_home
home = pathlib.Path(sys.argv[1])
prepare_home(home)
lock = HomeLock.acquire(home, "boot")
listener = bind_control_socket(home / "run")
listener.setblocking(True)
print("up", flush=True)
connection, _ = listener.accept()
(request,) = frames.FrameDecoder().feed(connection.recv(65536))
connection.sendall(frames.ok(request["id"], {}))
"""


def test_stop_returns_when_the_process_has_ended_and_its_lock_is_free(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", STOPPING_GATEWAY, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ
    ) as gateway:
        gateway.stdout.readline()

        assert client.stop(tmp_path) == gateway.pid
        HomeLock.acquire(tmp_path, "next").release()


def test_stop_says_so_when_the_process_does_not_end(tmp_path):
    with gateway_on(tmp_path, {"stop": {}}), pytest.raises(ControlError, match="still runs"):
        client.stop(tmp_path, timeout_s=0.2)
