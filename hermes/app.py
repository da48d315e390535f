"""The composition root: makes every part once, hands each what it needs, runs the tree."""

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO

import trio

from actors import dumper, exits, pulse, reloader, root, tree
from actors.control import ControlDoor
from actors.dossiers import WRITE_DEADLINE_S, CrashQueue
from actors.maintenance import EventQueue
from actors.ports.access import canonical_form, whatsapp_aliases
from actors.ports.adapters import AdapterTable
from actors.ports.approval_desk import ApprovalDesk
from actors.ports.arrival import Arrival
from actors.ports.cron_desk import CronDesk
from actors.ports.files import HomeFiles
from actors.ports.hook_desk import HookDesk
from actors.ports.inspection import Inspection
from actors.ports.making import Maker
from actors.ports.memory import StoreMemory
from actors.ports.metrics import Metrics
from actors.ports.outbox_desk import OutboxDesk
from actors.ports.overview import TreeOverview
from actors.ports.pairing_desk import PairingDesk
from actors.ports.people_desk import PeopleDesk
from actors.ports.plugin_desk import PluginDesk
from actors.ports.probe_desk import ProbeDesk
from actors.ports.send_desk import SendDesk
from actors.ports.session_desk import SessionDesk
from actors.ports.settings_desk import SettingsDesk
from actors.ports.store import StorePort
from actors.ports.tally import Tally
from actors.ports.web import WebPort
from actors.pulse import Pulse
from hermes.agents.builtin import BuiltinAgent
from hermes.agents.choice import answering, described
from hermes.agents.current import CurrentAgent
from hermes.agents.functions import functions
from hermes.config.load import Settings
from hermes.config.model import Config
from hermes.config.remarks import remarks
from hermes.net.fetch import fetch
from hermes.opening import Opened, opened
from hermes.ops import dossiers, starts
from hermes.ops.announce import announce, on_stdout
from hermes.ops.clock import SystemClock, SystemIds
from hermes.ops.garbage import spare_what_is_there
from hermes.ops.instance import instance
from hermes.ops.lock import EMBEDDED
from hermes.ops.pairing_files import PairingFiles
from hermes.ops.stacks import on_signal, stacks_in
from hermes.ops.stamps import settings_stamps
from hermes.ops.systemd import Notifier
from hermes.ops.takeover import Claim
from hermes.platforms.webchat.adapter import DEFAULT_CHAT, PLATFORM
from hermes.plugins.hooks import HookShelf
from hermes.registry.accounts import Accounts
from hermes.registry.agents import AgentSetup
from hermes.registry.registry import PlatformRegistry
from hermes.registry.tools import Toolbox
from hermes.routing.answers import agent_words
from hermes.store import ops
from hermes.types import texts
from hermes.types.content import Outbound
from hermes.types.ids import BootId, DeliveryId
from hermes.types.origin import DEFAULT_ACCOUNT
from supervisors.current import current_actor
from supervisors.events import SupervisionEvent
from supervisors.mailbox import Outcome as Told
from supervisors.system import StopRequest, System
from supervisors.watchdog import Watchdog

log = logging.getLogger(__name__)

SIGNALS: dict[int, int] = {
    signal.SIGINT: 0,
    signal.SIGTERM: exits.FAILED,
    signal.SIGUSR1: exits.RESTART,
}
RENDERERS = 2
"""Threads that long texts are cut in; more would only take the interpreter from the loop."""


