"""Who depends on whom: the three strategies, as two questions about a list of children in start order."""

from collections.abc import Collection, Iterator

from supervisors.child import Child
from supervisors.spec import Strategy


def dependents(strategy: Strategy, children: Collection[Child], failed: Child) -> Iterator[Child]:
    """The siblings that go down with ``failed``, in start order."""
    after = False
    for child in children:
        if child is failed:
            after = True
        elif strategy == "one_for_all" or (strategy == "rest_for_one" and after):
            yield child


def held_down(strategy: Strategy, children: Collection[Child], child: Child) -> bool:
    """True if ``child`` and all after it must stay down for now."""
    match strategy:
        case "one_for_one":
            return False
        case "rest_for_one":
            return child.holds
        case "one_for_all":
            return any(other.holds for other in children)
