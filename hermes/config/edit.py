"""One key of a YAML text, set, unset or moved by the marks of its node: comments, order and all else stay letter by letter. Pure.

What comes of it is read again and compared, so that an edit which would change anything else (an anchor that others refer to)
is refused.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermes.config.document import invalid, parse, values
from hermes.config.words import shown

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node

Key = tuple[str, ...]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
STEP = 2


def set_key(file: Path, text: str, key: Key, value: str) -> str:
    """``text``, which was read from ``file``, with ``value``, a line of YAML, at ``key``; sections that are missing are made.

    Raises ``GatewayError`` (``config_invalid``) where that is not possible without touching something else.
    """
    root = parse(file, text)
    return _checked(file, root, _set(file, text, root, key, value), key, f"[{value}]")


def unset_key(file: Path, text: str, key: Key) -> str:
    """``text`` without ``key`` and all below it; as it was if there is none. Raises as ``set_key`` does."""
    root = parse(file, text)
    found = _find(root, key)
    return text if found is None else _checked(file, root, _unset(file, text, found, key), key, None)


def move_key(file: Path, text: str, key: Key, to: Key) -> str:
    """``text`` with what stands at ``key``, its remarks with it, at ``to``, where nothing stands yet: at the end of a section
    that is there, or of the file. Raises as ``set_key`` does.
    """
    root = parse(file, text)
    parent, number = _find(root, key)
    entry = parent.value[number]
    section, place = (_find(root, to[:-1]) or (None, 0)) if to[1:] else (None, 0)
    target: Any = root if section is None else section.value[place][1]
    if parent.flow_style or not _is_block(target):
        value = text[entry[1].start_mark.index : _end(text, entry)]
        if "\n" in value:
            raise invalid(f"{file}: {'.'.join(key)} stands in several lines within braces; move it by hand")
        return unset_key(file, set_key(file, text, to, value), key)
    begin, end = _with_remarks(text, entry), _below(text, _end(text, entry))
    at = _below(text, _end(text, target.value[-1]))
    here, there = entry[0].start_mark.column, target.value[0][0].start_mark.column
    lines = _end_line(text[begin:end], text).splitlines(keepends=True)
    moved = "".join(_indented(line, here, there) for line in lines)
    rest = text[:begin] + text[end:]
    at = at if at <= begin else max(begin, at - (end - begin))
    after = _end_line(rest[:at], text) + moved + rest[at:]
    wanted = values(root)
    _put(wanted, to, _take(wanted, key))
    if _bare(values(parse(file, after))) != _bare(wanted):
        raise invalid(
            f"{file}: {'.'.join(key)} cannot be moved without changing something else; do it by hand"
        )
    return after


def as_yaml(value: str, *, text: bool) -> str:
    """``value``, as a person gives it, as a line of YAML: a number, a list or a word; in quotes where it would be read as
    something else, or where a ``text`` is wanted.
    """
    quoted = json.dumps(value, ensure_ascii=False)
    if not value.strip() or not value.isprintable():
        return quoted
    import yaml

    try:
        alone = yaml.safe_load(value)
        inside = yaml.safe_load(f"k: [{value}]")["k"]
    except (yaml.YAMLError, ValueError, TypeError, KeyError):
        return quoted
    if isinstance(alone, str):
        return value if [alone] == inside and alone == value else quoted
    return quoted if text or [alone] != inside else value


def _set(file: Path, text: str, root: "MappingNode | None", key: Key, value: str) -> str:
    from yaml.nodes import MappingNode, ScalarNode

    parent: Node | None = root
    for depth, name in enumerate(key):
        if parent is None:
            return _end_line(text, text) + _lines(key, value, 0)
        if not isinstance(parent, MappingNode):
            above, empty = key[:depth], isinstance(parent, ScalarNode) and not parent.value.strip("~nul")
            if not empty:
                raise invalid(
                    f"{file}: {'.'.join(above)} holds {shown(parent.value)}, no keys; unset it first"
                )
            mapping, number = _find(root, above)
            return _into_nothing(text, mapping.value[number], key[depth:], value)
        entry = next((pair for pair in parent.value if pair[0].value == name), None)
        if entry is None:
            return _into(text, parent, key[depth:], value)
        if depth == len(key) - 1:
            return _replaced(text, entry, value)
        parent = entry[1]
    raise invalid(f"{file}: an empty key")


def _replaced(text: str, entry: "tuple[Node, Node]", value: str) -> str:
    name, old = entry
    start, end = old.start_mark.index, _end(text, entry)
    if _is_block(old):
        colon = text.index(":", name.end_mark.index) + 1
        line_end = _line_end(text, colon)
        if start > line_end:  # below the key, whose line may hold a remark
            return f"{text[:colon]} {value}{text[colon:line_end]}{text[end:]}"
        return f"{text[:colon]} {value}{text[end:]}"
    gap = "" if start < end or text[start - 1 : start].isspace() else " "
    return f"{text[:start]}{gap}{value}{text[end:]}"


def _into(text: str, parent: "MappingNode", key: Key, value: str) -> str:
    if parent.flow_style:
        at = parent.end_mark.index - 1
        inside = value
        for name in reversed(key[1:]):
            inside = f"{{{_name(name)}: {inside}}}"
        comma = ", " if parent.value else ""
        return f"{text[:at].rstrip()}{comma}{_name(key[0])}: {inside}{text[at:]}"
    at = _line_end(text, _end(text, parent.value[-1]))
    indent = parent.value[0][0].start_mark.column
    return (
        _end_line(text[:at], text)
        + _lines(key, value, indent)
        + text[at:].removeprefix("\r").removeprefix("\n")
    )


def _into_nothing(text: str, entry: "tuple[Node, Node]", key: Key, value: str) -> str:
    name, old = entry
    text = text[: old.start_mark.index] + text[old.end_mark.index :]
    at = _line_end(text, old.start_mark.index)
    below = _lines(key, value, name.start_mark.column + STEP)
    return _end_line(text[:at], text) + below + text[at:].removeprefix("\r").removeprefix("\n")


def _unset(file: Path, text: str, found: "tuple[MappingNode, int]", key: Key) -> str:
    parent, number = found
    entry = parent.value[number]
    start, end = entry[0].start_mark.index, _end(text, entry)
    if parent.flow_style:
        if number + 1 < len(parent.value):
            end = parent.value[number + 1][0].start_mark.index
        elif number:
            start = _end(text, parent.value[number - 1])
        return text[:start] + text[end:]
    begin = text.rfind("\n", 0, start) + 1
    if text[begin:start].strip():
        raise invalid(f"{file}: {'.'.join(key)} shares its line with something else; edit it by hand")
    return text[:begin] + text[_line_end(text, end) :].removeprefix("\r").removeprefix("\n")


def _find(root: "MappingNode | None", key: Key) -> Any:
    """The mapping that holds ``key``, and the number of the entry in it; None if there is none."""
    from yaml.nodes import MappingNode

    node: Node | None = root
    found = None
    for name in key:
        if not isinstance(node, MappingNode):
            return None
        number = next((n for n, pair in enumerate(node.value) if pair[0].value == name), None)
        if number is None:
            return None
        found, node = (node, number), node.value[number][1]
    return found


def _checked(file: Path, root: "MappingNode | None", text: str, key: Key, value: str | None) -> str:
    """``text`` if it says what ``root`` said but for ``key``, which says ``value``."""
    import yaml

    wanted = values(root)
    _take(wanted, key)
    if value is not None:
        _put(wanted, key, yaml.safe_load(value)[0])
    if _bare(values(parse(file, text))) != _bare(wanted):
        raise invalid(
            f"{file}: {'.'.join(key)} cannot be changed without changing something else; edit it by hand"
        )
    return text


def _take(settings: dict[str, Any], key: Key) -> Any:
    """What stands at ``key`` of ``settings``, taken out."""
    return _section(settings, key).pop(key[-1], None)


def _put(settings: dict[str, Any], key: Key, value: Any) -> None:
    _section(settings, key)[key[-1]] = value


def _section(settings: dict[str, Any], key: Key) -> dict[str, Any]:
    """Of ``key``, and no alias of another one."""
    for name in key[:-1]:
        settings[name] = dict(settings.get(name) or {})
        settings = settings[name]
    return settings


def _bare(part: Any) -> Any:
    """Without what is empty: a section whose last key has gone is no section."""
    if not isinstance(part, dict):
        return part
    below = {name: _bare(value) for name, value in part.items()}
    return {name: value for name, value in below.items() if value is not None and value != {}}


def _is_block(node: "Node") -> bool:
    from yaml.nodes import CollectionNode

    return isinstance(node, CollectionNode) and not node.flow_style


def _end(text: str, entry: "tuple[Node, Node]") -> int:
    """Where the value ends; a block's marks reach over the remarks below it."""
    from yaml.nodes import MappingNode, ScalarNode

    name, node = entry
    if _is_block(node):
        items = node.value if isinstance(node, MappingNode) else [(item, item) for item in node.value]
        return max(_end(text, item) for item in items)
    end = int(node.end_mark.index)
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return len(text[:end].rstrip())
    return max(end, int(name.end_mark.index))


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    end = len(text) if found < 0 else found
    return end - 1 if text[end - 1 : end] == "\r" else end


