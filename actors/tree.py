"""The whole tree as data: read this file and you know the system.

root                       one_for_one
├─ control                 permanent, sync        first up, last down
├─ store                   permanent, sync        the only SQLite writer; over budget: exit 70
└─ gateway                 one_for_one            restarts once in ten minutes, then exit 70
   ├─ hooks                permanent, sync        runs the operator's handlers; while it is away nobody has a say
   ├─ pairing              permanent, sync        owns the files that say who was let in
   ├─ delivery             rest_for_one           [lanes: dynamic · outbox, which starts and sweeps them]
   ├─ sessions             dynamic                one child per active session, each with a turn of its own
   ├─ inbound              permanent, sync
   ├─ cron                 permanent, sync        the ticker; each firing of a job is a child with a deadline of its own
   ├─ maintenance          one_for_one            [health · journal · dossiers · dumper · reloader · channels · notices ·
   │                                               expiry · retention · cleaning · database · clock · import, in
   │                                               a home of the original]
   ├─ web                  permanent, eventual
   ├─ adapters             one_for_one            one child per (platform, account)
   └─ plugins              one_for_one            one child per plug-in that cannot be used, to say why; else absent
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import trio

from actors import (
    adapter,
    channels,
    cleaning,
    clock_watch,
    control,
    cron,
    database,
    delivery,
    dossiers,
    dumper,
    health,
    hooks,
    importing,
    inbound,
    maintenance,
    notices,
    pairing,
    plugins,
    reloader,
    retention,
    session,
    session_expiry,
    store,
    turn,
    web,
)
from actors.fetching import Fetching
from actors.policies import Policies
from actors.ports.access import Access
from actors.ports.adapters import AdapterTable
from actors.ports.approvals import Approvals
from actors.ports.arrival import Arrival
from actors.ports.channels import ChannelDirectory
from actors.ports.commands import Commands
from actors.ports.conversations import Conversations
from actors.ports.delivery import Delivery
from actors.ports.files import HomeFiles, InThread
from actors.ports.hooks import HookPort
from actors.ports.in_force import InForce
from actors.ports.inspection import Inspection
from actors.ports.intake import Intake
from actors.ports.internal import InternalEvents
from actors.ports.jobs import JobsPort
from actors.ports.memories import ProvidedMemories
from actors.ports.metrics import Metrics
from actors.ports.moves import Moves
from actors.ports.notices import Notices
from actors.ports.outgoing import Outgoing
from actors.ports.overview import TreeOverview
from actors.ports.pairing import Pairing
from actors.ports.people import PeoplePort
from actors.ports.router import Router
from actors.ports.routes import RouteTable
from actors.ports.services import Services
from actors.ports.store import StorePort
from actors.ports.web import WebPort
from actors.root import classify
from hermes.agents.quick import QuickAgent
from hermes.config.load import Settings
from hermes.config.restart_notices import RestartNotices
from hermes.ops.cron_files import zone_for
from hermes.ops.health_file import HealthFile
from hermes.ops.media_files import media_policy
from hermes.ops.pairing_files import PairingFiles
from hermes.ops.processes import Processes
from hermes.plugins.brought import PluginRow
from hermes.registry.tools import Toolbox
from hermes.routing import catalogue
from hermes.sessions.keys import KeyRules
from hermes.store.port import Store
from hermes.types.agent import Agent
from hermes.types.hooks import Hooks
from hermes.types.ids import BootId, Clock, IdSource, SessionKey
from hermes.types.memory import MemoryProvider
from hermes.types.origin import LaneKey
from hermes.types.ports import FetchUrl
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.supervisor import supervisor
from supervisors.system import System

ROOT = "root"
HOOKS = "root/gateway/hooks"
INBOUND = "root/gateway/inbound"
CRON = "root/gateway/cron"
PAIRING = "root/gateway/pairing"
GATEWAY = "root/gateway"
SESSIONS = "root/gateway/sessions"
LANES = "root/gateway/delivery/lanes"
RELOADER = "root/gateway/maintenance/reloader"
DUMPER = "root/gateway/maintenance/dumper"
CHANNELS = "root/gateway/maintenance/channels"

SERVICE_BACKOFF = Backoff(min=0.1, max=30.0)
ADAPTER_BACKOFF = Backoff(min=1.0, max=300.0, reset_after=300.0)
ADAPTER_READY_S = 90.0
"""Some calls to a server that is slow to answer each. One that never answers is noticed sooner, call by call."""

GIVE_UP = Intensity(5, per=60.0, on_exceeded="escalate")
REST = Intensity(5, per=60.0, on_exceeded="disable")
GATEWAY_ONCE = Intensity(1, per=600.0, on_exceeded="escalate")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the tree is built from."""

    services: Services
    store_port: StorePort
    overview: TreeOverview
    inspection: Inspection
    metrics: Metrics
    web_port: WebPort
    control_door: control.ControlDoor
    events: maintenance.EventQueue
    crashes: dossiers.CrashQueue
    accounts: Sequence[adapter.Account]
    means: reloader.Means
    announce: web.Announce
    set_aside: store.SetAside
    hook_port: HookPort
    look_at_hooks: hooks.Look
    pairing_files: PairingFiles
    in_pairing_thread: pairing.InThread
    files: HomeFiles
    restart_notices: RestartNotices
    home: Path
    arrival: Arrival
    health_file: HealthFile
    lasted: Callable[[], None]
    plugins: Sequence[PluginRow] = ()
    """Those that cannot be used, and that no adapter stands for."""


