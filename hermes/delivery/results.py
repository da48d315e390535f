"""What became of each target of an order."""

from dataclasses import dataclass
from typing import Any

from hermes.delivery.dead_targets import SKIPPED
from hermes.delivery.router import Refused, Skipped
from hermes.delivery.targets import Place
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId


@dataclass(frozen=True, slots=True)
class Prepared:
    """A post that is ready for the outbox; ``path`` names the file with the whole text, if it had to be cut."""

    target: str
    place: Place
    message: Outbound
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One target. ``error`` is in words; without it the message is safe, in the outbox (``delivery_id``), in a file (``path``),
    or there was nothing to do (``skipped``), be it because the chat is dead. That it has arrived, only a receipt says.
    """

    target: str
    delivery_id: DeliveryId | None = None
    place: Place | None = None
    path: str | None = None
    skipped: str = ""
    error: str = ""

    @property
    def success(self) -> bool:
        """It was taken on, or nobody misses it."""
        return not self.error and self.skipped != SKIPPED

    def document(self) -> dict[str, Any]:
        """As the command line prints it."""
        shown: dict[str, Any] = {"target": self.target, "success": self.success}
        if self.error:
            return shown | {"error": self.error}
        if self.skipped:
            return shown | {"skipped": self.skipped}
        result: dict[str, Any] = {} if self.path is None else {"path": self.path}
        if self.place is not None:
            place = self.place
            result |= {
                "delivery_id": self.delivery_id,
                "platform": place.platform,
                "account": place.account,
                "chat_id": place.chat_id,
                "thread_id": place.thread_id,
            }
        return shown | {"result": result}


def accepted(prepared: Prepared) -> Result:
    """It is in the outbox."""
    return Result(prepared.target, prepared.message.delivery_id, prepared.place, prepared.path)


def unposted(step: Refused | Skipped) -> Result:
    """There is nothing to do for it."""
    if isinstance(step, Refused):
        return Result(step.target, error=step.words)
    return Result(step.target, skipped=step.words)
