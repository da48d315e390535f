"""Shell hooks: programs that ``hooks:`` of config.yaml names, each of which somebody has to have said yes to.

hooks:
  pre_tool_call:
    - {command: ~/bin/gate.py, matcher: terminal|write_file, timeout: 10, fail_closed: true}

The yes stands in ``shell-hooks-allowlist.json`` by event and command, as the original writes it.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermes.config.access_keys import flag
from hermes.config.written import Written
from hermes.hooks.events import AROUND_TOOLS, PRE_TOOL_CALL
from hermes.hooks.manifest import read_value, seconds

SECTION = "hooks"
AUTO_ACCEPT = "hooks_auto_accept"
ALLOWLIST = "shell-hooks-allowlist.json"
_NOT_EVENTS = frozenset({"output_spill", "outbound"})
"""What else the original keeps below ``hooks:``."""


@dataclass(frozen=True, slots=True)
class Program:
    """``command`` is run for each ``event``, or for those about tools whose whole name ``matcher`` matches. ``fail_closed``: a
    tool is not called if it cannot be asked about it. ``place`` is where it was written.
    """

    event: str
    command: str
    timeout_s: float
    place: str
    matcher: re.Pattern[str] | None = None
    fail_closed: bool = False

    @property
    def name(self) -> str:
        """How people name it."""
        return f"{self.event} {self.command}"

    @property
    def description(self) -> str:
        """What else there is to say of it."""
        about = f"about {self.matcher.pattern}" if self.matcher else ""
        return ", ".join(filter(None, (about, "fail_closed" if self.fail_closed else "")))


def read_programs(root: Written) -> tuple[list[Program], list[str]]:
    """What the file says, and what is wrong with it: those are left out, and the others are used."""
    programs: list[Program] = []
    faults: list[str] = []
    for event in root[SECTION].entries:
        if event.key[-1] in _NOT_EVENTS:
            continue
        try:
            entries = event.items()
        except ValueError as wrong:
            faults.append(f"{event.place}: {wrong}")
            continue
        for one in entries:
            try:
                programs.append(_program(event.key[-1], one))
            except ValueError as wrong:
                faults.append(str(wrong))
    return programs, faults


def auto_accepts(root: Written) -> tuple[bool, list[str]]:
    """Has somebody allowed all programs that the file names, now and later? And what is wrong with the key."""
    try:
        return read_value(root[AUTO_ACCEPT], lambda texts: flag(texts) if texts else False), []
    except ValueError as wrong:
        return False, [str(wrong)]


def _program(event: str, one: Written) -> Program:
    program = Program(
        event,
        read_value(one["command"], _command),
        read_value(one["timeout"], seconds),
        one.place,
        read_value(one["matcher"], _matcher),
        read_value(one["fail_closed"], lambda texts: flag(texts) if texts else False),
    )
    if program.matcher and event not in AROUND_TOOLS:
        raise ValueError(f"{one['matcher'].place}: only what is told of tools has one; {event} is not")
    if program.fail_closed and event != PRE_TOOL_CALL:
        raise ValueError(f"{one['fail_closed'].place}: only {PRE_TOOL_CALL} can be closed; {event} cannot")
    return program


def _command(texts: list[str]) -> str:
    if not (command := " ".join(texts).strip()):
        raise ValueError("each holds a command")
    return command


def _matcher(texts: list[str]) -> re.Pattern[str] | None:
    text = " ".join(texts).strip()
    try:
        return re.compile(text) if text else None
    except re.error as wrong:
        raise ValueError(f"{text!r:.100} is no regular expression: {wrong}") from None


def approvals(said: object) -> frozenset[tuple[str, str]]:
    """The (event, command) pairs that somebody has allowed. Raises ``ValueError`` for what is no such file."""
    match said:
        case {"approvals": list(entries)}:
            return frozenset(
                (entry["event"], entry["command"])
                for entry in entries
                if isinstance(entry, Mapping)
                and isinstance(entry.get("event"), str)
                and isinstance(entry.get("command"), str)
            )
        case _:
            raise ValueError('expected {"approvals": […]}')


def with_approval(said: Mapping[str, Any], event: str, command: str, at: str) -> dict[str, Any]:
    """The file's content with one more yes; what else it holds stays."""
    kept = [entry for entry in said.get("approvals", ()) if not _is(entry, event, command)]
    return {**said, "approvals": [*kept, {"event": event, "command": command, "approved_at": at}]}


def without_approvals(said: Mapping[str, Any], named: str) -> tuple[dict[str, Any], list[str]]:
    """The file's content without every yes to what is ``named``, and what that was: by the command, by event and command as
    ``Program.name`` has them, or by the path of the script that the command runs.
    """
    approved = [entry for entry in said.get("approvals", ()) if _is_named(entry, named)]
    kept = [entry for entry in said.get("approvals", ()) if not _is_named(entry, named)]
    return {**said, "approvals": kept}, [f"{entry['event']} {entry['command']}" for entry in approved]


def _is_named(entry: object, named: str) -> bool:
    match entry:
        case {"event": str(event), "command": str(command)}:
            return named in (command, f"{event} {command}") or _path(named) in _paths(command)
        case _:
            return False


def _paths(command: str) -> set[Path | None]:
    try:
        return {_path(part) for part in shlex.split(command) if "/" in part}
    except ValueError:
        return set()


def _path(text: str) -> Path | None:
    """The file that ``text`` names, if it does: a bare word may be anything."""
    return Path(text).expanduser() if "/" in text else None


def _is(entry: object, event: str, command: str) -> bool:
    return isinstance(entry, Mapping) and entry.get("event") == event and entry.get("command") == command
