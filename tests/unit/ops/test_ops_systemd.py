"""What a service manager hears, on a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermes.ops import systemd
from hermes.ops.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A manager's socket, and what it puts into ``$NOTIFY_SOCKET``."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@hermes-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.settimeout(5)
        ear.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        yield ear, name


def test_what_is_told_arrives_as_one_datagram(manager: tuple[socket.socket, str]) -> None:
    ear, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})

    for state in (systemd.READY, systemd.reloading(), systemd.WATCHDOG, systemd.STOPPING):
        notifier.tell(state)

    heard = [ear.recv(4096).decode() for _ in range(4)]
    assert heard[0] == "READY=1"
    assert heard[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert int(heard[1].partition("USEC=")[2]) > 0
    assert heard[2:] == ["WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize(
    "name", ["", "vsock:2:1", "/nobody/listens/here", "@nobody-listens-here", "relative"]
)
def test_with_nobody_there_telling_does_nothing(name: str) -> None:
    Notifier({"NOTIFY_SOCKET": name}).tell(systemd.READY)
    Notifier({}).tell(systemd.READY)


def test_a_manager_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(name)
        notifier = Notifier({"NOTIFY_SOCKET": name})

        for _ in range(10_000):
            notifier.tell(systemd.WATCHDOG)


@pytest.mark.parametrize(
    ("environ", "within_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_manager_says_whether_it_wants_signs_of_life(
    environ: dict[str, str], within_s: float | None
) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/x"} | environ).watchdog_s == within_s
    assert Notifier(environ).watchdog_s is None
