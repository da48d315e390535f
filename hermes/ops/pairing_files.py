"""The files that own the pairings, in the directories of both generations of the original.

    <home>/pairing/            counts if it is there, as in the original
    <home>/platforms/pairing/  else; rows of the other one are read too, and the first one's win

Read and decided and written in one call, which blocks: for a thread. Files are looked at before each step, because the
original's command line writes them too, and read again where they have changed. What cannot be read is never written.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from hermes.ops.files import open_private
from hermes.pairing.book import PairingBook
from hermes.pairing.orders import KINDS, Kind, Order
from hermes.pairing.records import Records, Rows, account_of, read_book, write_book
from hermes.types.errors import Failure, GatewayError

DIRECTORIES = (Path("pairing"), Path("platforms", "pairing"))
LIMITS = "_rate_limits.json"
MOST_FILE_BYTES = 16_000_000

UNREADABLE = "pairing_unreadable"
UNWRITABLE = "pairing_unwritable"
GIVEN_UP = "pairing_given_up"

R = TypeVar("R")
Canonical = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What all files say, by name. ``faults`` say by the name of a file, of either place, why it cannot be read; "" is all.

    Books are as far as they could be read; ``grants`` are those of files that could be.
    """

    books: Mapping[str, PairingBook] = field(default_factory=dict)
    grants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    def fault(self, name: str, kinds: Iterable[Kind] = KINDS) -> str | None:
        """Why nothing can be done with these files of ``name``, if that is so."""
        found = (
            self.faults.get(file_name) for file_name in ("", *(_file_name(name, kind) for kind in kinds))
        )
        return next(filter(None, found), None)


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it was read: ``fault`` if that did not work. ``stamp`` tells whether it is still the same."""

    stamp: tuple[int, ...]
    rows: Rows = field(default_factory=dict)
    fault: str = ""


class PairingFiles:
    """The files of one home. ``canonical`` gives the form of ids on a platform. One call at a time."""

    def __init__(self, home: Path, canonical: Callable[[str], Canonical]) -> None:
        self._home = home
        self._places = tuple(home / directory for directory in DIRECTORIES)
        self._canonical = canonical
        self._files: dict[Path, _File] = {}

    def look(self) -> Seen:
        """Everything, as it stands now. Never raises for what stands in the home."""
        return self._look()[0]

    def carry_out(
        self, name: str, order: Order[R], now: float, wanted: Callable[[], bool] = lambda: True
    ) -> tuple[R, Seen]:
        """Have ``order`` done for ``name``: in the files when this returns, also after a power cut, or not at all.

        ``wanted`` is asked before anything is changed: False if whoever asked has left. Raises ``GatewayError``:
        ``pairing_unreadable`` for a file that is damaged, ``pairing_unwritable`` where the disk refuses, ``pairing_given_up``.
        """
        seen, there = self._look()
        if fault := seen.fault(name, order.touches):
            detail = f"{fault}. Nothing was changed; mend the file or move it away"
            raise GatewayError(Failure(UNREADABLE, scope="gateway", detail=detail))
        book = self._book(name, there)
        result, after = order.carry_out(book, now)
        if after == book:
            return result, seen
        self._write(list(self._changes(name, after, there)), wanted)
        return result, self.look()

    # --- reading --------------------------------------------------------------------------------------------------------

    def _look(self) -> tuple[Seen, Sequence[Mapping[str, _File]]]:
        faults: dict[str, str] = {}
        there: list[dict[str, _File]] = []
        for place in self._places:
            try:
                there.append(self._read_all(place))
            except FileNotFoundError:
                there.append({})
            except OSError as wrong:
                there.append({})
                faults[""] = f"{place}: {wrong.strerror or wrong}"
        self._files = {
            place / name: file
            for place, files in zip(self._places, there, strict=True)
            for name, file in files.items()
        }
        for path, file in self._files.items():
            if file.fault:
                faults.setdefault(path.name, f"{path}: {file.fault}")
        names = {_name_of(path.name) for path in self._files if path.name != LIMITS}
        books = {name: self._book(name, there) for name in names}
        readable = (name for name in names if _file_name(name, "approved") not in faults)
        grants = {name: books[name].granted() for name in readable}
        return Seen(books, grants, faults), there

    def _read_all(self, place: Path) -> dict[str, _File]:
        with os.scandir(place) as entries:
            names = [entry.name for entry in entries if entry.name.isprintable()]
        ends = (_end("approved"), _end("pending"))
        return {
            name: self._read(place / name) for name in sorted(names) if name == LIMITS or name.endswith(ends)
        }

    def _read(self, path: Path) -> _File:
        stamp: tuple[int, ...] = ()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                if (known := self._files.get(path)) is not None and known.stamp == stamp and not known.fault:
                    return known
                if not S_ISREG(status.st_mode):
                    raise ValueError("not a regular file")
                data = file.read(MOST_FILE_BYTES + 1)
            if len(data) > MOST_FILE_BYTES:
                raise ValueError(f"longer than {MOST_FILE_BYTES:,} bytes")
            rows = json.loads(data.decode("utf-8-sig"))
            if not isinstance(rows, dict):
                raise ValueError(f"it holds a {type(rows).__name__}, not an object")
        except (OSError, ValueError, RecursionError) as wrong:
            return _File(stamp, fault=_words(wrong))
        return _File(stamp, rows)

    def _book(self, name: str, there: Sequence[Mapping[str, _File]]) -> PairingBook:
        return read_book(name, _records(name, there), self._canonical(account_of(name)[0]))

    # --- writing --------------------------------------------------------------------------------------------------------

    def _changes(
        self, name: str, book: PairingBook, there: Sequence[Mapping[str, _File]]
    ) -> Iterator[tuple[Path, Rows]]:
        """What has to stand where: all rows in the place that counts, and none in the other one that is gone from here.

        Grants first: whoever dies in between leaves somebody let in whose code still waits, and nobody lost.
        """
        active = next(
            (index for index, place in enumerate(self._places) if place.is_dir()), len(self._places) - 1
        )
        before = _records(name, there)
        after = write_book(name, book, before)
        for kind in KINDS:
            old, new = getattr(before, kind), getattr(after, kind)
            if new == old:
                continue
            for index, place in enumerate(self._places):
                file_name = _file_name(name, kind)
                file = there[index].get(file_name)
                if index == active:
                    yield place / file_name, new
                elif file is not None and not file.rows.keys() <= new.keys():
                    yield place / file_name, {key: row for key, row in file.rows.items() if key in new}

    def _write(self, changes: list[tuple[Path, Rows]], wanted: Callable[[], bool]) -> None:
        """All written and synced before the first is put in its place: where disks are full, they say so before that."""
        staged: list[tuple[Path, Path]] = []
        path = self._places[-1]
        try:
            for path, rows in changes:
                self._make(path.parent)
                staged.append((path.with_name(f"{path.name}.new"), path))
                _write_synced(staged[-1][0], json.dumps(rows, indent=2).encode() + b"\n")
            if not wanted():
                raise GatewayError(
                    Failure(GIVEN_UP, scope="gateway", detail="it took too long, and nothing was changed")
                )
            for new, path in staged:
                new.replace(path)
            for directory in {path.parent for path, _ in changes}:
                _sync(directory)
        except OSError as wrong:
            detail = f"{path}: {wrong.strerror or wrong}"
            raise GatewayError(Failure(UNWRITABLE, scope="gateway", detail=detail)) from wrong
        finally:
            for new, _ in staged:
                with suppress(OSError):
                    new.unlink(missing_ok=True)

    def _make(self, directory: Path) -> None:
        """``directory``, below a home that is there, for this user alone, and there to stay."""
        if not directory.exists() and directory != self._home:
            self._make(directory.parent)
            directory.mkdir(mode=0o700, exist_ok=True)
            _sync(directory.parent)


def _end(kind: Kind) -> str:
    return f"-{kind}.json"


def _file_name(name: str, kind: Kind) -> str:
    """An account may be called anything; a file may not."""
    return LIMITS if kind == "limits" else quote(name, safe="@") + _end(kind)


def _name_of(file_name: str) -> str:
    return unquote(file_name.removesuffix(_end("approved")).removesuffix(_end("pending")))


def _records(name: str, there: Sequence[Mapping[str, _File]]) -> Records:
    def merged(kind: Kind) -> Rows:
        rows: dict[str, Any] = {}
        for files in reversed(there):
            if (file := files.get(_file_name(name, kind))) is not None:
                rows |= file.rows
        return rows

    return Records(merged("approved"), merged("pending"), merged("limits"))


def _write_synced(path: Path, data: bytes) -> None:
    with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _words(wrong: Exception) -> str:
    match wrong:
        case OSError(strerror=str(reason)):
            return reason
        case json.JSONDecodeError():
            return f"not valid JSON ({wrong})"
        case UnicodeDecodeError():
            return "not UTF-8"
        case RecursionError():
            return "nested too deeply"
        case _:
            return str(wrong)
