"""``hermes adapter probe`` and ``hermes status --deep``: whether the platforms know our accounts."""

from collections.abc import Callable, Mapping
from typing import Any

from hermes.registry.accounts import Accounts
from hermes.registry.probing import PROBE_S, probed
from hermes.types.errors import USAGE, Failure, GatewayError
from hermes.types.origin import DEFAULT_ACCOUNT


class ProbeDesk:
    """Answers the verb ``probe_accounts``, of all accounts or of ``adapter``."""

    deadline_s = PROBE_S + 2.0

    def __init__(self, accounts: Accounts, redact: Callable[[str], str]) -> None:
        self._accounts = accounts
        self._redact = redact

    async def answer(self, _verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """See ``control.Desk``; a row for each account that can be asked. Raises ``GatewayError`` (``usage``)."""
        wanted = None
        if (name := args.get("adapter")) is not None:
            platform, _, account = str(name).partition(":")
            wanted = [(platform, account or DEFAULT_ACCOUNT)]
            if wanted[0] not in set(self._accounts):
                raise GatewayError(Failure(USAGE, detail=f"no account {name} is configured"))
        rows = []
        for (platform, account), outcome in sorted((await probed(self._accounts, wanted)).items()):
            failure = outcome.failure if isinstance(outcome, GatewayError) else None
            rows.append(
                {
                    "platform": platform,
                    "account": account,
                    "who": None if isinstance(outcome, GatewayError) else outcome.who,
                    "failure": None
                    if failure is None
                    else {"code": failure.code, "detail": self._redact(failure.detail)},
                }
            )
        return {"probes": rows}
