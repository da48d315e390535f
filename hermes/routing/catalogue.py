"""All commands there are: the built-in ones, the operator's quick ones beside them, and those of plug-ins.

/st ─ shortcut ─▶ /status ─ found ─▶ CommandSpec ─ access.slash_allowed ─▶ what help shows, and what may be used

A shortcut passes the gate of what it stands for (S19); a quick command never takes the place of a built-in one, and one of a
plug-in that of neither.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hermes.config.quick import Program, QuickCommand, Shortcut
from hermes.config.roles import Listed
from hermes.routing.commands import COMMANDS, PINGS, CommandSpec, Typed, find_command, may_be_given
from hermes.types import texts
from hermes.types.access import Role
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError
from hermes.types.quoting import quoted

MOST_SHOWN = 60
"""Characters of what a shortcut stands for that help shows."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The commands in force. Without any quick ones it is the built-in ones."""

    quick: Mapping[str, QuickCommand] = field(default_factory=dict)
    extra: Mapping[str, CommandSpec] = field(default_factory=dict)
    """Those of plug-ins."""

    @property
    def specs(self) -> tuple[CommandSpec, ...]:
        """Every command, the built-in ones first."""
        extra = (spec for name, spec in self.extra.items() if name not in self.quick)
        return (*COMMANDS, *map(self._spec, self.quick.values()), *extra)

    def find(self, name: str) -> CommandSpec | None:
        """The command of that name or alias; the one behind it, if it is a shortcut."""
        return self._built_in_or_program(self.resolve(Typed(name, "")).name)

    def resolve(self, typed: Typed) -> Typed:
        """What is meant by ``typed``: the command that a shortcut stands for, its arguments before those that were typed."""
        while isinstance(shortcut := self.quick.get(typed.name), Shortcut):
            args = shortcut.target.split(maxsplit=1)[1:]
            typed = Typed(_first_word(shortcut), " ".join(filter(None, (*args, typed.args))), typed.bot)
        return typed

    def program(self, name: str) -> Program | None:
        """The quick command of that name, if it runs a program."""
        found = self.quick.get(name)
        return found if isinstance(found, Program) else None

    def shown(self, may: Callable[[str], bool]) -> list[CommandSpec]:
        """What ``may`` be used, asked by name, in the order of help."""
        return [spec for spec in self.specs if may(spec.name)]

    def unknown(self, name: str, may: Callable[[str], bool]) -> str:
        """What to say about a command that nobody knows: one line, with the nearest name that ``may`` be used."""
        names = [one for spec in self.shown(may) for one in (spec.name, *spec.aliases)]
        answer = texts.UNKNOWN_COMMAND.format(name=quoted(f"/{name}"))
        nearest = difflib.get_close_matches(name, names, n=1)
        return f"{answer} {texts.DID_YOU_MEAN.format(name=nearest[0])}" if nearest else answer

    def _built_in_or_program(self, name: str) -> CommandSpec | None:
        program = self.program(name)
        return find_command(name) or self.extra.get(name) if program is None else self._spec(program)

    def _spec(self, command: QuickCommand) -> CommandSpec:
        match command:
            case Program(name, role=role, firm=firm):
                # Not what it runs: a password may stand in that, and this is sent to a platform.
                return CommandSpec(name, "info", texts.RUNS, "[arguments]", role, firm=firm)
            case Shortcut(name, target=target):
                behind = self.find(name)
                role, firm = (behind.role, behind.firm) if behind else ("owner", True)
                summary = texts.SHORT_FOR.format(target=_shortened(target))
                return CommandSpec(name, "info", summary, role=role, firm=firm)


BUILT_IN = Catalogue()


def checked(
    quick: Sequence[QuickCommand],
    lists: Mapping[Role, Listed],
    extra: Mapping[str, CommandSpec] = BUILT_IN.extra,
) -> Catalogue:
    """The catalogue with these quick commands, and ``extra`` of plug-ins. ``lists``: what each role may use, as it was written.

    Raises ``GatewayError`` (``config_invalid``, fatal) that names every fault with its place.
    """
    catalogue = Catalogue({command.name: command for command in quick}, extra)
    faults = [
        f"{command.source}: quick_commands: {command.name}: {fault}"
        for command in quick
        if (fault := _fault(command, catalogue))
    ]
    if not faults:  # else a list may seem wrong for what is wrong with a quick command
        faults = [
            f"{listed.place}: {fault}"
            for role, listed in lists.items()
            for name in sorted(listed.names)
            if (fault := _misplaced(role, name, catalogue))
        ]
    if faults:
        raise GatewayError(Failure(CONFIG_INVALID, "fatal", "gateway", detail="\n".join(faults)))
    return catalogue


def _fault(command: QuickCommand, catalogue: Catalogue) -> str:
    if command.name in PINGS or find_command(command.name):
        return "there is a command of that name already, and it stays what it is"
    if isinstance(command, Program):
        return ""
    passed, name = [command.name], _first_word(command)
    while isinstance(following := catalogue.quick.get(name), Shortcut) and name not in passed:
        passed.append(name)
        name = _first_word(following)
    if name in passed:
        return f"it stands for itself: {' → '.join(f'/{one}' for one in (*passed, name))}"
    if catalogue.program(name) or find_command(name) or name in catalogue.extra:
        return ""
    return f"it stands for /{name}, and there is no such command{_did_you_mean(name, catalogue)}"


def _misplaced(role: Role, name: str, catalogue: Catalogue) -> str:
    """Why it makes no sense to let ``role`` use ``name``."""
    spec = catalogue.find(name)
    if spec is None:
        return f"there is no command /{name}{_did_you_mean(name, catalogue)}"
    if isinstance(catalogue.quick.get(name), Shortcut):
        return f"/{name} is a shortcut: list /{spec.name}, which it stands for"
    return "" if may_be_given(spec, role) else f"/{name} is never for {role}s"


def _did_you_mean(name: str, catalogue: Catalogue) -> str:
    near = difflib.get_close_matches(name, [one.name for one in catalogue.specs if one.name != name], 1)
    return f"; did you mean /{near[0]}?" if near else ""


def _first_word(shortcut: Shortcut) -> str:
    return shortcut.target.split(maxsplit=1)[0].lower()


def _shortened(command: str) -> str:
    words = " ".join(command.split()).replace("`", "'")
    return words if len(words) <= MOST_SHOWN else f"{words[:MOST_SHOWN]}…"
