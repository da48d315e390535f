"""Which accounts of which platforms are to run, by the settings in force."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermes.config.load import Settings
from hermes.config.platforms import PlatformConfig, read_accounts
from hermes.registry.entry import AdapterSetup
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.types.content import Capabilities
from hermes.types.ids import Clock, IdSource
from hermes.types.ports import Adapter

NOT_CONFIGURED = "not_configured"

Key = tuple[str, str]
"""(platform, account)"""


def enabled_accounts(registry: PlatformRegistry, settings: Settings) -> dict[Key, PlatformConfig]:
    """Every account that is to run, in the registry's order."""
    return {
        (entry.name, account): config
        for entry in registry.all_entries()
        for account, config in read_accounts(
            settings.written, settings.environ, entry.name, entry.variables, always=entry.always
        ).items()
        if config.enabled
    }


@dataclass(frozen=True, slots=True)
class Changes:
    """What new settings mean: accounts that are configured otherwise now, those that are new, and those that are no more."""

    changed: tuple[Key, ...] = ()
    added: tuple[Key, ...] = ()
    removed: tuple[Key, ...] = ()


class Accounts:
    """The accounts that run; belongs to root. Each life of an adapter is made from the settings that are in force then."""

    def __init__(
        self, registry: PlatformRegistry, settings: Settings, *, home: Path, clock: Clock, ids: IdSource
    ) -> None:
        self.registry = registry
        self._configs = enabled_accounts(registry, settings)
        self._home = home
        self._clock = clock
        self._ids = ids

    def __iter__(self) -> Iterator[Key]:
        return iter(self._configs)

    @property
    def capabilities(self) -> Mapping[Key, Capabilities]:
        """What the platform of each account can do."""
        return {
            key: entry.capabilities
            for key in self._configs
            if (entry := self.registry.get(key[0])) is not None
        }

    def create(self, platform: str, account: str) -> Adapter | Unavailable:
        """See ``PlatformRegistry.create_adapter``."""
        setup = self.setup(platform, account)
        if setup is None:  # it has just gone, and its adapter is told so in a moment
            return Unavailable(NOT_CONFIGURED, "it is not configured any more")
        return self.registry.create_adapter(platform, setup)

    def setup(self, platform: str, account: str) -> AdapterSetup | None:
        """What a factory is handed of that account, if it is configured."""
        config = self._configs.get((platform, account))
        if config is None:
            return None
        return AdapterSetup(platform, account, config, self._home, self._clock, self._ids)

    def changes(self, settings: Settings) -> Changes:
        """What would be another than now by ``settings``."""
        before, wanted = self._configs, enabled_accounts(self.registry, settings)
        return Changes(
            tuple(key for key in before if key in wanted and wanted[key] != before[key]),
            tuple(key for key in wanted if key not in before),
            tuple(key for key in before if key not in wanted),
        )

    def adopt(self, settings: Settings) -> None:
        """Put ``settings`` in force for whatever is made from now on."""
        self._configs = enabled_accounts(self.registry, settings)


def secrets_of(registry: PlatformRegistry, settings: Settings) -> tuple[str, ...]:
    """The values of all variables that are passwords, whatever they are called."""
    passwords = {one.key for entry in registry.all_entries() for one in entry.variables if one.password}
    return tuple(
        value
        for config in enabled_accounts(registry, settings).values()
        for key, value in config.settings.items()
        if key in passwords and isinstance(value, str)
    )
