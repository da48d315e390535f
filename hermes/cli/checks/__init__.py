"""What ``hermes doctor`` looks at: a list of small functions, each with one question."""

from collections.abc import Sequence

from hermes.cli.checks import configured, files, installation, probes, running
from hermes.cli.checks.scene import Check

CHECKS: Sequence[tuple[str, Check]] = (
    ("packages", installation.owners),
    ("dependencies", installation.dependencies),
    ("permissions", files.permissions),
    ("disk", files.space),
    ("database", files.database),
    ("lock", files.held),
    ("token locks", files.token_locks),
    ("settings", configured.settings),
    ("web", configured.exposure),
    ("port", configured.port),
    ("people", configured.people),
    ("time zone", configured.zone),
    ("service", configured.unit),
    ("plug-ins", configured.plugins),
    ("adapters", running.adapters),
    ("gateway", running.gateway),
    ("outbox", running.backlog),
)

ASKING: Sequence[tuple[str, Check]] = (("platforms", probes.platforms), ("model", probes.model))
"""Those that ask somebody on the network, once each."""
