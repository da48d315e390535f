"""All platforms by name, and the gates that an account passes before it has an adapter.

unknown? ─▶ check ─▶ settings: problems, missing, placeholders ─▶ validate ─▶ factory ─▶ is that an adapter?
"""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass

from hermes.config.platforms import missing, placeholders
from hermes.registry.entry import AdapterSetup, PlatformEntry
from hermes.types.content import Capabilities
from hermes.types.errors import BAD_CONFIG, FACTORY_FAILED, MISSING_DEPENDENCY, GatewayError, in_words
from hermes.types.origin import DEFAULT_ACCOUNT
from hermes.types.ports import Adapter

log = logging.getLogger(__name__)

UNKNOWN_PLATFORM = "unknown_platform"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why there is no adapter, and what a person may do about it (perhaps "")."""

    code: str
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.reason}; {self.hint}" if self.hint else self.reason


class PlatformRegistry:
    """One per process, handed in, and filled at the start, in sequence."""

    def __init__(self, entries: Iterable[PlatformEntry] = ()) -> None:
        self._entries: dict[str, PlatformEntry] = {}
        for entry in entries:
            self.register(entry)

    def register(self, entry: PlatformEntry) -> None:
        """Add ``entry``; of one name the last one wins, and the log says so."""
        if (old := self._entries.get(entry.name)) is not None:
            log.warning("platform %s is now that of %s, not that of %s", entry.name, _from(entry), _from(old))
        self._entries[entry.name] = entry

    def unregister(self, name: str) -> bool:
        """Forget a platform; whether there was one."""
        return self._entries.pop(name, None) is not None

    def get(self, name: str) -> PlatformEntry | None:
        """The entry of that name."""
        return self._entries.get(name)

    def is_registered(self, name: str) -> bool:
        """Whether there is one."""
        return name in self._entries

    def all_entries(self) -> tuple[PlatformEntry, ...]:
        """In the order in which their names came up first."""
        return tuple(self._entries.values())

    def plugin_entries(self) -> tuple[PlatformEntry, ...]:
        """Those that plug-ins have brought."""
        return tuple(entry for entry in self.all_entries() if entry.source == "plugin")

    def create_adapter(self, name: str, setup: AdapterSetup) -> Adapter | Unavailable:
        """A new adapter, or why there is none. Never raises; runs foreign code, so call it in a thread, with a deadline."""
        entry = self._entries.get(name)
        if entry is None:
            return Unavailable(UNKNOWN_PLATFORM, f"there is no platform {name}")
        try:
            return _made(entry, setup)
        except GatewayError as known:
            return Unavailable(known.failure.code, known.failure.detail)
        except Exception as error:
            log.exception("%s:%s: the factory failed", name, setup.account)
            return Unavailable(FACTORY_FAILED, in_words(error), "see logs/gateway.log")


def _made(entry: PlatformEntry, setup: AdapterSetup) -> Adapter | Unavailable:
    try:
        ready, error = entry.check(), ""
    except Exception as failed:
        log.exception("%s: the look for its dependencies failed", entry.name)
        ready, error = False, f": {in_words(failed)}"
    if not ready:
        return Unavailable(
            MISSING_DEPENDENCY, f"what {entry.label} needs is not installed{error}", entry.install_hint
        )
    if wrong := _misconfigured(entry, setup):
        return wrong
    adapter = entry.factory(setup)
    # Foreign code: checked, not believed.
    wanted = ("connect", "disconnect", "send", "routes")
    if (
        getattr(adapter, "platform", None) != entry.name
        or not isinstance(getattr(adapter, "capabilities", None), Capabilities)
        or not all(callable(getattr(adapter, name, None)) for name in wanted)
        or not _is_deadline(getattr(adapter, "receive_deadline_s", None))
    ):
        return Unavailable(FACTORY_FAILED, f"{type(adapter).__name__} is no adapter of {entry.name}")
    return adapter


def _is_deadline(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and 0 < value < math.inf)


def _misconfigured(entry: PlatformEntry, setup: AdapterSetup) -> Unavailable | None:
    config = setup.config
    if config.problems:
        return Unavailable(BAD_CONFIG, "; ".join(config.problems))
    if absent := missing(config, entry.required_env):
        block = f"platforms.{entry.name}"
        if setup.account == DEFAULT_ACCOUNT:
            names, where = [one.name for one in absent], f"set it in {setup.home / '.env'}"
        else:
            names = [f"{block}.accounts.{setup.account}.{one.key}" for one in absent]
            where = "set it in config.yaml"
        verb = "is" if len(names) == 1 else "are"
        return Unavailable(BAD_CONFIG, f"{' and '.join(names)} {verb} not set", where)
    if false := list(placeholders(config, entry.variables)):
        return Unavailable(
            BAD_CONFIG, f"{' and '.join(false)}: a placeholder stands there", "put in the real one"
        )
    try:
        words = entry.validate(config)
    except GatewayError:
        raise
    except Exception as error:
        log.exception("%s:%s: the look at its settings failed", entry.name, setup.account)
        words = in_words(error)
    return Unavailable(BAD_CONFIG, str(words)) if words else None


def _from(entry: PlatformEntry) -> str:
    return f"plug-in {entry.plugin_name or entry.name}" if entry.source == "plugin" else "the gateway itself"
