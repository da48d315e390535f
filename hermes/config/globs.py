"""Globs over the paths of the tree. Pure, and the only matcher there is: for restart policies and for the log.

A glob is matched with the whole path of an actor, segment by segment: ``*`` is any text within one segment, ``**`` any
number of whole segments, one at least.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase


def matches(glob: str, path: str) -> bool:
    """True if ``glob`` stands for ``path``."""
    return _matches(glob.split("/"), path.split("/"))


def _matches(glob: Sequence[str], path: Sequence[str]) -> bool:
    if not glob or not path:
        return not glob and not path
    if glob[0] == "**":
        return any(_matches(glob[1:], path[n:]) for n in range(1, len(path) + 1))
    return segment_matches(glob[0], path[0]) and _matches(glob[1:], path[1:])


def segment_matches(glob: str, segment: str) -> bool:
    """True if ``glob`` stands for one ``segment``."""
    # fnmatch, and not a regular expression of our own: it takes linear time whatever the glob.
    return fnmatchcase(segment, glob.replace("[", "[[]").replace("?", "[?]"))
