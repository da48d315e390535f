"""The specs of a whole tree: walked, changed and checked before anything lives."""

from dataclasses import replace

from supervisors.spec import ChildSpec, Intensity
from supervisors.spec_tree import check_tree, family, map_specs, walk
from supervisors.supervisor import supervisor


async def idle(ctx: object) -> None:
    """The start of a child that no test here ever runs."""


TREE = supervisor(
    "app",
    [
        ChildSpec("a b", idle),
        supervisor("pair", [ChildSpec("x", idle), ChildSpec("y", idle)], strategy="one_for_all"),
        supervisor("crowd", dynamic=True, max_children=3),
    ],
)
PATHS = ["app", "app/a%20b", "app/pair", "app/pair/x", "app/pair/y", "app/crowd"]


def test_a_tree_is_walked_parents_first_by_the_paths_that_it_will_have() -> None:
    assert [path for path, _ in walk(TREE, "app")] == PATHS


def test_every_spec_is_changed_once_and_a_parent_holds_the_changed_children() -> None:
    seen = []

    def change(path: str, spec: ChildSpec) -> ChildSpec:
        seen.append(path)
        return replace(spec, grace=7.0)

    changed = map_specs(TREE, "app", change)

    assert sorted(seen) == sorted(PATHS)
    assert {spec.grace for _, spec in walk(changed, "app")} == {7.0}
    assert [rules for _, rules in map(family, (TREE, changed))] == [family(TREE)[1]] * 2


def test_a_tree_that_nothing_changes_is_equal() -> None:
    assert map_specs(TREE, "app", lambda _, spec: spec) == TREE


def test_law_C3_every_supervisor_of_a_tree_is_checked_by_its_own_rules() -> None:
    def tight(path: str, spec: ChildSpec) -> ChildSpec:
        return replace(spec, intensity=Intensity(5, 30.0)) if path == "app/pair/x" else spec

    assert check_tree(TREE, "app") == []
    assert check_tree(map_specs(TREE, "app", tight), "app") == [
        "below app/pair, x can never exceed its own limit of 5 ends in 30 s: each takes 7.1 s or more"
    ]
