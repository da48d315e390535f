"""What has become of deliveries, which chats are known, and where each platform's home is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hermes.store.port import Reader
from hermes.types.channels import Channel
from hermes.types.content import OutboxState
from hermes.types.ids import DeliveryId


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """One delivery: ``message_ids`` are the platform's receipts, one for each part that has arrived."""

    delivery_id: DeliveryId
    state: OutboxState
    failure: str
    message_ids: tuple[str, ...]

    @property
    def ended(self) -> bool:
        """Nothing will change any more."""
        return self.state in ("sent", "dead")

    @property
    def delivered(self) -> bool:
        """The platform has it all, and has said so."""
        return self.state == "sent" and bool(self.message_ids)


@dataclass(frozen=True, slots=True)
class SetHome:
    """A home channel that somebody has set from its chat."""

    platform: str
    account: str
    chat_id: str
    thread_id: str | None
    name: str


def delivery_statuses(reader: Reader, delivery_ids: Sequence[str]) -> Sequence[DeliveryStatus]:
    """Those of ``delivery_ids`` that there are."""
    rows = reader.execute(
        "SELECT delivery_id, state, failure, (SELECT json_group_array(message_id) FROM (SELECT message_id FROM receipts"
        " WHERE outbox_row_id = outbox.row_id ORDER BY part)) FROM outbox"
        " WHERE delivery_id IN (SELECT value FROM json_each(?)) ORDER BY row_id",
        (json.dumps(delivery_ids),),
    )
    return [
        DeliveryStatus(DeliveryId(name), state, failure, tuple(json.loads(receipts)))
        for name, state, failure, receipts in rows
    ]


def known_chats(reader: Reader, limit: int) -> Sequence[tuple[str, str, Channel]]:
    """(platform, account, chat) of the conversations that were active last, last first; each chat and thread once."""
    rows = reader.execute(
        "SELECT platform, account, chat_id, thread_id, chat_type, max(title), max(last_active_at) AS last FROM sessions"
        " WHERE platform <> '' GROUP BY 1, 2, 3, 4 ORDER BY last DESC LIMIT ?",
        (limit,),
    )
    return [
        (platform, account, Channel(chat_id, _name(title, thread_id), kind, thread_id))
        for platform, account, chat_id, thread_id, kind, title, _ in rows
    ]


def _name(title: str, thread_id: str | None) -> str:
    """A topic of which nobody has said how it is called goes by its number, as in the original."""
    return f"{title} / topic {thread_id}" if title and thread_id is not None and " / " not in title else title


def set_homes(reader: Reader) -> Sequence[SetHome]:
    """The homes that /sethome has set, the newest first."""
    rows = reader.execute(
        "SELECT platform, account, chat_id, thread_id, name FROM homes ORDER BY at DESC, platform, account"
    )
    return [SetHome(*row) for row in rows]
