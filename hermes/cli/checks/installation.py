"""The program itself: whose packages these are, and whether what it needs is there."""

import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version

from hermes.cli.checks.scene import Finding, Scene, problem

DISTRIBUTION = "hermes-trio"
PACKAGES = ("hermes", "actors", "supervisors")

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def owners(_scene: Scene) -> Iterator[Finding]:
    """Nobody else brings a package by one of our names."""
    yield from foreign(packages_distributions())


def foreign(found: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """As ``owners``, by the distributions of each package. Pure."""
    for package in PACKAGES:
        for other in sorted({*found.get(package, ())} - {DISTRIBUTION}):
            yield problem(
                f"{other} brings a package {package}, too, so that either may run the other's code",
                sys.prefix,
                f"{shlex.quote(sys.executable)} -m pip uninstall {shlex.quote(other)}",
            )


def dependencies(_scene: Scene) -> Iterator[Finding]:
    """What the program needs is installed."""
    yield from absent(requires(DISTRIBUTION) or [])


def absent(requirements: Sequence[str]) -> Iterator[Finding]:
    """As ``dependencies``, by the words of the distribution."""
    for words in requirements:
        name = _NAME.match(words)
        if name is None or "extra ==" in words:
            continue
        try:
            version(name[0])
        except PackageNotFoundError:
            again = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall {DISTRIBUTION}"
            yield problem(f"{name[0]} is not installed", sys.prefix, again)
