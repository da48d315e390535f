"""A file of keys and values: YAML, and JSON as a part of it. yaml is imported only if there is something to read."""

import json
import re
from collections.abc import Hashable
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermes.config.words import shown
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError

if TYPE_CHECKING:
    import yaml
    from yaml.nodes import MappingNode, Node

FILE_BYTES = 1 << 20
DEPTH = 50
KEY_DEPTH = 4
"""Of how many names our longest keys are: display.platforms.<name>.busy_input_mode."""

_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
"""How JSON spells what lies beyond 16 bits; YAML does not know that."""


def read_text(path: Path, *, must_exist: bool) -> str:
    """What stands in the file; nothing if there is none. Raises ``GatewayError`` (``config_invalid``) that names it.

    A pipe is read only where it is what somebody has named (``must_exist``): in a home it would be waited for without end.
    """
    try:
        if not must_exist and path.is_fifo():
            raise invalid(f"{path}: is not a regular file")
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
        if len(data) > FILE_BYTES:
            raise invalid(f"{path}: longer than {FILE_BYTES:,} bytes")
        return data.decode("utf-8-sig")
    except FileNotFoundError as missing:
        if must_exist:
            raise invalid(f"{path}: no such file") from missing
        return ""
    except OSError as wrong:
        raise invalid(f"{path}: {wrong.strerror or wrong}") from wrong
    except UnicodeDecodeError as wrong:
        raise invalid(f"{path}: byte {wrong.start:,} is not UTF-8") from wrong


def parse(path: Path, text: str) -> "MappingNode | None":
    """The keys of ``text``, which was read from ``path``, whose marks name it.

    Raises ``GatewayError`` (``config_invalid``) with the line.
    """
    if not text.strip():
        return None
    import yaml

    if path.suffix == ".json":
        text = _PAIR.sub(lambda found: json.loads(f'"{found[0]}"'), text)
    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        number = text.count("\n", 0, found.start()) + 1
        raise invalid(f"{path}, line {number}: the character {found[0]!r} may not stand in a YAML file")
    Loader = _loader()
    loader = Loader(_Named(text, str(path)))
    try:
        _refuse_depth(path, text, Loader)
        root = loader.get_single_node()
        value = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise invalid(f"{path}{line}: {wrong.problem or wrong.context}") from wrong
    except yaml.YAMLError as wrong:
        raise invalid(f"{path}: {wrong}") from wrong
    finally:
        loader.dispose()
    if value is not None and not isinstance(value, dict):
        raise invalid(f"{path}: the file must hold keys and values, not {shown(value)}")
    return root if isinstance(root, yaml.MappingNode) else None


def values(root: "MappingNode | None") -> dict[str, Any]:
    """What stands below ``root``, which ``parse`` has returned, without the keys that hold nothing."""
    if root is None:
        return {}
    import yaml

    # Plain, for keys that are merged (<<) stand twice in a node that was read before.
    found = yaml.constructor.SafeConstructor().construct_document(root)
    return _keys_that_hold(found, KEY_DEPTH, {})  # type: ignore[no-any-return]


def place(root: "Node | None", path: tuple[str, ...], file: Path) -> str:
    """File and line of what stands at ``path`` below ``root``, or of the last part of it that stands anywhere; else ``file``."""
    from yaml.nodes import MappingNode, SequenceNode

    mark, node = None, root
    for name in path:
        if isinstance(node, SequenceNode):
            node = node.value[int(name)]
            mark = node.start_mark
            continue
        for key, value in node.value if isinstance(node, MappingNode) else ():
            if key.value == name:
                mark, node = key.start_mark, value
                break
        else:
            break
    return f"{file}, line 1" if mark is None else f"{mark.name}, line {mark.line + 1}"


def invalid(detail: str) -> GatewayError:
    """The error to raise about a file."""
    return GatewayError(Failure(CONFIG_INVALID, "fatal", "gateway", detail=detail))


class _Named(StringIO):
    """A text whose marks bear the name of its file."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def _loader() -> "type[yaml.CSafeLoader]":
    import yaml

    class Loader(yaml.CSafeLoader):
        """Plain data only, and no key twice: YAML would silently let the last one win."""

        def construct_mapping(self, node: "MappingNode", deep: bool = False) -> dict[Hashable, Any]:
            first: dict[tuple[str, str], int] = {}
            for key, _ in node.value if node.id == "mapping" else ():
                name, line = (key.tag, str(key.value)), key.start_mark.line + 1
                if name in first:
                    raise invalid(
                        f"{key.start_mark.name}: key {key.value!r} stands in line {first[name]} and again in line {line}"
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

    return Loader


def _refuse_depth(path: Path, text: str, loader: "type[yaml.CSafeLoader]") -> None:
    """Nesting is counted on the flat stream of events, because the C composer recurses until the process dies."""
    import yaml

    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise invalid(f"{path}: nested deeper than {DEPTH}")


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
