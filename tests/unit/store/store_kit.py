"""What the store's tests are made of: short makers and one open database a test."""

import sqlite3
from typing import Any, TypeVar

from hermes.store.apply import apply
from hermes.store.ops import Accept, FinishTurn, Op, Route, Take
from hermes.types.content import Outbound
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId, DeliveryId, SessionId, SessionKey, TraceId, TurnId
from hermes.types.origin import Origin
from hermes.types.records import SessionRecord, TranscriptLine

T = TypeVar("T")

KEY = SessionKey("agent:main:webchat:dm:ann")
CHAT = ("webchat", "default", "ann")
BOOT = BootId("boot-1")
TURN = TurnId("turn-1")
STRETCH = SessionId("20260101_000000_00000000")


def event(event_id: str = "e1", chat_id: str = "ann", text: str = "hello", **more: Any) -> InboundEvent:
    more.setdefault("received_at", 100.0)
    return InboundEvent(
        event_id, Origin("webchat", chat_id), text, trace=TraceId(f"trace-{event_id}"), **more
    )


def outbound(delivery_id: str = "d1", text: str = "hi", **more: Any) -> Outbound:
    return Outbound(DeliveryId(delivery_id), *CHAT, text, **more)


def do(connection: sqlite3.Connection, op: Op[T]) -> T:
    """One operation in a transaction of its own."""
    connection.execute("BEGIN")
    (result,) = apply(connection, [op])
    connection.execute("COMMIT")
    return result  # type: ignore[return-value]


def accept(connection: sqlite3.Connection, *events: InboundEvent) -> list[int]:
    return [accepted.row_id for accepted in do(connection, Accept(events))]


def route(row_id: int, key: SessionKey = KEY, at: float = 101.0, **more: Any) -> Route:
    values: dict[str, Any] = {"new_session_id": STRETCH, "origin": Origin("webchat", "ann"), **more}
    return Route(row_id, key, rule="dm", at=at, **values)


def take(*row_ids: int, turn_id: TurnId = TURN, boot: BootId = BOOT, key: SessionKey = KEY) -> Take:
    return Take(key, row_ids, turn_id, boot, 1, 102.0)


def finish(generation: int, *row_ids: int, **more: Any) -> FinishTurn:
    values: dict[str, Any] = {
        "session_key": KEY,
        "session_id": STRETCH,
        "turn_id": TURN,
        "state": "answered",
        "rule": "",
        "transcript": (
            TranscriptLine("user", "hello", 100.0, seq=1),
            TranscriptLine("assistant", "hi", 103.0),
        ),
        "outbound": (outbound(),),
        "at": 103.0,
        "active_at": 103.0,
    }
    return FinishTurn(generation=generation, row_ids=row_ids, **(values | more))


def in_turn(connection: sqlite3.Connection, *events: InboundEvent) -> tuple[list[int], SessionRecord]:
    """Accept, route and take; the rows and the session's record."""
    rows = accept(connection, *(events or (event(),)))
    for row in rows:
        assert isinstance(do(connection, route(row)), int)
    record = do(connection, take(*rows))
    assert record is not None
    return rows, record


def states(connection: sqlite3.Connection, table: str = "inbox") -> list[str]:
    return [state for (state,) in connection.execute(f"SELECT state FROM {table} ORDER BY row_id")]
