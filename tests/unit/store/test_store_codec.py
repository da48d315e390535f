import pytest
from store_kit import event, outbound

from hermes.store import codec
from hermes.types.agent import Step
from hermes.types.content import Outbound
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import SessionKey, TraceId
from hermes.types.origin import Origin

FULL = InboundEvent(
    event_id="e1",
    origin=Origin("telegram", "99", "second", "group", "7", "42", "alt", "Chat", "Ann", is_bot=True),
    text="not here",
    received_at=100.5,
    trace=TraceId("t"),
    kind="edit",
    message_id="m",
    attachments=(Attachment("image", "ref", "a.png", "image/png", 12), Attachment("voice", "ref2")),
    reply_to="r",
    mentions_bot=True,
    sent_at=99.5,
    internal=True,
    extra={"client_id": "c1"},
)


@pytest.mark.parametrize("whole", [event(), FULL])
def test_events_come_back_whole(whole: InboundEvent) -> None:
    payload = codec.encode_event(whole)
    assert codec.decode_event(payload, whole.text) == whole
    assert b"not here" not in payload


@pytest.mark.parametrize(
    "whole",
    [
        outbound(text="not here"),
        outbound(
            text="not here",
            kind="notice",
            thread_id="t",
            reply_to="r",
            session_key=SessionKey("k"),
            generation=3,
            trace=TraceId("x"),
            expires_at=5.5,
            secret=True,
            metadata={"a": "b"},
        ),
    ],
)
def test_messages_come_back_whole(whole: Outbound) -> None:
    payload = codec.encode_outbound(whole)
    assert codec.decode_outbound(payload, whole.text) == whole
    assert b"not here" not in payload


def test_steps_come_back_whole() -> None:
    step = Step("result", "search", "three hits")
    assert codec.decode_step(codec.encode_step(step)) == step


def test_what_is_no_payload_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        codec.encode_outbound(outbound(metadata={"a": object()}))
