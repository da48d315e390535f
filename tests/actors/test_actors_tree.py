"""The tree as data keeps the kit's rules for child specs."""

from supervisors.lint import check_child_specs
from supervisors.spec import ChildSpec


def _supervisors(spec: ChildSpec):
    if spec.kind == "supervisor":
        children, rules = spec.args
        yield spec.id, children, rules
        for child in children:
            yield from _supervisors(child)


async def test_law_C3_no_window_in_the_tree_can_be_defeated(open_world, autojump_clock):
    world = await open_world()
    root = world.boot.system.registry.cell("root").spec

    problems = {
        name: check_child_specs(
            children, strategy=rules.strategy, limit=rules.limit, auto_shutdown=rules.auto_shutdown
        )
        for name, children, rules in _supervisors(root)
    }

    assert not any(problems.values()), problems
    assert {"root", "gateway", "delivery"} <= set(problems)
