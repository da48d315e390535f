"""Restart policies over the tree: rules of the configuration in place of what ``actors.tree`` has built in.

rules ─▶ check (against the tree as built in) ─▶ apply, to every spec as it is made
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from typing import Any

from hermes.config.globs import matches
from hermes.config.supervision import Rule
from hermes.types.errors import CONFIG_INVALID, USAGE, Failure, GatewayError
from supervisors.lint import check_child_specs
from supervisors.spec import Backoff, ChildSpec, Intensity, path_segment
from supervisors.spec_tree import check_tree, family, map_specs, walk

Rules = Sequence[Rule]

SIMILAR = 0.5
"""How like a path a glob must be to be taken for a misspelt one; both are long and begin alike."""


def apply(rules: Rules, path: str, spec: ChildSpec) -> ChildSpec:
    """``spec`` of the child at ``path`` with all that the rules set for it; of those that match, the last one wins a key.

    The root is nobody's child, so it is left as it is.
    """
    wanted: dict[str, Any] = {}
    for rule in rules if "/" in path else ():
        if matches(rule.glob, path):
            wanted |= {key: value for key, value in asdict(rule.policy).items() if value is not None}
    if not wanted:
        return spec
    restarts, per = wanted.get("intensity", (spec.intensity.restarts, spec.intensity.per))
    least, most = wanted.get("backoff", (spec.backoff.min, spec.backoff.max))
    return replace(
        spec,
        restart=wanted.get("restart", spec.restart),
        intensity=Intensity(
            restarts, per, wanted.get("on_exceeded", spec.intensity.on_exceeded), spec.intensity.probe
        ),
        backoff=Backoff(
            least,
            most,
            wanted.get("factor", spec.backoff.factor),
            wanted.get("reset_after", spec.backoff.reset_after),
        ),
        shutdown=wanted.get("shutdown", spec.shutdown),
        on_stuck=wanted.get("on_stuck", spec.on_stuck),
        overridden=tuple(sorted(wanted)),
    )


class Policies:
    """The rules in force, and what they are about; belongs to root, so that no actor's crash changes them.

    ``families`` are the dynamic supervisors by path, each with the spec that it gives a child of any name.
    """

    def __init__(self, rules: Rules, families: Mapping[str, Callable[[str], ChildSpec]]) -> None:
        self.rules = rules
        self._families = families
        self._built_in: ChildSpec | None = None

    @property
    def families(self) -> tuple[str, ...]:
        """Paths of the supervisors whose children come and go."""
        return tuple(self._families)

    def cover(self, tree: ChildSpec) -> ChildSpec:
        """The whole tree with the rules applied. Raises ``GatewayError`` as ``adopt`` does."""
        self._built_in = tree
        self.adopt(self.rules)
        return self.tree()

    def tree(self) -> ChildSpec:
        """The tree as it is to be now."""
        return _covered(self._tree, self.rules)

    def child(self, supervisor: str, name: str) -> ChildSpec:
        """The spec of child ``name`` of a dynamic supervisor, as it is to be now."""
        path = f"{supervisor}/{path_segment(name)}"
        return apply(self.rules, path, self._families[supervisor](name))

    def built_in(self, supervisor: str) -> tuple[ChildSpec, ...]:
        """The children that the supervisor at that path has, without the rules."""
        return next(family(spec)[0] for path, spec in walk(self._tree, self._tree.id) if path == supervisor)

    def children(self, supervisor: str) -> list[ChildSpec]:
        """The same as they are to be now."""
        return [
            apply(self.rules, f"{supervisor}/{path_segment(spec.id)}", spec)
            for spec in self.built_in(supervisor)
        ]

    def adopt(self, rules: Rules, grown: Mapping[str, Sequence[ChildSpec]] = {}) -> None:
        """Put ``rules`` in force for whatever is started from now on, with other children for the supervisors in ``grown``.

        Raises ``GatewayError`` for rules that no actor may follow (law C3), and for one of the command line that matches
        nobody: ``usage`` if all of them stand on the command line, else ``config_invalid``. Then nothing has changed.
        """
        before, self._built_in = self._built_in, _grown(self._tree, grown)
        wrong = [*self._misjudged(rules), *(rule for rule in self._strangers(rules) if rule[0].flag)]
        if wrong:
            self._built_in = before
            code = USAGE if all(rule.flag for rule, _ in wrong) else CONFIG_INVALID
            detail = "\n".join(f"{rule.source}: {problem}" for rule, problem in wrong)
            raise GatewayError(Failure(code, "fatal", "gateway", detail=detail))
        self.rules = tuple(rules)

    def unmatched(self) -> list[str]:
        """Rules of the file that match nobody, in words: a misspelt path, or an adapter that is not configured."""
        return [f"{rule.source}: {problem}" for rule, problem in self._strangers(self.rules)]

    @property
    def _tree(self) -> ChildSpec:
        assert self._built_in is not None  # noqa: S101 - covered before anything runs
        return self._built_in

    def _misjudged(self, rules: Rules) -> list[tuple[Rule, str]]:
        """What the kit's lint finds, each with the rule that brought it in: the one before which it was not there."""
        problems = set(self._lint(rules))
        blamed: dict[str, Rule] = {}
        for number in range(len(rules), 0, -1) if problems else ():
            before = set(self._lint(rules[: number - 1]))
            blamed |= dict.fromkeys(problems - before - blamed.keys(), rules[number - 1])
        return [(blamed[problem], problem) for problem in sorted(blamed)]

    def _lint(self, rules: Rules) -> list[str]:
        return [*check_tree(_covered(self._tree, rules), self._tree.id), *self._lint_families(rules)]

    def _lint_families(self, rules: Rules) -> Iterator[str]:
        """Children that may come: what a glob ends with serves as the name of one, for it matches itself."""
        for path, spec_of in self._families.items():
            names = dict.fromkeys(rule.glob.rpartition("/")[2] for rule in rules if _reaches(rule.glob, path))
            for name in names:
                spec = apply(rules, f"{path}/{name}", spec_of(name))
                yield from (f"below {path}, {problem}" for problem in check_child_specs([spec]))

    def _strangers(self, rules: Rules) -> Iterator[tuple[Rule, str]]:
        """Rules that match no actor that is built in and none that may come."""
        paths = [path for path, _ in walk(self._tree, self._tree.id) if "/" in path]
        globs = dict.fromkeys(f"{parent}/*" for path in paths if "/" in (parent := path.rpartition("/")[0]))
        for rule in rules:
            static = any(matches(rule.glob, path) for path in paths)
            if not static and not any(_reaches(rule.glob, family) for family in self._families):
                known = [*paths, *globs, *(f"{family}/*" for family in self._families)]
                near = get_close_matches(rule.glob, known, 1, SIMILAR)
                hint = f"; did you mean {near[0]}?" if near else "; `hermes tree` shows all paths"
                yield rule, f"{rule.glob!r} matches no actor{hint}"


def _grown(tree: ChildSpec, grown: Mapping[str, Sequence[ChildSpec]]) -> ChildSpec:
    def change(path: str, spec: ChildSpec) -> ChildSpec:
        return replace(spec, args=(tuple(grown[path]), family(spec)[1])) if path in grown else spec

    return map_specs(tree, tree.id, change) if grown else tree


def _covered(tree: ChildSpec, rules: Rules) -> ChildSpec:
    return map_specs(tree, tree.id, lambda path, spec: apply(rules, path, spec))


def _reaches(glob: str, family: str) -> bool:
    """True if ``glob`` may match a child of the dynamic supervisor at ``family``."""
    above, _, last = glob.rpartition("/")
    return matches(above, family) or (last == "**" and matches(glob, family))
