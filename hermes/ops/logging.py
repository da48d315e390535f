"""Logs for people: calm lines on the console, the same in ``<home>/logs/gateway.log``.

    logger ──▶ queue ──▶ one thread ──▶ redaction ──▶ console, file

Nothing on the event loop waits for a terminal or a disk: a line is put into a queue, and a thread of its own
writes it.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from hermes.ops.files import open_private
from hermes.ops.redaction import Redaction
from hermes.types.errors import HOME_UNUSABLE, Failure, GatewayError

LOG_NAME = "gateway.log"
QUEUE_LINES = 10_000
FLUSH_S = 2.0

OURS = ("hermes", "actors", "supervisors")
SILENT = logging.CRITICAL + 1

_LEVELS = {
    -1: (logging.INFO, logging.WARNING),
    0: (logging.INFO, logging.WARNING),
    1: (logging.DEBUG, logging.INFO),
}
"""Verbosity → (level of our own loggers, level of everybody else's); -1 silences the console only."""


@contextmanager
def logging_to(
    logs: Path,
    *,
    verbosity: int = 0,
    redaction: Redaction,
    max_bytes: int,
    backups: int,
    console: TextIO | None = None,
) -> Iterator[None]:
    """Send all logging to ``console`` (default: stderr) and to ``logs / "gateway.log"``, a rotating file of
    mode 0600.

    ``verbosity``: -1 nothing on the console, 0 our INFO, 1 our DEBUG, 2 everybody's. A record's ``actor``
    attribute, if any, stands in place of its logger's name. On leaving, what is queued is written, for at
    most ``FLUSH_S``. Lines that come faster than they can be written are dropped and counted. Raises
    ``GatewayError`` (``home_unusable``, fatal) if the file cannot be opened.
    """
    screen = logging.StreamHandler(console or sys.stderr)
    screen.setLevel(SILENT if verbosity < 0 else logging.NOTSET)
    screen.setFormatter(_Line("{asctime} {levelname:<7} {actor}  {message}", "%H:%M:%S", style="{"))
    try:
        file = _LogFile(logs / LOG_NAME, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")
    except OSError as wrong:
        detail = f"{logs / LOG_NAME}: {wrong.strerror or wrong}"
        raise GatewayError(Failure(HOME_UNUSABLE, "fatal", "gateway", detail=detail)) from wrong
    file.setFormatter(
        _Line("{asctime}.{msecs:03.0f} {levelname:<7} {actor}  {message}", "%Y-%m-%d %H:%M:%S", style="{")
    )
    for handler in (screen, file):
        handler.addFilter(redaction)
    lines: SimpleQueue[Any] = SimpleQueue()
    listener = QueueListener(lines, screen, file, respect_handler_level=True)
    inlet = _Inlet(lines)
    root = logging.getLogger()
    ours, others = _LEVELS.get(verbosity, (logging.DEBUG, logging.DEBUG))
    before = {logger: logger.level for logger in (root, *map(logging.getLogger, OURS))}
    for logger in before:
        logger.setLevel(others if logger is root else ours)
    root.addHandler(inlet)
    listener.start()
    try:
        yield
    finally:
        root.removeHandler(inlet)
        for logger, level in before.items():
            logger.setLevel(level)
        # A console that nobody reads must not keep the process from ending.
        end = threading.Thread(target=_end, args=(listener, file), name="log-flush", daemon=True)
        end.start()
        end.join(FLUSH_S)


def _end(listener: QueueListener, file: logging.Handler) -> None:
    listener.stop()
    with suppress(OSError):  # a full disk, complained of when it refused the line
        file.close()


class _Line(logging.Formatter):
    """One record, one line, continued by indented ones where there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        record.actor = getattr(record, "actor", record.name)
        return super().format(record).replace("\n", "\n    ")


class _Inlet(QueueHandler):
    """Drops lines, and says so later, when the writing thread is far behind; memory is worth more than the
    ten-thousandth line.
    """

    def __init__(self, lines: SimpleQueue[Any]) -> None:
        super().__init__(lines)
        self._lines = lines
        self._dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        if self._lines.qsize() >= QUEUE_LINES:
            self._dropped += 1
            return
        if self._dropped:
            record.msg += f" [{self._dropped:,} lines before this one were dropped]"
            self._dropped = 0
        super().enqueue(record)


class _LogFile(RotatingFileHandler):
    """A private file that follows no symbolic link and complains once, not at every line, when the disk
    refuses it.
    """

    complained = False

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=open_private)

    def handleError(self, record: logging.LogRecord) -> None:
        if not self.complained:
            self.complained = True
            sys.stderr.write(f"log file {self.baseFilename} cannot be written: {sys.exc_info()[1]}\n")
