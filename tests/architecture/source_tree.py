"""The project's files and their syntax trees, for the tests beside this module."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hermes", "actors", "supervisors")


def project_files() -> Iterator[Path]:
    """Every file that is or may be committed: what is not hidden away in a cache, an environment or git itself."""
    skipped = {".git", ".venv", "__pycache__", "dist", "node_modules"}
    for top in ROOT.iterdir():
        if top.name in skipped or top.name.endswith(("_cache", ".egg-info")) or top.name == ".hypothesis":
            continue
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.is_file() and not skipped.intersection(path.parts):
                yield path


def modules(*packages: str) -> dict[str, Path]:
    """Dotted names of the modules of ``packages`` (default: all of ours) → their files."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages or PACKAGES
        for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py"))
    }


@cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names that are imported anywhere in ``tree``, also inside functions."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{alias.name}" for alias in names)


def place(path: Path, node: ast.AST) -> str:
    """``file:line`` for a message."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
