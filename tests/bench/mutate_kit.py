"""Mutation testing of the kit's pure half: change one thing at a time, and see whether a test notices.

    python tests/bench/mutate_kit.py [--only core,backoff] [--jobs 2] [--sample N]

Each mutant is a copy of ``supervisors`` with one comparison turned, one operand swapped, one constant moved, one condition
negated or one statement dropped. The tests of the core run against it; a mutant that no test kills is printed with its line.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TARGETS = ("core", "child", "judgement", "siblings", "intensity", "backoff", "escalation", "lint")
TESTS = (
    "test_core_strategies.py",
    "test_core_sequences.py",
    "test_kit_reasons.py",
    "test_kit_commands.py",
    "test_kit_progress.py",
)
SEQUENCES = "3000"
DEADLINE_S = 120.0

COMPARE = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Pow: ast.Mult}


def _mutations(node: ast.AST) -> Iterator[ast.AST]:
    """Every changed form of one node."""
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARE:
            changed = copy.deepcopy(node)
            changed.ops[0] = COMPARE[type(op)]()
            yield changed
        case ast.BoolOp(op, values):
            changed = copy.deepcopy(node)
            changed.op = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield changed
            yield from (
                ast.BoolOp(op, [v for v in values if v is not one]) for one in values if len(values) > 2
            )
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.BinOp(op=op) if type(op) in BINARY:
            changed = copy.deepcopy(node)
            changed.op = BINARY[type(op)]()
            yield changed
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.If(test):
            changed = copy.deepcopy(node)
            changed.test = ast.UnaryOp(ast.Not(), test)
            yield changed
        case (
            ast.Return(value=ast.expr())
            | ast.Assign()
            | ast.AugAssign()
            | ast.Expr(value=ast.Call())
            | ast.Delete()
        ):
            yield ast.Pass()
        case _:
            return


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """(line, what it was, the whole changed source) for every mutant of a module."""
    tree = ast.parse(source)
    beside = {
        id(inner) for node in ast.walk(tree) for outer in _beside_the_point(node) for inner in ast.walk(outer)
    }
    for position, node in enumerate(ast.walk(tree)):
        if id(node) in beside:
            continue
        for number, _ in enumerate(list(_mutations(node))):
            again = ast.parse(source)
            target = list(ast.walk(again))[position]
            changed = list(_mutations(target))[number]
            was = ast.unparse(target).splitlines()[0]
            replaced = _Replace(target, changed).visit(again)
            yield getattr(node, "lineno", 0), was, ast.unparse(ast.fix_missing_locations(replaced))


def _beside_the_point(node: ast.AST) -> list[ast.AST]:
    """Parts whose change changes nothing that the program does: docstrings, decorators, slots, what only mypy reads."""
    match node:
        case ast.ClassDef(decorator_list=decorators) | ast.FunctionDef(decorator_list=decorators):
            return list(decorators)
        case ast.Expr(ast.Constant()) | ast.Assign([ast.Name("__slots__")]):
            return [node]
        case ast.Expr(ast.Call(ast.Name("assert_never"))):
            return [node]
        case _:
            return []


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, by: ast.AST) -> None:
        self._target = target
        self._by = by

    def visit(self, node: ast.AST) -> ast.AST:
        return self._by if node is self._target else self.generic_visit(node)


def killed(module: str, source: str) -> bool:
    """True if a test fails, or does not end, against this source."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "supervisors", Path(folder) / "supervisors")
        (Path(folder) / "supervisors" / f"{module}.py").write_text(source)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            str(ROOT / "pyproject.toml"),
        ]
        try:
            done = subprocess.run(
                [*command, *(str(ROOT / "tests" / "supervisors" / name) for name in TESTS)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": folder, "KIT_SEQUENCES": SEQUENCES},
                capture_output=True,
                timeout=DEADLINE_S,
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0


def main() -> int:
    """Print the survivors and the score; exit 1 below 95 %."""
    options = argparse.ArgumentParser()
    options.add_argument("--only", default=",".join(TARGETS))
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--sample", type=int, default=0)
    chosen = options.parse_args()
    work = [
        (module, line, was, source)
        for module in chosen.only.split(",")
        for line, was, source in mutants((ROOT / "supervisors" / f"{module}.py").read_text())
    ]
    if chosen.sample:
        work = random.Random(1).sample(work, min(chosen.sample, len(work)))
    assert not killed("core", (ROOT / "supervisors" / "core.py").read_text()), (
        "the tests fail without any mutation"
    )
    verdicts = []
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for (module, line, was, _), dead in zip(
            work, pool.map(lambda job: killed(job[0], job[3]), work), strict=True
        ):
            verdicts.append(dead)
            if not dead:
                print(f"survived: supervisors/{module}.py:{line}: {was}", flush=True)
    score = 100 * sum(verdicts) / len(verdicts)
    print(f"{sum(verdicts)} of {len(verdicts)} mutants killed, {score:.1f} %")
    return score < 95


if __name__ == "__main__":
    sys.exit(main())
