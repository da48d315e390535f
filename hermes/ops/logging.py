"""Logs for people and for programs: calm lines on the console, and all of it in ``<home>/logs``.

    logger ──▶ inlet ──▶ queue ──▶ one thread ──▶ redaction ──┬─▶ gateway.log   everything
                                                              ├─▶ agent.log     turns and agents
                                                              ├─▶ errors.log    WARNING and above
                                                              └─▶ console

Nothing on the event loop waits for a terminal, a disk or a lock: what is logged becomes plain data, which is put into a
queue, and a thread of its own writes it. The files come before the console, which may be a pipe that nobody reads.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from traceback import TracebackException
from typing import Literal, TextIO

from hermes.ops.logfile import LogFile
from hermes.ops.logline import LEVELS, Entry, body, json_line, text_lines
from hermes.ops.redaction import Redaction
from hermes.types.errors import HOME_UNUSABLE, Failure, GatewayError

GATEWAY_LOG, AGENT_LOG, ERRORS_LOG = "gateway.log", "agent.log", "errors.log"
QUEUE_LINES = 10_000
LINE_CHARS = 100_000
"""Where a message or a traceback is cut off: one that is longer would only push the others out of the file."""

FLUSH_S = 2.0
CHARS_TOGETHER = 200_000
LINGER_S = 0.02
"""What is logged is in the files so much later: to wake the thread for each of many lines costs more than to write them."""

OURS = ("hermes", "actors", "supervisors")
AGENTS = ("actors.session", "actors.turn", "actors.answers", "actors.fetching", "hermes.agents")
"""The loggers, with all below them, of what goes into ``agent.log``."""

SILENT = logging.CRITICAL + 1

_CONSOLE = {
    -1: (SILENT, SILENT),
    0: (logging.INFO, logging.WARNING),
    1: (logging.DEBUG, logging.INFO),
}
"""Verbosity → (level of our own loggers, level of everybody else's)."""

Format = Literal["text", "json"]
WhoRuns = Callable[[], tuple[str, int] | None]
"""Path and incarnation of the actor whose code runs."""


@contextmanager
def logging_to(
    logs: Path,
    *,
    redaction: Redaction,
    max_bytes: int,
    backups: int,
    level: str = "INFO",
    format: Format = "text",
    verbosity: int = 0,
    who_runs: WhoRuns = lambda: None,
    console: TextIO | None = None,
) -> Iterator[None]:
    """Send all logging to ``console`` (default: stderr) and to three rotating files of mode 0600 in ``logs``.

    ``level`` is the files': our own loggers from there on, everybody else's from WARNING on; ``errors.log`` takes WARNING
    and above in any case. ``format`` is the files', too. ``verbosity`` is the console's: -1 nothing, 0 our INFO, 1 our DEBUG,
    2 everybody's. An entry belongs to the actor that ``who_runs`` names; a record's own attributes ``actor`` and
    ``incarnation`` go before. On leaving, what is queued is written, for at most ``FLUSH_S``. Lines that come faster than they
    can be written are dropped and counted. Raises ``GatewayError`` (``home_unusable``, fatal) if a file cannot be opened.
    """
    at_least = LEVELS[level]
    for_files = (at_least, max(at_least, logging.WARNING))
    for_console = _CONSOLE.get(verbosity, (logging.DEBUG, logging.DEBUG))
    line = json_line if format == "json" else text_lines

    def sink(name: str, takes: Callable[[Entry], bool]) -> _Sink:
        try:
            file = LogFile(logs / name, max_bytes=max_bytes, backups=backups, complain=_complain)
        except OSError as wrong:
            detail = f"{logs / name}: {wrong.strerror or wrong}"
            raise GatewayError(Failure(HOME_UNUSABLE, "fatal", "gateway", detail=detail)) from wrong
        return _Sink(takes, lambda entries: file.write(*map(line, entries)))

    sinks = (
        sink(GATEWAY_LOG, lambda entry: _reaches(entry, for_files)),
        sink(AGENT_LOG, lambda entry: _is_below(entry.logger, AGENTS) and _reaches(entry, for_files)),
        sink(ERRORS_LOG, lambda entry: LEVELS[entry.level or "INFO"] >= logging.WARNING),
        _Sink(lambda entry: _reaches(entry, for_console), _Console(console or sys.stderr).write),
    )
    lines: SimpleQueue[_Line | None] = SimpleQueue()
    inlet = _Inlet(lines, who_runs)
    root = logging.getLogger()
    before = {logger: logger.level for logger in (root, *map(logging.getLogger, OURS))}
    for logger in before:
        of = 1 if logger is root else 0
        logger.setLevel(min(for_files[of], for_console[of], logging.WARNING))
    root.addHandler(inlet)
    writer = threading.Thread(target=_write, args=(lines, redaction, sinks), name="log-writer", daemon=True)
    writer.start()
    try:
        yield
    finally:
        root.removeHandler(inlet)
        for logger, was in before.items():
            logger.setLevel(was)
        lines.put(None)
        writer.join(FLUSH_S)  # a console that nobody reads must not keep the process from ending


@dataclass(frozen=True, slots=True)
class _Line:
    """An entry on its way, and the traceback that is still to be made into text: that reads source files."""

    entry: Entry
    trace: TracebackException | None = None
    stack: str | None = None


class _Inlet(logging.Handler):
    """Turns records into data on the side that logs, and drops them, and says so later, when the writer is far behind:
    memory is worth more than the ten-thousandth line.

    It has no lock, so that nobody can hold it; a drop that two threads count at once may be counted as one.
    """

    def __init__(self, lines: "SimpleQueue[_Line | None]", who_runs: WhoRuns) -> None:
        super().__init__()
        self._lines = lines
        self._who_runs = who_runs
        self._dropped = 0

    def createLock(self) -> None:
        """See ``logging.Handler``, which takes a handler without a lock as it is."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        if self._lines.qsize() >= QUEUE_LINES:
            self._dropped += 1
            return
        try:
            line = _line(record, self._who_runs())
        except Exception as error:  # arguments that do not fit, or whose own text is broken
            place = f"{record.pathname}:{record.lineno}"
            line = _Line(_entry(record, f"what {place} logs cannot be shown: {type(error).__name__}", None))
        if self._dropped:
            note = f" [{self._dropped:,} lines before this one were dropped]"
            line = replace(line, entry=replace(line.entry, message=line.entry.message + note))
            self._dropped = 0
        self._lines.put(line)


def _line(record: logging.LogRecord, runs: tuple[str, int] | None) -> _Line:
    trace = None
    if record.exc_info and record.exc_info[0] is not None:
        # Without the frames, which would be kept alive until somebody reads the console.
        trace = TracebackException(*record.exc_info, lookup_lines=False)
    return _Line(_entry(record, record.getMessage(), runs), trace, record.stack_info)


def _entry(record: logging.LogRecord, message: str, runs: tuple[str, int] | None) -> Entry:
    actor, incarnation = runs or (None, None)
    if isinstance(named := getattr(record, "actor", None), str):  # anything else is a library's own attribute
        number = getattr(record, "incarnation", None)
        actor, incarnation = named, number if isinstance(number, int) else None
    level, at = _level_name(record.levelno), round(record.created, 3)
    return Entry(message, at, level, record.name, actor, incarnation)


def _level_name(number: int) -> str:
    """The name of ``number`` or of the next level below it: other levels are nobody's business but their library's."""
    return next((name for name, level in reversed(LEVELS.items()) if number >= level), "DEBUG")


@dataclass(frozen=True, slots=True)
class _Sink:
    """A place where entries go: ``write`` raises nothing."""

    takes: Callable[[Entry], bool]
    write: Callable[[Sequence[Entry]], None]


def _reaches(entry: Entry, levels: tuple[int, int]) -> bool:
    ours, others = levels
    return LEVELS[entry.level or "DEBUG"] >= (ours if _is_below(entry.logger, OURS) else others)


def _is_below(logger: str | None, tops: tuple[str, ...]) -> bool:
    return logger is not None and any(logger == top or logger.startswith(f"{top}.") for top in tops)


def _write(lines: "SimpleQueue[_Line | None]", redaction: Redaction, sinks: tuple[_Sink, ...]) -> None:
    """The thread: until ``None``, whatever has come together."""
    over = False
    while not over:
        entries, over = _together(lines, redaction)
        for sink in sinks:
            if taken := [entry for entry in entries if sink.takes(entry)]:
                sink.write(taken)


def _together(lines: "SimpleQueue[_Line | None]", redaction: Redaction) -> tuple[list[Entry], bool]:
    """What has come, a while after anything has; and whether nothing more will."""
    entries: list[Entry] = []
    size, line = 0, lines.get()
    if line is not None:
        time.sleep(LINGER_S)
    while line is not None:
        entry = _redacted(line, redaction)
        entries.append(entry)
        size += len(entry.message) + len(entry.exc or "")
        if size >= CHARS_TOGETHER or lines.empty():
            return entries, False
        line = lines.get()
    return entries, True


def _redacted(line: _Line, redaction: Redaction) -> Entry:
    try:
        return _shown(line, redaction)
    except Exception as error:  # the one thread that writes must not end for a line that it cannot show
        return replace(line.entry, message=f"[a line that could not be shown: {type(error).__name__}]")


def _shown(line: _Line, redaction: Redaction) -> Entry:
    below = [] if line.trace is None else ["".join(line.trace.format()).rstrip("\n")]
    if line.stack is not None:
        below.append(line.stack)
    return replace(
        line.entry,
        message=redaction.shorten(line.entry.message, LINE_CHARS),
        exc=redaction.shorten("\n".join(below), LINE_CHARS) if below else None,
    )


class _Console:
    """Lines for the person in front: the actor, or else the logger, is enough to know who speaks."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, entries: Sequence[Entry]) -> None:
        """Show ``entries``. A console that is gone is nobody's loss: the files have them."""
        try:
            self._stream.write("".join(map(_line_of, entries)))
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: it was closed
            return


def _line_of(entry: Entry) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
    return f"{clock} {entry.level:<7} {entry.actor or entry.logger}  {body(entry)}\n"


def _complain(what: str) -> None:
    try:
        sys.stderr.write(f"{what}\n")
    except (OSError, ValueError):
        return
