"""Plug-ins of the original gateway: they run on asyncio, so they cannot run here, and are not imported to find that out."""

import ast
from collections.abc import Iterator

_ORIGINAL = frozenset(("hermes_agent", "hermes_cli", "gateway"))
"""Top-level modules of the original, which its plug-ins import."""

ASYNCIO_PLUGIN = (
    "asyncio plug-in: it is written for the original gateway, and this one runs on Trio;"
    " docs/plugins.md shows how to write one"
)


def is_for_the_original(source: str, name: str) -> bool:
    """Whether a module of a plug-in imports the original, or has an adapter as the original calls it.

    Raises ``SyntaxError`` and ``ValueError`` for what is no Python.
    """
    tree = ast.parse(source, name)
    if any(imported.partition(".")[0] in _ORIGINAL for imported in _imports(tree)):
        return True
    return any(
        isinstance(node, ast.AsyncFunctionDef)
        and node.name == "connect"
        and any(argument.arg == "is_reconnect" for argument in (*node.args.args, *node.args.kwonlyargs))
        for node in ast.walk(tree)
    )


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case _:
                pass
