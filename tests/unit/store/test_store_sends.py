"""What is sent on its own: one commit for the message and the line that its chat's conversation keeps of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_kit import CHAT, KEY, accept, do, in_turn, outbound, route

from hermes.store import queries, sends
from hermes.store.codec import decode_outbound, encode_outbound
from hermes.store.ops import Enqueue, Expire, Receipt, Sending, Unsent
from hermes.store.send_ops import Mirror, Send
from hermes.types.channels import Channel
from hermes.types.content import Media, Outbound, React
from hermes.types.ids import BootId, DeliveryId, SessionKey, TraceId
from hermes.types.origin import Origin

SAID = Mirror("assistant", "hello from the shell")
OTHER = SessionKey("agent:main:webchat:group:ann:u2")


def lines(db, key=KEY):
    record = queries.session(db, key)
    return [(line.role, line.text) for line in queries.history(db, key, record.session_id, 9)]


def send(db, mirror=SAID, name="d1", **more):
    return do(db, Send(outbound(name, **more), 200.0, mirror))


def test_the_message_and_its_mirror_are_one_commit_and_done_once(db):
    in_turn(db)
    assert send(db)
    assert not send(db)
    assert queries.next_open_row(db, *CHAT).message == outbound("d1")
    assert lines(db) == [("assistant", "hello from the shell")]
    assert [hit.role for hit in queries.search(db, "shell", 9)] == ["assistant"]


def test_a_mirror_of_cron_is_the_users_and_none_leaves_nothing(db):
    in_turn(db)
    send(db, Mirror("user", "the report"))
    send(db, None, "d2")
    assert lines(db) == [("user", "the report")]


def test_a_mirror_is_nobodys_activity_and_no_new_generation(db):
    in_turn(db)
    before = queries.session(db, KEY)
    send(db)
    assert queries.session(db, KEY) == before


def test_without_a_conversation_there_is_no_mirror(db):
    assert send(db)
    assert db.execute("SELECT count(*) FROM transcript").fetchall() == [(0,)]


def test_another_thread_and_another_chat_are_other_conversations(db):
    in_turn(db)
    send(db, thread_id="7")
    do(db, Send(Outbound(DeliveryId("d2"), "webchat", "default", "bob", "x"), 200.0, SAID))
    do(db, Send(Outbound(DeliveryId("d3"), "webchat", "work", "ann", "x"), 200.0, SAID))
    assert lines(db) == []


def two_in_one_chat(db):
    from store_kit import event

    (first, second) = accept(db, event("e1"), event("e2"))
    do(db, route(first, user_id="u1"))
    do(db, route(second, OTHER, user_id="u2"))


def test_of_several_conversations_none_is_chosen_unless_the_user_is_named(db):
    two_in_one_chat(db)
    send(db)
    assert (lines(db), lines(db, OTHER)) == ([], [])
    send(db, Mirror("assistant", "for you", "u2"), "d2")
    assert (lines(db), lines(db, OTHER)) == ([], [("assistant", "for you")])


def test_the_conversation_of_a_person_who_was_last_heard_elsewhere_is_found(db):
    from store_kit import event

    (first, second) = accept(db, event("e1"), event("e2", "elsewhere"))
    do(db, route(first))
    do(db, route(second, origin=Origin("webchat", "elsewhere")))
    send(db)
    assert lines(db) == [("assistant", "hello from the shell")]


# --- what has become of it -------------------------------------------------------------------------------------------------


def test_AC24_a_delivery_is_delivered_when_the_platform_has_given_receipts(db):
    send(db)
    (row_id,) = (row.row_id for row in [queries.next_open_row(db, *CHAT)])

    def status():
        (found,) = sends.delivery_statuses(db, ["d1", "nobody"])
        return found.state, found.delivered, found.ended, found.message_ids

    assert status() == ("prepared", False, False, ())
    do(db, Sending(row_id, BootId("b"), 1, 201.0))
    do(db, Receipt(row_id, 0, 2, "m1", 202.0))
    assert status() == ("sending", False, False, ("m1",))
    do(db, Receipt(row_id, 1, 2, "m2", 203.0))
    assert status() == ("sent", True, True, ("m1", "m2"))


def test_AC56_a_message_that_only_its_history_has_is_not_delivered(db):
    send(db, expires_at=300.0)
    assert len(do(db, Expire(("webchat",), 301.0))) == 1
    (found,) = sends.delivery_statuses(db, ["d1"])
    assert (found.state, found.ended, found.delivered, found.failure) == ("sent", True, False, "stored")


def test_a_dead_letter_has_ended_and_says_why(db):
    send(db)
    row = queries.next_open_row(db, *CHAT)
    do(db, Sending(row.row_id, BootId("b"), 1, 201.0))
    do(db, Unsent(row.row_id, "dead", 0.0, "forbidden", 202.0))
    (found,) = sends.delivery_statuses(db, ["d1"])
    assert (found.ended, found.delivered, found.failure) == (True, False, "forbidden")


def test_known_chats_are_each_listed_once_the_newest_first(db):
    two_in_one_chat(db)
    from store_kit import event

    (third,) = accept(db, event("e3", "bob"))
    bob = Origin("webchat", "bob", chat_type="group", chat_name="Bobs", thread_id="7")
    do(db, route(third, SessionKey("k3"), at=500.0, origin=bob))
    assert sends.known_chats(db, 9) == [
        ("webchat", "default", Channel("bob", "Bobs / topic 7", "group", "7")),
        ("webchat", "default", Channel("ann", "", "dm")),
    ]
    assert len(sends.known_chats(db, 1)) == 1


def test_homes_that_were_set_in_chat_the_newest_first(db):
    db.execute(
        "INSERT INTO homes VALUES ('a', 'default', '1', NULL, '', 1.0), ('b', 'x', '2', '3', 'Ops', 2.0)"
    )
    assert sends.set_homes(db) == [
        sends.SetHome("b", "x", "2", "3", "Ops"),
        sends.SetHome("a", "default", "1", None, ""),
    ]


# --- AC-33 -----------------------------------------------------------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=12)
OPTIONAL = st.none() | NAMES
MESSAGES = st.builds(
    Outbound,
    delivery_id=NAMES.map(DeliveryId),
    platform=NAMES,
    account=NAMES,
    chat_id=NAMES,
    text=st.text(max_size=40),
    kind=st.sampled_from(["reply", "command", "notice"]),
    thread_id=OPTIONAL,
    reply_to=OPTIONAL,
    session_key=OPTIONAL,
    generation=st.none() | st.integers(0, 2**53),
    trace=st.text(max_size=8).map(TraceId),
    expires_at=st.none() | st.floats(0, 4e9),
    secret=st.booleans(),
    metadata=st.dictionaries(NAMES, st.text(max_size=12), max_size=4),
    effects=st.lists(st.builds(React, NAMES), max_size=2).map(tuple),
    attachments=st.lists(
        st.builds(Media, st.sampled_from(["image", "document"]), NAMES, NAMES, OPTIONAL, NAMES), max_size=2
    ).map(tuple),
)


@pytest.mark.parametrize(
    "operation", [lambda one: Enqueue(one, 5.0), lambda one: Send(one, 5.0, SAID)], ids=["enqueue", "send"]
)
@given(message=MESSAGES)
def test_AC33_an_outbox_row_gives_back_every_field_of_its_message(operation, message):
    from contextlib import closing

    from hermes.store.memory import in_memory

    assert decode_outbound(encode_outbound(message), message.text) == message
    with closing(in_memory()) as db:
        assert do(db, operation(message))
        row = queries.next_open_row(db, message.platform, message.account, message.chat_id)
        assert row.message == message
        assert row.message.lane == message.lane


def test_AC33_the_property_names_every_field_there_is():
    from dataclasses import fields

    everything = Outbound(
        *(DeliveryId("d"), "p", "a", "c", "t"),
        kind="notice",
        thread_id="7",
        reply_to="m",
        session_key=SessionKey("k"),
        generation=3,
        trace=TraceId("t"),
        expires_at=1.0,
        secret=True,
        metadata={"a": "b"},
        effects=(React("x"),),
        attachments=(Media("image", "/a.png", "a.png", "image/png", "a"),),
    )
    required = {"delivery_id", "platform", "account", "chat_id", "text"}
    same = {
        field.name
        for field in fields(Outbound)
        if field.name not in required and getattr(everything, field.name) == getattr(outbound(), field.name)
    }
    assert same == set(), "a new field is to be added above, and to the property"
    assert decode_outbound(encode_outbound(everything), "t") == everything
