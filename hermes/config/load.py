"""Read the configuration. The only importer of yaml; it and pydantic are imported only if there is something to read.

defaults < <home>/config.yaml or --config FILE < <home>/.env < environment of the process < flags
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from hermes.config.access import AccessSettings, open_policies, read_access
from hermes.config.dotenv import NAME as DOTENV
from hermes.config.dotenv import Environment, exposed, place_of, read_environment
from hermes.config.homes import Homes, read_homes
from hermes.config.model import Config
from hermes.config.original import adopt
from hermes.config.paths import CONFIG_NAME
from hermes.config.provider import read_provider
from hermes.config.quick import read_quick
from hermes.config.restart_notices import RestartNotices, read_restart_notices
from hermes.config.roles import NAME as ROLES
from hermes.config.secrets import is_literal, secrets_in
from hermes.config.streaming import read_streaming
from hermes.config.supervision import Rule, read_section
from hermes.config.words import complaint, is_number, shown
from hermes.config.written import Written
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError

if TYPE_CHECKING:
    import yaml
    from yaml.nodes import Node

FILE_BYTES = 1 << 20
DEPTH = 50
KEY_DEPTH = 4
"""Of how many names our longest keys are: display.platforms.<name>.busy_input_mode."""

SIMILAR = 0.75
"""How like a known key an unknown one must be to count as misspelt; less alike, it belongs to somebody else."""

ENVIRONMENT: Mapping[str, tuple[str, str]] = {
    "API_SERVER_HOST": ("web", "host"),
    "API_SERVER_PORT": ("web", "port"),
    "HERMES_GATEWAY_BUSY_INPUT_MODE": ("display", "busy_input_mode"),
    "HERMES_GATEWAY_BUSY_ACK_ENABLED": ("display", "busy_ack"),
    "HERMES_GATEWAY_BUSY_TEXT_DEBOUNCE_SECONDS": ("display", "busy_collect_s"),
    "SESSION_IDLE_MINUTES": ("session_reset", "idle_minutes"),
    "SESSION_RESET_HOUR": ("session_reset", "at_hour"),
}

FOREIGN = frozenset({"sessions"})
"""Keys of the original that read like a misspelt one of ours."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """One reading of the file and the environment: how the gateway works, who may speak, and what must never be shown."""

    config: Config
    access: AccessSettings = AccessSettings()  # noqa: RUF009 - frozen
    secrets: tuple[str, ...] = ()
    written: Written = Written(Path(CONFIG_NAME))  # noqa: RUF009 - frozen
    """The file itself, with what in it is not ours."""
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
) -> Settings:
    """The settings of ``home``. ``file`` stands in for the home's own ``config.yaml``; ``port`` and ``restart`` are flags;
    ``environ`` is that of the process.

    Raises ``GatewayError`` (``config_invalid``, fatal) that names every fault with its file, line and key; a policy that would
    let everybody in without the flag that says so is one.
    """
    path = file or home / CONFIG_NAME
    text = _read(path, must_exist=file is not None)
    root, values = _yaml(path, text) if text.strip() else (None, {})
    written = Written(path, root)
    environ = environment(home, environ)
    variables = {name: value for name in ENVIRONMENT if (value := environ.get(name))}
    held = tuple(secrets_in(values))
    hidden = (*secrets_in(environ), *held)
    config, faults = _parse(path, root, values, variables, environ) if values or variables else (Config(), [])
    settings, problems = read_access(written, environ, frozenset(key.name for key in fields(Config)))
    homes, wrong_homes = read_homes(written, environ)
    restart_notices, wrong_notices = read_restart_notices(written)
    problems += [*open_policies(settings), *wrong_homes, *wrong_notices]
    if faults := [*faults, *map(str, problems)]:
        raise _invalid("\n".join(dict.fromkeys(faults)))
    config = replace(config, supervision=(*config.supervision, *restart))
    config = config if port is None else replace(config, web=replace(config.web, port=port))
    # Perhaps the value of a variable whose name does not say that it is secret.
    hidden = (*hidden, config.model.api_key)
    words = exposed(path) if any(map(is_literal, held)) else ""
    return Settings(config, settings, hidden, written, homes, restart_notices, environ, words)


def environment(home: Path, process: Mapping[str, str]) -> Environment:
    """The variables of the process over those of the home's ``.env``. Raises ``GatewayError`` if that cannot be read."""
    path = home / DOTENV
    return read_environment(path, _read(path, must_exist=False), process)