def run(
    *,
    home: Path,
    settings: Settings,
    reread: Callable[[], Settings],
    registry: PlatformRegistry,
    verbosity: int,
    show: Callable[[str], None] = on_stdout,
    replace: Claim | None = None,
    let_go: Callable[[], None] = lambda: None,
) -> int:
    """Run the gateway of ``home`` until it is told to stop; returns the exit code of the process. ``reread`` reads
    ``settings`` again, in a thread. ``registry`` holds the platforms; those of plug-ins are added to it. ``show`` puts a few
    lines before the operator, from any thread. With ``replace`` the gateway that it names is ended first.

    In the main thread it takes the signals; in another one, whoever has the main thread does. A restart that somebody asks for
    ends with 75 where a service manager starts the process again; else the process becomes a new run of the same program, and
    this does not return: ``let_go`` is called before, and returns when nobody else does anything in the process any more.

    Raises ``GatewayError`` before anything has been opened (``home_held``, ``home_unusable``), or before anything has been
    started (``config_invalid``, ``usage``: restart policies that cannot be followed).
    """
    environ, boot_id = dict(os.environ), BootId(SystemIds().token(16))
    supervised = bool(environ.get("INVOCATION_ID") or environ.get("HERMES_SUPERVISED"))
    with instance(home, boot_id, settings.secrets, replace) as held:
        with opened(
            held, boot_id, settings, reread, registry, verbosity=verbosity, who_runs=current_actor.get
        ) as parts:
            process = _Process(show, owned=True, started=lambda _stop: spare_what_is_there())
            end = trio.run(_main, parts, process)
        if end.again and not supervised:
            let_go()
            if threading.current_thread() is threading.main_thread():
                # Until they are answered again, they would end us.
                for number in (signal.SIGHUP, signal.SIGUSR1):
                    signal.signal(number, signal.SIG_IGN)
            held.run_again(environ)
        return end.code


async def embedded(
    *,
    home: Path,
    settings: Settings,
    reread: Callable[[], Settings],
    registry: PlatformRegistry,
    task_status: trio.TaskStatus[Callable[[], None]] = trio.TASK_STATUS_IGNORED,
) -> int:
    """Run the gateway of ``home`` as a part of another Trio program; returns the exit code that its process would have had.

    Started with a function that stops it in order, once it is ready. Cancelled, it ends at once; nothing that was accepted is
    lost by that. It takes no signals, prints nothing, never ends or restarts the process, and adds a handler to the root
    logger for as long as it runs. For the rest as ``run``. Plug-ins are imported, and the files of the home opened, in a thread.
    """
    boot_id = BootId(SystemIds().token(16))
    with ExitStack() as stack:
        ours = instance(home, boot_id, settings.secrets, kind=EMBEDDED)
        held = await trio.to_thread.run_sync(stack.enter_context, ours)
        base = opened(held, boot_id, settings, reread, registry, verbosity=-1, who_runs=current_actor.get)
        parts = await trio.to_thread.run_sync(stack.enter_context, base)
        process = _Process(lambda _: None, owned=False, started=task_status.started)
        return (await _main(parts, process)).code


@dataclass(frozen=True, slots=True)
class _Process:
    """Whose process it is. ``owned``: ours, with its signals and its end, and the gateway starts again if it is asked to."""

    show: Callable[[str], None]
    owned: bool
    started: Callable[[Callable[[], None]], None] = lambda _stop: None


async def _main(base: Opened, process: _Process) -> root.End:
    home = base.held.home
    with (
        stacks_in(home / "logs") as stacks,
        Watchdog(lag_limit_s=pulse.LIMIT_S, stacks=stacks, ends_process=process.owned) as watchdog,
    ):
        async with aclosing(CurrentAgent()) as agent:
            return await _run(base, process, agent=agent, watchdog=watchdog, stacks=stacks)


