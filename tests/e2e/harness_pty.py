"""A command in a terminal of its own, with a person at the keyboard.

async with in_terminal("chat", "--home", home) as terminal:
    await terminal.until("> ")
    await terminal.type("hello\\r")
    await terminal.until("You wrote")
    await terminal.type("\\x04")
    assert await terminal.ended() == 0
"""

import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from harness import POLL_S, _environment

SEEN_DEADLINE_S = 30.0
CTRL_C, CTRL_D = "\x03", "\x04"

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")
_OWN_TERMINAL = (
    "import fcntl,os,sys,termios;fcntl.ioctl(0,termios.TIOCSCTTY,0);os.execv(sys.argv[1],sys.argv[1:])"
)


class Terminal:
    """What is on the screen, and the keys."""

    def __init__(self, process: subprocess.Popen[bytes], keyboard: int) -> None:
        self.seen = ""
        self._process = process
        self._keyboard = keyboard
        os.set_blocking(keyboard, False)
        self._raw = b""
        self._read = 0

    async def type(self, keys: str) -> None:
        """Press ``keys`` once the program reads each key itself: until then the terminal keeps the line, and Ctrl-C drops it."""
        with trio.fail_after(SEEN_DEADLINE_S):
            while termios.tcgetattr(self._keyboard)[3] & termios.ICANON:
                await trio.sleep(POLL_S)
                self._take()
        self.press(keys)

    def press(self, keys: str) -> None:
        """Press ``keys`` now, whatever the program does."""
        os.write(self._keyboard, keys.encode())

    async def until(self, text: str) -> None:
        """Wait for ``text`` behind what was waited for before; without escape sequences and line ends."""
        with trio.move_on_after(SEEN_DEADLINE_S):
            there = True
            while (at := self.seen.find(text, self._read)) < 0 and there:
                await trio.lowlevel.wait_readable(self._keyboard)
                there = self._take()
            if at >= 0:
                self._read = at + len(text)
                return
        raise AssertionError(f"no {text!r} on the terminal:\n{self.seen}")

    async def ended(self) -> int:
        """Wait for the command's end; its exit code."""
        with trio.fail_after(SEEN_DEADLINE_S):
            while (code := self._process.poll()) is None:
                await trio.sleep(POLL_S)
                self._take()
        seen = -1
        while seen < len(self._raw):  # its last words, which may have come since the last look
            seen = len(self._raw)
            self._take()
        return code

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def close(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.wait(SEEN_DEADLINE_S)
        os.close(self._keyboard)

    def _take(self) -> bool:
        """Look at the screen; False if it is there no more."""
        try:
            data = os.read(self._keyboard, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:  # the other end is closed
            return False
        self._raw += data
        self.seen = re.sub(r"\s+", " ", _ESCAPES.sub("", self._raw.decode(errors="replace")))
        return True


@asynccontextmanager
async def in_terminal(*arguments: str) -> AsyncIterator[Terminal]:
    """Run ``hermes ARGUMENTS`` in a terminal."""
    keyboard, screen = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _OWN_TERMINAL, sys.executable, "-m", "hermes.cli", *arguments],
        stdin=screen,
        stdout=screen,
        stderr=screen,
        env=_environment(TERM="xterm", INPUTRC="/dev/null"),
        start_new_session=True,
    )
    os.close(screen)
    terminal = Terminal(process, keyboard)
    try:
        yield terminal
    finally:
        terminal.close()
