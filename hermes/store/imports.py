"""What was taken over from another program, and when.

The table ``imported`` counts the messages of each of its sessions that are here. It stays when they are forgotten, or over: so
they do not come back.
"""

from collections.abc import Mapping

from hermes.store.port import Reader

TASK = "import"
"""By which the last time is noted (``upkeep_ops.NoteUpkeep``)."""


def taken(reader: Reader) -> Mapping[str, int]:
    """How many messages of each of its sessions are here."""
    return dict(reader.execute("SELECT session_id, messages FROM imported").fetchall())


def is_broken_off(reader: Reader) -> bool:
    """True if it was begun, and never done to its end: what was there before it is saved."""
    return is_due(reader) and bool(reader.execute("SELECT 1 FROM imported LIMIT 1").fetchall())


def is_due(reader: Reader) -> bool:
    """True as long as it was never done to its end."""
    return not reader.execute("SELECT 1 FROM upkeep WHERE task = ?", (TASK,)).fetchall()
