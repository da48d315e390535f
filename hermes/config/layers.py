"""The files of the settings as one tree, whose every key still knows in which file and line it stands. Pure.

gateway.json  <  gateway.<key> of config.yaml  <  <key> of config.yaml

What stands higher replaces a key whole; only the platforms are joined key by key. In gateway.json, session_reset is called
default_reset_policy.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node

ITS_NAMES = {"default_reset_policy": "session_reset"}
NESTED = frozenset(
    {"session_reset", "reset_by_type", "reset_by_platform", "quick_commands", "streaming"}
    | {"group_sessions_per_user", "thread_sessions_per_user"}
)
"""What the original reads below ``gateway:`` too, where it does not stand at the top."""

GATEWAY, PLATFORMS = "gateway", "platforms"

Entry = tuple["Node", "Node"]


def layered(legacy: "MappingNode | None", own: "MappingNode | None") -> "MappingNode | None":
    """``own``, config.yaml, over ``legacy``, gateway.json; either may be missing. Both are left as they are."""
    own = None if own is None else _lifted(own)
    return _over(None if legacy is None else _renamed(legacy), own, ())


def _lifted(root: "MappingNode") -> "MappingNode":
    top = {key.value for key, _ in root.value}
    nested = [(key, value) for key, value in _entries(_at(root, GATEWAY)) if key.value in NESTED - top]
    return _mapping(root, [*root.value, *nested]) if nested else root


def _renamed(root: "MappingNode") -> "MappingNode":
    """In the words of config.yaml. Its platforms come to stand where they are the lowest."""
    entries: list[Entry] = []
    for key, value in root.value:
        if key.value == PLATFORMS:
            inside = _mapping(root, [(key, value)])
            entries.append((_named(key, GATEWAY), inside))
        elif key.value != GATEWAY:
            entries.append((_named(key, ITS_NAMES.get(key.value, key.value)), value))
    return _mapping(root, entries)


def _over(
    below: "MappingNode | None", above: "MappingNode | None", path: tuple[str, ...]
) -> "MappingNode | None":
    if below is None or above is None:
        return above if below is None else below
    from yaml.nodes import MappingNode

    lower = {key.value: (key, value) for key, value in below.value}
    entries: list[Entry] = []
    for key, value in above.value:
        beneath = lower.pop(key.value, (None, None))[1]
        inner = (*path, key.value)
        joined = _joined(inner) and isinstance(value, MappingNode) and isinstance(beneath, MappingNode)
        entries.append((key, (_over(beneath, value, inner) if joined else None) or value))
    return _mapping(above, [*lower.values(), *entries])


def _joined(path: tuple[str, ...]) -> bool:
    """gateway, gateway.platforms, each platform in it, and its extra and accounts."""
    inside = path[:2] == (GATEWAY, PLATFORMS) and (len(path) < 4 or path[3] in ("extra", "accounts"))
    return path == (GATEWAY,) or (inside and len(path) < 6)


def _at(root: "MappingNode", name: str) -> "Node | None":
    return next((value for key, value in root.value if key.value == name), None)


def _entries(node: "Node | None") -> Iterator[Entry]:
    from yaml.nodes import MappingNode, ScalarNode

    for key, value in node.value if isinstance(node, MappingNode) else ():
        if isinstance(key, ScalarNode):
            yield key, value


def _named(key: "Node", name: str) -> "Node":
    from yaml.nodes import ScalarNode

    return ScalarNode(key.tag, name, key.start_mark, key.end_mark)


def _mapping(like: "MappingNode", entries: list[Entry]) -> "MappingNode":
    from yaml.nodes import MappingNode

    return MappingNode(like.tag, entries, like.start_mark, like.end_mark)
