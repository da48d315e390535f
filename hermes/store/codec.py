"""What is in the columns. Payloads: frozen dataclasses to CBOR maps and back.

Maps by field name without what equals its default (half the bytes), so that a row written before a field existed still
decodes. The text is not among them: it has a column of its own, where it can be erased. What an event quotes of others
goes with it: ``without_quotes``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

import cbor2

from hermes.types.agent import Step
from hermes.types.content import Media, Outbound, React
from hermes.types.events import Attachment, Earlier, InboundEvent
from hermes.types.origin import Origin
from hermes.types.records import SessionRecord, Used

SESSION = (
    "session_key, session_id, generation, last_seq, created_at, last_active_at, suspended, resume_reason, resume_marked_at,"
    " expired_at IS last_active_at"
)
"""The columns that ``session_record`` reads."""

LATE_RESULTS = "late_results"
"""The counter of what came of turns that were over; the others count messages."""

_Fields = tuple[tuple[str, object], ...]
"""Names of fields with their defaults."""


def _fields(kind: type[Any], *elsewhere: str) -> _Fields:
    return tuple(
        (field.name, field.default if field.default_factory is MISSING else field.default_factory())
        for field in fields(kind)
        if field.name not in elsewhere
    )


_EVENT = _fields(InboundEvent, "text", "origin", "attachments", "earlier")
_ORIGIN = _fields(Origin)
_ATTACHMENT = _fields(Attachment)
_EARLIER = _fields(Earlier)
_QUOTES = ("reply_to_text", "channel_context", "earlier")
_LASTING = ("event_id", "origin", "received_at", "trace")
_OUTBOUND = _fields(Outbound, "text", "effects", "attachments")
_EFFECT = _fields(React)
_MEDIA = _fields(Media)
_STEP = _fields(Step)


def _map(value: object, names: _Fields) -> dict[str, object]:
    return {name: field for name, default in names if (field := getattr(value, name)) != default}


def _plain(encoder: cbor2.CBOREncoder, value: object) -> None:
    """For mappings that are no dict (frozen ones)."""
    if not isinstance(value, Mapping):
        raise TypeError(f"cannot store a {type(value).__name__}")
    encoder.encode(dict(value))


class Undecodable(ValueError):
    """What a row holds is no payload that this program knows: another version's, or damaged."""


def encode_event(event: InboundEvent) -> bytes:
    """``event`` without its text. Raises ``ValueError`` or ``TypeError`` if a field is not what its type says."""
    payload = _map(event, _EVENT)
    payload["origin"] = _map(event.origin, _ORIGIN)
    if event.attachments:
        payload["attachments"] = [_map(attachment, _ATTACHMENT) for attachment in event.attachments]
    if event.earlier:
        payload["earlier"] = [_map(line, _EARLIER) for line in event.earlier]
    return cbor2.dumps(payload)


def decode_event(payload: bytes, text: str) -> InboundEvent:
    """The event that ``encode_event`` wrote. Raises ``Undecodable``."""
    try:
        values: dict[str, Any] = cbor2.loads(payload)
        origin = Origin(**values.pop("origin"))
        attachments = tuple(Attachment(**attachment) for attachment in values.pop("attachments", ()))
        earlier = tuple(Earlier(**line) for line in values.pop("earlier", ()))
        return InboundEvent(origin=origin, attachments=attachments, earlier=earlier, text=text, **values)
    except Exception as error:  # nothing but these bytes can be at fault, and in any way
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def without_quotes(payload: bytes) -> bytes:
    """An event's payload without what it quotes of others, for an event whose text is not kept."""
    values: dict[str, Any] = cbor2.loads(payload)
    return cbor2.dumps({name: value for name, value in values.items() if name not in _QUOTES})


def without_earlier(payload: bytes) -> bytes:
    """An event's payload without what was said before it: it may be all of a long conversation, and again with each message."""
    values: dict[str, Any] = cbor2.loads(payload)
    return cbor2.dumps({name: value for name, value in values.items() if name != "earlier"})


def without_words(payload: bytes) -> bytes:
    """An event's payload of which only its place, its sender and its time are left: whose it was is asked for long after."""
    values: dict[str, Any] = cbor2.loads(payload)
    return cbor2.dumps({name: values[name] for name in _LASTING if name in values})


def encode_outbound(message: Outbound) -> bytes:
    """``message`` without its text."""
    payload = _map(message, _OUTBOUND)
    if message.effects:
        payload["effects"] = [_map(effect, _EFFECT) for effect in message.effects]
    if message.attachments:
        payload["attachments"] = [_map(media, _MEDIA) for media in message.attachments]
    return cbor2.dumps(payload, default=_plain)


def decode_outbound(payload: bytes, text: str) -> Outbound:
    """The message that ``encode_outbound`` wrote. Raises ``Undecodable``."""
    try:
        values: dict[str, Any] = cbor2.loads(payload)
        effects = tuple(React(**effect) for effect in values.pop("effects", ()))
        attachments = tuple(Media(**media) for media in values.pop("attachments", ()))
        return Outbound(text=text, effects=effects, attachments=attachments, **values)
    except Exception as error:  # nothing but these bytes can be at fault, and in any way
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def encode_step(step: Step) -> bytes:
    """One step of a turn."""
    return cbor2.dumps(_map(step, _STEP))


def decode_step(payload: bytes) -> Step:
    """The step that ``encode_step`` wrote."""
    return Step(**cbor2.loads(payload))


def encode_used(used: Sequence[Used]) -> str:
    """The tools of a line; empty for none."""
    return json.dumps([(one.name, one.arguments, one.result) for one in used]) if used else ""


def decode_used(column: str) -> tuple[Used, ...]:
    """What ``encode_used`` wrote."""
    return tuple(Used(*one) for one in json.loads(column)) if column else ()


def session_record(row: tuple[Any, ...]) -> SessionRecord:
    """The session whose ``SESSION`` columns begin ``row``."""
    (
        key,
        session_id,
        generation,
        last_seq,
        created_at,
        active_at,
        suspended,
        reason,
        marked_at,
        expired,
        *_,
    ) = row
    return SessionRecord(
        key,
        session_id,
        generation,
        last_seq,
        created_at,
        active_at,
        bool(suspended),
        reason,
        marked_at,
        bool(expired),
    )
