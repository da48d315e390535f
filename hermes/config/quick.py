"""The operator's own commands as people write them. Pure; ``hermes.routing.catalogue`` puts them beside the built-in ones.

quick_commands:
  disk: {type: exec, command: df -h, timeout_s: 10, role: user}
  st: {type: alias, target: /status}
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hermes.config.words import did_you_mean, shown
from hermes.types.access import Role

TIMEOUT_S = 30.0
LONGEST_S = 3600.0
ROLES: tuple[Role, ...] = ("user", "admin", "owner")

KEYS: Mapping[str, str] = {
    "type": "exec: run a program; alias: stand for another command.",
    "command": "exec: what the shell runs, as it stands here; what a person writes after the name is `$1`, `$2` … in it.",
    "timeout_s": f"exec: how long it may take. Seconds; default {TIMEOUT_S:g}, at most {LONGEST_S:g}.",
    "role": "exec: the least role that may use it, user, admin or owner. Unset: as for an admin's command.",
    "target": "alias: the command it stands for, with arguments if need be.",
}

_NAME = re.compile(r"[\w-]{1,32}")


@dataclass(frozen=True, slots=True)
class Program:
    """``/name`` has the shell run ``command``; ``source`` names the place where a person wrote it.

    ``firm``: the role was written down, so it holds also where nobody is named owner or admin.
    """

    name: str
    source: str
    command: str
    timeout_s: float = TIMEOUT_S
    role: Role = "admin"
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Shortcut:
    """``/name`` stands for ``target``, which begins with another command's name, without its slash."""

    name: str
    source: str
    target: str


QuickCommand = Program | Shortcut


def read_quick(
    section: object, place: Callable[[Sequence[str]], str]
) -> tuple[tuple[QuickCommand, ...], list[str]]:
    """What ``quick_commands:`` says and all that is wrong with it; ``place`` names where a key below it stands."""
    if not isinstance(section, Mapping):
        return (), [f"{place(())}: quick_commands: expected a command for each name, not {shown(section)}"]
    commands: dict[str, QuickCommand] = {}
    faults = []
    for written, settings in section.items():
        where = place((written,))
        name = unicodedata.normalize("NFKC", written).removeprefix("/").lower()
        if not _NAME.fullmatch(name):
            faults.append(
                f"{where}: quick_commands: {shown(written)} is no name: letters, digits, - and _, 32 at most"
            )
        elif name in commands:
            faults.append(f"{where}: quick_commands: /{name} stands in {commands[name].source} already")
        elif not isinstance(settings, Mapping):
            faults.append(
                f"{where}: quick_commands: {name} holds keys and values, not {shown(settings)}; type first"
            )
        else:
            values = {str(key): value for key, value in settings.items() if value is not None}
            command, wrong = _command(name, where, values)
            faults += [
                f"{place((written, key))}: quick_commands: {name}: {fault}" for key, fault in wrong.items()
            ]
            if command is not None:
                commands[name] = command
    return tuple(commands.values()), faults


def _command(
    name: str, where: str, settings: Mapping[str, Any]
) -> tuple[QuickCommand | None, dict[str, str]]:
    """The command that ``settings`` make, or by key what is wrong with them."""
    wrong = {
        key: f"unknown key {key}{did_you_mean(key, KEYS) or '; there are ' + ', '.join(KEYS)}"
        for key in settings
        if key not in KEYS
    }
    kind = settings.get("type")
    own = {"exec": ("command", "timeout_s", "role"), "alias": ("target",)}.get(str(kind))
    if own is None:
        wrong["type"] = f"type: exec or alias, not {shown(kind)}"
        return None, wrong
    wrong |= {
        key: f"{key} says nothing about a command of type {kind}"
        for key in settings
        if key in KEYS and key not in ("type", *own)
    }
    text = settings.get(own[0])
    if not isinstance(text, str) or not text.strip().removeprefix("/") or "\0" in text:
        wrong[own[0]] = f"{own[0]}: the text of a command, not {shown(text)}"
    timeout_s, role = settings.get("timeout_s", TIMEOUT_S), settings.get("role", "admin")
    if type(timeout_s) not in (int, float) or not math.isfinite(timeout_s) or not 0 < timeout_s <= LONGEST_S:
        wrong["timeout_s"] = (
            f"timeout_s: seconds, more than 0 and at most {LONGEST_S:g}, not {shown(timeout_s)}"
        )
    if role not in ROLES:
        wrong["role"] = f"role: one of {', '.join(ROLES)}, not {shown(role)}"
    if wrong:
        return None, wrong
    if kind == "alias":
        return Shortcut(name, where, str(text).strip().removeprefix("/")), {}
    return Program(name, where, str(text), float(timeout_s), role, "role" in settings), {}
