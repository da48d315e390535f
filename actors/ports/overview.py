"""The running gateway for people and monitors: one place that computes tree, status and readiness."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import trio

from actors import exits
from actors.ports import tracing
from actors.ports.adapters import AdapterTable
from actors.ports.health import (
    Disabled,
    Repeating,
    adapters_in,
    backlog_rows,
    children,
    not_running,
    repeats,
    row,
)
from actors.ports.in_force import InForce
from actors.ports.store import StorePort
from actors.ports.web import WebPort
from hermes.delivery.targets import Place
from hermes.ops.starts import NO_STORM, Storm
from hermes.store.figures import Figures, figures
from hermes.store.notices import dead_targets
from hermes.store.upkeep import upkeep
from hermes.types import texts
from hermes.types.agent import Usage
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import BootId, Clock
from hermes.types.origin import DEFAULT_ACCOUNT
from supervisors.census import in_states
from supervisors.commands import ChildNotUpError
from supervisors.dynamic import SupervisorRef
from supervisors.reply import ActorDownError, AskError, Reply
from supervisors.spec import path_segment
from supervisors.step import State
from supervisors.system import StopRequest, System
from supervisors.tree import ActorSnapshot
from supervisors.watchdog import Watchdog

log = logging.getLogger(__name__)

SESSIONS = "root/gateway/sessions"
ADAPTERS = "root/gateway/adapters"
PLUGINS = "root/gateway/plugins"
RELOADER = "root/gateway/maintenance/reloader"

NO_SUCH_ACTOR = "no_such_actor"
NO_SUCH_ADAPTER = "no_such_adapter"
NOT_RESTARTED = "not_restarted"

LEFT_ALONE = frozenset({State.DISABLED, State.STUCK})

PAUSED, DISABLED = "paused", "disabled"
UNAVAILABLE = "unavailable"
LASTING = frozenset({PAUSED, DISABLED})
"""How an adapter stays until somebody resumes it; of one that could not be made it is said with ``disabled``."""

FIGURES_DEADLINE_S = 2.0
RESTART_DEADLINE_S = 60.0
RELOAD_DEADLINE_S = 20.0
RESUME_DEADLINE_S = 5.0
"""How long an answer waits for an adapter that comes up; one that takes longer is shown as it is then."""


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
        redact: Callable[[str], str],
        clock: Clock,
        boot_id: BootId,
        home: Path,
        version: str,
        reload: Callable[[Reply[Any]], object],
        supervised: bool = False,
        storm: Storm = NO_STORM,
    ) -> None:
        """``reload`` makes the question that has the settings read again. ``supervised``: somebody starts the process again if
        it ends to be restarted. ``storm``: whether this is one start of too many.
        """
        self._system = system
        self._store = store
        self._adapters = adapters
        self._web = web
        self._watchdog = watchdog
        self.redact = redact
        self.clock = clock
        self.boot_id = boot_id
        self.home = home
        self.version = version
        self._reload = reload
        self.supervised = supervised
        self.storm = storm
        self.in_force: InForce | None = None
        self.agent: Mapping[str, str] | None = None
        """Who answers: name, model, and the host of that; once it is known."""
        self.spent = Usage()
        """By the turns that have ended in this process."""
        self.asked_to_restart = False
        """Somebody has asked for a new run of the process, otherwise than by a signal."""
        self.asked_by: Place | None = None
        """In which chat."""
        self._started_at = clock.mono()

    def waiting(self) -> Sequence[str]:
        """See ``ports.Overview``: sync children that have not been ready in this boot, a degraded store, a drain."""
        if self._system.stopping is not None:
            return ("drain",)
        if self._store.degraded is not None:
            return ("store",)
        return () if self._system.ready else tuple(not_running(self._system.snapshot()))

    def was_ready(self) -> bool:
        """See ``ports.Overview``."""
        return self._system.ready

    def tree(self, path: str | None = None) -> Mapping[str, Any]:
        """See ``ports.Overview``; the shape of ``hermes tree --json``. With ``path``, the part of it there.

        Raises ``GatewayError``: ``no_such_actor``.
        """
        return self.seen(path)()

    def seen(self, path: str | None = None) -> Callable[[], dict[str, Any]]:
        """The tree as it is now; what is returned makes the document of it, in whichever thread, and is plain data itself.

        Of 10,000 actors the look takes a third of the time, and only that has to be on the loop. Raises as ``tree``.
        """
        root = self._system.snapshot(path)
        if root is None and path is not None:
            raise no_such_actor(path)
        head = {"as_of": self.clock.wall(), "boot_id": self.boot_id, "live": True}
        marks, rows = self._marks(), self.adapter_rows()
        health = {_adapter_path(row["platform"], row["account"]): str(row["state"]) for row in rows}
        return lambda: {**head, "root": None if root is None else self._shown(root, marks, health)}

    def node(self, node: ActorSnapshot) -> dict[str, Any]:
        """``node`` and all below it as people may see them: without secrets, and an adapter in the state that it has for them."""
        return self._shown(node, self._marks(), {})

    def _shown(
        self, node: ActorSnapshot, marks: Mapping[tuple[str, str], str], health: Mapping[str, str]
    ) -> dict[str, Any]:
        shown = node.to_json()
        nodes = [shown]
        for one in nodes:
            nodes.extend(one["children"])
            if one["last_error"] is not None:
                one["last_error"] = self.redact(one["last_error"])
            if marks:
                one["state"] = marks.get((one["path"], one["state"]), one["state"])
            if (how := health.get(one["path"])) is not None:
                one["health"] = how
        return shown

    async def trace(self, wanted: str) -> Mapping[str, Any]:
        """One message's way; the shape of ``hermes trace --json``."""
        return await self._store.read(tracing.trace, wanted, self.redact)

    async def status(self) -> Mapping[str, Any]:
        """See ``ports.Overview``; the shape of ``hermes status --json``."""
        found: Figures | None = None
        now = self.clock.wall()
        with trio.move_on_after(FIGURES_DEADLINE_S):
            found = await self._store.read(figures, now)
        sessions = self._system.supervisors.get(SESSIONS)
        lives = [] if sessions is None else [cell.life for cell, _ in sessions.family()]
        return {
            "state": self._state(),
            "pid": os.getpid(),
            "as_of": self.clock.wall(),
            "boot_id": self.boot_id,
            "version": self.version,
            "home": str(self.home),
            "port": self._web.port,
            "uptime_s": round(self.clock.mono() - self._started_at, 3),
            "agent": self.agent,
            "loop_lag_ms": round(self._watchdog.lag_s * 1000, 1),
            "worst_loop_lag_ms": round(self._watchdog.worst_lag_s * 1000, 1),
            "adapters": self.adapter_rows(),
            "counts": found and {**asdict(found.counts), "unaccounted": found.counts.unaccounted},
            "late_results": found and found.late_results,
            "outbox": found and found.outbox,
            "backlog": found and backlog_rows(found.standings, self._adapters, now),
            "storm": {"starts": self.storm.starts, "wait_s": round(held, 1)}
            if (held := self.held_for_s)
            else None,
            "sessions": {
                "known": found and found.sessions,
                "active": len(lives),
                "busy": sum(life is not None and bool(life.linked) for life in lives),
            },
            "down": self._down(),
            "settings": None if self.in_force is None else self.in_force.shown(),
            "store": None if (failure := self._store.degraded) is None else self.redact(str(failure)),
        }

    async def deep(self) -> Mapping[str, Any]:
        """What ``hermes status --deep`` shows besides: keeping house, and chats in which nobody is reached. None: not known."""
        found: dict[str, Any] = {"maintenance": None, "dead_targets": None}
        with trio.move_on_after(FIGURES_DEADLINE_S):
            found["maintenance"] = await self._store.read(upkeep)
            found["dead_targets"] = len(await self._store.read(dead_targets))
        return found

    def health(self) -> tuple[str, list[Mapping[str, Any]]]:
        """``state`` and ``adapters`` of ``status``, at once."""
        return self._state(), self.adapter_rows()

    def adapter_rows(self) -> list[Mapping[str, Any]]:
        """``adapters`` of ``status``, at once, whatever else lives in the tree."""
        root = self._system.snapshot(ADAPTERS)
        return [self._adapter(node) for node in adapters_in(root, ADAPTERS, self._adapters.accounts)]

    async def restart(self, path: str) -> Mapping[str, Any]:
        """See ``ports.Overview``. Raises ``GatewayError``: ``no_such_actor``, ``not_restarted``."""
        log.info("restart of %s asked for", path)
        return await self._restart(path)

    async def _restart(self, path: str) -> Mapping[str, Any]:
        registry = self._system.registry
        cell = registry.cell(path)
        parent = path.rpartition("/")[0]
        if cell is None:
            raise no_such_actor(path)
        if parent not in self._system.supervisors:
            raise GatewayError(
                Failure(
                    NOT_RESTARTED,
                    detail=f"{path} has no supervisor of its own; restart {parent or 'the process'}",
                )
            )
        before = cell.last_incarnation
        try:
            await SupervisorRef(registry.ref(parent)).restart_child(cell.spec.id, RESTART_DEADLINE_S)
        except (ChildNotUpError, ActorDownError, LookupError, trio.TooSlowError) as error:
            detail = str(error) or f"{path} is not up yet"
            raise GatewayError(Failure(NOT_RESTARTED, detail=detail)) from error
        return {"path": path, "old_incarnation": before, "incarnation": cell.last_incarnation}

    @property
    def held_for_s(self) -> float:
        """For how long platforms still wait with connecting, because too many starts have not lasted (AC-10)."""
        return max(0.0, self.storm.wait_s - (self.clock.mono() - self._started_at))

    def restart_asked(self) -> Mapping[str, Any]:
        """``hermes restart``: who is to be back, for whoever waits for it. Raises ``GatewayError`` (``not_restarted``)."""
        if not self.supervised:
            raise GatewayError(Failure(NOT_RESTARTED, detail=texts.RESTART_BY_HAND))
        self.restart_process("hermes restart")
        return {"pid": os.getpid(), "boot_id": self.boot_id}

    def restart_process(self, why: str, place: Place | None = None) -> None:
        """Have the process stop in order and run again, unless it stops already; returns at once. ``place`` hears of that."""
        log.info("restart of the gateway asked for: %s", why)
        if self._system.stopping is None:
            self.asked_to_restart, self.asked_by = True, place
            self._system.request_stop(StopRequest(exits.RESTART, why))

    async def pause(self, name: str) -> Mapping[str, Any]:
        """Take adapter ``name`` down in good order; what is addressed to it waits. It stays so, across crashes and restarts
        of any actor, until ``resume`` or the end of the process.

        ``name`` is ``platform:account``, or the platform for its default account. Raises ``GatewayError``:
        ``no_such_adapter``, ``not_restarted``.
        """
        path, key = self._adapter_at(name)
        if not self._adapters.is_paused(*key):
            log.info("%s is paused", path)
            self._adapters.pause(*key)
            await self._restart(path)
        return self._shown_adapter(path)

    async def resume(self, name: str) -> Mapping[str, Any]:
        """Have adapter ``name`` up again, be it paused, disabled or waiting for its next start; one that is up stays as it is.
        Before one that is disabled, the settings are read again: whatever was wrong with it has been mended there.

        Returns as soon as it is up, or has failed to come up, or takes too long. Raises ``GatewayError``: ``no_such_adapter``.
        """
        path, key = self._adapter_at(name)
        if self._system.state(path) is State.DISABLED:
            with suppress(AskError, trio.TooSlowError):  # settings that are no good are in the log
                await self._system.registry.ref(RELOADER).ask(self._reload, RELOAD_DEADLINE_S)
        state = self._system.state(path)
        if self._adapters.is_paused(*key) or state in {State.DISABLED, State.BACKOFF}:
            log.info("%s is resumed", path)
            self._adapters.resume(*key)
            ref = SupervisorRef(self._system.registry.ref(ADAPTERS))
            with suppress(ChildNotUpError, trio.TooSlowError):
                await ref.restart_child(":".join(key), RESUME_DEADLINE_S)
        return self._shown_adapter(path)

    async def renew(self, platform: str, account: str) -> None:
        """Have an adapter begin a new life, because it is configured otherwise now; a paused one stays paused."""
        ref = SupervisorRef(self._system.registry.ref(ADAPTERS))
        with suppress(ChildNotUpError, ActorDownError, LookupError, trio.TooSlowError):
            await ref.restart_child(f"{platform}:{account}", RESUME_DEADLINE_S)

    def disabled_adapters(self) -> Iterator[Disabled]:
        """The adapters that nothing but a person brings back; not those that were never there."""
        for node in children(self._system.snapshot(ADAPTERS), ADAPTERS):
            if node.state == DISABLED and (node.path, DISABLED) not in self._marks():
                failure = self._adapter(node)["failure"]
                yield Disabled(node.name, node.incarnation, failure["code"] if failure else DISABLED)

    def repeating_adapters(self) -> Iterator[Repeating]:
        """The adapters that fail by the same failure in each new life, and are tried again (AC-30, AC-50)."""
        for node in children(self._system.snapshot(ADAPTERS), ADAPTERS):
            if node.state != DISABLED and (times := self._repeats(node)):
                failure = self._adapter(node)["failure"]
                yield Repeating(node.name, failure["code"], times)

    def not_up(self, platform: str) -> Failure:
        """Why nobody serves what belongs to ``platform``, in words.

        The code is a state of ``LASTING``, or ``unavailable`` where it is worth waiting.
        """
        node = self._system.snapshot(_adapter_path(platform, DEFAULT_ACCOUNT))
        if node is None:
            return Failure(UNAVAILABLE, detail=f"{platform}:{DEFAULT_ACCOUNT} is not up yet")
        seen = self._adapter(node)
        lasts = seen["state"] in {*LASTING, UNAVAILABLE}
        words = f"{node.name} is {seen['state'] if lasts else 'not up at the moment'}"
        if failure := seen["failure"]:
            words = f"{words}: {failure['code']}: {failure['detail']}"
        state = DISABLED if seen["state"] == UNAVAILABLE else seen["state"]
        return Failure(state if lasts else UNAVAILABLE, detail=words)

    def _adapter_at(self, name: str) -> tuple[str, tuple[str, str]]:
        platform, _, account = name.partition(":")
        key = (platform, account or DEFAULT_ACCOUNT)
        path = _adapter_path(*key)
        if self._system.child(path) is None:
            known = ", ".join(node.name for node in children(self._system.snapshot(ADAPTERS), ADAPTERS))
            detail = f"there is no adapter {name}; there are {known}" if known else "no adapter is up yet"
            raise GatewayError(Failure(NO_SUCH_ADAPTER, detail=detail))
        return path, key

    def _shown_adapter(self, path: str) -> Mapping[str, Any]:
        node = self._system.snapshot(path)
        if node is None:
            raise no_such_actor(path)
        return self._adapter(node)

    def _marks(self) -> Mapping[tuple[str, str], str]:
        """What people are told in place of a state of the kit's, by path and that state."""
        marks = {(_adapter_path(*key), "running"): PAUSED for key in self._adapters.paused}
        plugins = children(self._system.snapshot(PLUGINS), PLUGINS)
        marks |= {(node.path, DISABLED): UNAVAILABLE for node in plugins}
        return marks | {(_adapter_path(*key), DISABLED): UNAVAILABLE for key in self._adapters.unavailable}

    def _state(self) -> str:
        if self._system.stopping is not None:
            return "draining"
        waiting = self.waiting()
        if "store" in waiting or self._down():
            return "degraded"
        return "starting" if waiting else "running"

    def _down(self) -> list[str]:
        """Paths of actors that do not come back by themselves; an adapter that was never there is none."""
        marks = self._marks()
        return [one[0] for one in in_states(self._system, LEFT_ALONE) if one not in marks]

    def _adapter(self, node: ActorSnapshot) -> Mapping[str, Any]:
        platform, _, account = node.name.partition(":")
        port = self._adapters.find(platform, account)
        actor = self._marks().get((node.path, node.state), node.state)
        receiving = port.receiving if port is not None and port.up else None
        return row(node, actor, receiving, self._repeats(node), self.redact)

    def _repeats(self, node: ActorSnapshot) -> int:
        return repeats(self._system.child(node.path), trio.current_time())


def no_such_actor(path: str) -> GatewayError:
    """Nobody lives at ``path``."""
    return GatewayError(
        Failure(NO_SUCH_ACTOR, detail=f"there is no actor at {path}; `hermes tree` shows all paths")
    )


def _adapter_path(platform: str, account: str) -> str:
    return f"{ADAPTERS}/{path_segment(f'{platform}:{account}')}"
