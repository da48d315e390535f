"""Restart policies as people write them, in the file and on the command line. Pure; ``actors.policies`` applies them.

    supervision:                          hermes run --restart 'root/gateway/adapters/*=permanent,intensity=5/300'
      root/gateway/adapters/*:
        restart: permanent
        intensity: 5/300

Globs are those of ``hermes.config.globs``. Rules hold in their order; of those that match, the last one that sets a key wins.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from hermes.config.globs import segment_matches
from hermes.config.words import did_you_mean, shown

MOST_S = 86_400.0
_NUMBER = r"\d+(?:\.\d+)?"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is set of a restart policy; what is None stays as it is built in."""

    restart: Literal["permanent", "transient", "temporary"] | None = None
    intensity: tuple[int, float] | None = None
    backoff: tuple[float, float] | None = None
    factor: float | None = None
    reset_after: float | None = None
    on_exceeded: Literal["disable", "escalate"] | None = None
    shutdown: float | None = None
    on_stuck: Literal["abandon", "escalate"] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """``policy`` for every actor whose path matches ``glob``; ``source`` names the place where a person wrote it."""

    glob: str
    policy: Policy
    source: str
    flag: bool = False
    """It stands on the command line."""


# --- how each key is written --------------------------------------------------------------------------------------------


class Notation(Protocol):
    """``read`` takes what YAML or the command line has, and raises ``ValueError`` in words; ``schema`` is for editors."""

    def read(self, value: object) -> Any:
        """The value that is meant."""

    def schema(self) -> dict[str, Any]:
        """As JSON schema."""


@dataclass(frozen=True, slots=True)
class _Choice:
    names: tuple[str, ...]

    def read(self, value: object) -> str:
        text = _text(value)
        if text not in self.names:
            raise ValueError(
                f"{shown(value)} is none of {', '.join(self.names)}{did_you_mean(text, self.names)}"
            )
        return text

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.names)}


@dataclass(frozen=True, slots=True)
class _Number:
    least: float
    most: float

    def read(self, value: object) -> float:
        text = _text(value)
        if not re.fullmatch(_NUMBER, text) or not self.least <= float(text) <= self.most:
            raise ValueError(f"{shown(value)} is not a number from {self.least:g} to {self.most:g}")
        return float(text)

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.least, "maximum": self.most}


class _Intensity:
    _form = re.compile(rf"(\d{{1,6}})/({_NUMBER})")

    def read(self, value: object) -> tuple[int, float]:
        found = self._form.fullmatch(_text(value))
        if found is None:
            raise ValueError(f"{shown(value)} is not N/S, restarts within seconds, like 5/60")
        restarts, per = int(found[1]), float(found[2])
        if not 0 < per <= MOST_S:
            raise ValueError(f"{shown(value)}: more than 0 seconds, and at most {MOST_S:.0f}")
        return restarts, per

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self._form.pattern}$"}


class _Backoff:
    _form = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")

    def read(self, value: object) -> tuple[float, float]:
        found = self._form.fullmatch(_text(value))
        if found is None:
            raise ValueError(f"{shown(value)} is not MIN..MAX, in seconds, like 0.5..30")
        least, most = float(found[1]), float(found[2])
        if least > most:
            raise ValueError(f"{shown(value)}: the minimum is above the maximum")
        if most > MOST_S:
            raise ValueError(f"{shown(value)}: at most {MOST_S:.0f} seconds")
        return least, most

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self._form.pattern}$"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of ``Policy``: how it is written, what it means, and what most actors have built in."""

    notation: Notation
    usual: str
    meaning: str


