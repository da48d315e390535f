"""A message's way for people: the steps of it with their times and the actors that took them.

received ─▶ decided ─▶ routed ─▶ turn … ─▶ answered     prepared ─▶ sending ─▶ receipt … ─▶ sent
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hermes.store import queries
from hermes.store.port import Reader
from hermes.store.tracing import Came, Went, ways
from hermes.types.approvals import Approval
from hermes.types.origin import lane_key
from supervisors.spec import path_segment

EVENTS = 10_000
OPEN = frozenset({"accepted", "routed", "in_turn"})
FATEFUL = frozenset({"exited", "disabled", "stuck", "escalated"})
"""Events of an actor that may say why a message took so long; that it was started and stopped says nothing."""

Step = dict[str, Any]
Life = tuple[str | None, int | None]
"""A boot and an incarnation in it, where they are known."""


def trace(reader: Reader, wanted: str, redact: Callable[[str], str]) -> dict[str, Any]:
    """The document of ``hermes trace --json ID``; ``traces`` is empty if nothing bears that name. Errors are redacted."""
    events: Sequence[Mapping[str, Any]] | None = None
    traces = []
    for came, went in ways(reader, wanted):
        steps = [
            *((*_inward(came), *_questions(came)) if came else ()),
            *(step for one in went for step in _outward(one, came)),
        ]
        actors = {step["actor"] for step in steps}
        last = max((step["at"] for step in steps), default=0.0)
        is_open = came is not None and came.state in OPEN
        if events is None:
            events = queries.last_events(reader, EVENTS)
        until = math.inf if is_open else last
        steps += [_fate(event, redact) for event in events if _concerns(event, actors, steps[0]["at"], until)]
        steps.sort(key=lambda step: step["at"])
        traces.append({**_head(came, went), "steps": steps})
    return {"id": wanted, "traces": traces}


def _head(came: Came | None, went: Sequence[Went]) -> dict[str, Any]:
    place = came or went[0]
    return {
        "trace": came.trace if came else "",
        "row": came.row_id if came else None,
        "platform": place.platform,
        "account": place.account,
        "chat_id": place.chat_id,
        "user_id": came.user_id if came else None,
        "event_id": came.event_id if came else None,
        "message_id": came.message_id if came else None,
        "state": came.state if came else None,
        "rule": came.rule if came else None,
        "session_key": came.session_key if came else None,
        "session_id": came.session_id if came else None,
        "turn_id": came.turn_id if came else None,
        "waits_for_approval_since": next((one.asked_at for one in _pending(came)), None),
        "deliveries": [{"delivery_id": one.delivery_id, "state": one.state} for one in went],
    }


def _pending(came: Came | None) -> Sequence[Approval]:
    return [one for one in came.asked if one.state == "pending"] if came else []


def _questions(came: Came) -> Iterator[Step]:
    """What its turn has asked a person, by number: what it was about is for those people."""
    turn = f"root/gateway/sessions/{path_segment(came.session_key or '')}/turn"
    for one in came.asked:
        yield _step(one.asked_at, "asked", turn, f"approval {one.number}")
        if one.decided_at is not None:
            by = f" by {one.decided_by}" if one.decided_by else ""
            yield _step(
                one.decided_at,
                one.state,
                "root/gateway/inbound" if by else turn,
                f"approval {one.number}{by}",
            )


def _inward(came: Came) -> Iterator[Step]:
    account = path_segment(f"{came.platform}:{came.account}")
    yield _step(came.received_at, "received", f"root/gateway/adapters/{account}", f"event {came.event_id}")
    if not came.moves and came.state not in OPEN:
        yield _step(came.received_at, came.state, f"root/gateway/adapters/{account}", came.rule)
    session = f"root/gateway/sessions/{path_segment(came.session_key or '')}"
    before = "accepted"
    for move in came.moves:
        if before == "accepted":
            yield _step(move.at, "decided", "root/gateway/inbound", move.rule)
        match move.state:
            case "routed" if before == "accepted":
                yield _step(move.at, "routed", session, f"message {came.seq} of {came.session_key}")
            case "routed":
                yield _step(move.at, "released", session, "waits for a turn again")
            case "in_turn":
                yield _step(
                    move.at,
                    "turn",
                    f"{session}/turn",
                    f"turn {move.turn_id}",
                    (move.boot_id, move.incarnation),
                )
            case ended if before == "accepted" or ended == "stopped":
                yield _step(move.at, ended, "root/gateway/inbound", move.rule)
            case ended:
                yield _step(move.at, ended, f"{session}/turn", move.rule, (move.boot_id, move.incarnation))
        before = move.state


def _outward(went: Went, came: Came | None) -> Iterator[Step]:
    author, committed_at = "root/gateway/inbound", went.created_at
    if came and came.moves:
        of_turn = bool(came.turn_id) and went.delivery_id.startswith(f"{came.turn_id}:")
        is_answer = (
            went.delivery_id == f"{came.turn_id}:0"
        )  # a turn's other messages are questions, sent meanwhile
        committed_at = came.moves[
            -1 if is_answer else 0
        ].at  # it was made a moment before the commit it is in
        if of_turn:
            author = f"root/gateway/sessions/{path_segment(came.session_key or '')}/turn"
    lane = f"root/gateway/delivery/lanes/{path_segment(lane_key(went.platform, went.account, went.chat_id))}"
    name = f"delivery {went.delivery_id}"
    yield _step(max(went.created_at, committed_at), "prepared", author, name)
    if went.sending_at is not None:
        detail = f"{name}, attempt {went.attempts}" if went.attempts else name
        yield _step(went.sending_at, "sending", lane, detail, (went.boot_id, went.incarnation))
    for receipt in went.receipts:
        detail = f"part {receipt.part + 1} arrived as message {receipt.message_id}"
        yield _step(receipt.at, "receipt", lane, detail, (went.boot_id, went.incarnation))
    if went.state not in ("prepared", "sending") or went.failure:
        detail = f"{name}: {went.failure}" if went.failure else name
        yield _step(went.changed_at, went.state, lane, detail, (went.boot_id, went.incarnation))


def _concerns(event: Mapping[str, Any], actors: set[str], since: float, until: float) -> bool:
    """Is it an end of one of ``actors``, in that time, that was no ordinary one?"""
    reason = str(event.get("reason", ""))
    ordinary = reason == "returned" or reason.startswith("stopped")
    return (
        event.get("kind") in FATEFUL
        and event.get("path") in actors
        and since <= event["at"] <= until
        and not ordinary
    )


def _fate(event: Mapping[str, Any], redact: Callable[[str], str]) -> Step:
    said = ", ".join(str(event[name]) for name in ("reason", "decision") if event.get(name) is not None)
    life = (event.get("boot_id"), event.get("incarnation"))
    return _step(event["at"], event["kind"], event["path"], redact(said), life)


def _step(at: float, step: str, actor: str, detail: str, life: Life = (None, None)) -> Step:
    boot_id, incarnation = life
    return {
        "at": at,
        "step": step,
        "actor": actor,
        "boot_id": boot_id,
        "incarnation": incarnation,
        "detail": detail,
    }
