"""The control socket's actor where the machine gives out."""

import errno
import socket
from pathlib import Path
from typing import Any, cast

import trio
from told import Told

from actors import control
from actors.ports.adapters import AdapterTable
from actors.ports.routes import RouteTable
from hermes.ops.control import client


async def test_a_process_out_of_file_descriptors_keeps_its_control_socket(
    tmp_path: Path, monkeypatch: Any
) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir(mode=0o700)
    accept, refusals = trio.SocketListener.accept, [OSError(errno.EMFILE, "too many open files")]

    async def scarce(self: trio.SocketListener) -> trio.SocketStream:
        stream = await accept(self)
        if refusals:
            await stream.aclose()
            raise refusals.pop()
        return stream

    monkeypatch.setattr(trio.SocketListener, "accept", scarce)
    nobody = cast("Any", None)
    told, door = (
        Told(),
        control.ControlDoor(
            nobody, nobody, nobody, str, nobody, AdapterTable("root/gateway/delivery/lanes"), RouteTable(), {}
        ),
    )
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(control.run, cast("Any", told), door, run_dir)
            await told.up.wait()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as refused:
                refused.connect(str(run_dir / "control.sock"))

                answer = await trio.to_thread.run_sync(client.ask, tmp_path, "ping")

            told.stop.set()
    assert answer == {"ok": True}
    assert not refusals
