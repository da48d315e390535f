"""What a running gateway has of its home: the lock, and the files that tell others of it. Opened first, closed last.

run/ logs/ ─▶ (--replace: the old one ends) ─▶ lock ─▶ gateway.pid ─▶ gateway_state.json: starting … stopped
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hermes.ops import starts
from hermes.ops.health_file import Health, HealthFile
from hermes.ops.holder import refuse_named
from hermes.ops.lock import GATEWAY, HomeLock, prepare_home
from hermes.ops.pidfile import pid_file
from hermes.ops.redaction import Redaction
from hermes.ops.takeover import Claim, taken_over
from hermes.types.errors import GatewayError
from hermes.types.ids import BootId


@dataclass(frozen=True, slots=True)
class Instance:
    """This gateway on ``home``; ``storm`` says whether it is one start of too many. ``redaction`` knows its secrets."""

    home: Path
    health: HealthFile
    storm: starts.Storm
    redaction: Redaction
    _lock: HomeLock

    def ended(self, why: str, *, meant: bool, restart: bool, was_ready: bool) -> None:
        """Note how it ended, unless the home is not ours any more.

        ``meant``: somebody who knew it asked for it, so that its starts are no storm.
        """
        state = "stopped" if was_ready or meant else "startup_failed"
        with suppress(GatewayError):
            self.health.write(Health(state, exit_reason=why, restart_requested=restart), time.time())
            if meant:
                starts.lasted(self.home)

    def run_again(self, environ: Mapping[str, str]) -> NoReturn:
        """Become a new run of the same program: same pid, same arguments, with ``environ``, and with the lock all the while.

        Nothing else may be open by now that has to be closed in order. Raises ``OSError`` if the program is not there any more.
        """
        self._lock.hand_on()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)  # noqa: S606 - our own arguments


@contextmanager
def instance(
    home: Path,
    boot_id: BootId,
    secrets: Iterable[str],
    replace: Claim | None = None,
    *,
    kind: str = GATEWAY,
) -> Iterator[Instance]:
    """Have ``home``, now or not at all; with ``replace``, in place of the gateway that has it. Blocks, with that for up to 15 s.
    ``kind``: as ``HomeLock.acquire`` has it. ``secrets`` are those that are known by now.

    Raises ``GatewayError`` (``home_held``, ``home_unusable``), with nothing opened.
    """
    prepare_home(home)
    with ExitStack() as held:
        with nullcontext() if replace is None else taken_over(home, replace):
            lock = held.enter_context(HomeLock.acquire(home, boot_id, kind))
        refuse_named(home)
        held.enter_context(pid_file(home))
        health = HealthFile(home, boot_id, lock.check)
        ours = Instance(home, health, starts.begun(home), Redaction(secrets), lock)
        ours.health.write(Health("starting"), time.time())
        try:
            yield ours
        except BaseException as error:
            why = ours.redaction.redact(str(error)) or type(error).__name__
            ours.ended(why, meant=False, restart=False, was_ready=False)
            raise
