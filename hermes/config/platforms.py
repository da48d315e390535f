"""What is set for the accounts of a platform: in its blocks, and in the variables that its entry declares.

    gateway.platforms.<p>  <  platforms.<p>  <  <p>  <  variables  <  accounts.<name> of the same blocks

In each block a key may also stand under ``extra``. An account has what its platform has, except for what it sets itself. All
values are texts, letter by letter, in lists and maps of such: YAML would make a number of a telephone number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hermes.config.access_keys import BY_NAME, flag
from hermes.config.blocks import platform_blocks
from hermes.config.dotenv import expanded, place_of
from hermes.config.restart_notices import KEY as RESTART_NOTICE
from hermes.config.written import Written
from hermes.types.errors import BAD_CONFIG, Failure, GatewayError
from hermes.types.origin import DEFAULT_ACCOUNT

Value = str | tuple["Value", ...] | Mapping[str, "Value"]

VALUES, DEPTH = 10_000, 20
"""The most that a block may hold: YAML's aliases make small files of endless values."""

ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""An account's name: part of lane keys and of ``platform@account``."""

ENABLED = "enabled"
_ELSEWHERE = {"extra", "accounts", "home_channel", RESTART_NOTICE, *BY_NAME}
"""Keys of a block that others read."""

_PLACEHOLDER = re.compile(
    r"(?i)(?:your|insert|enter|paste)[-_ ].*|<.*>|\$\{.*\}|(.)\1*|change[-_ ]?(?:me|this)|replace[-_ ]?me"
    r"|placeholder|todo|tbd|dummy|example|none|null"
)
SHORTEST_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable of a platform, and the ``key`` of its block that it stands for (``token``, ``base_url``, …).

    ``prompt`` asks a person for it. ``password``: never shown. ``enables``: its presence turns the platform on, unless the file
    says ``enabled: false``. The key ``enabled`` itself is a switch: ``WHATSAPP_ENABLED=true``.
    """

    name: str
    key: str
    prompt: str
    password: bool = False
    enables: bool = False


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """What is set for one account. ``problems``: why it cannot be used, each with its place."""

    enabled: bool = False
    settings: Mapping[str, Value] = field(default_factory=dict, repr=False)
    places: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    problems: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """What proves who we are; empty if it is not set."""
        return self.text("token")

    @property
    def api_key(self) -> str:
        """The same, where the platform calls it so."""
        return self.text("api_key")

    def text(self, key: str, default: str = "") -> str:
        """A plain value. Raises ``GatewayError`` (``bad_config``), as the others do, that names the place."""
        value = self.settings.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "one value, not a list or a map")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false, as people write it."""
        if key not in self.settings:
            return default
        try:
            return flag([self.text(key)])
        except ValueError as wrong:
            raise self.wrong(key, str(wrong)) from wrong

    def number(self, key: str, default: float, *, least: float = 0, most: float = 1e9) -> float:
        """A number from ``least`` to ``most``."""
        if key not in self.settings:
            return default
        try:
            number = float(self.text(key))
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise self.wrong(key, f"a number from {least:g} to {most:g}, not {self.text(key)!r:.80}")
        return number

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of plain values; one text may hold several, with commas."""
        value = self.settings.get(key, ())
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, Mapping) or not all(isinstance(part, str) for part in parts):
            raise self.wrong(key, "a list of plain values")
        return tuple(text for part in parts if isinstance(part, str) and (text := part.strip()))

    def wrong(self, key: str, expected: str) -> GatewayError:
        """The error to raise about ``key``."""
        detail = f"{self.places.get(key, key)}: {expected}"
        return GatewayError(Failure(BAD_CONFIG, "needs_operator", "adapter", detail=detail))


def is_placeholder(token: str) -> bool:
    """Whether ``token`` was put there to be replaced, or forgotten half way."""
    return len(token) < SHORTEST_TOKEN or _PLACEHOLDER.fullmatch(token) is not None


def read_accounts(
    root: Written,
    environ: Mapping[str, str],
    platform: str,
    variables: Sequence[Variable],
    *,
    always: bool = False,
) -> dict[str, PlatformConfig]:
    """Every account of ``platform`` that is named or could sign in, whether it is enabled or not; the default one first.

    ``always``: the default account needs no sign of life in the settings.
    """
    shared, own = _Layer(), dict[str, _Layer]()
    blocks = [block for name, block in platform_blocks(root) if name == platform]
    for block in blocks:
        shared.add(block, environ)
    shared.set_by(environ, variables)
    for block in blocks:
        for accounts in (block["extra"]["accounts"], block["accounts"]):
            for account in accounts.entries:
                own.setdefault(account.key[-1], shared.copy()).add(account, environ)
    found = {}
    keys = {variable.key for variable in variables if variable.enables} | {"token", "api_key"}
    if always or DEFAULT_ACCOUNT in own or not own or keys & shared.settings.keys():
        layer = own.pop(DEFAULT_ACCOUNT, shared)
        found[DEFAULT_ACCOUNT] = layer.config(always=always, signs_in=keys)
    for name, layer in own.items():
        if not ACCOUNT.fullmatch(name):
            layer.problems.append(f"{name!r:.80} is no name for an account: letters, digits and . _ -")
        if same := _twin(layer, found, variables):
            layer.problems.append(
                f"it signs in as account {same} does; give it a {_first_secret(variables)} of its own"
            )
        found[name.replace(":", "%3A")] = layer.config(signs_in=keys)
    return found


def missing(config: PlatformConfig, variables: Sequence[Variable]) -> list[Variable]:
    """Those of ``variables`` that are not set."""
    return [one for one in variables if one.key != ENABLED and not config.settings.get(one.key)]


def placeholders(config: PlatformConfig, variables: Sequence[Variable]) -> Iterator[str]:
    """Where a placeholder stands for a secret."""
    for one in variables:
        value = config.settings.get(one.key)
        if one.password and isinstance(value, str) and is_placeholder(value):
            yield config.places.get(one.key, one.name)


class _Layer:
    """What is set so far."""

    def __init__(self) -> None:
        self.settings: dict[str, Value] = {}
        self.places: dict[str, str] = {}
        self.problems: list[str] = []

    def copy(self) -> "_Layer":
        """To be changed apart from this one."""
        other = _Layer()
        other.settings |= self.settings
        other.places |= self.places
        other.problems += self.problems
        return other

    def add(self, block: Written, environ: Mapping[str, str]) -> None:
        """All keys of ``block`` over what is there; ``${NAME}`` in a plain text is the value of that variable."""
        for part in (block["extra"], block):
            for entry in part.entries:
                key = entry.key[-1]
                if key in _ELSEWHERE:
                    continue
                try:
                    value = _value(entry, _Budget())
                    value = expanded(value, environ) if isinstance(value, str) else value
                    self.settings[key] = _over(self.settings.get(key), value)
                except ValueError as wrong:
                    self.problems.append(f"{entry.place}: {wrong}")
                self.places[key] = entry.place

    def set_by(self, environ: Mapping[str, str], variables: Sequence[Variable]) -> None:
        """What the variables say over what is there; but off stays off."""
        for variable in variables:
            value = environ.get(variable.name, "").strip()
            if value and not (variable.key == ENABLED and self._said() is False):
                self.settings[variable.key] = value
                self.places[variable.key] = place_of(environ, variable.name)

    def config(self, *, signs_in: set[str], always: bool = False) -> PlatformConfig:
        """All of it. It is on if that is said, and without a word if there is something to sign in with."""
        said, problems = self._said(), list(self.problems)
        if said is None and ENABLED in self.settings:
            problems.append(f"{self.places[ENABLED]}: true or false")
        enabled = (
            (always or bool(signs_in & self.settings.keys()) or bool(problems)) if said is None else said
        )
        settings = {key: value for key, value in self.settings.items() if key != ENABLED}
        return PlatformConfig(enabled or always, settings, self.places, tuple(dict.fromkeys(problems)))

    def _said(self) -> bool | None:
        value = self.settings.get(ENABLED)
        try:
            return None if not isinstance(value, str) else flag([value])
        except ValueError:
            return None


class _Budget:
    """How much more may be read."""

    def __init__(self) -> None:
        self.left = VALUES


def _value(part: Written, budget: _Budget, depth: int = 0) -> Value:
    """What stands there. Raises ``ValueError`` where that is too much."""
    from yaml.nodes import ScalarNode, SequenceNode

    budget.left -= 1
    if budget.left < 0 or depth > DEPTH:
        raise ValueError("that is more than anybody could mean")
    if isinstance(part.node, ScalarNode):
        return str(part.node.value).strip()
    if isinstance(part.node, SequenceNode):
        items = (Written(part.file, item, part.key, part.line) for item in part.node.value)
        return tuple(_value(item, budget, depth + 1) for item in items)
    return {entry.key[-1]: _value(entry, budget, depth + 1) for entry in part.entries}


def _over(below: Value | None, value: Value) -> Value:
    """Maps are merged, all else is replaced."""
    if isinstance(below, Mapping) and isinstance(value, Mapping):
        return {**below, **{key: _over(below.get(key), part) for key, part in value.items()}}
    return value


def _twin(layer: _Layer, others: Mapping[str, PlatformConfig], variables: Sequence[Variable]) -> str:
    """The account that signs in with exactly the same; two would take each other's messages."""
    keys = [one.key for one in variables if one.key != ENABLED]
    mine = [layer.settings.get(key) for key in keys]
    for name, config in others.items():
        if any(mine) and mine == [config.settings.get(key) for key in keys]:
            return name
    return ""


def _first_secret(variables: Sequence[Variable]) -> str:
    return next((one.key for one in variables if one.password), variables[0].key)
