"""A chat as its page shows it: what came in and what went out, in one order, resumable by cursor."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from hermes.store.codec import decode_event, decode_outbound
from hermes.store.port import Reader
from hermes.types.content import REFUSAL, Media, answered
from hermes.types.records import FeedItem

_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class _Message:
    row_id: int
    at: float
    item_id: str
    text: str
    reply_to: str | None
    answers: tuple[str, ...] = ()
    refusal: str | None = None
    files: tuple[Media, ...] = ()


def feed(  # noqa: PLR0917 - the cursor and the limit are part of the question
    reader: Reader, platform: str, account: str, chat_id: str, since: str | None, limit: int
) -> Sequence[FeedItem]:
    """Messages of a chat, oldest first: the first ``limit`` after cursor ``since``, or the newest ``limit`` without one.

    Ordered by time, but never against the order of rows within one direction, because a cursor counts rows:
    ``<inbox row>.<outbox row>``, the highest seen of each. Handing back the last cursor yields what came later and
    nothing twice. A cursor that is none (a page may send anything) counts as None.
    """
    seen = _CURSOR.fullmatch(since or "")
    chat = (platform, account, chat_id)
    if seen:
        after_in, after_out = int(seen[1]), int(seen[2])
        came = _inbox(reader, chat, after_in, "ASC", limit)
        went = _outbox(reader, chat, after_out, "ASC", limit)
        return list(_merge(came, went, after_in, after_out))[:limit]
    came = _inbox(reader, chat, 0, "DESC", limit)[::-1]
    went = _outbox(reader, chat, 0, "DESC", limit)[::-1]
    before_in = came[0].row_id - 1 if came else 0
    before_out = went[0].row_id - 1 if went else 0
    return list(_merge(came, went, before_in, before_out))[-limit:]


def _inbox(reader: Reader, chat: tuple[str, str, str], after: int, order: str, limit: int) -> list[_Message]:
    mine = "SELECT row_id, event, text FROM inbox WHERE platform = ?1 AND account = ?2 AND chat_id = ?3 AND row_id > ?4"
    rows = reader.execute(  # two halves, because each has an index of its own
        f"{mine} AND state <> 'accepted' AND state <> 'ignored' AND event IS NOT NULL"
        f" UNION ALL {mine} AND state = 'accepted' ORDER BY row_id {order} LIMIT ?5",
        (*chat, after, limit),
    )
    messages = []
    for row_id, payload, text in rows:
        event = decode_event(payload, text)
        item_id = event.extra.get("client_id", event.event_id)
        messages.append(_Message(row_id, event.received_at, item_id, text, event.reply_to))
    return messages


def _outbox(reader: Reader, chat: tuple[str, str, str], after: int, order: str, limit: int) -> list[_Message]:
    rows = reader.execute(
        "SELECT row_id, created_at, message, text FROM outbox WHERE platform = ? AND account = ? AND chat_id = ?"
        f" AND row_id > ? AND NOT secret ORDER BY row_id {order} LIMIT ?",
        (*chat, after, limit),
    )
    messages = []
    for row_id, created_at, payload, text in rows:
        message = decode_outbound(payload, text)
        messages.append(
            _Message(
                row_id,
                created_at,
                message.delivery_id,
                text,
                message.reply_to,
                answered(message.reply_to, message.metadata),
                message.metadata.get(REFUSAL),
                message.attachments,
            )
        )
    return messages


def _merge(came: list[_Message], went: list[_Message], seen_in: int, seen_out: int) -> Iterator[FeedItem]:
    i = o = 0
    while i < len(came) or o < len(went):
        if o == len(went) or (i < len(came) and came[i].at <= went[o].at):
            message = came[i]
            i, seen_in = i + 1, message.row_id
            yield _item("user", message, f"{seen_in}.{seen_out}")
        else:
            message = went[o]
            o, seen_out = o + 1, message.row_id
            yield _item("agent", message, f"{seen_in}.{seen_out}")


def _item(role: Literal["user", "agent"], message: _Message, cursor: str) -> FeedItem:
    return FeedItem(
        cursor,
        role,
        message.item_id,
        message.text,
        message.at,
        message.reply_to,
        message.answers,
        message.refusal,
        message.files,
    )