def _below(text: str, at: int) -> int:
    """Where the next line begins."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _indented(line: str, here: int, there: int) -> str:
    """A line that stood ``here``, or further to the left, as far from ``there``; an empty one stays empty."""
    before = len(line) - len(line.lstrip(" "))
    return " " * there + line[min(here, before) :] if line.strip() else line


def _with_remarks(text: str, entry: "tuple[Node, Node]") -> int:
    """Where the remarks begin that stand right above an entry, at its depth; else its line."""
    mark = entry[0].start_mark
    begin = mark.index - mark.column
    while begin and (above := text[text.rfind("\n", 0, begin - 1) + 1 : begin]).lstrip(" ").startswith("#"):
        if len(above) - len(above.lstrip(" ")) != mark.column:
            break
        begin -= len(above)
    return int(begin)


def _end_line(text: str, like: str) -> str:
    ending = "\r\n" if "\r\n" in like else "\n"
    return text if not text or text.endswith("\n") else text + ending


def _lines(key: Key, value: str, indent: int) -> str:
    lines = [" " * (indent + STEP * depth) + f"{_name(name)}:" for depth, name in enumerate(key)]
    return "\n".join(lines) + f" {value}\n"


def _name(name: str) -> str:
    plain = _PLAIN.fullmatch(name) and name.lower() not in _WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)
