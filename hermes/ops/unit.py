"""The gateway as a systemd service: the unit's text, and where it belongs.

https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
"""

import hashlib
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Scope = Literal["user", "system"]
SCOPES: tuple[Scope, ...] = ("user", "system")

NAME = "hermes"
"""Of the unit of the default home, and what the names of all others begin with."""

SUFFIX = ".service"
TEMPLATE = f"{NAME}{SUFFIX}"
WRITTEN = "# Written by `hermes service install`"
"""What a unit of ours begins with."""

_SLUG_CHARACTERS = 24
_DIGITS = 6
_HOME = re.compile(r'^Environment="HERMES_HOME=((?:[^"\\\n]|\\.)*)"', re.MULTILINE)

SYSTEM_UNITS = Path("/etc/systemd/system")
RUNS = Path("/run/systemd/system")
"""There while systemd runs the machine."""

STOP_SPARE_S = 10.0
"""What systemd waits longer than the process can possibly take."""

_TARGETS: Mapping[Scope, str] = {"user": "default.target", "system": "multi-user.target"}

_OF_THE_SYSTEM = """\
# The service manager of the machine can take away more, and does. No ProtectClock: it takes sound and cameras along.
User={user}
CapabilityBoundingSet=
PrivateMounts=yes
ProtectSystem=full
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
"""


@dataclass(frozen=True, slots=True)
class Service:
    """What the unit is to run. ``program`` is a command line, the first word an absolute path; ``drain_s`` as configured;
    ``stop_s`` within which the process then has ended. ``user`` in the scope ``system`` alone.
    """

    name: str
    scope: Scope
    program: Sequence[str]
    home: Path
    path: str
    drain_s: float
    stop_s: float
    user: str = ""


def unit_text(template: str, service: Service) -> str:
    """The unit. Raises ``ValueError`` for a word that a unit cannot hold."""
    values = {
        "NAME": service.name,
        "SCOPE": "--user " if service.scope == "user" else "",
        "EXEC": " ".join([_quoted(service.program[0]), *map(quoted, service.program[1:])]),
        "ENVIRONMENT": f"{assigned('HERMES_HOME', str(service.home))} {assigned('PATH', service.path)}",
        "DRAIN": f"{service.drain_s:g}",
        "STOP": str(math.ceil(service.stop_s + STOP_SPARE_S)),
        "TARGET": _TARGETS[service.scope],
        "SYSTEM": _OF_THE_SYSTEM.format(user=service.user) if service.scope == "system" else "",
    }
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


def quoted(word: str) -> str:
    """``word`` as one argument of a program in a unit, as it is: no variables, no specifiers. In the program's own name, and
    in an assignment, a dollar is nothing special.
    """
    return _quoted(word.replace("$", "$$"))


def assigned(name: str, value: str) -> str:
    """An assignment for ``Environment=``."""
    return _quoted(f"{name}={value}")


def _quoted(word: str) -> str:
    if not word.isprintable():
        raise ValueError(f"{word!r} has characters that no unit can hold")
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{word}"'


def home_of(text: str) -> Path | None:
    """The home that a unit of ours is for; None where the text is none."""
    if not text.startswith(WRITTEN) or (found := _HOME.search(text)) is None:
        return None
    return Path(re.sub(r"\\(.)", r"\1", found[1]).replace("%%", "%"))


def own_name(home: Path) -> str:
    """The name of a unit for ``home``, which no other home's has: the end of its path to be read, and a digest of all of it."""
    called = home.parent.name if home.name.strip(".") == NAME else home.name
    slug = re.sub(r"[^a-z0-9]+", "-", called.lower())[:_SLUG_CHARACTERS].strip("-")
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:_DIGITS]
    return "-".join(filter(None, (NAME, slug, digest)))


def units(scope: Scope, environ: Mapping[str, str]) -> Path:
    """The directory that units belong into: of this user, or of the machine."""
    if scope == "system":
        return SYSTEM_UNITS
    config = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "~", ".config")
    return Path(config).expanduser() / "systemd" / "user"


def why_no_systemd() -> str:
    """Why there is nobody to install a unit for, in words; "" if there is."""
    if not shutil.which("systemctl"):
        return "there is no systemctl on this machine"
    return "" if RUNS.is_dir() else "systemd does not run this machine"
