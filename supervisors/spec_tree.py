"""The specs of a whole tree before it lives: a supervisor's spec holds those of its children."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from supervisors.lint import check_child_specs
from supervisors.spec import ChildSpec, path_segment
from supervisors.supervisor import Rules


def family(spec: ChildSpec) -> tuple[tuple[ChildSpec, ...], Rules]:
    """The children in a supervisor's spec, in start order, and how it treats them."""
    children, rules = spec.args
    return children, rules


def walk(spec: ChildSpec, path: str) -> Iterator[tuple[str, ChildSpec]]:
    """``spec``, which stands at ``path``, and all below it with their paths, parents first."""
    yield path, spec
    for child in family(spec)[0] if spec.kind == "supervisor" else ():
        yield from walk(child, f"{path}/{path_segment(child.id)}")


def map_specs(spec: ChildSpec, path: str, change: Callable[[str, ChildSpec], ChildSpec]) -> ChildSpec:
    """The same tree with ``change(path, spec)`` in place of every spec; children first, so a parent holds changed ones."""
    if spec.kind == "supervisor":
        children, rules = family(spec)
        changed = tuple(map_specs(c, f"{path}/{path_segment(c.id)}", change) for c in children)
        spec = replace(spec, args=(changed, rules))
    return change(path, spec)


def check_tree(spec: ChildSpec, path: str) -> list[str]:
    """``lint.check_child_specs`` for every supervisor of the tree, each problem with the path of the supervisor."""
    problems = []
    for place, parent in walk(spec, path):
        if parent.kind == "supervisor":
            children, rules = family(parent)
            found = check_child_specs(
                children, strategy=rules.strategy, limit=rules.limit, auto_shutdown=rules.auto_shutdown
            )
            problems += [f"below {place}, {problem}" for problem in found]
    return problems
