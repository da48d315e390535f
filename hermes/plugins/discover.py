"""Find the plug-ins, import them, and take what they bring; their platforms go into the registry.

A plug-in is somebody else's code: each is imported in a thread of its own, all at once, under one deadline. One that crashes
there, or hangs, is unavailable and says why, as a platform if it would have been one; it ends and delays nothing else.
"""

import importlib.metadata
import importlib.util
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from hermes.plugins.brought import Brought, PluginRow
from hermes.plugins.context import PluginContext
from hermes.plugins.home import DIRECTORY, MODULE, Plugin, Unusable, find
from hermes.registry.entry import AdapterSetup, PlatformEntry
from hermes.registry.registry import PlatformRegistry
from hermes.types.errors import PLUGIN_UNUSABLE, Failure, GatewayError, in_words

log = logging.getLogger(__name__)

GROUP = "hermes.platforms"
"""The entry points of platforms: ``name = "package.module:register"``."""

ANYTHING = "hermes.plugins"
"""The same, of plug-ins that bring anything."""

IMPORT_DEADLINE_S = 10.0

Register = Callable[[PluginContext], object]


def discover(
    home: Path,
    registry: PlatformRegistry,
    disabled: Collection[str] = (),
    *,
    environ: Mapping[str, str] = os.environ,
    deadline_s: float = IMPORT_DEADLINE_S,
) -> Brought:
    """What all plug-ins bring that are not ``disabled``, their platforms in ``registry``; never raises. Imports get
    ``deadline_s``.
    """
    loads, brought = [], Brought(registry)
    for found in (*find(home), *_entry_points()):
        if found.name in disabled:
            log.info("plug-in %s is disabled", found.name)
            brought.plugins.append(PluginRow(found.name, _source(found), "disabled"))
        elif isinstance(found, Unusable):
            _set_aside(brought, found, _source(found))
        else:
            register = partial(_import, found) if isinstance(found, Plugin) else found.load
            platform = found.platform if isinstance(found, Plugin) else found.group == GROUP
            context = PluginContext(found.name, brought.loop, environ)
            loads.append(_Load(found.name, _source(found), register, context, platform=platform))
    for load in loads:
        threading.Thread(target=load.run, name=f"plug-in {load.name}", daemon=True).start()
    until = time.monotonic() + deadline_s
    for load in loads:
        load.done.wait(max(0.0, until - time.monotonic()))
        _take(brought, load, deadline_s)
    return brought


@dataclass(slots=True)
class _Load:
    """One import. What it has brought is looked at once ``done``, and never if that comes too late."""

    name: str
    source: str
    register: Callable[[], Register]
    context: PluginContext
    platform: bool = True
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.register()(self.context)
        # In a thread of its own, where nobody is cancelled; and SystemExit of a plug-in must not end more than its import.
        except BaseException as error:  # noqa: ASYNC103
            self.error = error
        self.done.set()


def _take(brought: Brought, load: _Load, deadline_s: float) -> None:
    if not load.done.is_set():
        reason = f"its import has not come to an end within {deadline_s:g} s"
    elif load.error is not None:
        log.error("plug-in %s has failed", load.name, exc_info=load.error)
        reason = f"{in_words(load.error)}; the traceback is in logs/gateway.log"
    elif load.platform and not load.context.entries:
        reason = "its register(ctx) has registered no platform"
    elif not any(load.context.brings()):
        reason = "its register(ctx) has registered nothing"
    else:
        brought.take(load.context, load.source)
        return
    _set_aside(brought, Unusable(load.name, reason, load.platform), load.source)


def _entry_points() -> Iterator[importlib.metadata.EntryPoint]:
    for group in (GROUP, ANYTHING):
        try:
            yield from sorted(importlib.metadata.entry_points(group=group), key=lambda point: point.name)
        except Exception as error:  # a damaged package of somebody's
            log.warning("entry points of %s cannot be read: %s", group, error)


def on_disk(home: Path, disabled: Collection[str] = ()) -> tuple[PluginRow, ...]:
    """What there is by what is written; nothing is imported, so nothing of it runs."""
    return tuple(
        PluginRow(found.name, _source(found), "disabled")
        if found.name in disabled
        else PluginRow(found.name, _source(found), "unavailable", reason=found.reason)
        if isinstance(found, Unusable)
        else PluginRow(found.name, _source(found), "found")
        for found in (*find(home), *_entry_points())
    )


def _source(found: Plugin | Unusable | importlib.metadata.EntryPoint) -> str:
    match found:
        case Plugin():
            return str(found.path)
        case Unusable():
            return DIRECTORY
        case point:
            return f"{point.group}: {point.value}"


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
    register: Register | None = getattr(module, "register", None)
    if not callable(register):
        raise ImportError(f"{plugin.path / MODULE} has no register(ctx)")
    return register


def _set_aside(brought: Brought, plugin: Unusable, source: str) -> None:
    """Say why, and show a platform of that name as unavailable, unless somebody else brings it."""
    log.warning("plug-in %s is not used: %s", plugin.name, plugin.reason)
    shown = plugin.platform and _as_platform(brought.platforms, plugin)
    brought.plugins.append(
        PluginRow(plugin.name, source, "unavailable", reason=plugin.reason, platform=shown)
    )


def _as_platform(registry: PlatformRegistry, plugin: Unusable) -> bool:
    name = plugin.name.replace("-", "_")
    if registry.is_registered(name):
        return False

    def refuse(_setup: AdapterSetup) -> NoReturn:
        raise GatewayError(Failure(PLUGIN_UNUSABLE, "needs_operator", "adapter", detail=plugin.reason))

    try:
        registry.register(PlatformEntry(name, plugin.name, refuse, plugin_name=plugin.name, always=True))
    except ValueError as wrong:  # then it could have brought no platform of that name anyway
        log.debug("%s", wrong)
        return False
    return True
