"""``<home>/logs/stacks.log``: where every thread of the process is, written when nothing else of it may work any more.

It holds files, lines and names of functions, never values.
"""

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from hermes.ops.files import open_private
from hermes.types.errors import HOME_UNUSABLE, Failure, GatewayError

NAME = "stacks.log"
MOST_BYTES = 5_000_000
"""One that has grown longer begins anew with the next start."""


@contextmanager
def stacks_in(logs: Path) -> Iterator[IO[str]]:
    """The file, open for appending and 0600. Raises ``GatewayError`` (``home_unusable``, fatal)."""
    path = logs / NAME
    try:
        descriptor = open_private(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        if os.fstat(descriptor).st_size > MOST_BYTES:
            os.ftruncate(descriptor, 0)
    except OSError as wrong:
        detail = f"{path}: {wrong.strerror or wrong}"
        raise GatewayError(Failure(HOME_UNUSABLE, "fatal", "gateway", detail=detail)) from wrong
    with open(descriptor, "w", encoding="utf-8") as file:
        yield file


@contextmanager
def on_signal(number: int, file: IO[str], then: Callable[[], None]) -> Iterator[None]:
    """On signal ``number``, write the stack of the thread it interrupts into ``file`` at once, from within the signal
    itself: no bytecode has to run for it. When the main thread runs bytecode again, and if this is it, the stacks of all
    threads follow, and ``then`` is called.

    The other threads are never read from within the signal: they run on while it does, and a frame that goes away under the
    reader's eyes ends the process (segmentation fault, seen once in some hundred signals).
    """
    main = threading.current_thread() is threading.main_thread()

    def handle(_number: int, _frame: FrameType | None) -> None:
        with suppress(OSError, ValueError):  # the stacks stand there, or do not; the rest is still to be done
            faulthandler.dump_traceback(file, all_threads=True)
            os.write(
                file.fileno(), f"{time.strftime('%Y-%m-%d %H:%M:%S%z')} asked for the stacks above\n".encode()
            )
        then()

    before = signal.signal(number, handle) if main else None
    faulthandler.register(
        number, file, all_threads=False, chain=main
    )  # without a handler to follow, the process would end
    try:
        yield
    finally:
        faulthandler.unregister(number)
        if main:
            signal.signal(number, before)
