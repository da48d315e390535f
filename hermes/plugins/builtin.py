"""The platforms that we ship. Each is a package ``hermes.platforms.<name>`` whose module ``entry`` holds its ``ENTRY``.

``entry`` is data: it imports neither Trio nor an SDK nor its own adapter, which ``factory`` and ``check`` import when they run.
"""

from collections.abc import Iterator
from importlib import import_module

from hermes.registry.entry import PlatformEntry

BUILT_IN = ("webchat", "console", "api_server", "telegram")


def entries() -> Iterator[PlatformEntry]:
    """All of them, in the order in which they are shown."""
    for name in BUILT_IN:
        entry: PlatformEntry = import_module(f"hermes.platforms.{name}.entry").ENTRY
        yield entry
