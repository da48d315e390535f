"""Server-sent events: bytes as they come become the data of events. Pure.

Only ``data`` is read: who needs ``event``, ``id`` or ``retry`` speaks another protocol than ours do.
"""

import re

MAX_EVENT_BYTES = 4 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventParser:
    """One stream's. An event counts once the empty line after it is there; what is cut off before that never was."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False

    def feed(self, piece: bytes) -> list[str]:
        """The data of the events that ``piece`` completes, in order. Raises ``ValueError`` for one that is longer than
        ``MAX_EVENT_BYTES``.
        """
        self._rest += piece
        if not self._begun:
            if _BOM.startswith(self._rest[:3]) and len(self._rest) < len(_BOM):
                return []
            self._begun = True
            if self._rest.startswith(_BOM):
                del self._rest[: len(_BOM)]
        found: list[str] = []
        at = 0
        for end in _LINE_END.finditer(self._rest):
            if end[0] == b"\r" and end.end() == len(self._rest):
                break  # a newline may follow, and would be the same end
            self._take(bytes(self._rest[at : end.start()]), found)
            at = end.end()
        del self._rest[:at]
        if len(self._rest) + self._size > MAX_EVENT_BYTES:
            raise ValueError(f"an event of more than {MAX_EVENT_BYTES:,} bytes")
        return found

    def _take(self, line: bytes, found: list[str]) -> None:
        if not line:
            if self._data:
                found.append(b"\n".join(self._data).decode(errors="replace"))
            self._data, self._size = [], 0
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value) + 1
