"""What a running gateway has of its home: the lock, and the files that tell others of it. Opened first, closed last.

run/ logs/ ─▶ (--replace: the old one ends) ─▶ lock ─▶ gateway.pid ─▶ gateway_state.json: starting … stopped
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hermes.ops import starts
from hermes.ops.health_file import Health, HealthFile
from hermes.ops.lock import GATEWAY, HomeLock, prepare_home
from hermes.ops.pidfile import pid_file
from hermes.ops.takeover import Claim, taken_over
from hermes.types.ids import BootId


@dataclass(frozen=True, slots=True)
class Instance:
    """This gateway on ``home``; ``storm`` says whether it is one start of too many."""

    home: Path
    health: HealthFile
    storm: starts.Storm
    _lock: HomeLock

    def ended(self, why: str, *, meant: bool, restart: bool, was_ready: bool) -> None:
        """Note how it ended. ``meant``: somebody who knew it asked for it, so that its starts are no storm."""
        if meant:
            starts.lasted(self.home)
        state = "stopped" if was_ready or meant else "startup_failed"
        self.health.write(Health(state, exit_reason=why, restart_requested=restart), time.time())

    def run_again(self, environ: Mapping[str, str]) -> NoReturn:
        """Become a new run of the same program: same pid, same arguments, with ``environ``, and with the lock all the while.

        Nothing else may be open by now that has to be closed in order. Raises ``OSError`` if the program is not there any more.
        """
        self._lock.hand_on()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)  # noqa: S606 - our own arguments


@contextmanager
def instance(
    home: Path, boot_id: BootId, replace: Claim | None = None, *, kind: str = GATEWAY
) -> Iterator[Instance]:
    """Have ``home``, now or not at all; with ``replace``, in place of the gateway that has it. Blocks, with that for up to 15 s.
    ``kind``: as ``HomeLock.acquire`` has it.

    Raises ``GatewayError`` (``home_held``, ``home_unusable``), with nothing opened.
    """
    prepare_home(home)
    with ExitStack() as held:
        with nullcontext() if replace is None else taken_over(home, replace):
            lock = held.enter_context(HomeLock.acquire(home, boot_id, kind))
        held.enter_context(pid_file(home))
        ours = Instance(home, HealthFile(home, boot_id), starts.begun(home), lock)
        ours.health.write(Health("starting"), time.time())
        try:
            yield ours
        except BaseException as error:
            ours.ended(str(error) or type(error).__name__, meant=False, restart=False, was_ready=False)
            raise
