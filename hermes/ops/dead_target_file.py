"""The original's list of dead chats; only ever read."""

from pathlib import Path

from hermes.delivery.dead_targets import DeadTarget, read_document
from hermes.ops.json_files import read_json

FILE = Path("gateway", "dead_targets.json")
NONE: tuple[DeadTarget, ...] = ()


def read_dead_targets(home: Path) -> tuple[tuple[DeadTarget, ...], tuple[str, ...]]:
    """The chats it names, and what is wrong with it, in words. Blocks on the disk; never raises for what stands there."""
    found, faults = read_json(home / FILE, read_document, NONE)
    return found or NONE, faults
