"""What people write is never logged (S48): a rule of the names of what is handed to a logger.

The rule sees names, not values: a body under another name, or in the text of an exception, gets by.
"""

import ast
from collections.abc import Iterator

import pytest
from source_tree import modules, place, syntax

LOUD = frozenset({"info", "warning", "error", "exception", "critical", "log"})
BODIES = frozenset(
    {"answer", "body", "caption", "content", "data", "draft", "envelope", "events", "history", "letter", "message",
     "messages", "outbound", "part", "payload", "prompt", "question", "raw", "reply", "request", "row", "rows", "text",
     "transcript", "turn"}
)  # fmt: skip
SAFE = frozenset({"type", "len"})
"""Functions that say of a body only what it is."""


def values(node: ast.expr) -> Iterator[str]:
    """The names of the values that end up in a text made from ``node``: the last part of ``a.b.c`` alone."""
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            yield name
        case ast.Call(func=ast.Name(name)) if name in SAFE:
            pass
        case ast.Call():
            for part in (node.func, *node.args, *(keyword.value for keyword in node.keywords)):
                yield from values(part)
        case _:
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    yield from values(part)


def logged_bodies(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("log" | "_log" | "logger"), attr=method)) if (
                method in LOUD
            ):
                handed = (
                    *node.args,
                    *(keyword.value for keyword in node.keywords if keyword.arg != "exc_info"),
                )
                if any(name in BODIES for argument in handed for name in values(argument)):
                    yield node


def test_S48_no_body_is_logged_at_info_or_above():
    found = [place(path, node) for path in modules().values() for node in logged_bodies(syntax(path))]

    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "log.info('%s', event.text)",
        "log.warning(f'{row.event.text!r}')",
        "log.log(level, 'a %s', str(message))",
        "_log.error('%s', ', '.join(part.text for part in parts))",
        "log.info(text)",
        "log.info('x', extra={'a': reply})",
    ],
)
def test_a_logged_body_is_seen(code):
    assert len(list(logged_bodies(ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "log.debug('%s', event.text)",
        "log.info('%s', row.message.delivery_id)",
        "log.info('%s is a dead letter', type(message).__name__)",
        "log.info('%d characters', len(event.text))",
        "log.error('it failed', exc_info=answer)",
    ],
)
def test_what_is_no_body_may_be_logged(code):
    assert list(logged_bodies(ast.parse(code))) == []


def test_there_are_log_calls_to_look_at():
    """The rule knows a logger by its name."""
    loggers = {
        target.id
        for path in modules().values()
        for node in syntax(path).body
        if isinstance(node, ast.Assign) and "getLogger" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    assert loggers == {"log", "_log"}
