"""The running gateway for people and monitors: one place that computes tree, status and readiness."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import trio

from actors.ports.adapters import AdapterTable
from actors.ports.store import StorePort
from actors.ports.web import WebPort
from hermes.store import queries
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import BootId, Clock
from supervisors.commands import ChildNotUpError
from supervisors.dynamic import SupervisorRef
from supervisors.reply import ActorDownError
from supervisors.system import System
from supervisors.tree import ActorSnapshot
from supervisors.watchdog import Watchdog

log = logging.getLogger(__name__)

NO_SUCH_ACTOR = "no_such_actor"
NOT_RESTARTED = "not_restarted"

FIGURES_DEADLINE_S = 2.0
RESTART_DEADLINE_S = 60.0


class TreeOverview:
    """Implements ``ports.Overview`` over the kit's snapshots and the store's counts."""

    def __init__(
        self,
        *,
        system: System,
        store: StorePort,
        adapters: AdapterTable,
        web: WebPort,
        watchdog: Watchdog,
        clock: Clock,
        boot_id: BootId,
        home: Path,
        version: str,
    ) -> None:
        self._system = system
        self._store = store
        self._adapters = adapters
        self._web = web
        self._watchdog = watchdog
        self._clock = clock
        self._boot_id = boot_id
        self._home = home
        self.version = version
        self._started_at = clock.mono()

    def waiting(self) -> Sequence[str]:
        """See ``ports.Overview``: sync children that have not been ready in this boot, a degraded store, a drain."""
        if self._system.stopping is not None:
            return ("drain",)
        if self._store.degraded is not None:
            return ("store",)
        return () if self._system.ready else tuple(_not_running(self._system.snapshot()))

    def was_ready(self) -> bool:
        """See ``ports.Overview``."""
        return self._system.ready

    def tree(self) -> Mapping[str, Any]:
        """See ``ports.Overview``; the shape of ``hermes tree --json``."""
        root = self._system.snapshot()
        return {
            "as_of": self._clock.wall(),
            "boot_id": self._boot_id,
            "live": True,
            "root": None if root is None else root.to_json(),
        }

    async def status(self) -> Mapping[str, Any]:
        """See ``ports.Overview``; the shape of ``hermes status --json``."""
        root = self._system.snapshot()
        figures: dict[str, Any] = {"counts": None, "outbox": None, "known": None}
        with trio.move_on_after(FIGURES_DEADLINE_S):
            counts = await self._store.read(queries.counts)
            figures["counts"] = {**asdict(counts), "unaccounted": counts.unaccounted}
            figures["outbox"] = await self._store.read(queries.outbox_counts)
            figures["known"] = await self._store.read(queries.sessions_known)
        sessions = [] if root is None else _children(root, "root/gateway/sessions")
        return {
            "state": self._state(),
            "pid": os.getpid(),
            "boot_id": self._boot_id,
            "version": self.version,
            "home": str(self._home),
            "port": self._web.port,
            "uptime_s": round(self._clock.mono() - self._started_at, 3),
            "loop_lag_ms": round(self._watchdog.lag_s * 1000, 1),
            "adapters": []
            if root is None
            else [self._adapter(node) for node in _children(root, "root/gateway/adapters")],
            "counts": figures["counts"],
            "outbox": figures["outbox"],
            "sessions": {
                "known": figures["known"],
                "active": len(sessions),
                "busy": sum(bool(node.children) for node in sessions),
            },
            "down": _down(root),
            "store": None if (failure := self._store.degraded) is None else str(failure),
        }

    async def restart(self, path: str) -> Mapping[str, Any]:
        """See ``ports.Overview``. Raises ``GatewayError``: ``no_such_actor``, ``not_restarted``."""
        registry = self._system.registry
        cell = registry.cell(path)
        parent = path.rpartition("/")[0]
        if cell is None:
            raise GatewayError(
                Failure(NO_SUCH_ACTOR, detail=f"there is no actor at {path}; `hermes tree` shows all paths")
            )
        if parent not in self._system.supervisors:
            raise GatewayError(
                Failure(
                    NOT_RESTARTED,
                    detail=f"{path} has no supervisor of its own; restart {parent or 'the process'}",
                )
            )
        before = cell.last_incarnation
        log.info("restart of %s asked for", path)
        try:
            await SupervisorRef(registry.ref(parent)).restart_child(cell.spec.id, RESTART_DEADLINE_S)
        except (ChildNotUpError, ActorDownError, LookupError, trio.TooSlowError) as error:
            detail = str(error) or f"{path} is not up yet"
            raise GatewayError(Failure(NOT_RESTARTED, detail=detail)) from error
        return {"path": path, "old_incarnation": before, "incarnation": cell.last_incarnation}

    def _state(self) -> str:
        if self._system.stopping is not None:
            return "draining"
        waiting = self.waiting()
        if "store" in waiting or _down(self._system.snapshot()):
            return "degraded"
        return "starting" if waiting else "running"

    def _adapter(self, node: ActorSnapshot) -> Mapping[str, Any]:
        platform, _, account = node.name.partition(":")
        port = self._adapters.find(platform, account)
        state = "listening" if node.state == "running" else node.state
        down = node.state in {"backoff", "disabled"} and node.last_error is not None
        code, _, detail = (node.last_error or "").partition(": ")
        return {
            "platform": platform,
            "account": account,
            "state": state,
            "incarnation": node.incarnation,
            "receive_age_s": None
            if port is None or port.beat_at is None
            else round(trio.current_time() - port.beat_at, 1),
            "failure": {
                "code": code,
                "severity": "needs_operator" if node.state == "disabled" else "transient",
                "detail": detail,
            }
            if down
            else None,
        }


def _down(root: ActorSnapshot | None) -> list[str]:
    """Paths of actors that do not come back by themselves."""
    return [] if root is None else [node.path for node in root.walk() if node.state in {"disabled", "stuck"}]


def _children(root: ActorSnapshot, path: str) -> tuple[ActorSnapshot, ...]:
    node = root.find(path)
    return () if node is None else node.children


def _not_running(root: ActorSnapshot | None) -> list[str]:
    """What the start waits for: the names of sync children that are not up; never eventual ones."""
    if root is None:
        return ["root"]
    names = [
        node.name
        for node in root.walk()
        if node.state != "running" and node.kind == "worker" and node.spec.start_mode == "sync"
    ]
    return names or ["gateway"]
