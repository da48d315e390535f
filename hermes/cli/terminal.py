"""A prompt that stays usable while answers come in, with the standard library's readline.

Messages may have several lines: a line that ends with a backslash goes on, a line of three double quotes begins and ends
a block, and a paste is one message (GNU readline; libedit takes each of its lines for a message).
"""

import os
import re
import readline
import shutil
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.markdown import Markdown

from hermes.ops.files import open_private

PROMPT, MORE = "> ", ". "
BLOCK = '"""'
HISTORY_LINES = 1_000
NUDGE_S = 0.1

_TO_LINE_START, _UP, _CLEAR_BELOW = "\r", "\x1b[A", "\x1b[J"
_ACTIVE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """``text`` without what a terminal would act on or what turns the order of letters around."""
    return _ACTIVE.sub("\N{REPLACEMENT CHARACTER}", text)


def markdown(text: str) -> RenderableType:
    """An answer for a terminal. Links stand in the open: what one reads is where they lead."""
    return Markdown(harmless(text), hyperlinks=False)


class Interrupted(Exception):
    """Ctrl-C. ``typed``: there was something on the line, which is gone."""

    def __init__(self, typed: bool) -> None:
        super().__init__()
        self.typed = typed


class Terminal:
    """The terminal of this process; ``ask`` in the main thread, ``show`` and ``leave`` in any.

    While it is open, Ctrl-C is an ``Interrupted`` of ``ask``, the present one or the next, and nothing else. ``history`` is a
    file of mode 0600, or None.
    """

    def __init__(self, history: Path | None) -> None:
        self._history = history
        self._console = Console(highlight=False, markup=False)
        self._lock = threading.Lock()
        self._prompt: str | None = None
        self._leaving = False
        self._interrupted = False
        self._heard = False
        self._closed = threading.Event()
        self._wake, self._woken_by = socket.socketpair()
        self._wake_before = -1
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Terminal":
        self._wake.setblocking(False)
        self._wake_before = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._nudge, name="terminal-signals", daemon=True).start()
        for number, handler in ((signal.SIGINT, self._interrupt), (signal.SIGCONT, self._woken)):
            self._before[number] = signal.signal(number, handler)
        readline.parse_and_bind("set enable-bracketed-paste on")
        readline.set_history_length(HISTORY_LINES)
        if self._history is not None:
            try:
                self._private()
                readline.read_history_file(self._history)
            except FileNotFoundError:
                pass  # made with the first line
            except OSError as wrong:
                self._history = None
                self.show(f"Input is not remembered: {wrong}", style="dim")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        signal.set_wakeup_fd(self._wake_before)
        self._wake.close()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ask(self) -> str:
        """The next message. Raises ``EOFError`` at Ctrl-D and after ``leave``, ``Interrupted`` at Ctrl-C."""
        lines: list[str] = []
        line = self._line(PROMPT)
        if line.strip() == BLOCK:
            while (line := self._line(MORE)).strip() != BLOCK:
                lines.append(line)
            return "\n".join(lines)
        while line.endswith("\\"):
            lines.append(line[:-1])
            line = self._line(MORE)
        return "\n".join([*lines, line])

    @property
    def leaving(self) -> bool:
        """``leave`` has been called."""
        return self._leaving

    def leave(self) -> None:
        """End ``ask``, the running one and those to come."""
        self._leaving = True
        with suppress(OSError):  # closed meanwhile
            self._wake.send(b"\0")

    def show(self, *parts: RenderableType, style: str | None = None) -> None:
        """Print above the prompt, which keeps what is typed; its cursor goes to the end of the line."""
        with self._lock:
            with self._console.capture() as rendered:
                for part in parts:
                    self._console.print(part, style=style)
            typed = "" if self._prompt is None else self._prompt + readline.get_line_buffer()
            rows = cell_len(typed) // max(1, shutil.get_terminal_size().columns)
            erase = "" if self._prompt is None else _TO_LINE_START + _UP * rows + _CLEAR_BELOW
            sys.stdout.write(erase + rendered.get() + typed)
            sys.stdout.flush()

    def _line(self, prompt: str) -> str:
        try:
            self._prompt = prompt
            if self._leaving:
                raise EOFError
            if self._interrupted:
                self._interrupted = False
                raise Interrupted(prompt == MORE)
            line = input(prompt)
        except (KeyboardInterrupt, SystemError) as interrupted:
            # A second signal at the same moment: CPython calls its handler with the first one's exception still set.
            if isinstance(interrupted, SystemError) and not isinstance(
                interrupted.__cause__, KeyboardInterrupt
            ):
                raise
            if self._leaving:
                raise EOFError from None
            typed = bool(readline.get_line_buffer()) or prompt == MORE
            self.show("")
            raise Interrupted(typed) from None
        finally:
            self._prompt = None
        self._remember(line)
        return line

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._prompt is None:
            self._interrupted = (
                True  # while the last line is taken, or another Ctrl-C: the next prompt begins with it
            )
        else:
            self._prompt = None
            raise KeyboardInterrupt

    def _woken(self, number: int, frame: FrameType | None) -> None:
        self._heard = True  # no Event: its lock may be held by the very call that this interrupts
        if self._leaving:
            self._interrupt(number, frame)

    def _nudge(self) -> None:
        """Python acts on a signal when readline's waiting is interrupted, so one that comes just before it waits is acted on
        with the next only: give that next one, again and again until one is acted on. SIGCONT harms nobody whom it reaches
        too late.
        """
        main = threading.main_thread().ident
        with self._woken_by as woken_by:
            while main is not None and (signals := woken_by.recv(64)):
                if set(signals) == {signal.SIGCONT}:
                    continue
                self._heard = False
                while not self._closed.wait(NUDGE_S) and (self._leaving or not self._heard):
                    signal.pthread_kill(main, signal.SIGCONT)

    def _remember(self, line: str) -> None:
        """At once, and not at the end: several terminals share the file, and any of them may be killed."""
        if self._history is not None and line.strip():
            with suppress(OSError):
                self._private(os.O_CREAT)
                readline.append_history_file(1, self._history)
                self._private()  # readline writes a new file when it drops old lines

    def _private(self, create: int = 0) -> None:
        if self._history is not None:
            os.close(open_private(self._history, os.O_WRONLY | create))
