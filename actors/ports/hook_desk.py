"""Hooks for the operator, through the running gateway: ``hermes hooks``."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import trio

from actors.ports.hooks import TRY_DEADLINE_S, HookPort
from hermes.hooks.events import happens
from hermes.hooks.samples import sample
from hermes.types.errors import USAGE, Failure, GatewayError
from supervisors.reply import AskError

HOOKS_AWAY = "hooks_away"


class HookDesk:
    """Answers by what was read last."""

    deadline_s = TRY_DEADLINE_S + 5.0

    def __init__(self, port: HookPort, redact: Callable[[str], str]) -> None:
        """``redact`` goes over what a handler has said: an error may quote anything."""
        self._port = port
        self._redact = redact

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``: ``usage``, ``hooks_away``."""
        match verb, args:
            case "hooks_list", _:
                return self._list()
            case "hooks_test", {"event": str(event)}:
                try:
                    called = await self._port.attempt(event, sample(event))
                except (AskError, trio.TooSlowError) as wrong:
                    why = str(wrong) or f"no answer within {TRY_DEADLINE_S:g} s"
                    raise GatewayError(
                        Failure(HOOKS_AWAY, scope="gateway", detail=f"the hooks do not answer: {why}")
                    ) from wrong
                shown = ("answer", "error")
                return {"called": [one | {key: self._redact(one[key]) for key in shown} for one in called]}
            case _:
                raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about hooks"))

    def _list(self) -> Mapping[str, Any]:
        found = self._port.found
        return {
            "hooks": [
                {
                    "name": hook.name,
                    "description": hook.description,
                    "events": list(hook.events),
                    "never": [event for event in hook.events if not happens(event)],
                    "source": hook.source,
                    "timeout_s": hook.timeout_s,
                    "left": hook.call.left,
                    **self._counts(hook.name),
                }
                for hook in found.hooks
            ],
            "idle": [asdict(idle) | {"reason": self._redact(idle.reason)} for idle in found.idle],
        }

    def _counts(self, name: str) -> Mapping[str, Any]:
        counts = asdict(self._port.tally(name))
        return counts | {"last_error": self._redact(counts["last_error"])}
