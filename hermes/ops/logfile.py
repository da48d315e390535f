"""A log's file: private, rotating, and never a reason for anything else to fail."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from hermes.ops.files import open_private


class LogFile:
    """Lines appended to ``path``, for one thread.

    When the next line would make it longer than ``max_bytes``, the file is renamed to ``path.1``, that to ``path.2``, and so
    on, and ``backups`` of them are kept. Mode 0600; no symbolic link is followed. A file that was moved or deleted is begun
    anew, with its directory. Once it has been opened, which raises ``OSError``, it raises nothing: a line that cannot be
    written is lost, and ``complain`` is called with the reason, once for each reason.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int, complain: Callable[[str], None]) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._complain = complain
        self._said: set[str] = set()
        self._torn = False
        self._descriptor: int | None = None
        self._open()

    def write(self, *lines: str) -> None:
        """Append ``lines``, each with a line end."""
        try:
            self._append([f"{line}\n".encode(errors="backslashreplace") for line in lines])
        except OSError as wrong:
            self._say(f"log file {self._path} cannot be written: {wrong.strerror or wrong}")

    def close(self) -> None:
        """Let the file go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, lines: Iterable[bytes]) -> None:
        if self._descriptor is not None and not self._in_place(self._descriptor):
            self.close()
            self._say(f"log file {self._path} was taken away; a new one begins")
        descriptor = self._open() if self._descriptor is None else self._descriptor
        size, fitting = os.fstat(descriptor).st_size, bytearray()
        for line in lines:
            if size and size + len(line) > self._max_bytes:
                self._put(descriptor, fitting)
                descriptor, size, fitting = self._rotate(), 0, bytearray()
            fitting += line
            size += len(line)
        self._put(descriptor, fitting)

    def _put(self, descriptor: int, lines: bytearray) -> None:
        data = memoryview(b"\n" + lines if self._torn and lines else lines)
        while data:
            # Until the last byte is written, the file ends in the middle of a line.
            self._torn = True
            data = data[os.write(descriptor, data) :]
            self._torn = bool(data)

    def _in_place(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.lstat(self._path))
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            descriptor = open_private(self._path, flags)
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = open_private(self._path, flags)
        self._descriptor = descriptor
        size = os.fstat(descriptor).st_size
        self._torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        return descriptor

    def _rotate(self) -> int:
        for n in range(self._backups, 1, -1):
            older = self._aside(n - 1)
            if os.path.lexists(older):
                os.replace(older, self._aside(n))
        os.replace(self._path, self._aside(1))
        self.close()
        return self._open()

    def _aside(self, n: int) -> str:
        return f"{self._path}.{n}"

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._complain(what)
