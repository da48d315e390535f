"""The original's older transcripts, ``sessions/<session id>.jsonl``: a message a line. Reading one never hangs."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any

from hermes.importing.findings import Finding
from hermes.importing.routes import safe_id
from hermes.types.ids import SessionId

DIRECTORY, ENDING = "sessions", ".jsonl"
MOST_LINE_BYTES = 16 << 20


def transcripts(home: Path, findings: list[Finding]) -> dict[SessionId, Path]:
    """Those of ``home`` by session, in the order of their names. Raises ``OSError``."""
    found: dict[SessionId, Path] = {}
    directory = home / DIRECTORY
    for name in sorted(os.listdir(directory)) if directory.is_dir() else ():
        if name.endswith(ENDING):
            try:
                found[safe_id(name.removesuffix(ENDING))] = directory / name
            except ValueError as wrong:
                findings.append(Finding(directory / name, "unsafe", f"{wrong}; not used"))
    return found


def messages(path: Path, findings: list[Finding]) -> Iterator[Mapping[str, Any]]:
    """The messages of a file, in order. Lines that are none are passed over; the first one, and how many, goes to ``findings``.
    A last line without an end is one that is being written, or was broken off: if it is none, nothing is said of it.
    """
    wrong, first = 0, 0
    try:
        # Neither a link to elsewhere nor a pipe that never answers.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                raise IsADirectoryError(None, "is not a regular file")
            number = 0
            while line := file.readline(MOST_LINE_BYTES):
                number += 1
                message = _message(line)
                if message is not None:
                    yield message
                elif line.strip() and line.endswith(b"\n"):
                    wrong, first = wrong + 1, first or number
    except OSError as error:
        findings.append(Finding(path, "unreadable", error.strerror or str(error)))
    if wrong:
        lines = "is no message" if wrong == 1 else f"and {wrong - 1:,} more are no messages"
        findings.append(Finding(path, "skipped", f"line {first} {lines}; passed over"))


def _message(line: bytes) -> Mapping[str, Any] | None:
    try:
        said = json.loads(line.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("role"), str) else None
