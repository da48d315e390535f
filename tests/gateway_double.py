"""A gateway as the command line sees it: a thread on a real control socket that answers from a table."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hermes.ops.control import frames
from hermes.ops.control.endpoint import bind_control_socket
from hermes.ops.lock import prepare_home

Verbs = Mapping[str, Callable[[Mapping[str, Any]], bytes | None] | Any]


@contextmanager
def gateway_on(home: Path, verbs: Verbs) -> Iterator[list[frames.Request]]:
    """Serve ``verbs``; yields what was asked.

    A verb has a result, or a function of the arguments that makes the reply's bytes, or None to hang up. ``texts`` is such a
    function, too: of what comes in a stream, once a verb has been answered.
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
            answering = threading.Thread(target=answer, args=(connection,), daemon=True)
            threads.append(answering)
            answering.start()

    def answer(connection: socket.socket) -> None:
        decoder = frames.FrameDecoder()
        with connection, suppress(ConnectionError):  # a client that has left
            while data := connection.recv(1 << 16):
                for frame in decoder.feed(data):
                    reply = replied(frame)
                    if reply is None:
                        return
                    connection.sendall(reply)

    def replied(frame: dict[str, Any]) -> bytes | None:
        if "text" in frame:
            return verbs["texts"](frame["text"])
        request = frames.request(frame)
        asked.append(request)
        result = verbs[request.verb]
        return result(request.args) if callable(result) else frames.ok(request.id, result)

    threads = [threading.Thread(target=serve, daemon=True)]
    threads[0].start()
    try:
        yield asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join(5)
