"""Shell hooks: programs that ``hooks:`` of config.yaml names, each of which somebody has to have said yes to.

hooks:
  agent:end:
    - {command: ~/bin/note-it.sh, timeout: 10}

The yes stands in ``shell-hooks-allowlist.json`` by event and command, as the original writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hermes.config.written import Written
from hermes.hooks.manifest import seconds

SECTION = "hooks"
ALLOWLIST = "shell-hooks-allowlist.json"
_NOT_EVENTS = frozenset({"output_spill", "outbound"})
"""What else the original keeps below ``hooks:``."""


@dataclass(frozen=True, slots=True)
class Program:
    """``command`` is run for each ``event``; ``place`` is where it was written."""

    event: str
    command: str
    timeout_s: float
    place: str

    @property
    def name(self) -> str:
        """How people name it."""
        return f"{self.event} {self.command}"


def read_programs(root: Written) -> tuple[list[Program], list[str]]:
    """What the file says, and what is wrong with it: those are left out, and the others are used."""
    programs: list[Program] = []
    faults: list[str] = []
    for event in root[SECTION].entries:
        if event.key[-1] in _NOT_EVENTS:
            continue
        try:
            for one in event.items():
                command = " ".join(one["command"].texts() if one["command"].node is not None else [])
                if not command.strip():
                    raise ValueError("each holds a command")
                timeout = one["timeout"]
                given = timeout.texts() if timeout.node is not None else []
                programs.append(Program(event.key[-1], command.strip(), seconds(given), one.place))
        except ValueError as wrong:
            faults.append(f"{event.place}: {wrong}")
    return programs, faults


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


def _is(entry: object, event: str, command: str) -> bool:
    return isinstance(entry, Mapping) and entry.get("event") == event and entry.get("command") == command
