"""Read which WhatsApp addresses belong to one person from the files of the bridge's session."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from stat import S_ISREG

from hermes.sessions.whatsapp import FOLLOWED_ID, REVERSE

DIRECTORIES = (Path("whatsapp", "session"), Path("platforms", "whatsapp", "session"))
"""The older place counts if it is there, as in the original."""

MOST_FILES = 200_000
MOST_FILE_BYTES = 256
MOST_FAULTS = 20

_MAPPING_FILE = re.compile(rf"lid-mapping-(?P<name>{FOLLOWED_ID.pattern}(?:{REVERSE})?)\.json")


@dataclass(frozen=True, slots=True)
class AliasFiles:
    """``aliases`` as ``hermes.sessions.whatsapp.canonical`` takes them; ``faults`` name each file that was skipped, and why."""

    aliases: Mapping[str, str]
    faults: tuple[str, ...] = ()


def read_aliases(home: Path) -> AliasFiles:
    """All mapping files in ``home``; none is no fault. Blocks, some two seconds for 50,000 files: for a thread.

    Never raises for what stands in the home: an unreadable, oversized or strange file is skipped and named.
    """
    directory = next((home / place for place in DIRECTORIES if (home / place).is_dir()), None)
    if directory is None:
        return AliasFiles({})
    aliases: dict[str, str] = {}
    faults: list[str] = []
    try:
        # In the order of their names, so that where there are too many every boot reads the same ones.
        names = nsmallest(MOST_FILES + 1, _mapping_files(directory))
    except OSError as wrong:
        return AliasFiles({}, (f"{directory}: {wrong.strerror or wrong}",))
    if len(names) > MOST_FILES:
        faults.append(f"{directory}: more than {MOST_FILES:,} mapping files; the others are not read")
    for file_name in names[:MOST_FILES]:
        try:
            aliases[_name_in(file_name)] = _alias_in(directory / file_name)
        except (OSError, ValueError) as wrong:
            reason = (wrong.strerror if isinstance(wrong, OSError) else None) or wrong
            faults.append(f"{directory}/{ascii(file_name)[1:-1]}: {reason}")
    if (more := len(faults) - MOST_FAULTS) > 0:
        faults[MOST_FAULTS:] = [f"{directory}: {more:,} more files could not be read"]
    return AliasFiles(aliases, tuple(faults))


def _mapping_files(directory: Path) -> Iterator[str]:
    with os.scandir(directory) as entries:
        yield from (entry.name for entry in entries if entry.name.startswith("lid-mapping-"))


def _name_in(file_name: str) -> str:
    if not (found := _MAPPING_FILE.fullmatch(file_name)):
        raise ValueError("its name holds no WhatsApp id")
    return found["name"]


def _alias_in(path: Path) -> str:
    # Neither a link to elsewhere nor a pipe that never answers.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a regular file")
        data = file.read(MOST_FILE_BYTES + 1)
    if len(data) > MOST_FILE_BYTES:
        raise ValueError(f"longer than {MOST_FILE_BYTES} bytes")
    alias = json.loads(data)
    if not isinstance(alias, str):
        raise ValueError(f"it holds a {type(alias).__name__}, not a text")
    return alias