def read_yaml(path: Path) -> Written:
    """What a YAML file of keys and values says. Raises ``GatewayError`` (``config_invalid``) that names the place."""
    text = _read(path, must_exist=True)
    return Written(path, _yaml(path, text)[0] if text.strip() else None)


def secrets(home: Path, environ: Mapping[str, str], *, file: Path | None = None) -> tuple[str, ...]:
    """Every value in the same file and environment whose name says that it is secret, whether the key is ours or not.

    Raises as ``load`` does.
    """
    path = file or home / CONFIG_NAME
    text = _read(path, must_exist=file is not None)
    settings = _yaml(path, text)[1] if text.strip() else {}
    return (*secrets_in(environment(home, environ)), *secrets_in(settings))


def _read(path: Path, *, must_exist: bool) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
        if len(data) > FILE_BYTES:
            raise _invalid(f"{path}: longer than {FILE_BYTES:,} bytes")
        return data.decode("utf-8-sig")
    except FileNotFoundError as missing:
        if must_exist:
            raise _invalid(f"{path}: no such file") from missing
        return ""
    except OSError as wrong:
        raise _invalid(f"{path}: {wrong.strerror or wrong}") from wrong
    except UnicodeDecodeError as wrong:
        raise _invalid(f"{path}: byte {wrong.start:,} is not UTF-8") from wrong


def _parse(
    path: Path,
    root: "Node | None",
    settings: dict[str, Any],
    variables: Mapping[str, str],
    environ: Mapping[str, str],
) -> tuple[Config, list[str]]:
    """The configuration, and what is wrong with it; with faults it is not to be used."""
    from pydantic import TypeAdapter, ValidationError

    def place(section: str, key: Sequence[str]) -> str:
        return f"{path}, line {_line(root, (section, *key))}"

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
    set_by |= {ours: f"{path}, line {_line(root, its)}" for ours, its in adopt(settings).items()}

    def wrong_at(key: Key, value: object) -> None:
        name = tuple(part for part in key if part != "[key]")
        source = set_by.get(name) or f"{path}, line {_line(root, name)}"
        faults.append(f"{source}: {'.'.join(name)}: {complaint(Config, key, value)}")

    for model, part, above in _parts(Config, settings):
        for key, meant in _misspelt(model, part):
            line, (is_, was) = _line(root, (*above, key)), (".".join((*above, name)) for name in (key, meant))
            faults.append(f"{path}, line {line}: unknown key {is_}; did you mean {was}?")
        for name, kind in ((key.name, key.type) for key in fields(model)):
            value = part.get(name)
            if isinstance(value, bytes) or (isinstance(value, bool) and is_number(kind)):
                wrong_at((*above, name), value)  # pydantic would take it for a text, or for 0 or 1
    config = Config()
    try:
        config = replace(
            TypeAdapter(Config).validate_python(settings), supervision=rules, quick_commands=quick
        )
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_context=False):
            wrong_at(tuple(map(str, error["loc"])), error["input"])
    return config, faults


