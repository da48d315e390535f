"""The environment: ``<home>/.env`` below the variables of the process, each with the place where it is set.

What the file says is handed down and never written to ``os.environ``: the programs that we start shall not inherit it.
"""

import re
import stat
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dotenv.parser import Binding

NAME = ".env"

REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
"""What stands for the value of a variable; ``${env:NAME}`` is the same."""


class Environment(Mapping[str, str]):
    """Every variable with its value; it shows none in its repr.

    ``places`` says where, for those that do not come from the process. ``faults``: what the file says and nobody understands,
    and that others may read it.
    """

    def __init__(
        self, values: Mapping[str, str], places: Mapping[str, str], faults: tuple[str, ...] = ()
    ) -> None:
        self._values = values
        self.places = places
        self.faults = faults

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def place_of(environ: Mapping[str, str], name: str) -> str:
    """Where variable ``name`` is set, for people."""
    places = environ.places if isinstance(environ, Environment) else {}
    return places.get(name, f"environment variable {name}")


def read_environment(path: Path, text: str, process: Mapping[str, str]) -> Environment:
    """``process`` over what stands in ``text``, which was read from ``path``, by python-dotenv's grammar; nothing is expanded.

    A line that is not understood is a fault in words, and the others count. A variable without ``=`` is not set.
    """
    values: dict[str, str] = {}
    places: dict[str, str] = {}
    faults: list[str] = []
    if text.strip():
        for binding in bindings_in(text):
            said = binding.original.string
            line = binding.original.line + said[: len(said) - len(said.lstrip())].count("\n")
            if binding.error:
                faults.append(f"{path}, line {line}: not understood, and passed over; write NAME=value")
            elif binding.key is not None and binding.value is not None:
                values[binding.key] = binding.value
                places[binding.key] = f"{path}, line {line}: {binding.key}"
        if words := exposed(path):
            faults.append(words)
    own = {name: place for name, place in places.items() if name not in process}
    return Environment({**values, **process}, own, tuple(faults))


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """``text`` with the value of each variable for which ``${NAME}`` stands; one that is not set stays as it is written."""
    return REFERENCE.sub(lambda found: environ.get(found[1]) or found[0], text)


def bindings_in(text: str) -> "list[Binding]":
    """The lines of a ``.env``, each with its name and value as python-dotenv reads them."""
    from dotenv.parser import parse_stream

    return list(parse_stream(StringIO(text)))


def exposed(path: Path) -> str:
    """Why the file keeps no secret, in words; empty if it does, or is gone."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"{path}: other users of this machine may read your tokens; `chmod 600 {path}`"
    return ""
