"""The composition root: makes every part once, hands each what it needs, runs the tree."""

import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO

import trio

from actors import dumper, exits, pulse, reloader, root, tree
from actors.adapter import Account
from actors.control import ControlDoor
from actors.dossiers import WRITE_DEADLINE_S, CrashQueue
from actors.maintenance import EventQueue
from actors.ports.access import canonical_form
from actors.ports.adapters import AdapterTable
from actors.ports.approval_desk import ApprovalDesk
from actors.ports.cron_desk import CronDesk
from actors.ports.files import HomeFiles
from actors.ports.hook_desk import HookDesk
from actors.ports.inspection import Inspection
from actors.ports.memory import StoreMemory
from actors.ports.outbox_desk import OutboxDesk
from actors.ports.overview import TreeOverview
from actors.ports.pairing_desk import PairingDesk
from actors.ports.people_desk import PeopleDesk
from actors.ports.send_desk import SendDesk
from actors.ports.session_desk import SessionDesk
from actors.ports.store import StorePort
from actors.ports.web import WebPort
from actors.pulse import Pulse
from hermes.agents.builtin import BuiltinAgent
from hermes.agents.model import model_agent
from hermes.config.load import Settings
from hermes.config.provider import unusable
from hermes.config.remarks import remarks
from hermes.net.fetch import fetch
from hermes.ops import dossiers
from hermes.ops.clock import SystemClock, SystemIds
from hermes.ops.lock import HomeLock, prepare_home
from hermes.ops.logging import logging_to
from hermes.ops.pairing_files import PairingFiles
from hermes.ops.redaction import Redaction
from hermes.ops.stacks import on_signal, stacks_in
from hermes.ops.systemd import Notifier
from hermes.ops.whatsapp_aliases import read_aliases
from hermes.platforms.webchat.adapter import DEFAULT_CHAT, PLATFORM
from hermes.plugins.discover import discover
from hermes.plugins.hooks import HookShelf, PluginHook
from hermes.registry.accounts import Accounts, secrets_of
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.store import ops
from hermes.types import texts
from hermes.types.agent import Agent
from hermes.types.content import Outbound
from hermes.types.errors import FACTORY_FAILED
from hermes.types.ids import BootId, DeliveryId
from hermes.types.origin import DEFAULT_ACCOUNT
from hermes.types.ports import Adapter
from supervisors.current import current_actor
from supervisors.escalation import GIVE_UP
from supervisors.mailbox import Outcome as Told
from supervisors.reasons import describe, path_of
from supervisors.system import Outcome, StopRequest, System
from supervisors.watchdog import Watchdog

log = logging.getLogger(__name__)

SIGNALS: dict[int, int] = {
    signal.SIGINT: 0,
    signal.SIGTERM: exits.FAILED,
    signal.SIGUSR1: exits.RESTART,
}
MAKE_DEADLINE_S = 10.0
"""How long an adapter may take to be made; it connects later. The first time an SDK may have to be imported."""

STOP_MARGIN_S = 30.0
"""What the structural stop may take after the drain, before the hard exit."""

RENDERERS = 2
"""Threads that long texts are cut in; more would only take the interpreter from the loop."""


def run(
    *,
    home: Path,
    settings: Settings,
    reread: Callable[[], Settings],
    registry: PlatformRegistry,
    verbosity: int,
    show: Callable[[str], None] | None = None,
) -> int:
    """Run the gateway of ``home`` until it is told to stop; returns the exit code of the process. ``reread`` reads
    ``settings`` again, in a thread. ``registry`` holds the platforms; those of plug-ins are added to it. ``show`` puts a few
    lines before the operator, from any thread; default: stdout.

    In the main thread it takes the signals; in another one, whoever has the main thread does.

    Raises ``GatewayError`` before anything has been opened (``home_held``, ``home_unusable``), or before anything has been
    started (``config_invalid``, ``usage``: restart policies that cannot be followed).
    """
    boot_id = BootId(SystemIds().token(16))
    prepare_home(home)
    redaction, config = Redaction(settings.secrets), settings.config
    with (
        HomeLock.acquire(home, boot_id),
        logging_to(
            home / "logs",
            redaction=redaction,
            max_bytes=int(config.logging.max_size_mb * 1_000_000),
            backups=config.logging.backup_count,
            level=config.logging.level.upper(),
            format=config.logging.format,
            verbosity=verbosity,
            who_runs=current_actor.get,
        ),
    ):
        log.info("hermes %s on %s", version("hermes-trio"), home)
        plugin_hooks = discover(home, registry, config.plugins.disabled)
        redaction.learn(secrets_of(registry, settings))

        def reread_and_hide() -> Settings:
            """What a reading brings in is hidden before anybody can log it."""
            found = reread()
            redaction.learn((*found.secrets, *secrets_of(registry, found)))
            return found

        outcome = trio.run(
            partial(
                _main,
                home,
                settings,
                boot_id,
                redaction,
                show or _print,
                registry=registry,
                plugin_hooks=plugin_hooks,
                reread=reread_and_hide,
            )
        )
        if outcome.code in (GIVE_UP, exits.CONFIG):
            path = "/".join(path_of(outcome.reason))
            log.error("the gateway gives up%s: %s", f" at {path}" if path else "", describe(outcome.reason))
        log.info("stopped, exit code %d", outcome.code)
        return outcome.code


