"""Who may speak, by the settings in force."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from hermes.config.access import AccessSettings
from hermes.routing.access import canonical_email
from hermes.sessions import whatsapp
from hermes.types.access import AccessRules


class Access:
    """The rules of each account; what a reload has read holds from the next decision on."""

    def __init__(self, settings: AccessSettings, whatsapp_aliases: Mapping[str, str]) -> None:
        self._settings = settings
        self._aliases = whatsapp_aliases
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
            self._rules[key] = replace(rules, canonical=self._canonical(platform))
        return self._rules[key]

    def _canonical(self, platform: str) -> Callable[[str], str]:
        match platform:
            case whatsapp.PLATFORM:
                return partial(whatsapp.canonical, aliases=self._aliases)
            case "email":
                return canonical_email
            case _:
                return str
