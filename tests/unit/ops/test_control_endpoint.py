"""The control socket's file: private from its first moment, reachable under any path, safe against what lies in its place."""

import os
import socket
import stat
from pathlib import Path

import pytest

from hermes.ops.control.endpoint import SOCKET_NAME, bind_control_socket, peer_pid, peer_uid, socket_address
from hermes.ops.lock import prepare_home
from hermes.types.errors import HOME_UNUSABLE, GatewayError


@pytest.fixture
def run_dir(tmp_path) -> Path:
    prepare_home(tmp_path / "home")
    return tmp_path / "home" / "run"


@pytest.fixture
def umask_000():
    before = os.umask(0)
    yield
    os.umask(before)


def connect(run_dir: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket_address(run_dir) as address:
        client.connect(address)
    return client


def test_S41_S43_the_socket_is_private_under_any_umask(run_dir, umask_000):
    with bind_control_socket(run_dir):
        assert stat.S_IMODE((run_dir / SOCKET_NAME).stat().st_mode) == 0o600


def test_S43_the_mode_is_set_before_the_name_exists(run_dir, umask_000, monkeypatch):
    modes = []
    bind = socket.socket.bind

    def observed(self, address):
        modes.append(stat.S_IMODE(os.fstat(self.fileno()).st_mode))
        bind(self, address)

    monkeypatch.setattr(socket.socket, "bind", observed)
    bind_control_socket(run_dir).close()

    assert modes == [0o600]


def test_S43_the_peer_is_known_on_both_sides(run_dir):
    with bind_control_socket(run_dir) as listener, connect(run_dir) as client:
        server, _ = listener.accept()
        with server:
            assert (peer_uid(server), peer_pid(server)) == (os.getuid(), os.getpid())
            assert (peer_uid(client), peer_pid(client)) == (os.getuid(), os.getpid())


def test_S43_a_stale_socket_is_replaced(run_dir):
    bind_control_socket(run_dir).close()
    with bind_control_socket(run_dir), connect(run_dir):
        pass


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_S44_anything_else_in_its_place_is_refused_and_left(run_dir, make):
    place = run_dir / SOCKET_NAME
    make(place)

    with pytest.raises(GatewayError) as refused:
        bind_control_socket(run_dir)
    assert refused.value.failure.code == HOME_UNUSABLE
    assert str(place) in refused.value.failure.detail
    assert place.lstat()


def test_S44_a_symlinked_directory_is_refused(tmp_path, run_dir):
    (tmp_path / "planted").symlink_to(run_dir)

    with pytest.raises(GatewayError):
        bind_control_socket(tmp_path / "planted")


def test_a_path_may_be_longer_than_a_socket_address(tmp_path):
    home = tmp_path / ("a" * 200) / ("b" * 200)
    prepare_home(home)

    with bind_control_socket(home / "run"), connect(home / "run"):
        pass


def test_no_descriptor_is_left_behind(run_dir):
    before = len(os.listdir("/proc/self/fd"))
    bind_control_socket(run_dir).close()
    (run_dir / SOCKET_NAME).unlink()
    (run_dir / SOCKET_NAME).touch()
    with pytest.raises(GatewayError):
        bind_control_socket(run_dir)

    assert len(os.listdir("/proc/self/fd")) == before
