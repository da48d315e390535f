"""Read the configuration; pydantic is imported only if there is something to read.

defaults < <home>/gateway.json < <home>/config.yaml or --config FILE < <home>/.env < environment of the process < flags
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from hermes.config import document
from hermes.config.access import AccessSettings, open_policies, read_access
from hermes.config.dotenv import NAME as DOTENV
from hermes.config.dotenv import Environment, exposed, place_of, read_environment
from hermes.config.homes import Homes, read_homes
from hermes.config.layers import layered
from hermes.config.model import Config
from hermes.config.original import adopt
from hermes.config.paths import CONFIG_NAME, LEGACY_NAME
from hermes.config.provider import read_provider
from hermes.config.quick import read_quick
from hermes.config.restart_notices import RestartNotices, read_restart_notices
from hermes.config.secrets import is_literal, secrets_in
from hermes.config.streaming import read_streaming
from hermes.config.supervision import Rule, read_section
from hermes.config.words import complaint, is_number
from hermes.config.written import Written

if TYPE_CHECKING:
    from pydantic import TypeAdapter

ENVIRONMENT: Mapping[str, tuple[str, str]] = {
    "API_SERVER_HOST": ("web", "host"),
    "API_SERVER_PORT": ("web", "port"),
    "HERMES_GATEWAY_BUSY_INPUT_MODE": ("display", "busy_input_mode"),
    "HERMES_GATEWAY_BUSY_ACK_ENABLED": ("display", "busy_ack"),
    "HERMES_GATEWAY_BUSY_TEXT_DEBOUNCE_SECONDS": ("display", "busy_collect_s"),
    "SESSION_IDLE_MINUTES": ("session_reset", "idle_minutes"),
    "SESSION_RESET_HOUR": ("session_reset", "at_hour"),
}

Key = tuple[str, ...]
Texts = Mapping[Path, str]
NOTHING: Texts = {}


@dataclass(frozen=True, slots=True)
class Settings:
    """One reading of the file and the environment: how the gateway works, who may speak, and what must never be shown."""

    config: Config
    access: AccessSettings = AccessSettings()  # noqa: RUF009 - frozen
    secrets: tuple[str, ...] = ()
    written: Written = Written(Path(CONFIG_NAME))  # noqa: RUF009 - frozen
    """The files themselves, one over the other, with what in them is not ours."""
    sources: Mapping[Key, str] = field(default_factory=dict)
    """Where keys are set that do not stand in the files under their own names: a variable, a flag, a key of the original's."""
    homes: Homes = field(default_factory=dict)
    """Where each platform's notices go."""
    restart_notices: RestartNotices = RestartNotices()  # noqa: RUF009 - frozen
    """Which of them are told that the gateway is back."""
    environ: Environment = field(default_factory=lambda: Environment({}, {}))
    """The variables it was made from: those of the process, over those of ``.env``."""
    exposed: str = ""
    """Why the file does not keep the secrets that stand in it, in words; empty if it does, or holds none."""


def load(
    home: Path,
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    port: int | None = None,
    restart: Sequence[Rule] = (),
    instead: Texts = NOTHING,
) -> Settings:
    """The settings of ``home``. ``file`` stands in for the home's own ``config.yaml``; ``port`` and ``restart`` are flags;
    ``environ`` is that of the process. ``instead``: texts by path, to be read in place of what stands in those files.

    Raises ``GatewayError`` (``config_invalid``, fatal) that names every fault with its file, line and key; a policy that would
    let everybody in without the flag that says so is one.
    """
    written, values = _files(home, file, instead)
    path, environ = written.file, environment(home, environ, instead)
    variables = {name: value for name in ENVIRONMENT if (value := environ.get(name))}
    held = tuple(secrets_in(values))
    hidden = (*secrets_in(environ), *held)
    config, faults, sources = (
        _parse(written, values, variables, environ) if values or variables else (Config(), [], {})
    )
    settings, problems = read_access(written, environ, frozenset(key.name for key in fields(Config)))
    homes, wrong_homes = read_homes(written, environ)
    restart_notices, wrong_notices = read_restart_notices(written)
    problems += [*open_policies(settings), *wrong_homes, *wrong_notices]
    if faults := [*faults, *map(str, problems)]:
        raise document.invalid("\n".join(dict.fromkeys(faults)))
    config = replace(config, supervision=(*config.supervision, *restart))
    if port is not None:
        config = replace(config, web=replace(config.web, port=port))
        sources |= {("web", "port"): "--port"}
    # Perhaps the value of a variable whose name does not say that it is secret.
    hidden = (*hidden, config.model.api_key)
    words = exposed(path) if any(map(is_literal, held)) else ""
    return Settings(config, settings, hidden, written, sources, homes, restart_notices, environ, words)


