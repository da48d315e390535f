"""Files of what was sent: pages for the target ``local``, and the whole of what had to be cut.

    <home>/cron/output/<job id | misc>/<stamp>.md          <home>/cron/output/<job id | misc>_<stamp>.txt

Private, never over another: the second of one second gets a number. A disk that takes no file fails its one target.
"""

import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import assert_never

from hermes.delivery.parts import is_one_part, shortened
from hermes.delivery.results import Prepared, Result, unposted
from hermes.delivery.router import (
    CAP,
    MISC,
    File,
    Order,
    Post,
    Refused,
    Skipped,
    Step,
    outbound,
    page,
    stamp,
)
from hermes.ops.files import open_private
from hermes.types import texts

OUTPUT = ("cron", "output")


def prepare(home: Path, order: Order, steps: Sequence[Step]) -> list[Prepared | Result]:
    """Write what ``steps`` want written; one entry each, in order. Blocks on the disk; raises nothing of it."""
    ready: list[Prepared | Result] = []
    for step in steps:
        try:
            ready.append(_prepare(home, order, step))
        except OSError as wrong:
            where = f"{wrong.filename}: " if wrong.filename else ""
            ready.append(Result(step.target, error=f"{where}{wrong.strerror or wrong}"))
    return ready


def _prepare(home: Path, order: Order, step: Step) -> Prepared | Result:
    match step:
        case Post(target, place, capabilities):
            if capabilities.splits or is_one_part(order.content, CAP, capabilities):
                return Prepared(target, place, outbound(order, place, order.content))
            path = str(
                _write(_directory(home), f"{order.job_id or MISC}_{stamp(order)}", "txt", order.content)
            )
            text = shortened(order.content, CAP, capabilities, texts.CUT.format(path=path))
            return Prepared(target, place, outbound(order, place, text), path)
        case File(target):
            directory = _directory(home) / (order.job_id or MISC)
            directory.mkdir(mode=0o700, exist_ok=True)
            return Result(target, path=str(_write(directory, stamp(order), "md", page(order))))
        case Skipped() | Refused():
            return unposted(step)
        case _:
            assert_never(step)


def _directory(home: Path) -> Path:
    directory = home
    for name in OUTPUT:
        directory /= name
        directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def _write(directory: Path, stem: str, suffix: str, text: str) -> Path:
    for number in count(1):
        path = directory / (f"{stem}.{suffix}" if number == 1 else f"{stem}_{number}.{suffix}")
        try:
            descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            continue
        with open(descriptor, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return path
    raise AssertionError  # the numbers do not end
