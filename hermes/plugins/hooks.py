"""The hooks of a home: found, checked, imported, and read again where something has changed.

    plug-ins ─▶ <home>/hooks/*/HOOK.yaml + handler.py ─▶ hooks: of config.yaml      in this order, which is that of registration

A handler is somebody else's code: each is imported in a thread of its own, all at once, under one deadline. What is not ours,
what everybody may write to, and what cannot be imported is left out and says why; it ends and delays nothing else.
"""

import importlib.util
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hermes.config.load import read_yaml
from hermes.config.paths import CONFIG_NAME
from hermes.config.written import Written
from hermes.hooks.manifest import TIMEOUT_S, Manifest, Runtime, read_manifest
from hermes.hooks.payloads import Payload
from hermes.hooks.programs import ALLOWLIST, AUTO_ACCEPT, Program, approvals, auto_accepts, read_programs
from hermes.ops.json_files import read_json
from hermes.ops.processes import Processes
from hermes.plugins.asyncio_thread import AsyncioThread
from hermes.plugins.calls import Call, Handle, ProgramCall, call_of
from hermes.plugins.home import not_ours, walk
from hermes.types.errors import GatewayError

log = logging.getLogger(__name__)

DIRECTORY, MANIFEST, MODULE = "hooks", "HOOK.yaml", "handler.py"
IMPORT_DEADLINE_S = 10.0
MOST_HOOKS = 200

NOT_ALLOWED = "nobody has allowed it yet: `hermes hooks allow` does"


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook that is used. ``source``: where it comes from, for people. ``matcher``: which tools it is told of, if not of all.
    ``fail_closed``: where it is asked and cannot answer, the answer is no.
    """

    name: str
    events: tuple[str, ...]
    call: Call
    source: str
    timeout_s: float = TIMEOUT_S
    description: str = ""
    matcher: re.Pattern[str] | None = None
    fail_closed: bool = False

    def minds(self, payload: Payload) -> bool:
        """Is it told of this one?"""
        return self.matcher is None or self.matcher.fullmatch(str(payload.get("tool_name", ""))) is not None


@dataclass(frozen=True, slots=True)
class Idle:
    """A hook that is not used, and why; ``off``: somebody wants it so."""

    name: str
    source: str
    reason: str
    off: bool = False


@dataclass(frozen=True, slots=True)
class PluginHook:
    """What a plug-in has registered."""

    plugin: str
    event: str
    handle: Handle
    runtime: Runtime = "asyncio"
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Found:
    """One look at everything, in the order of registration."""

    hooks: tuple[Hook, ...] = ()
    idle: tuple[Idle, ...] = ()


Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: Stamp
    found: Hook | Idle


class HookShelf:
    """All methods block, and are for one thread at a time."""

    def __init__(
        self,
        home: Path,
        processes: Processes,
        plugins: Sequence[PluginHook] = (),
        *,
        config: Path | None = None,
        deadline_s: float = IMPORT_DEADLINE_S,
    ) -> None:
        """``config``: the file whose ``hooks:`` counts, if it is not that of the home."""
        self._home = home
        self._config = config or home / CONFIG_NAME
        self._processes = processes
        self._deadline_s = deadline_s
        self.loop = AsyncioThread()
        self._plugins = tuple(
            Hook(
                f"{one.plugin}:{one.event}",
                (one.event,),
                call_of(one.handle, one.runtime, self.loop),
                f"plug-in {one.plugin}",
                one.timeout_s,
            )
            for one in plugins
        )
        self._kept: dict[str, _Kept] = {}
        self._programs: dict[Program, Hook] = {}
        self._told: frozenset[Idle] = frozenset()

    def look(self) -> Found:
        """Everything as it is now. What has not changed is not imported again. Never raises."""
        found = [*self._plugins, *self._directories(), *self._shell()]
        hooks = tuple(one for one in found if isinstance(one, Hook))
        idle = tuple(one for one in found if isinstance(one, Idle))
        for one in idle:
            if one not in self._told and not one.off:
                log.warning("hook %s is not used: %s", one.name, one.reason)
        self._told = frozenset(idle)
        return Found(hooks, idle)

    # --- directories ---------------------------------------------------------------------------------------------------

    def _directories(self) -> Iterator[Hook | Idle]:
        kept, loads = self._kept, []
        self._kept = {}
        for directory in find(self._home):
            if isinstance(directory, Idle):
                self._kept[directory.name] = _Kept((), directory)
                continue
            stamp = _stamp(directory)
            before = kept.get(directory.name)
            if before is not None and before.stamp == stamp:
                self._kept[directory.name] = before
                continue
            match examine(directory):
                case Idle() as idle:
                    self._kept[directory.name] = _Kept(stamp, idle)
                case manifest:
                    load = _Load(directory)
                    loads.append((load, manifest, stamp))
                    self._kept[directory.name] = _Kept(stamp, Idle(directory.name, str(directory), ""))
        for load, _, _ in loads:
            threading.Thread(target=load.run, name=f"hook {load.directory.name}", daemon=True).start()
        until = time.monotonic() + self._deadline_s
        for load, manifest, stamp in loads:
            load.done.wait(max(0.0, until - time.monotonic()))
            self._kept[load.directory.name] = _Kept(stamp, self._take(load, manifest))
        yield from (kept.found for kept in self._kept.values())

    def _take(self, load: "_Load", manifest: Manifest) -> Hook | Idle:
        name, source = load.directory.name, str(load.directory)
        if not load.done.is_set():
            return Idle(name, source, f"its import has not come to an end within {self._deadline_s:g} s")
        if load.error is not None or load.handle is None:
            log.error("hook %s could not be imported", name, exc_info=load.error)
            return Idle(name, source, f"{type(load.error).__name__}: {load.error}")
        return Hook(
            name,
            manifest.events,
            call_of(load.handle, manifest.runtime, self.loop),
            source,
            manifest.timeout_s,
            manifest.description or manifest.name,
        )

    # --- programs ------------------------------------------------------------------------------------------------------

    def _shell(self) -> Iterator[Hook | Idle]:
        programs, faults = shell_hooks(self._home, self._config)
        yield from (Idle("shell hooks", str(self._config), words) for words in faults)
        before, self._programs = self._programs, {}
        for one in programs:
            if isinstance(one, Idle):
                yield one
                continue
            hook = before.get(one) or Hook(
                one.name,
                (one.event,),
                ProgramCall(one.command, one.timeout_s, self._processes, self._home),
                one.place,
                one.timeout_s,
                one.description,
                matcher=one.matcher,
                fail_closed=one.fail_closed,
            )
            self._programs[one] = hook
            yield hook


def find(home: Path) -> Iterator[Path | Idle]:
    """The directories of hooks by name; what keeps one from being looked at. Never raises."""
    top = home / DIRECTORY
    try:
        names = sorted(one.name for one in os.scandir(top) if one.name[0] not in "._" and one.is_dir())
        if names and (wrong := not_ours(top)):
            names = []
            yield Idle(DIRECTORY, str(top), wrong)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Idle(DIRECTORY, str(top), f"{top}: {error.strerror or error}")
        return
    for name in names[:MOST_HOOKS]:
        yield top / name
    if len(names) > MOST_HOOKS:
        yield Idle(
            DIRECTORY, str(top), f"{top}: more than {MOST_HOOKS} hooks; those after {names[MOST_HOOKS - 1]}"
        )


def examine(directory: Path) -> Manifest | Idle:
    """What the hook in ``directory`` says of itself, if it may be imported. Nothing of it is run."""
    source = str(directory)
    try:
        for file in walk(directory):
            if wrong := not_ours(file):
                return Idle(directory.name, source, wrong)
        for name in (MANIFEST, MODULE):
            if not (directory / name).is_file():
                return Idle(directory.name, source, f"{directory}: it has no {name}")
        manifest = read_manifest(read_yaml(directory / MANIFEST), directory.name)
    except OSError as error:
        return Idle(directory.name, source, f"{error.filename}: {error.strerror or error}")
    except GatewayError as error:
        return Idle(directory.name, source, error.failure.detail or str(error))
    except ValueError as error:
        return Idle(directory.name, source, str(error))
    if not manifest.enabled:
        return Idle(directory.name, source, f"{MANIFEST} says enabled: false", off=True)
    return manifest


def shell_hooks(home: Path, config: Path) -> tuple[list[Program | Idle], list[str]]:
    """The programs that the configuration names, ``Idle`` those that nobody has allowed, and what is wrong with any of it."""
    try:
        written = read_yaml(config) if config.exists() else Written(config)
    except GatewayError as error:
        return [], [error.failure.detail or str(error)]
    programs, faults = read_programs(written)
    if not programs:
        return [], faults
    every, unclear = auto_accepts(written)
    faults += unclear
    if every and (wrong := _not_ours(config)):
        every = False
        faults.append(f"{wrong}, so {AUTO_ACCEPT} does not count")
    nobody: frozenset[tuple[str, str]] = frozenset()
    allowed: frozenset[tuple[str, str]] | None = nobody
    if wrong := _not_ours(home / ALLOWLIST):
        faults.append(wrong)
    elif not every:
        allowed, unread = read_json(home / ALLOWLIST, approvals, nobody)
        faults += unread
    return [
        one
        if every or (one.event, one.command) in (allowed or ())
        else Idle(one.name, one.place, NOT_ALLOWED)
        for one in programs
    ], faults


def _not_ours(path: Path) -> str:
    """As ``not_ours``; what is not there is nobody's."""
    try:
        return not_ours(path) if path.exists() else ""
    except OSError as error:
        return f"{path}: {error.strerror or error}"


