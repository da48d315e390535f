"""What is opened before the tree, and closed after it: logs, plug-ins, and what must never be shown."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

from hermes.config.load import Settings
from hermes.ops.instance import Instance
from hermes.ops.logging import WhoRuns, logging_to
from hermes.ops.redaction import Redaction
from hermes.plugins.brought import Brought
from hermes.plugins.discover import discover
from hermes.registry.accounts import secrets_of
from hermes.registry.registry import PlatformRegistry
from hermes.types.ids import BootId

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the tree is built on. ``reread`` reads the settings again, and has hidden what it brings in before it returns."""

    held: Instance
    boot_id: BootId
    settings: Settings
    reread: Callable[[], Settings]
    registry: PlatformRegistry
    brought: Brought
    redaction: Redaction


@contextmanager
def opened(
    held: Instance,
    boot_id: BootId,
    settings: Settings,
    reread: Callable[[], Settings],
    registry: PlatformRegistry,
    *,
    verbosity: int,
    who_runs: WhoRuns,
) -> Iterator[Opened]:
    """Log into the home, for which ``verbosity`` and ``who_runs`` are those of ``logging_to``, and have the platforms of plug-ins
    in ``registry``. Blocks, for as long as plug-ins take to be imported.
    """
    redaction, logs, storm = held.redaction, settings.config.logging, held.storm
    with logging_to(
        held.home / "logs",
        redaction=redaction,
        max_bytes=int(logs.max_size_mb * 1_000_000),
        backups=logs.backup_count,
        level=logs.level.upper(),
        format=logs.format,
        verbosity=verbosity,
        who_runs=who_runs,
    ):
        log.info("hermes %s on %s", version("hermes-trio"), held.home)
        if storm.wait_s:
            words = "%d starts in a row have not lasted: platforms connect in %g s; `hermes restart` does it at once"
            log.error(words, storm.starts, storm.wait_s)
        brought = discover(held.home, registry, settings.config.plugins.disabled, environ=settings.environ)
        redaction.learn(secrets_of(registry, settings))

        def reread_and_hide() -> Settings:
            found = reread()
            redaction.learn((*found.secrets, *secrets_of(registry, found)))
            return found

        yield Opened(held, boot_id, settings, reread_and_hide, registry, brought, redaction)