async def _run(
    base: Opened,
    process: _Process,
    *,
    agent: CurrentAgent,
    watchdog: Watchdog,
    stacks: IO[str],
) -> root.End:
    settings, boot_id, redaction, registry = base.settings, base.boot_id, base.redaction, base.registry
    held, home = base.held, base.held.home
    config, clock, ids = settings.config, SystemClock(), SystemIds()
    store, adapters, events = StorePort(), AdapterTable(tree.LANES), EventQueue()

    async def drain(request: StopRequest) -> None:
        request = await root.judge(system, home, request)
        async with trio.open_nursery() as nursery:
            if request.code == exits.FAILED:
                nursery.start_soon(root.say_who_is_here, request)
            await root.drain(system, services, tree.LANES, request)

    system = System(
        rng=random.Random(),  # noqa: S311 - jitter, not secrets
        exits=root.EXITS,
        drain=drain,
        stop_deadline=config.drain_timeout_s + exits.STOP_MARGIN_S,
        watchdog=watchdog,
    )
    beats = Pulse(
        Notifier(os.environ if process.owned else {}),
        ready=lambda: system.ready,
        stopping=lambda: system.stopping is not None,
        lag_s=lambda: watchdog.lag_s,
        stalled_s=lambda: store.stalled_s,
        stacks=watchdog.dump,
        now=time.monotonic,
    )
    watchdog.on_look = beats.beat
    system.events.listen(events.waiting.append)
    tally = Tally(system)
    system.events.listen(tally.note)
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
        supervised=process.owned,
        storm=held.storm,
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
    aliases = await whatsapp_aliases(home)
    files = HomeFiles(home, partial(trio.to_thread.run_sync, abandon_on_cancel=True))
    memory, tools = StoreMemory(store, clock), Toolbox(config.tools.enabled, config.tools.disabled)
    for spec, command in base.brought.commands:
        tools.register_command(spec, command)
    services = tree.wire(
        system,
        boot_id=boot_id,
        settings=settings,
        hooks=hook_port,
        clock=clock,
        ids=ids,
        store=store,
        agent=agent,
        tools=tools,
        memories=base.brought.memories,
        overview=overview,
        adapters=adapters,
        whatsapp_aliases=aliases,
        files=files,
        in_thread=partial(
            trio.to_thread.run_sync, abandon_on_cancel=True, limiter=trio.CapacityLimiter(RENDERERS)
        ),
        fetch_url=fetch,
    )

    async def use_agent(config: Config) -> None:
        setup = AgentSetup(config, home, clock, ids)
        without = partial(BuiltinAgent, memory, overview.status, clock)
        answers = await agent.adopt(answering(setup, base.brought.agents, redaction.redact, without))
        overview.agent = described(answers, config.model)
        log.info("agent: %s", agent_words(**overview.agent))

    await use_agent(config)
    for tool in (*functions(memory, services.jobs), *base.brought.tools):
        tools.register(tool)
    for name in tools.unknown():
        log.warning("tools: there is no tool or toolset %s", name)
    accounts = Accounts(registry, settings, home=home, clock=clock, ids=ids)
    for (platform, account), capabilities in accounts.capabilities.items():
        adapters.configure(platform, capabilities, account)
    maker = Maker(accounts, registry, overview, Arrival.at(home))
    shelf = HookShelf(home, services.processes, base.brought.hooks, config=settings.written.file)
    parts = tree.Parts(
        services=services,
        store_port=store,
        overview=overview,
        inspection=inspection,
        metrics=Metrics(system, services, store, watchdog, tally),
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
                "cron": CronDesk(services),
                "hooks": HookDesk(hook_port, redaction.redact),
                "config": SettingsDesk(system.registry.ref(tree.RELOADER), reloader.Reload, redaction.redact),
                "probe": ProbeDesk(accounts, redaction.redact),
                "plugins": PluginDesk(base.brought.plugins, redaction.redact),
            },
        ),
        events=events,
        crashes=crashes,
        accounts=[maker.account(*key) for key in accounts],
        means=reloader.Means(
            reread=partial(trio.to_thread.run_sync, base.reread, abandon_on_cancel=True),
            look=partial(files.run, settings_stamps, settings.written.file),
            reloading=beats.reloading,
            accounts=accounts,
            account=maker.account,
            use_agent=use_agent,
        ),
        announce=partial(announce, process.show),
        set_aside=set_aside,
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
        arrival=maker.arrival,
        health_file=held.health,
        lasted=partial(starts.lasted, home),
        plugins=tuple(base.brought.unavailable()),
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
        system.events.listen(partial(_tell_when_ready, system, process))
        if not process.owned:
            return root.ended(system, overview, held, await system.run(built))
        with on_signal(signal.SIGUSR2, stacks, lambda: token.run_sync_soon(dump, idempotent=True)):
            outcome = await system.run(built, signals=SIGNALS, calls={signal.SIGHUP: reload})
        return root.ended(system, overview, held, outcome)
    finally:
        beats.end()
        store.close()
        shelf.loop.close()
        base.brought.loop.close()
        with trio.move_on_after(WRITE_DEADLINE_S, shield=True):
            await crashes.write()  # those that ended the tree, and with it whoever writes them


def _tell_when_ready(system: System, process: _Process, event: SupervisionEvent) -> None:
    if (event.kind, event.path) == ("ready", tree.GATEWAY) and event.incarnation == 1:
        process.started(partial(system.overrule, StopRequest(0, "the program that it is part of")))
