"""Everything an actor is handed: one frozen bundle, made by ``hermes.app``, owned by nobody's incarnation."""

from dataclasses import dataclass

import trio

from actors.policies import Policies
from actors.ports.access import Access
from actors.ports.adapters import AdapterTable
from actors.ports.conversations import Conversations
from actors.ports.delivery import Delivery
from actors.ports.intake import Intake
from actors.ports.overview import TreeOverview
from actors.ports.routes import RouteTable
from hermes.config.model import Config
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
    config: Config
    clock: Clock
    ids: IdSource
    store: Store
    agent: Agent
    overview: TreeOverview
    access: Access
    key_rules: KeyRules
    hooks: Hooks
    intake: Intake
    adapters: AdapterTable
    routes: RouteTable
    conversations: Conversations
    delivery: Delivery
    policies: Policies
    turns: trio.CapacityLimiter
    """A place for each answer that is worked on."""
