"""The blocking client of the control socket, in the standard library's sockets: the command line must not
wait for Trio.
"""

import os
import select
import shlex
import socket
import stat
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hermes.ops.control.endpoint import peer_pid, socket_address
from hermes.ops.control.frames import REPLY, FrameDecoder, FrameError, encode
from hermes.types.errors import UNREACHABLE, Failure, GatewayError

NOT_RUNNING = "not_running"
TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 60.0
_CHUNK_BYTES = 1 << 16


class ControlError(GatewayError):
    """The question got no answer; ``hint`` tells a person what to do about it."""

    def __init__(self, code: str, detail: str, hint: str = "") -> None:
        super().__init__(Failure(code, scope="gateway", detail=detail))
        self.hint = hint


class NotRunning(ControlError):
    """Nobody listens: no gateway runs on this home."""

    def __init__(self, home: Path) -> None:
        hint = f"start one with `hermes run --home {shlex.quote(str(home))}`"
        super().__init__(NOT_RUNNING, f"no gateway runs on {home}", hint)


def ask(home: Path, verb: str, args: Mapping[str, Any] | None = None, timeout_s: float = TIMEOUT_S) -> Any:
    """What the gateway of ``home`` answers to ``verb``.

    ``timeout_s`` covers the whole exchange. Raises ``NotRunning``; ``ControlError`` with the gateway's own
    type, message and hint if it refuses, or ``unreachable`` if it stays silent, hangs up or answers nonsense.
    """
    deadline = time.monotonic() + timeout_s
    with _connect(home, deadline) as connection:
        return _exchange(connection, verb, args or {}, deadline)


def stop(home: Path, timeout_s: float = STOP_TIMEOUT_S) -> int:
    """Ask the gateway of ``home`` to stop and return its pid once that process has ended, its lock with it.

    Raises as ``ask`` does, and ``unreachable`` if the process still lives after ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    with _connect(home, deadline) as connection:
        pid = peer_pid(connection)
        # Taken while the gateway is known to live, so that a pid used again later cannot be mistaken for it.
        process = os.pidfd_open(pid)
        try:
            _exchange(connection, "stop", {}, deadline)
            if not select.select([process], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise ControlError(UNREACHABLE, f"process {pid} still runs after {timeout_s:.0f} s")
        finally:
            os.close(process)
    return pid


class StreamClosed(ControlError):
    """A stream has ended; ``close_code`` and the words are the gateway's, or None where it just went away."""

    def __init__(self, close_code: int | None, detail: str) -> None:
        super().__init__(UNREACHABLE, detail)
        self.close_code = close_code


class Stream:
    """A connection that a verb of an adapter has taken over: texts both ways. One thread may send while another receives."""

    def __init__(self, connection: socket.socket, decoder: FrameDecoder) -> None:
        connection.settimeout(TIMEOUT_S)
        self._connection = connection
        self._decoder = decoder
        self._frames: deque[Mapping[str, Any]] = deque()

    def send(self, words: str) -> None:
        """Hand ``words`` to the connection. Raises ``StreamClosed``."""
        try:
            self._connection.sendall(encode({"text": words}))
        except OSError as gone:
            raise StreamClosed(None, f"the gateway is gone: {gone}") from gone

    def receive(self, timeout_s: float) -> str | None:
        """The next text; None if none has come in time. Raises ``StreamClosed``."""
        while not self._frames:
            try:
                if not select.select([self._connection], [], [], timeout_s)[0]:
                    return None
                data = self._connection.recv(_CHUNK_BYTES)
                self._frames.extend(self._decoder.feed(data))
            except (OSError, ValueError, FrameError) as gone:  # ValueError: closed by another thread
                raise StreamClosed(None, f"the gateway is gone: {gone}") from gone
            if not data:
                raise StreamClosed(None, "the gateway hung up")
        match self._frames.popleft():
            case {"text": str(words)}:
                return words
            case {"close": int(code), "reason": str(reason)}:
                raise StreamClosed(code, reason)
            case _:
                raise StreamClosed(None, "the gateway sent what is no frame of a stream")

    def close(self) -> None:
        """Hang up; a receive in another thread ends."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def open_stream(home: Path, verb: str, args: Mapping[str, Any], timeout_s: float = TIMEOUT_S) -> Stream:
    """Ask for ``verb`` of an adapter; the connection is the adapter's from then on. Raises as ``ask`` does."""
    deadline = time.monotonic() + timeout_s
    connection = _connect(home, deadline)
    try:
        decoder = FrameDecoder(REPLY)
        _exchange(connection, verb, args, deadline, decoder)
    except BaseException:
        connection.close()
        raise
    return Stream(connection, decoder)


def _connect(home: Path, deadline: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(home / "run") as address:
            if not stat.S_ISSOCK(os.lstat(address).st_mode):
                raise ControlError(UNREACHABLE, f"{home / 'run'}: the control socket is not a socket")
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            connection.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as nobody:
        connection.close()
        raise NotRunning(home) from nobody
    except OSError as wrong:
        connection.close()
        raise ControlError(UNREACHABLE, f"control socket of {home}: {wrong.strerror or wrong}") from wrong
    except ControlError:
        connection.close()
        raise
    return connection


def _exchange(
    connection: socket.socket,
    verb: str,
    args: Mapping[str, Any],
    deadline: float,
    decoder: FrameDecoder | None = None,
) -> Any:
    decoder = decoder or FrameDecoder(REPLY)
    try:
        connection.sendall(encode({"id": 1, "verb": verb, "args": args}))
        while True:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            data = connection.recv(_CHUNK_BYTES)
            if not data:
                raise ControlError(
                    UNREACHABLE,
                    f"the gateway hung up before it answered {verb!r}",
                    "it may have done it all the same; look with `hermes tree`",
                )
            for frame in decoder.feed(data):
                return _result(frame)
    except TimeoutError as late:
        raise ControlError(UNREACHABLE, f"the gateway did not answer {verb!r} in time") from late
    except (OSError, FrameError) as wrong:
        raise ControlError(UNREACHABLE, f"the gateway did not answer {verb!r}: {wrong}") from wrong


def _result(frame: Mapping[str, Any]) -> Any:
    match frame:
        case {"ok": True, "result": result}:
            return result
        case {"ok": False, "error": {"type": str(kind), "message": str(message), "hint": str(hint)}}:
            raise ControlError(kind, message, hint)
        case _:
            raise FrameError("a reply is a result or an error")
