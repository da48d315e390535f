"""What the built-in agent knows of the past, from the store."""

from collections.abc import Sequence

from hermes.store import keeping_ops, queries
from hermes.store.port import Store
from hermes.types.ids import Clock, SessionKey
from hermes.types.records import Note, SearchHit


class StoreMemory:
    """Implements ``agent.Memory``."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def search(self, query: str, limit: int, of: SessionKey | None) -> Sequence[SearchHit]:
        """See ``agent.Memory``."""
        return await self._store.read(queries.search, query, limit, of)

    async def notes(self, of: SessionKey | None) -> Sequence[Note]:
        """See ``agent.Memory``."""
        return await self._store.read(queries.notes, of)

    async def add_note(self, key: str, text: str) -> Note:
        """See ``agent.Memory``."""
        return await self._store.write(keeping_ops.AddNote(key, text, self._clock.wall()))

    async def drop_note(self, note_id: int) -> bool:
        """See ``agent.Memory``."""
        return await self._store.write(keeping_ops.DropNote(note_id))
