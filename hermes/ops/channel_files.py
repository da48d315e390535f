"""The channel directory's two files: ours, ``channel_directory.json``, and the user's, ``channel_aliases.json``.

Ours is made anew every few minutes; one that cannot be read is put aside then, ``channel_directory.json.damaged``, for it may be
the original's. The user's is only ever read.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from hermes.delivery.directory import Aliases, Directory, document, read_aliases, read_document
from hermes.ops.files import write_durable
from hermes.ops.json_files import read_json

DIRECTORY = "channel_directory.json"
ALIASES = "channel_aliases.json"
NO_DIRECTORY: Directory = {}
NO_ALIASES: Aliases = {}


@dataclass(frozen=True, slots=True)
class ChannelFiles:
    """What both hold; ``faults`` name a file that cannot be read, and why. A file that is not there holds nothing; of
    ``aliases`` that cannot be read, nothing is known (None).
    """

    directory: Directory = field(default_factory=dict)
    aliases: Aliases | None = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def read_channels(home: Path) -> ChannelFiles:
    """Both files of ``home``. Blocks on the disk; never raises for what stands there."""
    directory, wrong_directory = read_json(home / DIRECTORY, read_document, NO_DIRECTORY)
    aliases, wrong_aliases = read_json(home / ALIASES, read_aliases, NO_ALIASES)
    return ChannelFiles(directory or {}, aliases, (*wrong_directory, *wrong_aliases))


def read_aliases_of(home: Path, otherwise: Aliases) -> Aliases:
    """The names that the user has given by now; ``otherwise`` while their file cannot be read."""
    aliases, _ = read_json(home / ALIASES, read_aliases, NO_ALIASES)
    return otherwise if aliases is None else aliases


def write_directory(home: Path, directory: Directory, at: float) -> None:
    """Replace ours, for this user alone; what stood there and cannot be read is kept beside it. Raises ``OSError``."""
    path = home / DIRECTORY
    text = json.dumps(document(directory, at), indent=2, ensure_ascii=False)
    _, damage = read_json(path, read_document, NO_DIRECTORY)
    if damage and path.is_file():
        path.replace(path.with_name(f"{DIRECTORY}.damaged"))
    write_durable(path, text.encode("utf-8", "replace"))
