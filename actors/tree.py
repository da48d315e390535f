"""The whole tree as data: read this file and you know the system.

root                       one_for_one
├─ control                 permanent, sync        first up, last down
├─ store                   permanent, sync        the only SQLite writer; over budget: exit 70
└─ gateway                 one_for_one            restarts once in ten minutes, then exit 70
   ├─ delivery             rest_for_one           [lanes: dynamic · outbox, which starts and sweeps them]
   ├─ sessions             dynamic                one child per active session, each with a turn of its own
   ├─ inbound              permanent, sync
   ├─ maintenance          one_for_one            [journal · pruner]
   ├─ web                  permanent, eventual
   └─ adapters             one_for_one            one child per (platform, account)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from actors import adapter, control, delivery, inbound, maintenance, session, store, turn, web
from actors.ports.adapters import AdapterTable
from actors.ports.conversations import Conversations
from actors.ports.delivery import Delivery
from actors.ports.intake import Intake
from actors.ports.overview import TreeOverview
from actors.ports.routes import RouteTable
from actors.ports.services import Services
from actors.ports.store import StorePort
from actors.ports.web import WebPort
from actors.root import classify
from hermes.config.model import Config
from hermes.store.port import Store
from hermes.types.agent import Agent
from hermes.types.ids import BootId, Clock, IdSource, SessionKey
from hermes.types.origin import LaneKey
from hermes.types.ports import Adapter
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.supervisor import supervisor
from supervisors.system import System

ROOT = "root"
INBOUND = "root/gateway/inbound"
SESSIONS = "root/gateway/sessions"
LANES = "root/gateway/delivery/lanes"

SERVICE_BACKOFF = Backoff(min=0.1, max=30.0)
ADAPTER_BACKOFF = Backoff(min=1.0, max=300.0, reset_after=300.0)

GIVE_UP = Intensity(5, per=60.0, on_exceeded="escalate")
REST = Intensity(5, per=60.0, on_exceeded="disable")
GATEWAY_ONCE = Intensity(1, per=600.0, on_exceeded="escalate")


@dataclass(frozen=True, slots=True)
class Account:
    """An adapter to run: ``make`` gives a new object for each incarnation."""

    platform: str
    account: str
    make: Callable[[], Adapter]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the tree is built from."""

    services: Services
    store_port: StorePort
    overview: TreeOverview
    web_port: WebPort
    control_door: control.ControlDoor
    events: maintenance.EventQueue
    accounts: Sequence[Account]
    announce: web.Announce
    set_aside: store.SetAside
    home: Path


def wire(
    system: System,
    *,
    boot_id: BootId,
    config: Config,
    clock: Clock,
    ids: IdSource,
    store: Store,
    agent: Agent,
    overview: TreeOverview,
    adapters: AdapterTable,
) -> Services:
    """The ports, joined to the places in this tree where their actors live."""

    def session_spec(key: SessionKey) -> ChildSpec:
        return session.spec(services, key)

    def lane_spec(lane: LaneKey) -> ChildSpec:
        return delivery.lane_spec(services, lane)

    services = Services(
        boot_id=boot_id,
        booted_at=clock.wall(),
        config=config,
        clock=clock,
        ids=ids,
        store=store,
        agent=agent,
        overview=overview,
        intake=Intake(),
        adapters=adapters,
        routes=RouteTable(),
        conversations=Conversations(
            system,
            inbound=INBOUND,
            sessions=SESSIONS,
            spec_of=session_spec,
            inbound_wake=inbound.Wake,
            session_wake=session.Wake(),
            session_interrupt=session.Interrupt(),
            turn=turn.NAME,
        ),
        delivery=Delivery(system.registry, LANES, lane_spec, delivery.Look()),
    )
    return services


def build(parts: Parts) -> ChildSpec:
    """The root supervisor with everything below it."""
    services, home = parts.services, parts.home
    run_dir = home / "run"
    store_args = (parts.store_port, home / "gateway.db", run_dir, parts.set_aside)
    journal_args = (services, parts.events, parts.overview, run_dir / "tree.json")
    return supervisor(
        ROOT,
        [
            _service("control", control.run, parts.control_door, run_dir),
            _service("store", store.run, *store_args, budget=GIVE_UP),
            supervisor(
                "gateway",
                [
                    supervisor(
                        "delivery",
                        [
                            supervisor("lanes", dynamic=True),
                            _service("outbox", delivery.run_outbox, services, budget=GIVE_UP),
                        ],
                        strategy="rest_for_one",
                    ),
                    supervisor("sessions", dynamic=True),
                    _service("inbound", inbound.run, services, budget=GIVE_UP),
                    supervisor(
                        "maintenance",
                        [
                            _eventual("journal", maintenance.journal, *journal_args),
                            _eventual("pruner", maintenance.pruner, services),
                        ],
                    ),
                    _eventual("web", web.run, services, parts.overview, parts.web_port, parts.announce),
                    supervisor("adapters", [_adapter(services, account) for account in parts.accounts]),
                ],
                intensity=GATEWAY_ONCE,
            ),
        ],
    )


def _service(name: str, start: Callable[..., object], *args: object, budget: Intensity = REST) -> ChildSpec:
    return ChildSpec(
        name, start, args, start_mode="sync", backoff=SERVICE_BACKOFF, intensity=budget, classify=classify
    )


def _eventual(name: str, start: Callable[..., object], *args: object) -> ChildSpec:
    return replace(_service(name, start, *args), start_mode="eventual")


def _adapter(services: Services, account: Account) -> ChildSpec:
    return ChildSpec(
        id=f"{account.platform}:{account.account}",
        start=adapter.run,
        args=(services, account.make, account.account),
        shutdown=10.0,
        backoff=ADAPTER_BACKOFF,
        intensity=Intensity(5, per=300.0, on_exceeded="disable"),
        classify=classify,
    )