def wire(
    system: System,
    *,
    boot_id: BootId,
    settings: Settings,
    hooks: Hooks,
    clock: Clock,
    ids: IdSource,
    store: Store,
    agent: Agent,
    tools: Toolbox,
    memories: Sequence[MemoryProvider],
    overview: TreeOverview,
    adapters: AdapterTable,
    whatsapp_aliases: Mapping[str, str],
    files: HomeFiles,
    in_thread: InThread,
    fetch_url: FetchUrl,
) -> Services:
    """The ports, joined to the places in this tree where their actors live.

    Raises ``GatewayError`` (``config_invalid``) for quick commands that cannot be, and lists of commands that do not exist.
    """
    config = settings.config
    in_force = overview.in_force = InForce(config)
    policies = Policies(
        config.supervision,
        {
            SESSIONS: lambda key: session.spec(services, SessionKey(key)),
            LANES: lambda lane: delivery.lane_spec(services, LaneKey(lane)),
        },
    )
    conversations = Conversations(
        system,
        inbound=INBOUND,
        sessions=SESSIONS,
        spec_of=partial(policies.child, SESSIONS),
        inbound_wake=inbound.Wake(),
        session_wake=session.Wake(),
        session_interrupt=session.Interrupt,
        turn=turn.NAME,
    )
    intake = Intake()
    pairings = Pairing(system.registry.ref(PAIRING), pairing.Carry, pairing.Look)
    key_rules = KeyRules(
        group_sessions_per_user=config.group_sessions_per_user,
        thread_sessions_per_user=config.thread_sessions_per_user,
        whatsapp_aliases=whatsapp_aliases,
    )
    moves = Moves(store)
    people = PeoplePort(store, key_rules, config.identity.scope, moves)
    lanes = Delivery(system.registry, LANES, partial(policies.child, LANES), delivery.Look())
    directory = ChannelDirectory(system.registry.ref(CHANNELS), channels.Look())
    outgoing = Outgoing(files, media_policy(config.media), store, clock, ids)
    router = Router(
        store=store,
        delivery=lanes,
        adapters=adapters,
        channels=directory,
        homes=settings.homes,
        files=files,
        outgoing=outgoing,
        clock=clock,
        ids=ids,
        ttl_s=config.delivery.ttl_s,
    )
    commands = Commands(
        catalogue.checked(config.quick_commands, settings.access.roles.commands, tools.commands)
    )
    processes = Processes(config.limits.processes)
    access = Access(settings.access, whatsapp_aliases, pairings.granted, people.persons)
    services = Services(
        boot_id=boot_id,
        booted_at=clock.wall(),
        in_force=in_force,
        clock=clock,
        ids=ids,
        store=store,
        agent=agent,
        quick=QuickAgent(commands.program, processes, overview.home, overview.redact, tools.commands),
        tools=tools,
        memories=ProvidedMemories(memories),
        overview=overview,
        access=access,
        pairing=pairings,
        people=people,
        moves=moves,
        key_rules=key_rules,
        hooks=hooks,
        intake=intake,
        internal_events=InternalEvents(store, intake, conversations.wake_inbound),
        adapters=adapters,
        routes=RouteTable(),
        commands=commands,
        conversations=conversations,
        delivery=lanes,
        router=router,
        notices=Notices(store=store, delivery=lanes, adapters=adapters, router=router, clock=clock),
        channels=directory,
        approvals=Approvals(),
        jobs=JobsPort(
            files=files,
            store=store,
            router=router,
            access=access,
            people=people,
            adapters=adapters,
            clock=clock,
            ids=ids,
            zone=zone_for(config.timezone),
            cron=system.registry.ref(CRON),
            look=cron.Look(),
            run_now=cron.RunNow,
            end_runs=cron.EndRuns,
        ),
        policies=policies,
        turns=trio.CapacityLimiter(config.limits.turns),
        processes=processes,
        in_thread=in_thread,
        outgoing=outgoing,
        fetching=Fetching(adapters, files, fetch_url, ids, config.media.max_inbound_bytes),
    )
    return services


