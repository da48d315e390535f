"""``<home>/gateway_state.json``: how the gateway is, for monitors and other tools, in the original's schema.

Liveness is the process's (pid and start time), never the age of the file: it is written when something changes.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hermes.ops.files import write_private
from hermes.ops.lock import GATEWAY
from hermes.ops.proc import this_process
from hermes.types.origin import DEFAULT_ACCOUNT

log = logging.getLogger(__name__)

NAME = "gateway_state.json"

_STATES = {
    "connected": "connected",
    "listening": "connected",
    "starting": "retrying",
    "stale": "retrying",
    "backoff": "retrying",
    "paused": "paused",
    "disabled": "fatal",
    "unavailable": "fatal",
    "stopped": "disconnected",
}
"""Of an adapter: ours, and what the original calls it."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is known at one look. ``adapters`` as in ``hermes status --json``."""

    gateway_state: str
    active_agents: int = 0
    adapters: tuple[Mapping[str, Any], ...] = ()
    exit_reason: str | None = None
    restart_requested: bool = False


class HealthFile:
    """One writer at a time: whoever opens the home, then an actor, then whoever closes it. ``check`` raises where the home is
    not the writer's any more.
    """

    def __init__(self, home: Path, boot_id: str, check: Callable[[], None] = lambda: None) -> None:
        self._path = home / NAME
        self._check = check
        self._boot_id = boot_id
        self._last: Mapping[str, Any] = {}
        self._platforms: dict[str, dict[str, Any]] = {}

    def write(self, health: Health, now: float) -> bool:
        """Replace the file, unless it says the same already; False if it does. ``now`` in epoch seconds. Blocks on the disk.

        A disk that takes no file is said in the log once, and tried again with the next change. Raises what ``check`` does.
        """
        self._check()
        self._platforms = _platforms(health.adapters, self._platforms, _iso(now))
        document = {
            **this_process(),
            "kind": GATEWAY,
            "boot_id": self._boot_id,
            "gateway_state": health.gateway_state,
            "exit_reason": health.exit_reason,
            "restart_requested": health.restart_requested,
            "active_agents": health.active_agents,
            "platforms": self._platforms,
        }
        if document == self._last:
            return False
        try:
            write_private(self._path, json.dumps({**document, "updated_at": _iso(now)}).encode())
        except OSError as wrong:
            log.warning("%s could not be written: %s", self._path, wrong.strerror or wrong)
        self._last = document
        return True


def _platforms(
    adapters: Iterable[Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]], at: str
) -> dict[str, dict[str, Any]]:
    """By platform; of another account than the default one, by ``platform@account``. ``updated_at`` is of the last change."""
    found = {}
    for one in adapters:
        default = one["account"] == DEFAULT_ACCOUNT
        name = one["platform"] if default else f"{one['platform']}@{one['account']}"
        failure = one["failure"] or {}
        told = {
            "state": _STATES.get(one["state"], "disconnected"),
            "error_code": failure.get("code"),
            "error_message": failure.get("detail"),
        }
        last = before.get(name, {})
        same = told.items() <= last.items()
        found[name] = {**told, "updated_at": last["updated_at"] if same else at}
    return found


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
