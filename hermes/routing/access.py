"""Who may talk to the agent: nobody, unless something says so."""

from dataclasses import dataclass

from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent


@dataclass(frozen=True, slots=True)
class Access:
    """The verdict and the name of the rule that gave it."""

    allowed: bool
    rule: str


def check_access(event: InboundEvent, capabilities: Capabilities) -> Access:
    """Decide on ``event``: our own and those of an edge that has proved who its user is; deny by default."""
    if event.internal:
        return Access(True, "allowed:internal")
    if capabilities.authenticated:
        return Access(True, "allowed:edge")
    return Access(False, "denied:default")
