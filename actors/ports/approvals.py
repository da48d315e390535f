"""Which conversations have asked for something, in memory: so no message costs a read, and a decision wakes its turn.

The table is the truth. What stands here may be out of date in one direction alone: a session of which nothing waits any
more costs the next bare "yes" one look at the table.
"""

from collections.abc import Iterable

import trio

from hermes.store import approvals
from hermes.store.port import Store
from hermes.types.ids import SessionKey


class Approvals:
    """Belongs to nobody's incarnation: whoever commits something about an approval says so here, after the commit."""

    def __init__(self) -> None:
        self._asking: set[SessionKey] = set()
        self._changed: dict[str, trio.Event] = {}

    async def load(self, store: Store) -> None:
        """Learn what waits since an earlier boot; before the first message is decided."""
        self._asking.update(await store.read(approvals.sessions_asking))

    def asks(self, key: SessionKey) -> bool:
        """May something wait for a person in that session?"""
        return key in self._asking

    def asked(self, key: SessionKey) -> None:
        """Something does."""
        self._asking.add(key)

    def quiet(self, key: SessionKey) -> None:
        """Nothing does."""
        self._asking.discard(key)

    def changed(self, approval_id: str) -> trio.Event:
        """Is set when somebody has decided. To be asked for before the row is looked at; ``forget`` it afterwards."""
        return self._changed.setdefault(approval_id, trio.Event())

    def decided(self, approval_ids: Iterable[str]) -> None:
        """Wake whoever waits for one of them."""
        for approval_id in approval_ids:
            if (event := self._changed.pop(approval_id, None)) is not None:
                event.set()

    def forget(self, approval_id: str) -> None:
        """Nobody waits for it any more; two that do are woken, and look."""
        self.decided([approval_id])
