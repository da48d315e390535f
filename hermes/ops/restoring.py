"""A home takes over what was unpacked beside it: what it had is put aside, and a kill at any instant loses nothing.

unpack into backups/restoring/new ─▶ commit: the plan, in one write ─▶ move the old out ─▶ move the new in ─▶ remove the plan

Before the commit the home is what it was. Behind it, ``finish`` goes on from wherever it was broken off; until then no gateway
starts there (``HomeLock``).
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hermes.ops.files import write_durable
from hermes.types.errors import HOME_UNUSABLE, Failure, GatewayError

BACKUPS = "backups"
PLAN = "plan.json"
_STAGE = (BACKUPS, "restoring")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which names at the top of a home go out, to ``aside``, and which come in."""

    aside: str
    out: tuple[str, ...]
    into: tuple[str, ...]


def stage(home: Path) -> Path:
    """An empty directory to unpack into, 0700; what an earlier one has left there goes. Raises ``OSError``."""
    at = home.joinpath(*_STAGE)
    at.parent.mkdir(mode=0o700, exist_ok=True)
    if at.is_symlink():
        raise FileExistsError(None, "is a link", str(at))
    if at.exists():
        shutil.rmtree(at)
    new = at / "new"
    new.mkdir(mode=0o700, parents=True)
    return new


def drop(home: Path) -> None:
    """Remove what was unpacked; nothing was changed."""
    shutil.rmtree(home.joinpath(*_STAGE), ignore_errors=True)


def commit(home: Path, aside: str, stays: Iterable[str]) -> None:
    """From here on the home is that of the archive; what it had goes to ``backups/<aside>``, numbered if there is one.

    Raises ``OSError``; then the home is what it was.
    """
    at = home.joinpath(*_STAGE)
    names = (aside, *(f"{aside}-{number}" for number in range(2, 100)))
    aside = next(name for name in names if not os.path.lexists(home / BACKUPS / name))
    staying = set(stays)
    out = tuple(sorted(name for name in os.listdir(home) if name not in staying))
    into = tuple(sorted(os.listdir(at / "new")))
    for directory, _below, _files in os.walk(at / "new"):
        _sync(Path(directory))
    write_durable(at / PLAN, json.dumps({"aside": aside, "out": out, "into": into}).encode())


def pending(home: Path) -> bool:
    """Whether a restore of ``home`` was broken off in the middle, and has to be finished before anything else."""
    return home.joinpath(*_STAGE, PLAN).exists()


def finish(home: Path) -> Path:
    """Do what is left of the plan; where now is what the home had before. Whoever calls has its lock.

    Raises ``OSError``, and ``GatewayError`` for a plan that nobody understands; calling again goes on.
    """
    at = home.joinpath(*_STAGE)
    plan = _plan(at / PLAN)
    aside, new = home / BACKUPS / plan.aside, at / "new"
    aside.mkdir(mode=0o700, exist_ok=True)
    for name in plan.out:
        if not os.path.lexists(aside / name) and os.path.lexists(home / name):
            (home / name).rename(aside / name)
    _sync(aside)
    for name in plan.into:
        if os.path.lexists(new / name):
            (new / name).rename(home / name)
    _sync(home)
    (at / PLAN).unlink()
    drop(home)
    return aside


def _plan(path: Path) -> Plan:
    try:
        said = json.loads(path.read_bytes())
        plan = Plan(said["aside"], tuple(said["out"]), tuple(said["into"]))
    except (ValueError, TypeError, KeyError) as wrong:
        raise _unusable(f"{path} is not to be understood") from wrong
    if any("/" in name or name in ("", ".", "..") for name in (plan.aside, *plan.out, *plan.into)):
        raise _unusable(f"{path} names what is no file of the home")
    return plan


def _unusable(detail: str) -> GatewayError:
    return GatewayError(Failure(HOME_UNUSABLE, "fatal", "gateway", detail=detail))


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
