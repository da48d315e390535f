"""Who may speak, by the settings in force."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio

from hermes.config.access import AccessSettings
from hermes.ops.whatsapp_aliases import read_aliases
from hermes.routing.access import canonical_email
from hermes.sessions import whatsapp
from hermes.types.access import AccessRules

log = logging.getLogger(__name__)

Granted = Callable[[str, str], Callable[[str], bool]]
"""Of a platform and an account: was this canonical id paired there?"""

PersonOf = Callable[[str, str], Callable[[str], str | None]]
"""Of a platform and an account: the id of the person that a user id belongs to."""


class Access:
    """The rules of each account; what a reload has read holds from the next decision on."""

    def __init__(
        self,
        settings: AccessSettings,
        whatsapp_aliases: Mapping[str, str],
        granted: Granted,
        person_of: PersonOf,
    ) -> None:
        self._settings = settings
        self._canonical = partial(canonical_form, aliases=whatsapp_aliases)
        self._granted = granted
        self._person_of = person_of
        self._rules: dict[tuple[str, str], AccessRules] = {}

    def adopt(self, settings: AccessSettings) -> bool:
        """Follow ``settings`` from now on; False if they are what was followed already."""
        changed = settings != self._settings
        self._settings = settings
        self._rules.clear()
        return changed

    def rules(self, platform: str, account: str) -> AccessRules:
        """The rules of one account, with the one form of its platform's ids."""
        key = (platform, account)
        if key not in self._rules:
            rules = self._settings.rules(platform, account)
            self._rules[key] = replace(
                rules,
                canonical=self._canonical(platform),
                granted=self._granted(platform, account),
                person_of=self._person_of(platform, account),
            )
        return self._rules[key]


def canonical_form(platform: str, aliases: Mapping[str, str]) -> Callable[[str], str]:
    """What gives the one form of an id on ``platform``; ``aliases`` are those of WhatsApp."""
    match platform:
        case whatsapp.PLATFORM:
            return partial(whatsapp.canonical, aliases=aliases)
        case "email":
            return canonical_email
        case _:
            return str


async def whatsapp_aliases(home: Path) -> Mapping[str, str]:
    """Read before the first message: who somebody is must not depend on when they write."""
    found = await trio.to_thread.run_sync(read_aliases, home)
    for fault in found.faults:
        log.warning("WhatsApp: %s", fault)
    return found.aliases
