"""The operator's own words in the home: who the agent is to be, and what it has to keep in mind."""

import logging
import math
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import trio

log = logging.getLogger(__name__)

SOUL, MEMORY, USER = "SOUL.md", "memories/MEMORY.md", "memories/USER.md"
FRESH_S = 1.0
"""So long what was read is taken to stand there still: in a burst hardly a turn has to wait for a thread."""

MAX_BYTES = {SOUL: 64 * 1024, MEMORY: 16 * 1024, USER: 16 * 1024}


@dataclass(frozen=True, slots=True)
class HomeWords:
    """What stands in the files; empty where one is missing, or cannot be used."""

    soul: str = ""
    memory: str = ""
    user: str = ""


class HomeFiles:
    """Reads them, for a thread. What is wrong with one is said in the log, once until it changes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._said: dict[str, str] = {}

    def read(self) -> HomeWords:
        """What stands there now."""
        return HomeWords(self._read(SOUL), self._read(MEMORY), self._read(USER))

    def _read(self, name: str) -> str:
        path, wrong, text = self._home / name, "", ""
        try:
            data = _bytes(path, MAX_BYTES[name] + 1)
        except FileNotFoundError:
            pass
        except OSError as error:
            wrong = f"is not used: {error.strerror or error}"
        else:
            if len(data) > MAX_BYTES[name]:
                wrong = f"is too long: only its first {MAX_BYTES[name]:,} bytes are used"
            text = data[: MAX_BYTES[name]].decode("utf-8-sig", "ignore").strip()
        if wrong and self._said.get(name) != wrong:
            log.warning("%s %s", path, wrong)
        self._said[name] = wrong
        return text


class FreshWords:
    """What ``read`` gives, asked for once in ``FRESH_S``, however many turns begin; they wait for the same answer."""

    def __init__(self, read: Callable[[], Awaitable[HomeWords]]) -> None:
        self._read = read
        self._words = HomeWords()
        self._until = -math.inf
        self._reading = trio.Lock()

    async def __call__(self) -> HomeWords:
        """No checkpoint while they are fresh. Lets through what ``read`` raises."""
        if trio.current_time() >= self._until:
            async with self._reading:
                if trio.current_time() >= self._until:
                    self._words = await self._read()
                    self._until = trio.current_time() + FRESH_S
        return self._words


def _bytes(path: Path, most: int) -> bytes:
    """Raises ``OSError``, also for what is no file: a pipe of that name must not hold up who reads it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no file")
        return file.read(most)
