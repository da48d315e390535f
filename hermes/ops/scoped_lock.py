"""One user of a token on this machine, whatever their homes: a kernel lock on a file that is named by the token's digest.

    <HERMES_GATEWAY_LOCK_DIR, else $XDG_STATE_HOME/hermes/gateway-locks>/<scope>-<sha256 of the token>.lock

The file is the original's, and so is what is written in it; that informs people and decides nothing (AC-40).
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hermes.ops.files import open_private
from hermes.ops.proc import this_process
from hermes.types.errors import Failure, GatewayError

log = logging.getLogger(__name__)

TOKEN_IN_USE = "token_in_use"  # noqa: S105 - a code
AGAIN_S = 10.0
"""How soon it is worth looking again."""

_INFO_BYTES = 4096


@contextmanager
def scoped_lock(scope: str, identity: str, *, home: Path, account: str, at: float) -> Iterator[None]:
    """Hold ``identity`` (a token) for as long as the block lasts. Blocks on the disk for no longer than a file takes.

    Raises ``GatewayError`` (``token_in_use``, transient) that names who holds it and never the token. Where no lock can be
    taken at all (a disk that is read-only), the log says so and the block runs: the platform itself notices two of us.
    """
    digest = hashlib.sha256(identity.encode()).hexdigest()
    path = lock_directory(os.environ) / f"{scope}-{digest}.lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
    except OSError as wrong:
        log.warning("nobody is kept from using the same token: %s: %s", path, wrong.strerror)
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            detail = f"{_holder(os.pread(descriptor, _INFO_BYTES, 0))} uses this token already; stop it, or use another token"
            raise GatewayError(Failure(TOKEN_IN_USE, "transient", "adapter", AGAIN_S, detail)) from held
        record: dict[str, Any] = {
            **this_process(),
            "kind": "hermes-gateway",
            "scope": scope,
            "identity_hash": digest,
            "metadata": {"home": str(home), "account": account},
            "updated_at": at,
        }
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(record).encode() + b"\n", 0)
        try:
            yield
        finally:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)  # the original believes what stands there
    finally:
        os.close(descriptor)


def lock_directory(environ: Mapping[str, str]) -> Path:
    """Where the locks of this user lie."""
    if own := environ.get("HERMES_GATEWAY_LOCK_DIR"):
        return Path(own)
    state = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME") or "/tmp", ".local/state")  # noqa: S108
    return Path(state, "hermes", "gateway-locks")


def _holder(information: bytes) -> str:
    try:
        record = json.loads(information)
        home = record.get("metadata", {}).get("home")
        where = f" (home {home})" if isinstance(home, str) else ""
        return f"process {int(record['pid'])}{where}"
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "another process"
