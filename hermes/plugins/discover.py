"""Find the plug-ins, import them, and put the platforms that they bring into the registry; their hooks are returned.

A plug-in is somebody else's code: each is imported in a thread of its own, all at once, under one deadline. One that crashes
there, or hangs, becomes a platform that is unavailable and says why; it ends and delays nothing else.
"""

import importlib.metadata
import importlib.util
import logging
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from hermes.plugins.context import PluginContext
from hermes.plugins.home import MODULE, Plugin, Unusable, find
from hermes.plugins.hooks import PluginHook
from hermes.registry.entry import AdapterSetup, PlatformEntry
from hermes.registry.registry import PlatformRegistry
from hermes.types.errors import PLUGIN_UNUSABLE, Failure, GatewayError

log = logging.getLogger(__name__)

GROUP = "hermes.platforms"
"""The entry points: ``name = "package.module:register"``."""

IMPORT_DEADLINE_S = 10.0

Register = Callable[[PluginContext], object]


def discover(
    home: Path,
    registry: PlatformRegistry,
    disabled: Collection[str] = (),
    *,
    deadline_s: float = IMPORT_DEADLINE_S,
) -> tuple[PluginHook, ...]:
    """Put the platforms of all plug-ins that are not ``disabled`` into ``registry``, and return their hooks; never raises.
    Imports get ``deadline_s``.
    """
    loads = []
    for found in (*find(home), *_entry_points()):
        if found.name in disabled:
            log.info("plug-in %s is disabled", found.name)
        elif isinstance(found, Unusable):
            _set_aside(registry, found)
        elif isinstance(found, Plugin):
            loads.append(_Load(found.name, partial(_import, found), platform=found.platform))
        else:
            loads.append(_Load(found.name, found.load))
    for load in loads:
        threading.Thread(target=load.run, name=f"plug-in {load.name}", daemon=True).start()
    until = time.monotonic() + deadline_s
    for load in loads:
        load.done.wait(max(0.0, until - time.monotonic()))
        _take(registry, load, deadline_s)
    return tuple(hook for load in loads if load.done.is_set() for hook in load.hooks)


@dataclass(slots=True)
class _Load:
    """One import. What it has brought is looked at once ``done``, and never if that comes too late."""

    name: str
    register: Callable[[], Register]
    platform: bool = True
    done: threading.Event = field(default_factory=threading.Event)
    entries: tuple[PlatformEntry, ...] = ()
    hooks: tuple[PluginHook, ...] = ()
    error: BaseException | None = None

    def run(self) -> None:
        context = PluginContext(self.name)
        try:
            self.register()(context)
            self.entries, self.hooks = tuple(context.entries), tuple(context.hooks)
        # In a thread of its own, where nobody is cancelled; and SystemExit of a plug-in must not end more than its import.
        except BaseException as error:  # noqa: ASYNC103
            self.error = error
        self.done.set()


def _take(registry: PlatformRegistry, load: _Load, deadline_s: float) -> None:
    if not load.done.is_set():
        _set_aside(
            registry,
            Unusable(load.name, f"its import has not come to an end within {deadline_s:g} s", load.platform),
        )
    elif load.error is not None:
        log.error("plug-in %s could not be imported", load.name, exc_info=load.error)
        words = f"{type(load.error).__name__}: {load.error}; the traceback is in logs/gateway.log"
        _set_aside(registry, Unusable(load.name, words, load.platform))
    elif not load.entries and (load.platform or not load.hooks):
        what = "platform" if load.platform else "hook"
        _set_aside(
            registry, Unusable(load.name, f"its register(ctx) has registered no {what}", load.platform)
        )
    else:
        for entry in load.entries:
            registry.register(entry)


def _entry_points() -> Iterator[importlib.metadata.EntryPoint]:
    try:
        yield from sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name)
    except Exception as error:  # a damaged package of somebody's
        log.warning("entry points of %s cannot be read: %s", GROUP, error)


def _import(plugin: Plugin) -> Register:
    """The plug-in's ``register``. Its modules are ``hermes_plugin_<name>`` and below, so that no name is taken from anybody."""
    name = f"hermes_plugin_{plugin.name.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(
        name, plugin.path / MODULE, submodule_search_locations=[str(plugin.path)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{plugin.path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    register: Register = module.register
    return register


def _set_aside(registry: PlatformRegistry, plugin: Unusable) -> None:
    """Say why, and show a platform of that name as unavailable, unless somebody else brings it."""
    log.warning("plug-in %s is not used: %s", plugin.name, plugin.reason)
    name = plugin.name.replace("-", "_")
    if not plugin.platform or registry.is_registered(name):
        return

    def refuse(_setup: AdapterSetup) -> NoReturn:
        raise GatewayError(Failure(PLUGIN_UNUSABLE, "needs_operator", "adapter", detail=plugin.reason))

    try:
        registry.register(PlatformEntry(name, plugin.name, refuse, plugin_name=plugin.name, always=True))
    except ValueError as wrong:  # then it could have brought no platform of that name anyway
        log.debug("%s", wrong)
