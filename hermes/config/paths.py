"""Where things are: the Hermes home, its files, and what the program ships."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import hermes
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError

LEGACY_NAME = "gateway.json"
"""Of the original: what it says is read below the other file."""

CONFIG_NAME = "config.yaml"

ACTIVE, PROFILES, NO_PROFILE = "active_profile", "profiles", "default"
"""Of the original: which of the homes below ``~/.hermes/profiles`` is in use, if not ``~/.hermes`` itself."""


def resolve_home(flag: Path | None, environ: Mapping[str, str]) -> Path:
    """The home as an absolute path: ``--home``, else ``$HERMES_HOME``, else ``~/.hermes`` or its active profile. An empty
    variable counts as unset. Raises ``GatewayError`` (``config_invalid``) where that profile is not there.
    """
    if flag is None and not environ.get("HERMES_HOME"):
        return _active(Path("~/.hermes").expanduser().absolute())
    return Path(flag or environ["HERMES_HOME"]).expanduser().absolute()


def _active(root: Path) -> Path:
    file = root / ACTIVE
    try:
        name = file.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        return root
    except (OSError, ValueError) as wrong:
        raise _no_profile(f"{file}: {getattr(wrong, 'strerror', None) or 'not UTF-8'}") from wrong
    if name in ("", NO_PROFILE):
        return root
    home = root / PROFILES / name
    with suppress(OSError):  # a name that no file can have
        if name.isprintable() and home.parent == root / PROFILES and name != ".." and home.is_dir():
            return home
    raise _no_profile(f"{file}: there is no profile {name!r:.80} in {root / PROFILES}")


def _no_profile(words: str) -> GatewayError:
    return GatewayError(Failure(CONFIG_INVALID, "fatal", "gateway", detail=f"{words}; --home chooses a home"))


def shipped_conf() -> Path:
    """The directory of ``default.yaml`` and its neighbours: inside the package in a wheel, beside it in a checkout."""
    package = Path(hermes.__file__).parent
    installed = package / "_conf"
    return installed if installed.is_dir() else package.parent / "conf"
