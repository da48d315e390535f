"""The plug-ins in ``<home>/plugins/``: directories with a ``plugin.yaml`` and an ``__init__.py`` that has ``register(ctx)``.

Nothing is imported here. What is not ours, or what everybody may write to, is refused: it would be somebody else's program
with our rights.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hermes.config.load import read_yaml
from hermes.plugins.recognise import ASYNCIO_PLUGIN, is_for_the_original
from hermes.types.errors import GatewayError

DIRECTORY, MANIFEST, MODULE = "plugins", "plugin.yaml", "__init__.py"
MOST_FILES = 5_000
SOURCE_BYTES = 1 << 20
OURS = (os.geteuid(), 0)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in that may be imported."""

    name: str
    path: Path
    platform: bool = True
    """It says that it brings one."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A plug-in that may not, or cannot, and why. ``platform``: it would have brought one."""

    name: str
    reason: str
    platform: bool = True


def find(home: Path) -> Iterator[Plugin | Unusable]:
    """All of them by name. Never raises."""
    top = home / DIRECTORY
    try:
        names = sorted(
            entry.name for entry in os.scandir(top) if entry.name[0] not in "._" and entry.is_dir()
        )
        if names and (wrong := not_ours(top)):
            names = []
            yield Unusable(DIRECTORY, wrong, platform=False)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Unusable(DIRECTORY, f"{top}: {error.strerror or error}", platform=False)
        return
    for name in names:
        try:
            yield _look(top / name)
        except OSError as error:
            yield Unusable(name, f"{error.filename}: {error.strerror or error}")


def _look(path: Path) -> Plugin | Unusable:
    files = list(walk(path))
    if not (path / MANIFEST).is_file():
        return Unusable(path.name, f"{path}: it has no {MANIFEST}", platform=False)
    if len(files) >= MOST_FILES:
        return Unusable(path.name, f"{path}: it has more than {MOST_FILES:,} files")
    if wrong := next(filter(None, map(not_ours, files)), None):
        return Unusable(path.name, wrong)
    try:
        manifest = read_yaml(path / MANIFEST)
        name, kind = (
            " ".join(manifest[key].texts() if manifest[key].node else []) for key in ("name", "kind")
        )
    except GatewayError as error:
        return Unusable(path.name, error.failure.detail)
    except ValueError as error:
        return Unusable(path.name, f"{path / MANIFEST}: name and kind: {error}")
    name = name or path.name
    if not _NAME.fullmatch(name):
        return Unusable(
            path.name, f"{path / MANIFEST}: {name!r:.80} is no name: lower-case letters, digits, _ and -"
        )
    if MODULE not in {file.name for file in files if file.parent == path}:
        return Unusable(name, f"{path}: it has no {MODULE}", kind == "platform")
    for file in (file for file in files if file.suffix == ".py"):
        try:
            with file.open("rb") as source:
                text = source.read(SOURCE_BYTES).decode()
            if is_for_the_original(text, str(file)):
                return Unusable(name, ASYNCIO_PLUGIN)
        except (SyntaxError, ValueError, RecursionError) as error:
            return Unusable(name, f"{file}: {error}", kind == "platform")
    return Plugin(name, path, kind == "platform")


def walk(top: Path) -> Iterator[Path]:
    """``top`` and all below it, up to ``MOST_FILES``; what Python has compiled itself is left out."""
    yield top
    count = 1
    for directory, names, files in os.walk(top):
        names[:] = [name for name in names if name != "__pycache__"]
        for name in (*names, *files):
            if count >= MOST_FILES:
                return
            count += 1
            yield Path(directory, name)


def not_ours(path: Path) -> str:
    """Why nothing of ``path`` may be run, in words; empty if it may. A link is what it leads to."""
    found = path.stat()
    if found.st_uid not in OURS:
        return f"{path}: it belongs to another user of this machine; `chown` it"
    if found.st_mode & stat.S_IWOTH:
        return f"{path}: everybody on this machine may write to it; `chmod o-w {path}`"
    return ""
