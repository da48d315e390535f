"""A gateway as the command line sees it: a thread on a real control socket that answers from a table."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hermes.ops.control import frames
from hermes.ops.control.endpoint import bind_control_socket
from hermes.ops.lock import prepare_home

Verbs = Mapping[str, Callable[[Mapping[str, Any]], bytes | None] | Any]


@contextmanager
def gateway_on(home: Path, verbs: Verbs) -> Iterator[list[frames.Request]]:
    """Serve ``verbs``; yields what was asked.

    A verb has a result, or a function of the arguments that makes the reply's bytes, or None to hang up.
    """
    prepare_home(home)
    listener = bind_control_socket(home / "run")
    listener.setblocking(True)
    asked: list[frames.Request] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                answer(connection)

    def answer(connection: socket.socket) -> None:
        decoder = frames.FrameDecoder()
        while data := connection.recv(1 << 16):
            for frame in decoder.feed(data):
                request = frames.request(frame)
                asked.append(request)
                result = verbs[request.verb]
                reply = result(request.args) if callable(result) else frames.ok(request.id, result)
                if reply is None:
                    return
                connection.sendall(reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
