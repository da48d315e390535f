"""``hermes run --replace``: one gateway takes the place of another, and of two that want to, one does.

replacer   who holds the home? ─▶ takeover.lock ─▶ still the same? ─▶ note ─▶ SIGTERM … SIGKILL ─▶ tidy up ─▶ the home's lock
replaced                                                              └──▶ finds its name: exit code 0, so nobody revives it

The note is the original's file, so that either program replaces the other; its notes for a planned stop are understood, too.
"""

import fcntl
import json
import logging
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hermes.ops import pidfile
from hermes.ops.files import open_private, write_private
from hermes.ops.json_files import read_json
from hermes.ops.lock import COMMAND, EMBEDDED, LOCK_NAME, RESTORE
from hermes.ops.proc import Process, holder_of, process
from hermes.ops.scoped_lock import lock_directory
from hermes.types.errors import HOME_HELD, HOME_UNUSABLE, Failure, GatewayError

log = logging.getLogger(__name__)

TAKEOVER, PLANNED_STOP = ".gateway-takeover.json", ".gateway-planned-stop.json"
NOTE_TTL_S = 60.0
"""Older ones mean nobody any more."""

TERM_S = 10.0
"""How long the old one has for its stop."""

KILL_S = 5.0
"""How long the kernel has to end a process that was killed."""


_NOT_ENDED = {
    COMMAND: "a command; try again when it is done",
    RESTORE: "a restore; try again when it is done",
    EMBEDDED: "a program that a gateway is part of; stop it there",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Whom a gateway means to replace, if anybody: looked at before all else, so that of two who begin at once one is late."""

    named: Process | None


def claim(home: Path) -> Claim:
    """Whoever holds ``home`` now. Blocks for some ms."""
    return Claim(holder_of(home / LOCK_NAME))


@contextmanager
def taken_over(home: Path, claimed: Claim) -> Iterator[None]:
    """End the gateway of ``home`` that was ``claimed``; in the block, take its place. Blocks for up to 15 s.

    Raises ``GatewayError`` (``home_held``, fatal), and then has ended nobody: somebody else is replacing it, or has; it cannot be
    told who holds it; it is a command, or another program with a gateway in it; it belongs to somebody whom we may not end. The
    same if it does not end.
    """
    lock, named = home / LOCK_NAME, claimed.named
    with ExitStack() as held:
        held.callback(os.close, _only_one(home))
        holder = holder_of(lock)
        if holder is None or holder == process():
            pass  # free, or handed on to us; or held by somebody whom the kernel does not show: the lock itself decides
        elif holder != named:
            raise _refused(f"{home} is held by process {holder.pid} since this began; nobody was ended")
        elif why := _NOT_ENDED.get(_kind(lock)):
            raise _refused(f"{home} is held by process {named.pid}, {why}; nobody was ended")
        else:
            with _handle(home, named) as handle:
                if holder_of(lock) != named:  # with a handle that can be nobody else's
                    raise _refused(f"{home} is not held by process {named.pid} any more; nobody was ended")
                held.callback((home / TAKEOVER).unlink, missing_ok=True)
                _leave_note(home, named)
                _end(handle, named)
            pidfile.remove(home, named)
            _release_tokens(named)
        yield


def planned(home: Path) -> str:
    """By what note our own end was planned, or "": a takeover, or a stop by the original's command line. Takes the note away."""
    we, now = process(), time.time()
    for name in (TAKEOVER, PLANNED_STOP):
        found, _ = read_json(home / name, _read_note, None)
        if found is not None and found[0] == we and abs(now - found[1]) <= NOTE_TTL_S:
            with suppress(OSError):
                (home / name).unlink()
            return name
    return ""


def _only_one(home: Path) -> int:
    """The right to replace the gateway of ``home``, as a descriptor."""
    path = home / "run" / "takeover.lock"
    try:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as wrong:
        detail = f"{path}: {wrong.strerror or wrong}"
        raise GatewayError(Failure(HOME_UNUSABLE, "fatal", "gateway", detail=detail)) from wrong
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as other:
        os.close(descriptor)
        who = f"process {holder.pid}" if (holder := holder_of(path)) else "another process"
        raise _refused(f"{who} is taking over {home} already") from other
    return descriptor


def _kind(lock: Path) -> str:
    found, _ = read_json(lock, lambda record: str(record.get("kind")) if isinstance(record, dict) else "", "")
    return found or ""


@contextmanager
def _handle(home: Path, holder: Process) -> Iterator[int]:
    """A pidfd of ``holder``, which nobody else can become. Raises ``GatewayError`` if it is not that process any more."""
    try:
        handle = os.pidfd_open(holder.pid)
    except OSError as gone:
        raise _refused(f"process {holder.pid}, which held {home}, has just ended; start again") from gone
    try:
        if process(holder.pid) != holder:
            raise _refused(f"process {holder.pid}, which held {home}, has just ended; start again")
        yield handle
    finally:
        os.close(handle)


def _leave_note(home: Path, target: Process) -> None:
    note = {
        "target_pid": target.pid,
        "target_start_time": target.start_time,
        "replacer_pid": os.getpid(),
        "replacer_hermes_home": str(home),
        "written_at": datetime.now(UTC).isoformat(),
    }
    try:
        write_private(home / TAKEOVER, json.dumps(note).encode())
    except OSError as wrong:
        raise _refused(f"{home / TAKEOVER}: {wrong.strerror or wrong}; nobody was ended") from wrong


def _read_note(record: object) -> tuple[Process, float]:
    match record:
        case {"target_pid": int(pid), "target_start_time": int(start_time), "written_at": str(at)}:
            return Process(pid, start_time), datetime.fromisoformat(at).timestamp()
        case _:
            raise ValueError("no note")


def _end(handle: int, holder: Process) -> None:
    log.info("replacing the gateway of process %d", holder.pid)
    for number, within_s in ((signal.SIGTERM, TERM_S), (signal.SIGKILL, KILL_S)):
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        except PermissionError as denied:
            raise _refused(f"process {holder.pid} belongs to somebody else, and was not ended") from denied
        if select.select([handle], [], [], within_s)[0]:
            return
        log.warning("process %d has not ended %g s after %s", holder.pid, within_s, number.name)
    raise _refused(f"process {holder.pid} does not end, not even killed")


def _release_tokens(owner: Process) -> None:
    """Empty the token locks that ``owner`` has left, which the original judges by their text; one that is held is not touched."""
    with suppress(OSError):
        for path in lock_directory(os.environ).glob("*.lock"):
            found, _ = read_json(path, pidfile.named, None)
            if found == owner:
                with open(open_private(path, os.O_RDWR), "rb+") as file, suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    file.truncate(0)


def _refused(detail: str) -> GatewayError:
    return GatewayError(Failure(HOME_HELD, "fatal", "gateway", detail=detail))
