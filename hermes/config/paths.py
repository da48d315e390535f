"""Where things are: the Hermes home, its files, and what the program ships."""

from collections.abc import Mapping
from pathlib import Path

import hermes

LEGACY_NAME = "gateway.json"
"""Of the original: what it says is read below the other file."""

CONFIG_NAME = "config.yaml"


def resolve_home(flag: Path | None, environ: Mapping[str, str]) -> Path:
    """The home as an absolute path: ``--home``, else ``$HERMES_HOME``, else ``~/.hermes``. An empty variable counts as unset."""
    chosen = flag or Path(environ.get("HERMES_HOME") or "~/.hermes")
    return chosen.expanduser().absolute()


def shipped_conf() -> Path:
    """The directory of ``default.yaml`` and its neighbours: inside the package in a wheel, beside it in a checkout."""
    package = Path(hermes.__file__).parent
    installed = package / "_conf"
    return installed if installed.is_dir() else package.parent / "conf"
