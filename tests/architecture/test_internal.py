"""S16: only a token of this process makes an event internal, and no code that reads a wire can come by it."""

import ast

from source_tree import imports, modules, place, syntax

DOOR = "actors.ports.internal"
"""The one module that marks an event as internal."""

MAKER = "actors.tree"
HOLDERS = frozenset({"actors.firing"})
"""Modules that use the token they are handed: the actors that make internal events."""

EDGES = ("hermes.platforms", "hermes.web", "hermes.net")


def test_S16_one_place_makes_the_token_and_it_is_handed_to_those_who_are_named():
    makers, holders = set(), set()
    for name, path in modules().items():
        for node in ast.walk(syntax(path)):
            match node:
                case ast.Call(func=ast.Name("InternalEvents") | ast.Attribute(attr="InternalEvents")):
                    makers.add(name)
                case ast.Attribute(attr="internal_events"):
                    holders.add(name)

    assert makers == {MAKER}
    assert holders == HOLDERS


def test_S16_nothing_else_says_of_an_event_that_it_is_internal():
    claims = [
        place(path, node)
        for name, path in modules().items()
        if name != DOOR
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "internal"
        and not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
    ]

    assert claims == []


def test_S16_no_edge_reaches_the_tree():
    reached = [
        (name, imported)
        for edge in EDGES
        for name, path in modules(edge).items()
        for imported in imports(syntax(path))
        if imported.partition(".")[0] in ("actors", "supervisors")
    ]

    assert [len(modules(edge)) > 0 for edge in EDGES] == [True] * len(EDGES)
    assert reached == []