def hook_port(system: System, clock: Clock) -> HookPort:
    """Joined to the actor that runs the hooks."""
    return HookPort(
        system.registry.ref(HOOKS),
        dispatch=hooks.Dispatch,
        command=hooks.Command,
        tool=hooks.Tool,
        happened=hooks.Happened,
        attempt=hooks.Try,
        clock=clock,
    )


def build(parts: Parts) -> ChildSpec:
    """The root supervisor with everything below it, by the restart policies of the configuration.

    Raises ``GatewayError`` for policies that cannot be followed; see ``Policies.adopt``.
    """
    services, home = parts.services, parts.home
    run_dir = home / "run"
    store_args = (parts.store_port, home / "gateway.db", run_dir, parts.set_aside)
    journal_args = (services, parts.events, parts.overview, run_dir / "tree.json")
    tree = supervisor(
        ROOT,
        [
            _service("control", control.run, parts.control_door, run_dir),
            _service("store", store.run, *store_args, budget=GIVE_UP),
            supervisor(
                "gateway",
                [
                    _service("hooks", hooks.run, services, parts.hook_port, parts.look_at_hooks),
                    _service("pairing", pairing.run, services, parts.pairing_files, parts.in_pairing_thread),
                    supervisor(
                        "delivery",
                        [
                            supervisor("lanes", dynamic=True),
                            _service("outbox", delivery.run_outbox, services, budget=GIVE_UP),
                        ],
                        strategy="rest_for_one",
                    ),
                    supervisor("sessions", dynamic=True, max_children=services.config.limits.sessions),
                    _service("inbound", inbound.run, services, budget=GIVE_UP),
                    _service("cron", cron.run, services, parts.files, parts.arrival),
                    supervisor(
                        "maintenance",
                        [
                            _eventual("health", health.run, services, parts.health_file, parts.lasted),
                            _eventual("journal", maintenance.journal, *journal_args),
                            _eventual("dossiers", dossiers.run, parts.crashes),
                            _eventual("dumper", dumper.run, parts.inspection, home / "logs"),
                            _eventual("expiry", session_expiry.run, services),
                            _eventual("retention", retention.run, services),
                            _eventual("cleaning", cleaning.run, services, parts.files),
                            _eventual("database", database.run, services, parts.files, home / "gateway.db"),
                            _eventual("clock", clock_watch.run, services),
                            _eventual(
                                "reloader",
                                reloader.run,
                                services,
                                parts.means,
                                partial(_adapter, services),
                            ),
                            _eventual("channels", channels.run, services, parts.files),
                            _eventual("notices", notices.run, services, parts.files, parts.restart_notices),
                            *([_importing(parts)] if parts.arrival.expected else []),
                        ],
                    ),
                    _eventual("web", web.run, services, parts.metrics, parts.web_port, parts.announce),
                    supervisor("adapters", [_adapter(services, account) for account in parts.accounts]),
                    *([_plugins(parts.plugins)] if parts.plugins else []),
                ],
                intensity=GATEWAY_ONCE,
            ),
        ],
    )
    return services.policies.cover(tree)


def _importing(parts: Parts) -> ChildSpec:
    return _eventual("import", importing.run, parts.services, parts.home, parts.arrival)


def _plugins(found: Sequence[PluginRow]) -> ChildSpec:
    return supervisor("plugins", [_eventual(one.name, plugins.run, one) for one in found])


def _service(name: str, start: Callable[..., object], *args: object, budget: Intensity = REST) -> ChildSpec:
    return ChildSpec(
        name, start, args, start_mode="sync", backoff=SERVICE_BACKOFF, intensity=budget, classify=classify
    )


def _eventual(name: str, start: Callable[..., object], *args: object) -> ChildSpec:
    return replace(_service(name, start, *args), start_mode="eventual")


def _adapter(services: Services, account: adapter.Account) -> ChildSpec:
    return ChildSpec(
        id=f"{account.platform}:{account.name}",
        start=adapter.run,
        args=(services, account),
        ready_timeout=ADAPTER_READY_S,
        shutdown=10.0,
        backoff=ADAPTER_BACKOFF,
        intensity=Intensity(5, per=300.0, on_exceeded="disable"),
        classify=classify,
    )
