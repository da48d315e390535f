"""SIGUSR2: what there is to see of the gateway, as one private file.

SIGUSR2 ─┬─▶ logs/stacks.log, at once (``hermes.ops.stacks``): the loop's stack even while it is frozen, then all threads
         └─▶ Dump ─▶ tree, stacks of the root's task, events, mailboxes ─▶ logs/dump-<time>.json, once the loop answers
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_never

import trio

from actors.ports.inspection import Inspection
from hermes.ops.files import write_private
from supervisors.cell import Down, Stop
from supervisors.context import Context

log = logging.getLogger(__name__)

KEPT_FILES = 20
WRITE_DEADLINE_S = 10.0
PREFIX = "dump-"


@dataclass(frozen=True, slots=True)
class Dump:
    """Write down what there is to see."""


Message = Dump | Stop | Down


async def run(ctx: Context[Message], inspection: Inspection, logs: Path) -> None:
    """Write a file whenever asked; the newest ``KEPT_FILES`` stay."""
    ctx.ready()
    while True:
        match message := await ctx.receive():
            case Dump():
                await _write(inspection.dump("root"), logs)
            case Down():
                pass  # it watches nobody
            case Stop():
                return
            case _:
                assert_never(message)


async def _write(seen: Callable[[], Mapping[str, Any]], logs: Path) -> None:
    """A disk that takes no dump costs nobody his life."""
    try:
        with trio.fail_after(WRITE_DEADLINE_S):
            path = await trio.to_thread.run_sync(_keep, seen, logs, abandon_on_cancel=True)
    except OSError as error:
        log.error("the dump could not be written: %s", error)
    except trio.TooSlowError:
        log.error(
            "the dump could not be written: the disk of %s has not answered for %g s", logs, WRITE_DEADLINE_S
        )
    else:
        log.warning("dumped to %s; the stacks of all threads are in %s", path, logs / "stacks.log")


def _keep(seen: Callable[[], Mapping[str, Any]], logs: Path) -> Path:
    document = seen()
    moment = datetime.fromtimestamp(document["as_of"], UTC)
    path = logs / f"{PREFIX}{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z.json"
    write_private(path, json.dumps(document, indent=1).encode() + b"\n")
    for old in sorted(path.parent.glob(f"{PREFIX}*.json"))[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    return path
