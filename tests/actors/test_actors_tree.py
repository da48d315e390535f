"""The tree as data keeps the kit's rules for child specs."""

from supervisors.spec_tree import check_tree, walk


async def test_law_C3_no_window_in_the_tree_can_be_defeated(open_world, autojump_clock):
    world = await open_world()
    root = world.boot.system.registry.cell("root").spec

    assert check_tree(root, "root") == []
    assert {"root/gateway", "root/gateway/delivery/outbox"} <= {path for path, _ in walk(root, "root")}
