"""Read the configuration. The only importer of yaml; it and pydantic are imported only if there is something to read.

defaults < <home>/config.yaml or --config FILE < environment < flags
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from hermes.config.access import AccessSettings, open_policies, read_access
from hermes.config.model import Config
from hermes.config.paths import CONFIG_NAME
from hermes.config.secrets import secrets_in
from hermes.config.supervision import Rule, read_section
from hermes.config.written import Written
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError

if TYPE_CHECKING:
    import yaml
    from yaml.nodes import MappingNode, Node

FILE_BYTES = 1 << 20
DEPTH = 50
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
    """One reading of the file and the environment: how the gateway works, and who may speak."""

    config: Config
    access: AccessSettings


def load(
    home: Path,
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    port: int | None = None,
    restart: Sequence[Rule] = (),
) -> Config:
    """The settings of ``home``. ``file`` stands in for the home's own ``config.yaml``; ``port`` and ``restart`` are flags.

    Raises ``GatewayError`` (``config_invalid``, fatal) that names every fault with its file, line and key; also where
    ``access`` would.
    """
    path = file or home / CONFIG_NAME
    text = _read(path, must_exist=file is not None)
    variables = {name: value for name in ENVIRONMENT if (value := environ.get(name))}
    config = _parse(path, text, variables) if text.strip() or variables else Config()
    config = replace(config, supervision=(*config.supervision, *restart))
    _access(path, text, environ)
    return config if port is None else replace(config, web=replace(config.web, port=port))


def access(home: Path, environ: Mapping[str, str], *, file: Path | None = None) -> AccessSettings:
    """Who may speak, by the same file and environment.

    Raises as ``load`` does, also for a policy that would let everybody in without the flag that says so.
    """
    path = file or home / CONFIG_NAME
    return _access(path, _read(path, must_exist=file is not None), environ)


def _access(path: Path, text: str, environ: Mapping[str, str]) -> AccessSettings:
    root = _yaml(path, text)[0] if text.strip() else None
    sections = frozenset(key.name for key in fields(Config))
    settings, problems = read_access(Written(path, root), environ, sections)
    if problems := [*problems, *open_policies(settings)]:
        raise _invalid("\n".join(map(str, problems)))
    return settings


def secrets(home: Path, environ: Mapping[str, str], *, file: Path | None = None) -> tuple[str, ...]:
    """Every value in the same file and environment whose name says that it is secret, whether the key is ours or not.

    Raises as ``load`` does.
    """
    path = file or home / CONFIG_NAME
    text = _read(path, must_exist=file is not None)
    settings = _yaml(path, text)[1] if text.strip() else {}
    return (*secrets_in(environ), *secrets_in(settings))


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


def _parse(path: Path, text: str, variables: Mapping[str, str]) -> Config:
    from pydantic import TypeAdapter, ValidationError

    def place(key: Sequence[str]) -> str:
        return f"{path}, line {_line(root, ('supervision', *key))}"

    root, settings = _yaml(path, text)
    rules, faults = read_section(settings.pop("supervision", {}), place)
    faults += [
        f"{path}, line {_line(root, key)}: unknown key {'.'.join(key)}; did you mean {'.'.join(meant)}?"
        for key, meant in _misspelt(Config, settings)
    ]
    for name, (section, key) in ((name, ENVIRONMENT[name]) for name in variables):
        if isinstance(settings.setdefault(section, {}), dict):
            settings[section] = settings[section] | {key: variables[name]}
    set_by: dict[Key, str] = {ENVIRONMENT[name]: f"environment variable {name}" for name in variables}
    try:
        config = replace(TypeAdapter(Config).validate_python(settings), supervision=rules)
    except ValidationError as wrong:
        for fault in wrong.errors(include_url=False, include_context=False):
            where = tuple(map(str, fault["loc"]))
            source = set_by.get(where) or f"{path}, line {_line(root, where)}"
            faults.append(f"{source}: {'.'.join(where)}: {fault['msg']}, not {_shown(fault['input'])}")
    if faults:
        raise _invalid("\n".join(faults))
    return config


def _yaml(path: Path, text: str) -> tuple["Node | None", dict[str, Any]]:
    """The document's node, for line numbers, and its value without the keys that hold nothing."""
    import yaml

    class Loader(yaml.CSafeLoader):
        """Plain data only, and no key twice: YAML would silently let the last one win."""

        def construct_mapping(self, node: "MappingNode", deep: bool = False) -> dict[Hashable, Any]:
            first: dict[tuple[str, str], int] = {}
            for key, _ in node.value:
                name, line = (key.tag, str(key.value)), key.start_mark.line + 1
                if name in first:
                    raise _invalid(
                        f"{path}: key {key.value!r} stands in line {first[name]} and again in line {line}"
                    )
                first[name] = line
            return super().construct_mapping(node, deep)

    loader = Loader(text)
    try:
        _refuse_depth(path, text, Loader)
        root = loader.get_single_node()
        value = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise _invalid(f"{path}{line}: {wrong.problem or wrong.context}") from wrong
    except (yaml.YAMLError, ValueError) as wrong:
        raise _invalid(f"{path}: {wrong}") from wrong
    finally:
        loader.dispose()
    if value is not None and not isinstance(value, dict):
        raise _invalid(f"{path}: the file must hold keys and values, not a {type(value).__name__}")
    return root, {key: _keys_that_hold(part) for key, part in _keys_that_hold(value or {}).items()}


def _refuse_depth(path: Path, text: str, loader: "type[yaml.CSafeLoader]") -> None:
    """Nesting is counted on the flat stream of events, because the C composer recurses until the process dies."""
    import yaml

    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise _invalid(f"{path}: nested deeper than {DEPTH}")


def _keys_that_hold(part: Any) -> Any:
    """A section without keys that hold nothing: one whose keys are all commented out is empty, not null.

    Keys that are no text go too; they cannot be ours.
    """
    if not isinstance(part, dict):
        return part
    return {key: value for key, value in part.items() if value is not None and isinstance(key, str)}


def _misspelt(model: type, settings: Mapping[str, Any], above: Key = ()) -> Iterator[tuple[Key, Key]]:
    known = {field.name: field.type for field in fields(model)}
    for name, value in settings.items():
        inner = known.get(name)
        if isinstance(inner, type) and is_dataclass(inner) and isinstance(value, dict):
            yield from _misspelt(inner, value, (*above, name))
        elif get_origin(inner) is Mapping and isinstance(value, dict):
            for entry, part in value.items():
                if isinstance(part, dict):
                    yield from _misspelt(get_args(inner)[1], part, (*above, name, entry))
        elif (
            inner is None
            and name not in FOREIGN
            and (meant := get_close_matches(str(name), sorted(known.keys() - settings.keys()), 1, SIMILAR))
        ):
            yield (*above, str(name)), (*above, meant[0])


def _shown(value: Any) -> str:
    """A value in an error; a collection by its kind, because aliases make small files with endless values."""
    return f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)[:80]


def _line(node: "Node | None", path: Key) -> int:
    """The line of the key at ``path``, or of the last part of it that stands in the file."""
    from yaml.nodes import MappingNode

    line = 1
    for name in path:
        for key, value in node.value if isinstance(node, MappingNode) else ():
            if key.value == name:
                line, node = key.start_mark.line + 1, value
                break
        else:
            break
    return line


def _invalid(detail: str) -> GatewayError:
    return GatewayError(Failure(CONFIG_INVALID, "fatal", "gateway", detail=detail))
