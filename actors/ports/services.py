"""Everything an actor is handed: one frozen bundle, made by ``hermes.app``, owned by nobody's incarnation."""

from dataclasses import dataclass

import trio

from actors.fetching import Fetching
from actors.policies import Policies
from actors.ports.access import Access
from actors.ports.adapters import AdapterTable
from actors.ports.approvals import Approvals
from actors.ports.channels import ChannelDirectory
from actors.ports.commands import Commands
from actors.ports.conversations import Conversations
from actors.ports.delivery import Delivery
from actors.ports.files import InThread
from actors.ports.in_force import InForce
from actors.ports.intake import Intake
from actors.ports.internal import InternalEvents
from actors.ports.jobs import JobsPort
from actors.ports.memories import ProvidedMemories
from actors.ports.moves import Moves
from actors.ports.notices import Notices
from actors.ports.outgoing import Outgoing
from actors.ports.overview import TreeOverview
from actors.ports.pairing import Pairing
from actors.ports.people import PeoplePort
from actors.ports.router import Router
from actors.ports.routes import RouteTable
from hermes.config.model import Config
from hermes.ops.processes import Processes
from hermes.registry.tools import Toolbox
from hermes.sessions.keys import KeyRules
from hermes.store.port import Store
from hermes.types.agent import Agent
from hermes.types.hooks import Hooks
from hermes.types.ids import BootId, Clock, IdSource


@dataclass(frozen=True, slots=True)
class Services:
    """The ports. Actors reach one another through these and through nothing else."""

    boot_id: BootId
    booted_at: float
    in_force: InForce
    clock: Clock
    ids: IdSource
    store: Store
    agent: Agent
    quick: Agent
    """Runs the programs of quick commands, and the commands of plug-ins."""
    tools: Toolbox
    """What agents may call."""
    memories: ProvidedMemories
    overview: TreeOverview
    access: Access
    pairing: Pairing
    people: PeoplePort
    moves: Moves
    key_rules: KeyRules
    hooks: Hooks
    intake: Intake
    internal_events: InternalEvents
    adapters: AdapterTable
    routes: RouteTable
    commands: Commands
    conversations: Conversations
    delivery: Delivery
    router: Router
    notices: Notices
    channels: ChannelDirectory
    approvals: Approvals
    jobs: JobsPort
    policies: Policies
    turns: trio.CapacityLimiter
    """A place for each answer that is worked on."""
    processes: Processes
    """Whatever starts a program of the operator's starts it here."""
    in_thread: InThread
    """Runs what would hold up the loop."""
    fetching: Fetching
    outgoing: Outgoing
    """The files that go with answers."""

    @property
    def config(self) -> Config:
        """The settings in force, which may be other ones at the next look."""
        return self.in_force.config
