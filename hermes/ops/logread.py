"""Reading the log of a home, whether a gateway runs or not: the newest entries, and those that are still to come.

gateway.log ─▶ gateway.log.1 ─▶ …      backwards, until enough entries have been found that are wanted
…  ◀─ gateway.log ◀─ gateway.log.1     forwards from there, over every rotation
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import count, islice, takewhile
from pathlib import Path

from hermes.config.globs import matches
from hermes.ops.logline import LEVELS, Entry, blocks, parse

CHUNK_BYTES = 1 << 16
LINE_BYTES = 1 << 22
"""Where a line that does not end is cut: it is none of ours."""

SESSIONS = "root/gateway/sessions"
"""Where the sessions live in the tree."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which entries are wanted: ``level``, a key of ``LEVELS``, or above; ``since``, in seconds since the epoch, or later;
    written by an actor whose path all of ``actors`` say yes to. An entry that does not say what is asked for is not wanted.
    """

    level: str | None = None
    since: float | None = None
    actors: tuple[Callable[[str], bool], ...] = ()

    def wants(self, entry: Entry) -> bool:
        """Whether ``entry`` is one of them."""
        if self.level is not None and (entry.level is None or LEVELS[entry.level] < LEVELS[self.level]):
            return False
        if self.since is not None and (entry.at is None or entry.at < self.since):
            return False
        return all(entry.actor is not None and meant(entry.actor) for meant in self.actors)


def actors_at(glob: str) -> Callable[[str], bool]:
    """Whether a path is one of the actors that ``glob`` (see ``hermes.config.globs``) names, or below one."""
    top = glob.rstrip("/")
    return lambda path: matches(top, path) or matches(f"{top}/**", path)


def session_at(segment: str) -> Callable[[str], bool]:
    """Whether a path is the session whose place in it is ``segment``, or one of its turns."""
    top = f"{SESSIONS}/{segment}"
    return lambda path: path == top or path.startswith(f"{top}/")


class LogReader:
    """The log at ``path``, with the files it has been rotated to. Opens them at once; raises ``OSError`` if it may not.

    What follows the last line end is still being written, and is left for later.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = _open_all(path)
        self._offset = 0
        self._tail = b""
        self._block: list[str] = []
        if self._files:
            self._offset = _end_of_lines(self._files[0])

    def __enter__(self) -> "LogReader":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    @property
    def exists(self) -> bool:
        """Whether there is a log."""
        return bool(self._files)

    def newest(self, question: Question, most: int | None) -> list[Entry]:
        """The last ``most`` (None: all) entries that are wanted and were there when the log was opened, oldest first."""
        wanted = filter(question.wants, self._backwards(question.since))
        return list(islice(wanted, most))[::-1]

    def actors(self) -> set[str]:
        """Every actor of whom there is an entry."""
        return {entry.actor for entry in self._backwards(None) if entry.actor is not None}

    def poll(self) -> list[Entry]:
        """The entries that have come since, each once; to be called again and again.

        The last of them is given by the call that finds nothing more: until then it may go on.
        """
        lines: list[bytes] = []
        quiet = True
        while True:
            # Looked for first: once it has been set aside, nothing is written to ours any more, and what is read is all.
            newer = self._newer()
            while data := self._read():
                quiet = False
                *whole, self._tail = (self._tail + data).split(b"\n")
                lines += whole
            if newer is None:
                break
            self._turn_to(newer)
            lines += [self._tail] if self._tail else []
            self._tail = b""
        found = list(blocks([*self._block, *map(_text, lines)]))
        self._block = [] if quiet or not found else found.pop()
        return [parse(block) for block in found]

    def _backwards(self, since: float | None) -> Iterator[Entry]:
        for n, file in enumerate(self._files):
            if since is not None and os.fstat(file.fileno()).st_mtime < since:
                return  # neither it nor an older one was written to since then
            end = self._offset if n == 0 else _end_of_lines(file)
            for block in blocks(map(_text, _lines_backwards(file, end)), backwards=True):
                yield parse(block)

    def _read(self) -> bytes:
        """The next bytes of the present file; none where there are no more yet."""
        if not self._files:
            return b""
        descriptor = self._files[0].fileno()
        if os.fstat(descriptor).st_size < self._offset:  # somebody has emptied it
            self._offset, self._tail = 0, b""
        data = os.pread(descriptor, CHUNK_BYTES, self._offset)
        self._offset += len(data)
        return b"\n" + data if data and len(self._tail) > LINE_BYTES else data

    def _newer(self) -> FileIO | None:
        """The file that follows the present one, if that has been set aside."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return None
        if self._files and os.path.samestat(there, os.fstat(self._files[0].fileno())):
            return None
        files = _open_all(self._path)
        newer = list(takewhile(lambda file: not (self._files and _same(file, self._files[0])), files))
        if len(newer) == len(files):
            newer = newer[:1]  # ours is gone for good: only the newest is sure to be newer
        for file in files:
            if not newer or file is not newer[-1]:
                file.close()
        return newer[-1] if newer else None

    def _turn_to(self, newer: FileIO) -> None:
        for file in self._files:
            file.close()
        self._files, self._offset = [newer], 0


def _open_all(path: Path) -> list[FileIO]:
    """The log and the files it has been rotated to, newest first; each once, also while they are being rotated."""
    files: list[FileIO] = []
    for n in count():
        try:
            file = FileIO(path if n == 0 else f"{path}.{n}")
        except FileNotFoundError:
            if n == 0:
                continue
            return files
        if files and _same(file, files[-1]):
            file.close()
        else:
            files.append(file)
    return files


def _same(one: FileIO, other: FileIO) -> bool:
    return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))


def _end_of_lines(file: FileIO) -> int:
    """Where the last line that has an end ends."""
    at = os.fstat(file.fileno()).st_size
    while at > 0:
        start = max(0, at - CHUNK_BYTES)
        found = os.pread(file.fileno(), at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0


def _lines_backwards(file: FileIO, end: int) -> Iterator[bytes]:
    """The lines before ``end``, which is the end of one, last one first."""
    at, head = max(0, end - 1), b""  # without the line end at ``end``
    while at > 0:
        start = max(0, at - CHUNK_BYTES)
        head, *lines = (os.pread(file.fileno(), at - start, start) + head).split(b"\n")
        yield from reversed(lines)
        if len(head) > LINE_BYTES:
            yield head
            head = b""
        at = start
    if end:
        yield head


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