def _yaml(path: Path, text: str) -> tuple["Node | None", dict[str, Any]]:
    """The document's node, for line numbers, and its value without the keys that hold nothing."""
    import yaml
    from yaml.nodes import MappingNode

    class Loader(yaml.CSafeLoader):
        """Plain data only, and no key twice: YAML would silently let the last one win."""

        def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            first: dict[tuple[str, str], int] = {}
            for key, _ in node.value if node.id == "mapping" else ():
                name, line = (key.tag, str(key.value)), key.start_mark.line + 1
                if name in first:
                    raise _invalid(
                        f"{path}: key {key.value!r} stands in line {first[name]} and again in line {line}"
                    )
                first[name] = line
            return super().construct_mapping(node, deep)

        def construct_object(self, node: "Node", deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as wrong:
                # What a tag promises and the text does not hold: !!int "", 2026-02-30
                what = f"{shown(node.value)} is no {node.tag.rpartition(':')[2]}"
                raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from wrong

    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        number = text.count("\n", 0, found.start()) + 1
        raise _invalid(f"{path}, line {number}: the character {found[0]!r} may not stand in a YAML file")
    loader = Loader(text)
    try:
        _refuse_depth(path, text, Loader)
        root = loader.get_single_node()
        value = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise _invalid(f"{path}{line}: {wrong.problem or wrong.context}") from wrong
    except yaml.YAMLError as wrong:
        raise _invalid(f"{path}: {wrong}") from wrong
    finally:
        loader.dispose()
    if value is not None and not isinstance(value, dict):
        raise _invalid(f"{path}: the file must hold keys and values, not {shown(value)}")
    return root, _keys_that_hold(value or {}, KEY_DEPTH, {})


def _refuse_depth(path: Path, text: str, loader: "type[yaml.CSafeLoader]") -> None:
    """Nesting is counted on the flat stream of events, because the C composer recurses until the process dies."""
    import yaml

    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise _invalid(f"{path}: nested deeper than {DEPTH}")


def _keys_that_hold(part: Any, depth: int, done: dict[tuple[int, int], Any]) -> Any:
    """A section without keys that hold nothing: one whose keys are all commented out is empty, not null.

    Keys that are no text go too; they cannot be ours. ``done``: what was visited, because aliases make small files of endless
    sections.
    """
    if not isinstance(part, dict) or not depth:
        return part
    if (id(part), depth) not in done:
        done[id(part), depth] = {
            key: _keys_that_hold(value, depth - 1, done)
            for key, value in part.items()
            if value is not None and isinstance(key, str)
        }
    return done[id(part), depth]


def _parts(
    model: Any, settings: Mapping[str, Any], above: Key = ()
) -> Iterator[tuple[type, Mapping[str, Any], Key]]:
    """``settings`` and all sections in it, each with its model and its place."""
    yield model, settings, above
    for key in fields(model):
        part = settings.get(key.name)
        if not isinstance(part, dict):
            continue
        if is_dataclass(key.type):
            yield from _parts(key.type, part, (*above, key.name))
        elif get_origin(key.type) is Mapping:
            for name, entry in part.items():
                if isinstance(entry, dict):
                    yield from _parts(get_args(key.type)[1], entry, (*above, key.name, name))


def _misspelt(model: type, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    known = {key.name for key in fields(model)} | ({ROLES} if model is Config else set())
    for name in (name for name in settings if name not in known | FOREIGN):
        if meant := get_close_matches(str(name), sorted(known - settings.keys()), 1, SIMILAR):
            yield str(name), meant[0]


def _line(node: "Node | None", path: Key) -> int:
    """The line of what stands at ``path``, or of the last part of it that stands in the file."""
    from yaml.nodes import MappingNode, SequenceNode

    line = 1
    for name in path:
        if isinstance(node, SequenceNode):
            node = node.value[int(name)]
            line = node.start_mark.line + 1
            continue
        for key, value in node.value if isinstance(node, MappingNode) else ():
            if key.value == name:
                line, node = key.start_mark.line + 1, value
                break
        else:
            break
    return line


def _invalid(detail: str) -> GatewayError:
    return GatewayError(Failure(CONFIG_INVALID, "fatal", "gateway", detail=detail))
