"""Files that go with answers: copied before the commit that promises them, removed once nobody needs them.

gather ─▶ copies below <home>/cache/outbound ─▶ the outbox row names them ─▶ its lane sends them ─▶ sweep
"""

import logging
from collections.abc import Sequence

from actors.ports.files import HomeFiles
from hermes.delivery import media_tags
from hermes.delivery.media_tags import Extracted, Refusal
from hermes.ops import media_files
from hermes.ops.media_files import Policy
from hermes.store import outbox
from hermes.store.port import Store
from hermes.types.content import Capabilities, Media
from hermes.types.errors import GatewayError
from hermes.types.ids import Clock, DeliveryId, IdSource

log = logging.getLogger(__name__)

GATHER_DEADLINE_S = 30.0
TOKEN_DIGITS = 8
NOT_PROMISED_S = 3600.0
"""Copies of which no row knows may be those of an answer that is about to be committed. Older ones are left over."""

KEPT_S = 7 * 86_400.0
"""How long copies are kept after the end of their row: where people read from our store, and for a dead letter, which may be
sent again.
"""


class Outgoing:
    """Belongs to root."""

    def __init__(self, files: HomeFiles, policy: Policy, store: Store, clock: Clock, ids: IdSource) -> None:
        self._files = files.within(GATHER_DEADLINE_S)
        self._policy = policy
        self._store = store
        self._clock = clock
        self._ids = ids

    async def gather(
        self, delivery_id: DeliveryId, text: str, media: Sequence[Media], capabilities: Capabilities
    ) -> Extracted:
        """What of an answer is read, and its files as they are to be sent. A disk that does not answer costs the files alone."""
        copies = media_files.copies_name(delivery_id, self._ids.token(TOKEN_DIGITS))
        try:
            return await self._files.run(
                media_files.gather,
                self._policy,
                text,
                media,
                copies=copies,
                capabilities=capabilities,
                now=self._clock.wall(),
            )
        except (GatewayError, OSError) as error:
            log.error("the files of %s are not sent: %s", delivery_id, error)
            found = media_tags.extract(text, self._policy.user_home, lambda _: "denied")
            denied: Refusal = "denied"
            return Extracted(found.text, (), (*found.refused, *(denied for _ in media)))

    async def sweep(self, kept_for: frozenset[str]) -> None:
        """Remove the copies that nobody needs any more. ``kept_for`` are the platforms whose people read from our store."""
        now = self._clock.wall()
        try:
            copied = await self._files.run(media_files.copied)
            ids = tuple({delivery_id for delivery_id, _ in copied.values()})
            ends = await self._store.read(outbox.ends, ids) if ids else {}
            over = [name for name, one in copied.items() if _is_over(*one, ends.get(one[0]), kept_for, now)]
            if over:
                await self._files.run(media_files.drop_copies, over)
        except (GatewayError, OSError) as error:
            log.warning("files that were sent are not cleared away: %s", error)


def _is_over(
    _delivery_id: DeliveryId,
    copied_at: float,
    end: outbox.Ending | None,
    kept_for: frozenset[str],
    now: float,
) -> bool:
    if end is None:
        return now - copied_at > NOT_PROMISED_S
    if end.ended_at is None:
        return False
    kept = end.state == "dead" or end.platform in kept_for
    return not kept or now - end.ended_at > KEPT_S
