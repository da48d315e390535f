"""Which process has a home: the one that holds its lock, or else lives under the name in ``gateway.pid``. Nothing is changed."""

from dataclasses import dataclass
from pathlib import Path

from hermes.ops import pidfile
from hermes.ops.json_files import read_json
from hermes.ops.lock import LOCK_NAME
from hermes.ops.proc import Process, command_line, holder_of, process
from hermes.types.errors import HOME_HELD, Failure, GatewayError


@dataclass(frozen=True, slots=True)
class Holder:
    """``ours``: it is of this program, and not of the original."""

    process: Process
    ours: bool


def holder(home: Path) -> Holder | None:
    """Who has ``home``; None: nobody. Blocks for some ms."""
    lock = home / LOCK_NAME
    found = (holder_of(lock) if lock.exists() else None) or named_alive(home)
    if found is None:
        return None
    ours, _ = read_json(lock, lambda record: isinstance(record, dict) and "boot_id" in record, False)
    return Holder(found, bool(ours))


def named_alive(home: Path) -> Process | None:
    """The process that ``gateway.pid`` names, if it lives still, and runs what stands there: whoever has come to its pid, and
    even to its tick after another start of the machine, does not (AC-40).
    """
    found, _ = read_json(home / pidfile.NAME, lambda record: (pidfile.named(record), _argv(record)), None)
    if found is None or process(found[0].pid) != found[0]:
        return None
    named, said = found
    return named if said and command_line(named.pid)[-len(said) :] == said else None


def _argv(record: object) -> list[str]:
    """What follows the program's name, which an interpreter may have changed; of a program alone, its name."""
    match record:
        case {"argv": [str(program), *words]}:
            return list(map(str, words)) or [program]
        case _:
            return []


def refuse_named(home: Path) -> None:
    """For whoever has the lock: raise ``GatewayError`` (``home_held``, fatal) if a gateway runs there that knows of no lock."""
    found = named_alive(home)
    if found is None or found == process():
        return
    words = (
        f"{home} is held by process {found.pid}: a gateway runs there already, as {pidfile.NAME} says. It is not of this"
        " program, so stop it the way it was started."
    )
    raise GatewayError(Failure(HOME_HELD, "fatal", "gateway", detail=words))
