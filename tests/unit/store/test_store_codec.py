from dataclasses import replace
from typing import Any, TypeVar, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_kit import event, outbound

from hermes.store import codec
from hermes.types.agent import Step
from hermes.types.content import Outbound
from hermes.types.events import Attachment, Earlier, InboundEvent
from hermes.types.ids import SessionKey, TraceId
from hermes.types.origin import Origin

T = TypeVar("T")

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


NEWER = replace(
    FULL,
    origin=replace(
        FULL.origin,
        chat_topic="Topic",
        chat_id_alt="-100",
        scope_id="guild",
        parent_chat_id="channel",
        role_authorized=True,
        auto_thread_created=True,
        auto_thread_initial_name="Thread",
    ),
    reply_to_text="said before",
    reply_to_author_id="43",
    reply_to_author_name="Bob",
    reply_to_is_own_message=True,
    channel_context="said around it",
    earlier=(Earlier("system", "be brief"), Earlier("user", "said to another")),
)
"""``FULL`` with the fields that came later."""

ROW_OF_SCHEMA_1 = (
    b"\xachevent_idbe1kreceived_at\xfb@Y \x00\x00\x00\x00\x00etraceatdkinddeditjmessage_idamhreply_toarlmentions_bot\xf5"
    b"gsent_at\xfb@X\xe0\x00\x00\x00\x00\x00hinternal\xf5eextra\xa1iclient_idbc1forigin\xaahplatformhtelegramgchat_idb99"
    b"gaccountfsecondichat_typeegroupithread_ida7guser_idb42kuser_id_altcaltichat_namedChatiuser_namecAnnfis_bot\xf5"
    b"kattachments\x82\xa5dkindeimagecrefcrefdnameea.pngdmimeiimage/pngjsize_bytes\x0c\xa2dkindevoicecrefdref2"
)
"""``FULL`` as it was written before origins and events had more fields."""


@pytest.mark.parametrize("whole", [event(), FULL, NEWER])
def test_events_come_back_whole(whole: InboundEvent) -> None:
    payload = codec.encode_event(whole)
    assert codec.decode_event(payload, whole.text) == whole
    assert b"not here" not in payload


def test_rows_written_before_a_field_existed_decode() -> None:
    assert codec.decode_event(ROW_OF_SCHEMA_1, "not here") == FULL


def of(kind: type[T], **some: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Any ``kind``, whatever fields it has."""
    drawn = {name: some.get(name, st.from_type(hint)) for name, hint in get_type_hints(kind).items()}
    return st.builds(kind, **drawn)


ORIGINS = of(Origin)
EVENTS = of(
    InboundEvent,
    origin=ORIGINS,
    received_at=st.floats(allow_nan=False),
    sent_at=st.none() | st.floats(allow_nan=False),
)


@given(EVENTS)
def test_any_event_comes_back_whole_and_hides_nothing_in_its_row(whole: InboundEvent) -> None:
    payload = codec.encode_event(whole)

    assert codec.decode_event(payload, whole.text) == whole
    assert codec.encode_event(replace(whole, text="another")) == payload


@given(EVENTS)
def test_only_quotes_are_forgotten(whole: InboundEvent) -> None:
    kept = codec.without_quotes(codec.encode_event(whole))

    assert codec.decode_event(kept, whole.text) == replace(
        whole, reply_to_text=None, channel_context=None, earlier=()
    )


@given(EVENTS)
def test_what_was_said_earlier_is_forgotten_alone(whole: InboundEvent) -> None:
    kept = codec.without_earlier(codec.encode_event(whole))

    assert codec.decode_event(kept, whole.text) == replace(whole, earlier=())


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
