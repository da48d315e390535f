"""Child specs that contradict one another, or defeat their own limits; found before anything is started."""

import math
from collections import Counter
from collections.abc import Sequence

from supervisors.spec import AutoShutdown, ChildSpec, Limit, Strategy


def contradictions(specs: Sequence[ChildSpec], auto_shutdown: AutoShutdown = "never") -> list[str]:
    """What makes a supervisor of these children impossible, in words; empty if nothing does."""
    problems = [
        f"{count} children are called {name!r}"
        for name, count in Counter(s.id for s in specs).items()
        if count > 1
    ]
    for spec in specs:
        if spec.significant and spec.restart == "permanent":
            problems.append(f"{spec.id} is significant but permanent: it never ends for good")
        if spec.significant and auto_shutdown == "never":
            problems.append(f"{spec.id} is significant, but nothing shuts down when it ends")
    return problems


def check_child_specs(
    specs: Sequence[ChildSpec],
    *,
    strategy: Strategy = "one_for_one",
    limit: Limit | None = None,
    auto_shutdown: AutoShutdown = "never",
) -> list[str]:
    """All problems of a set of children: ``contradictions``, and windows that can never be exceeded (law C3).

    A child that ends too often is noticed only if so many restarts fit into the window; each takes at least the backoff's
    minimum and, where siblings are stopped along, all their stops. An infinite shutdown counts as no time: a supervisor
    below takes what its own children take.
    """
    problems = contradictions(specs, auto_shutdown)
    for index, spec in enumerate(specs):
        stop = sum(_stop_s(mate) for mate in _mates(specs, index, strategy))
        for policy, whose in ((spec.intensity, "its own"), (limit, "the supervisor's")):
            if policy is not None and policy.restarts * (stop + spec.backoff.min) >= policy.per:
                problems.append(
                    f"{spec.id} can never exceed {whose} limit of {policy.restarts} ends in {policy.per:g} s: "
                    f"each takes {stop + spec.backoff.min:g} s or more"
                )
    return problems


def _mates(specs: Sequence[ChildSpec], index: int, strategy: Strategy) -> Sequence[ChildSpec]:
    match strategy:
        case "one_for_one":
            return ()
        case "one_for_all":
            return [*specs[:index], *specs[index + 1 :]]
        case "rest_for_one":
            return specs[index + 1 :]


def _stop_s(spec: ChildSpec) -> float:
    return spec.grace if math.isinf(spec.shutdown) else spec.shutdown + spec.grace