@dataclass(slots=True)
class _Load:
    """One import; what it has found counts once ``done``, and never if that comes too late."""

    directory: Path
    done: threading.Event = field(default_factory=threading.Event)
    handle: Handle | None = None
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.handle = _import(self.directory)
        # In a thread of its own, where nobody is cancelled; and SystemExit of a hook must not end more than its import.
        except BaseException as error:  # noqa: ASYNC103
            self.error = error
        self.done.set()


def _import(directory: Path) -> Handle:
    name = f"hermes_hook_{re.sub(r'[^0-9a-zA-Z_]', '_', directory.name)}"
    spec = importlib.util.spec_from_file_location(name, directory / MODULE)
    if spec is None or spec.loader is None:
        raise ImportError(f"{directory / MODULE} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # From its source: a file of the same second and length would pass for the one that was compiled before.
    source = (directory / MODULE).read_bytes()
    exec(compile(source, str(directory / MODULE), "exec"), module.__dict__)  # noqa: S102 - it is the operator's own
    handle: Callable[..., object] | None = getattr(module, "handle", None)
    if not callable(handle):
        raise ImportError(f"{directory / MODULE} has no handle(event_type, context)")
    return handle


def _stamp(directory: Path) -> Stamp:
    """Changes with any file of it, and with who may write to them."""
    stamp = []
    try:
        for file in walk(directory):
            found = file.stat()
            # A directory's own time changes with what Python compiles into it.
            changed = found.st_mtime_ns if not file.is_dir() else 0
            stamp.append(
                (f"{file}:{found.st_mode}:{found.st_uid}", changed, 0 if file.is_dir() else found.st_size)
            )
    except OSError as error:
        stamp.append((str(error), 0, 0))
    return tuple(sorted(stamp))
