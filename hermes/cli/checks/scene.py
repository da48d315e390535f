"""What a check looks at, and what it says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hermes.config.load import Settings
from hermes.registry.registry import PlatformRegistry

Level = Literal["problem", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: ``what``, ``where``, and the command to ``run`` next.

    A ``problem`` keeps the gateway from its work, or lets somebody in who should not; a ``warning`` may be meant. ``mend`` puts
    it right, where that can do no harm; it may raise ``OSError``.
    """

    level: Level
    what: str
    where: str = ""
    run: str = ""
    mend: Callable[[], object] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """A home, and its gateway if one runs.

    ``settings`` is None where they cannot be used, for ``faults``. ``status`` is what a running gateway says of itself,
    ``plugins`` what it has made of them; both None where none answers, and ``silence`` says why one does not that may be there.
    """

    home: Path
    environ: Mapping[str, str]
    registry: PlatformRegistry
    settings: Settings | None
    faults: tuple[str, ...] = ()
    status: Mapping[str, Any] | None = None
    plugins: tuple[Mapping[str, Any], ...] | None = None
    silence: str = ""


Check = Callable[[Scene], Iterable[Finding]]


def problem(
    what: str, where: object = "", run: str = "", mend: Callable[[], object] | None = None
) -> Finding:
    """A finding that makes the exit code 1."""
    return Finding("problem", what, str(where), run, mend)


def warning(
    what: str, where: object = "", run: str = "", mend: Callable[[], object] | None = None
) -> Finding:
    """A finding that does not."""
    return Finding("warning", what, str(where), run, mend)