async def _main(
    home: Path,
    settings: Settings,
    boot_id: BootId,
    redaction: Redaction,
    show: Callable[[str], None],
    *,
    registry: PlatformRegistry,
    plugin_hooks: Sequence[PluginHook],
    reread: Callable[[], Settings],
) -> Outcome:
    with stacks_in(home / "logs") as stacks, Watchdog(lag_limit_s=pulse.LIMIT_S, stacks=stacks) as watchdog:
        async with model_agent(settings.config, home, redaction.redact) as agent:
            return await _run(
                home,
                settings,
                boot_id,
                redaction,
                show,
                registry=registry,
                plugin_hooks=plugin_hooks,
                reread=reread,
                agent=agent,
                watchdog=watchdog,
                stacks=stacks,
            )


async def _run(
    home: Path,
    settings: Settings,
    boot_id: BootId,
    redaction: Redaction,
    show: Callable[[str], None],
    *,
    registry: PlatformRegistry,
    plugin_hooks: Sequence[PluginHook],
    reread: Callable[[], Settings],
    agent: Agent | None,
    watchdog: Watchdog,
    stacks: IO[str],
) -> Outcome:
    config, clock, ids = settings.config, SystemClock(), SystemIds()
    store, adapters, events = StorePort(), AdapterTable(tree.LANES), EventQueue()

    async def drain(request: StopRequest) -> None:
        await root.drain(system, services, tree.LANES, request)

    system = System(
        rng=random.Random(),  # noqa: S311 - jitter, not secrets
        exits=root.EXITS,
        drain=drain,
        stop_deadline=config.drain_timeout_s + STOP_MARGIN_S,
        watchdog=watchdog,
    )
    beats = Pulse(
        Notifier(os.environ),
        ready=lambda: system.ready,
        stopping=lambda: system.stopping is not None,
        lag_s=lambda: watchdog.lag_s,
        stalled_s=lambda: store.stalled_s,
        stacks=watchdog.dump,
        now=time.monotonic,
    )
    watchdog.on_look = beats.beat
    system.events.listen(events.waiting.append)
    crashes = CrashQueue(
        system,
        home / dossiers.DIRECTORY,
        redact=redaction.redact,
        watchdog=watchdog,
        clock=clock,
        ids=ids,
        boot_id=boot_id,
        version=version("hermes-trio"),
    )
    system.events.listen(crashes.note)
    web = WebPort(store, clock, ids)
    overview = TreeOverview(
        system=system,
        store=store,
        adapters=adapters,
        web=web,
        watchdog=watchdog,
        redact=redaction.redact,
        clock=clock,
        boot_id=boot_id,
        home=home,
        version=version("hermes-trio"),
        reload=reloader.Reload,
        supervised=bool(os.environ.get("INVOCATION_ID") or os.environ.get("HERMES_SUPERVISED")),
    )
    inspection = Inspection(system, overview, redaction.redact)

    def set_aside(database: Path) -> None:
        """Tell the chat that is always there; the operator reads the log."""
        now = clock.wall()
        text = texts.DATABASE_SET_ASIDE.format(name=database.name)
        notice = Outbound(
            delivery_id=DeliveryId(f"{boot_id}:set-aside"),
            platform=PLATFORM,
            account=DEFAULT_ACCOUNT,
            chat_id=DEFAULT_CHAT,
            text=text,
            kind="notice",
            expires_at=now + config.delivery.ttl_s,
        )
        store.post(ops.Enqueue(notice, now))

    hook_port = tree.hook_port(system, clock)
    system.events.listen(hook_port.crashed)
    aliases = await _whatsapp_aliases(home)
    files = HomeFiles(home, partial(trio.to_thread.run_sync, abandon_on_cancel=True))
    services = tree.wire(
        system,
        boot_id=boot_id,
        settings=settings,
        hooks=hook_port,
        clock=clock,
        ids=ids,
        store=store,
        agent=agent
        or BuiltinAgent(StoreMemory(store, clock), overview.status, clock, no_model=unusable(config.model)),
        overview=overview,
        adapters=adapters,
        whatsapp_aliases=aliases,
        files=files,
        in_thread=partial(
            trio.to_thread.run_sync, abandon_on_cancel=True, limiter=trio.CapacityLimiter(RENDERERS)
        ),
        fetch_url=fetch,
    )
    accounts = Accounts(registry, settings, home=home, clock=clock, ids=ids)
    for (platform, account), capabilities in accounts.capabilities.items():
        adapters.configure(platform, capabilities, account)
    shelf = HookShelf(home, services.processes, plugin_hooks, config=settings.written.file)
    parts = tree.Parts(
        services=services,
        store_port=store,
        overview=overview,
        inspection=inspection,
        web_port=web,
        control_door=ControlDoor(
            system,
            overview,
            inspection,
            redaction.redact,
            web,
            adapters,
            services.routes,
            {
                "sessions": SessionDesk(services),
                "approvals": ApprovalDesk(services),
                "outbox": OutboxDesk(services),
                "pairing": PairingDesk(services),
                "identity": PeopleDesk(services),
                "send": SendDesk(services.router),
                "cron": CronDesk(services, files, system.registry.ref(tree.CRON)),
                "hooks": HookDesk(hook_port, redaction.redact),
            },
        ),
        events=events,
        crashes=crashes,
        accounts=[Account(*key, partial(_make, accounts, *key)) for key in accounts],
        configured=accounts,
        announce=partial(_announce, show),
        set_aside=set_aside,
        reread=partial(trio.to_thread.run_sync, reread, abandon_on_cancel=True),
        reloading=beats.reloading,
        hook_port=hook_port,
        look_at_hooks=partial(
            trio.to_thread.run_sync, shelf.look, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
        ),
        pairing_files=PairingFiles(home, partial(canonical_form, aliases=aliases)),
        in_pairing_thread=partial(
            trio.to_thread.run_sync, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
        ),
        files=files,
        restart_notices=settings.restart_notices,
        home=home,
    )

    def reload() -> None:
        if system.registry.ref(tree.RELOADER).tell_nowait(reloader.Reload()) is not Told.ACCEPTED:
            log.warning("SIGHUP: not reloaded, because the gateway is only just starting, or stops")

    def dump() -> None:
        if system.registry.ref(tree.DUMPER).tell_nowait(dumper.Dump()) is not Told.ACCEPTED:
            log.warning(
                "SIGUSR2: nobody is there to dump the tree; logs/stacks.log has the stacks of all threads"
            )

    token = trio.lowlevel.current_trio_token()
    try:
        built = tree.build(parts)
        registered = {entry.name: entry.always for entry in registry.all_entries()}
        for words in (*services.policies.unmatched(), *remarks(settings, registered)):
            log.warning("%s", words)
        with on_signal(signal.SIGUSR2, stacks, lambda: token.run_sync_soon(dump, idempotent=True)):
            return await system.run(built, signals=SIGNALS, calls={signal.SIGHUP: reload})
    finally:
        beats.end()
        store.close()
        shelf.loop.close()
        with trio.move_on_after(WRITE_DEADLINE_S, shield=True):
            await crashes.write()  # those that ended the tree, and with it whoever writes them


async def _make(accounts: Accounts, platform: str, account: str) -> Adapter | Unavailable:
    """In a thread: checks and factories may be foreign, and import for seconds."""
    with trio.move_on_after(MAKE_DEADLINE_S):
        return await trio.to_thread.run_sync(
            accounts.create, platform, account, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
        )
    return Unavailable(FACTORY_FAILED, f"its adapter was not made within {MAKE_DEADLINE_S:g} s")


async def _whatsapp_aliases(home: Path) -> Mapping[str, str]:
    """Read before the first message: who somebody is must not depend on when they write."""
    found = await trio.to_thread.run_sync(read_aliases, home)
    for fault in found.faults:
        log.warning("WhatsApp: %s", fault)
    return found.aliases


async def _announce(show: Callable[[str], None], link: str) -> None:
    """Put the one-time link where a person sees it; stdout may be a pipe that nobody reads."""
    with trio.move_on_after(1.0):
        await trio.to_thread.run_sync(
            show,
            f"\n  Open  {link}\n  (works once, for 10 minutes; `hermes web link` makes another)\n",
            abandon_on_cancel=True,
        )


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:
        sys.stderr.write("the link could not be printed; `hermes web link` makes another\n")
