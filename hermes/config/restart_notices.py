"""Which home channels are told that the gateway is back: ``platforms.<p>.gateway_restart_notification``, the original's key.

True unless said otherwise; an account may say otherwise than its platform. An ordinary stop and start is told to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hermes.config.access import Problem
from hermes.config.access_keys import flag
from hermes.config.homes import accounts_in
from hermes.config.written import Written
from hermes.types.origin import DEFAULT_ACCOUNT

KEY = "gateway_restart_notification"


@dataclass(frozen=True, slots=True)
class RestartNotices:
    """What the file says, by (platform, account); what it says of the default account holds for the others, too."""

    said: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    def wanted(self, platform: str, account: str) -> bool:
        """Whether the home channel of that account is told."""
        return self.said.get((platform, account), self.said.get((platform, DEFAULT_ACCOUNT), True))


def read_restart_notices(root: Written) -> tuple[RestartNotices, list[Problem]]:
    """What the file says, and what is wrong with it."""
    said: dict[tuple[str, str], bool] = {}
    problems: list[Problem] = []
    for platform, account, part in accounts_in(root):
        if part[KEY].node is None:
            continue
        try:
            said[platform, account] = flag(part[KEY].texts())
        except ValueError as wrong:
            problems.append(Problem(part[KEY].place, str(wrong)))
    return RestartNotices(said), problems