KEYS: Mapping[str, Key] = {
    "restart": Key(
        _Choice(("permanent", "transient", "temporary")),
        "permanent",
        "permanent: start it again whenever it ends; transient: only after a failure; temporary: never.",
    ),
    "intensity": Key(
        _Intensity(), "5/60", "N/S: it is over budget when it fails more than N times within S seconds."
    ),
    "backoff": Key(
        _Backoff(),
        "0.1..30",
        "MIN..MAX: seconds to wait before it starts again, growing with failures in a row.",
    ),
    "factor": Key(
        _Number(1, 1_000), "2", "How fast the wait grows: by this factor with each failure in a row."
    ),
    "reset_after": Key(
        _Number(0, MOST_S), "60", "After so many seconds without a failure the wait begins at MIN again."
    ),
    "on_exceeded": Key(
        _Choice(("disable", "escalate")),
        "disable",
        "Over budget: disable it, visibly, until somebody restarts it; or escalate, which ends its supervisor.",
    ),
    "shutdown": Key(
        _Number(0, MOST_S), "5", "Seconds it may take to stop when it is told to; then it is cancelled."
    ),
    "on_stuck": Key(
        _Choice(("abandon", "escalate")),
        "abandon",
        "If it does not end even when cancelled: abandon it and start the next one, or escalate.",
    ),
}


# --- reading ------------------------------------------------------------------------------------------------------------


def read_section(
    section: object, place: Callable[[Sequence[str]], str]
) -> tuple[tuple[Rule, ...], list[str]]:
    """The rules of ``supervision:`` and all that is wrong with it; ``place`` names where a key below it stands."""
    if not isinstance(section, Mapping):
        return (), [f"{place(())}: supervision holds a policy for each glob, not {shown(section)}"]
    rules, faults = [], []
    for glob, settings in section.items():
        where = place((glob,))
        if fault := _glob_fault(glob):
            faults.append(f"{where}: supervision: {glob!r}: {fault}")
        if not isinstance(settings, Mapping | None):
            faults.append(f"{where}: supervision: {glob!r} holds keys and values, not {shown(settings)}")
            continue
        policy, wrong = _policy({str(k): v for k, v in (settings or {}).items() if v is not None})
        faults += [f"{place((glob, key))}: supervision: {glob!r}: {fault}" for key, fault in wrong.items()]
        rules.append(Rule(glob, policy, where))
    return tuple(rules), faults


def read_option(text: str) -> Rule:
    """The rule of ``--restart GLOB=POLICY``; raises ``ValueError`` with all that is wrong."""
    # An id may hold a '=', so the glob ends where a policy begins; with none in sight, at the first.
    found = _OPTION.fullmatch(text)
    glob, equals, policy_text = found.groups() if found else text.partition("=")
    if not equals:
        raise ValueError("it is not GLOB=POLICY, like 'root/gateway/adapters/*=permanent,intensity=5/300'")
    faults = [fault] if (fault := _glob_fault(glob)) else []
    restart, *more = (part.strip() for part in policy_text.split(","))
    settings = {"restart": restart}
    for part in more:
        name, equals, value = part.partition("=")
        if not equals:
            faults.append(f"{part!r} is not KEY=VALUE")
        elif name in settings:
            faults.append(f"{name} is given twice")
        else:
            settings[name] = value
    policy, wrong = _policy(settings)
    faults += wrong.values()
    if faults:
        raise ValueError("; ".join(faults))
    return Rule(glob, policy, f"--restart {text!r}", flag=True)


_OPTION = re.compile("(.+?)(=)((?:permanent|transient|temporary)(?:,.*)?)", re.DOTALL)


def _policy(settings: Mapping[str, object]) -> tuple[Policy, dict[str, str]]:
    """The policy that ``settings`` make, and by key what is wrong with them."""
    values, wrong = {}, {}
    for name, value in settings.items():
        if (key := KEYS.get(name)) is None:
            near = did_you_mean(name, KEYS) or f"; there are {', '.join(KEYS)}"
            wrong[name] = f"unknown key {shown(name)}{near}"
            continue
        try:
            values[name] = key.notation.read(value)
        except ValueError as error:
            wrong[name] = f"{name}: {error}"
    return Policy(**values), wrong


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _glob_fault(glob: str) -> str:
    segments = glob.split("/")
    if not all(segments):
        return "a glob is segments joined by '/', none of them empty"
    if any("**" in segment and segment != "**" for segment in segments):
        return "'**' stands alone between slashes"
    if segments[0] != "**" and not segment_matches(segments[0], "root"):
        return f"every path begins with root/, as in `hermes tree`, not with {segments[0]}/"
    if len(segments) == 1 and glob != "**":
        return "root itself has no policy, for nobody restarts it"
    return ""
