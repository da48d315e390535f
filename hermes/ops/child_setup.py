"""The parent of one program that the gateway runs. It ends the program, and all that this has started, when the program itself
has ended, when it is told to, and when the gateway is gone.

    gateway ── lifeline ──▶ child_setup ──▶ program ──▶ what it starts          all of one session
               EOF: end it   └─ report ──▶ ``failed WHY`` or ``ended CODE``

As Erlang's ``erl_child_setup`` a process of its own, for after a kill -9 of the gateway nobody else is left to act; the kernel
closes the lifeline then. A signal at the parent's death would not do: it comes when the *thread* that started the program ends.

``processes`` starts this file by its path, in an isolated interpreter and as leader of a new session. Each program pays for
what is imported here.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress

GRACE_S = 1.0
"""What everybody has between SIGTERM and SIGKILL."""

KILL_S = 1.0
"""How long somebody may take to die of SIGKILL: only who hangs in the kernel takes any time."""

POLL_S = 0.01

_NOT_FOR_US = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AS_AT_LOGIN = (*_NOT_FOR_US, signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that the interpreter or we ignore, and the program shall not."""


def main(lifeline: int, report: int, names: str, command: list[str]) -> None:
    """Run ``command`` with the variables of our environment in ``names``, which are joined by ``=``."""
    for ours in (lifeline, report):
        os.set_inheritable(ours, False)
    for number in _NOT_FOR_US:
        signal.signal(number, signal.SIG_IGN)
    bell = _rung_by_children()
    # The interpreter may have added LC_CTYPE of its own accord.
    environ = {name: os.environ[name] for name in names.split("=") if name in os.environ}
    if _first_of(lifeline, within_s=0) is not None:
        os.write(report, f"ended {-signal.SIGTERM}".encode())
        return
    try:
        program = os.posix_spawnp(command[0], command, environ, setpgroup=0, setsigdef=_AS_AT_LOGIN)
    except OSError as wrong:
        os.write(report, f"failed {wrong.strerror}".encode())
        return
    # Its id, and so its group's, stays its own until it is reaped.
    while not _has_ended(program) and _first_of(lifeline, bell) != lifeline:
        os.read(bell, 512)
    all_gone = _told(signal.SIGTERM, program, GRACE_S)
    with suppress(OSError):
        # All of them at once: who starts others faster than we can look must not win.
        os.killpg(program, signal.SIGKILL)
    if not all_gone:
        _told(signal.SIGKILL, program, KILL_S)
    pid, status = os.waitpid(program, os.WNOHANG)
    if pid:
        os.write(report, f"ended {os.waitstatus_to_exitcode(status)}".encode())


def _rung_by_children() -> int:
    bell, clapper = os.pipe()
    for end in (bell, clapper):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(clapper)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return bell


def _first_of(*readable: int, within_s: float | None = None) -> int | None:
    """The first of ``readable`` that has something, or has ended; None if none has in time."""
    looks = select.poll()  # and not select: a gateway of many sockets hands down high numbers
    for descriptor in readable:
        looks.register(descriptor, select.POLLIN)
    ready = {found for found, _ in looks.poll(None if within_s is None else within_s * 1_000)}
    return next((descriptor for descriptor in readable if descriptor in ready), None)


def _has_ended(program: int) -> bool:
    return os.waitid(os.P_PID, program, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _told(number: int, program: int, within_s: float) -> bool:
    """Send ``number`` once to each of the others, also to who is started meanwhile; True if none is left in time."""
    last = time.monotonic() + within_s
    told: set[int] = set()
    while others := _others(program):
        for pid in others - told:
            with suppress(OSError):  # it has gone, or belongs to another user, as sudo does
                os.kill(pid, number)
        told |= others
        if time.monotonic() > last:
            return False
        time.sleep(POLL_S)
    return True


def _others(program: int) -> set[int]:
    if (all_of_us := members(os.getpid())) is not None:
        return all_of_us - {os.getpid()}
    return set() if _has_ended(program) else {program}


def members(session: int) -> set[int] | None:
    """Who runs in ``session``, in whatever group: a shell may give each job one of its own. None: only Linux can say."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except FileNotFoundError:
        return None
    found = set()
    for pid in pids:
        with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
            # pid (name, which may hold anything) state parent group session …
            state, _, _, of = file.read().rpartition(b")")[2].split()[:4]
            if int(of) == session and state not in (b"Z", b"X"):
                found.add(pid)
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
