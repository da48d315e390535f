"""The settings for the operator, through the running gateway: ``hermes config reload``."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hermes.types.errors import CONFIG_INVALID, USAGE, Failure, GatewayError
from supervisors.ref import ActorRef
from supervisors.reply import ActorDownError, Reply

UNAVAILABLE = "unavailable"


class Outcome(Protocol):
    """What came of a reload (``actors.reloader``)."""

    @property
    def refused(self) -> str:
        """Why nothing has changed; empty if it has."""

    @property
    def new(self) -> tuple[str, ...]:
        """What has, in words."""

    @property
    def waiting(self) -> tuple[str, ...]:
        """Keys that hold after a restart."""


class SettingsDesk:
    """Asks the reloader."""

    deadline_s = 30.0

    def __init__(
        self, reloader: ActorRef[Any], reload: Callable[[Reply[Any]], object], redact: Callable[[str], str]
    ) -> None:
        """``reload`` makes the question that has the settings read again; ``redact`` goes over the answer."""
        self._reloader = reloader
        self._reload = reload
        self._redact = redact

    async def answer(self, verb: str, _args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for. Raises ``GatewayError``: ``usage``, ``unavailable``, and
        ``config_invalid`` for settings that are refused.
        """
        if verb != "config_reload":
            raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about the settings"))
        try:
            outcome: Outcome = await self._reloader.ask(self._reload, self.deadline_s)
        except ActorDownError as down:
            detail = "nobody is there to read the settings; `hermes tree` may say why"
            raise GatewayError(Failure(UNAVAILABLE, detail=detail)) from down
        if outcome.refused:
            raise GatewayError(
                Failure(
                    CONFIG_INVALID, detail=f"not reloaded, the settings stay as they were: {outcome.refused}"
                )
            )
        return {"new": [*map(self._redact, outcome.new)], "needs_restart": [*outcome.waiting]}
