"""How fast a lane may call its platform, and when not at all: the limits of its bot and its chat as the lane asks them."""

import logging

from actors.ports.services import Services
from hermes.delivery import limits
from hermes.store import ops
from hermes.types.content import Capabilities
from hermes.types.errors import Failure
from hermes.types.origin import LaneKey

log = logging.getLogger(__name__)


class Pace:
    """Of one lane. No checkpoint may come between a question and ``called``: other lanes of the bot ask too."""

    def __init__(self, services: Services, lane: LaneKey) -> None:
        self._services = services
        self._lane = lane
        self._platform = lane.split(":", 1)[0]

    @property
    def capabilities(self) -> Capabilities:
        """What the platform can do."""
        return self._services.adapters.capabilities(self._platform)

    @property
    def ready_at(self) -> float:
        """When the next message may go, in epoch seconds."""
        return self._services.delivery.limiter.ready_at(self._lane, self.capabilities)

    @property
    def window_s(self) -> float:
        """For how long the platform wants to be left alone; not above 0 if it does not."""
        return self._services.delivery.limiter.window(self._lane) - self._services.clock.wall()

    @property
    def may_show(self) -> bool:
        """There is room for what may be lost, and the messages come first."""
        limiter = self._services.delivery.limiter
        return limiter.may_show(self._lane, self.capabilities, self._services.clock.wall())

    def called(self) -> None:
        """A call is made."""
        limiter = self._services.delivery.limiter
        limiter.called(self._lane, self.capabilities, self._services.clock.wall())

    def flood(self, failure: Failure | None) -> ops.Flood | None:
        """The window that ``failure`` names, in force from now on, and to be kept."""
        scope = None if failure is None else limits.flooded(self._lane, failure)
        if failure is None or scope is None:
            return None
        until = self._services.clock.wall() + (failure.retry_after or 0.0)
        self._services.delivery.limiter.leave_alone(scope, until)
        log.warning(
            "%s: %s; nothing goes to %s for %g s", self._lane, failure.code, scope, failure.retry_after
        )
        return ops.Flood(scope, until)

    def shown(self, failure: Failure | None) -> None:
        """Something that may be lost was shown, or failed."""
        if (flood := self.flood(failure)) is not None:
            self._services.store.post(flood)
