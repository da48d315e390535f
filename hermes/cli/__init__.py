"""The command line: ``hermes``.

Exit codes of client commands: 0 done · 1 failed · 2 usage · 3 no gateway runs on this home. Those of ``hermes run`` are
its own and stand in ``hermes.cli.run``.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hermes.registry.entry import PlatformEntry


def main(argv: Sequence[str] | None = None, platforms: "Sequence[PlatformEntry]" = ()) -> int:
    """Run one command and return its exit code; ``argv`` without the program's name. ``platforms`` are there beside ours."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:  # answered before even click is imported: scripts and shells ask often
        from hermes.cli.version import line

        print(line())
        return 0
    from hermes.cli.commands import execute

    return execute(arguments, platforms)