def environment(home: Path, process: Mapping[str, str], instead: Texts = NOTHING) -> Environment:
    """The variables of the process over those of the home's ``.env``. Raises ``GatewayError`` if that cannot be read."""
    path = home / DOTENV
    return read_environment(path, _text(path, instead), process)


def read_yaml(path: Path) -> Written:
    """What a YAML file of keys and values says. Raises ``GatewayError`` (``config_invalid``) that names the place."""
    return Written(path, document.parse(path, document.read_text(path, must_exist=True)))


def secrets(home: Path, environ: Mapping[str, str], *, file: Path | None = None) -> tuple[str, ...]:
    """Every value in the same file and environment whose name says that it is secret, whether the key is ours or not.

    Raises as ``load`` does.
    """
    return (*secrets_in(environment(home, environ)), *secrets_in(_files(home, file)[1]))


def _files(home: Path, file: Path | None, instead: Texts = NOTHING) -> tuple[Written, dict[str, Any]]:
    """What stands in them, as it is written and as values."""
    path, legacy = file or home / CONFIG_NAME, home / LEGACY_NAME
    own = document.parse(path, _text(path, instead, must_exist=file is not None))
    root = layered(document.parse(legacy, _text(legacy, instead)), own)
    return Written(path, root), document.values(root)


def _text(path: Path, instead: Texts, *, must_exist: bool = False) -> str:
    return instead[path] if path in instead else document.read_text(path, must_exist=must_exist)


def _parse(
    written: Written,
    settings: dict[str, Any],
    variables: Mapping[str, str],
    environ: Mapping[str, str],
) -> tuple[Config, list[str], dict[Key, str]]:
    """The configuration, what is wrong with it, and where keys are set that do not stand in the files under their own names; with
    faults it is not to be used.
    """
    from pydantic import ValidationError

    def at(key: Key) -> str:
        return document.place(written.node, key, written.file)

    def place(section: str, key: Sequence[str]) -> str:
        return at((section, *key))

    rules, faults = read_section(settings.pop("supervision", {}), partial(place, "supervision"))
    quick, wrong = read_quick(settings.pop("quick_commands", {}), partial(place, "quick_commands"))
    faults += wrong
    if "model" in settings:
        settings["model"] = read_provider(settings["model"], environ)
    if "streaming" in settings:
        settings["streaming"], wrong = read_streaming(settings["streaming"], partial(place, "streaming"))
        faults += wrong
    for name, (section, key) in ((name, ENVIRONMENT[name]) for name in variables):
        if isinstance(settings.setdefault(section, {}), dict):
            settings[section] = settings[section] | {key: variables[name]}
    set_by: dict[Key, str] = {ENVIRONMENT[name]: place_of(environ, name) for name in variables}
    set_by |= {ours: at(its) for ours, its in adopt(settings).items()}

    def wrong_at(key: Key, value: object) -> None:
        name = tuple(part for part in key if part != "[key]")
        source = set_by.get(name) or at(name)
        faults.append(f"{source}: {'.'.join(name)}: {complaint(Config, key, value)}")

    for model, part, above in parts(Config, settings):
        for name, kind in ((key.name, key.type) for key in fields(model)):
            value = part.get(name)
            if isinstance(value, bytes) or (isinstance(value, bool) and is_number(kind)):
                wrong_at((*above, name), value)  # pydantic would take it for a text, or for 0 or 1
    config = Config()
    try:
        config = replace(_adapter().validate_python(settings), supervision=rules, quick_commands=quick)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_context=False):
            wrong_at(tuple(map(str, error["loc"])), error["input"])
    return config, faults, set_by


@cache
def _adapter() -> "TypeAdapter[Config]":
    """Made once: that takes ten times as long as to read a file."""
    from pydantic import TypeAdapter

    return TypeAdapter(Config)


def parts(
    model: Any, settings: Mapping[str, Any], above: Key = ()
) -> Iterator[tuple[type, Mapping[str, Any], Key]]:
    """``settings`` and all sections in it, each with its model and its place."""
    yield model, settings, above
    for key in fields(model):
        part = settings.get(key.name)
        if not isinstance(part, dict):
            continue
        if is_dataclass(key.type):
            yield from parts(key.type, part, (*above, key.name))
        elif get_origin(key.type) is Mapping:
            for name, entry in part.items():
                if isinstance(entry, dict):
                    yield from parts(get_args(key.type)[1], entry, (*above, key.name, name))
