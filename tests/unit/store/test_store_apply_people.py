"""Links as the tables see them: made, proved, taken back, and all or nothing."""

import sqlite3
from dataclasses import replace

import pytest
from store_kit import accept, do, event, finish, route, take

from hermes.store import people, queries
from hermes.store.ops import Close
from hermes.store.people_ops import (
    LOCKED_S,
    MOST_FAILURES,
    Audit,
    Link,
    PutLinkCode,
    Side,
    Unlink,
    UseLinkCode,
)
from hermes.store.send_ops import Mirror, Send
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId, SessionId, SessionKey, TurnId
from hermes.types.origin import Origin
from hermes.types.people import UserRef

A = Side(UserRef("telegram", "default", "1"), SessionKey("agent:main:telegram:dm:1"), False, "1")
B = Side(UserRef("discord", "default", "2"), SessionKey("agent:main:discord:dm:77"), False, "77")
C = Side(UserRef("slack", "work", "U3"), SessionKey("agent:main:slack@work:dm:D3"), True, None)
TOLD = Outbound(DeliveryId("told"), "telegram", "default", "1", "linked")


def link(first: Side = A, second: Side = B, **more) -> Link:
    values = {
        "person_id": "p1",
        "name": None,
        "ends": True,
        "actor": "operator",
        "at": 200.0,
        "outbound": (TOLD,),
    }
    return Link(first, second, **(values | more))


def code(code_id: str = "c1", side: Side = A, at: float = 100.0) -> PutLinkCode:
    return PutLinkCode(code_id, "aa", f"hash-{code_id}", side, None, at, at + 600)


def use(code_id: str | None = "c1", at: float = 200.0, side: Side = B) -> UseLinkCode:
    return UseLinkCode(side.user, code_id, link(second=side), at)


def talk(db: sqlite3.Connection, side: Side, name: str = "e", at: float = 100.0) -> None:
    """The side has a conversation, with one message answered in it."""
    ref, stretch = side.user, SessionId(f"stretch-{side.user.platform}")
    origin = Origin(ref.platform, side.chat_id or "", account=ref.account, user_id=ref.user_id)
    (row,) = accept(db, replace(event(f"{name}-{ref.platform}"), origin=origin))
    do(db, route(row, side.own_key, at, origin=origin, new_session_id=stretch, user_id=ref.user_id))
    turn = TurnId(f"turn-{row}")
    record = do(db, take(row, turn_id=turn, key=side.own_key))
    assert do(
        db,
        finish(
            record.generation,
            row,
            session_key=side.own_key,
            session_id=record.session_id,
            turn_id=turn,
            outbound=(),
            active_at=at,
        ),
    )


def stretch(db: sqlite3.Connection, side: Side) -> tuple[float | None, str]:
    (found,) = db.execute(
        "SELECT ended_at, end_reason FROM stretches WHERE session_key = ?", (side.own_key,)
    ).fetchall()
    return found


def shape(db: sqlite3.Connection) -> dict[str, list[str]]:
    """By shared conversation, its people in order."""
    return {
        person.session_key: [str(member.ref) for member in person.members] for person in people.persons(db)
    }


def test_a_link_makes_a_person_ends_the_second_ones_stretch_tells_and_is_noted(db):
    talk(db, A)
    talk(db, B)
    assert do(db, link(name="Ann")) == "p1"
    (person,) = people.persons(db)
    assert (person.person_id, person.name, person.session_key) == ("p1", "Ann", A.own_key)
    assert [(m.ref, m.own_key, m.every_dm, m.chat_id) for m in person.members] == [
        (A.user, A.own_key, False, "1"),
        (B.user, B.own_key, False, "77"),
    ]
    assert stretch(db, A) == (None, "")
    assert stretch(db, B) == (200.0, "linked")
    assert [row.message.text for row in [queries.next_open_row(db, "telegram", "default", "1")]] == ["linked"]
    (noted,) = people.audit(db, 9)
    assert (noted["action"], noted["subject"], noted["detail"]) == ("link", "discord:2", "telegram:1 p1")


def test_a_link_that_leaves_conversations_apart_ends_none(db):
    talk(db, B)
    do(db, link(ends=False))
    assert stretch(db, B) == (None, "")


def test_a_third_one_joins_the_person_there_is(db):
    do(db, link())
    assert do(db, link(B, C, person_id="p2", name="Ann")) == "p1"
    assert shape(db) == {A.own_key: ["telegram:1", "discord:2", "slack@work:U3"]}
    assert people.persons(db)[0].name == "Ann"


@pytest.mark.parametrize(("first", "second"), [(A, B), (C, B), (C, A), (C, C)])
def test_who_is_somebodys_already_is_not_linked_again_nor_with_themselves(db, first, second):
    do(db, link())
    before = shape(db)
    assert do(db, link(first, second, outbound=(replace(TOLD, delivery_id=DeliveryId("again")),))) is None
    assert shape(db) == before
    assert db.execute("SELECT count(*) FROM outbox").fetchone() == (1,)
    assert len(people.audit(db, 9)) == 1


def test_open_rows_finish_in_the_conversation_they_are_in(db):
    origin = Origin("discord", "77", user_id="2")
    (row,) = accept(db, replace(event("open"), origin=origin))
    do(db, route(row, B.own_key, origin=origin, user_id="2"))
    do(db, link())
    assert [one.row_id for one in queries.open_work(db, B.own_key, 100)[0]] == [row]


# --- taken back -----------------------------------------------------------------------------------------------------------


def test_an_unlink_gives_the_conversation_and_its_stretch_back_and_dissolves_who_is_alone(db):
    talk(db, A)
    talk(db, B)
    do(db, link())
    assert do(db, Unlink(B.user, "operator", 300.0)) is True
    assert people.persons(db) == []
    assert stretch(db, B) == (None, "")
    session = queries.session(db, B.own_key)
    assert (session.session_id, session.last_active_at) == ("stretch-discord", 300.0)
    assert queries.session(db, A.own_key).last_active_at < 300.0
    assert do(db, Unlink(B.user, "operator", 301.0)) is False


def test_the_shared_conversation_stays_with_whose_own_it_is(db):
    for side in (A, B, C):
        talk(db, side)
    do(db, link())
    do(db, link(A, C))
    do(db, Unlink(A.user, "operator", 300.0))
    assert shape(db) == {B.own_key: ["discord:2", "slack@work:U3"]}
    assert [stretch(db, side)[1] for side in (A, B, C)] == ["", "", "linked"]
    do(db, Unlink(B.user, "operator", 301.0))
    assert shape(db) == {}
    assert [stretch(db, side)[1] for side in (A, B, C)] == ["", "", ""]


def test_a_stretch_that_ended_for_another_reason_does_not_come_back(db):
    talk(db, B)
    do(db, link())
    db.execute("UPDATE stretches SET end_reason = 'session_reset'")
    do(db, Unlink(B.user, "operator", 300.0))
    assert stretch(db, B) == (200.0, "session_reset")


def test_what_was_shared_is_told_nothing_where_the_other_wrote_last(db):
    talk(db, A)
    do(db, link())
    talk(db, replace(B, own_key=A.own_key), "later", 250.0)
    place = "SELECT platform, chat_id, user_id FROM sessions WHERE session_key = ?"
    assert db.execute(place, (A.own_key,)).fetchone() == ("discord", "77", "2")
    do(db, Unlink(B.user, "operator", 300.0))
    assert db.execute(place, (A.own_key,)).fetchone() == ("telegram", "1", "1")


# --- codes ----------------------------------------------------------------------------------------------------------------


def test_a_code_works_once_and_links(db):
    assert do(db, code()) is True
    (kept,) = people.link_codes(db, 150.0)
    assert (kept.user, kept.own_key, kept.chat_id, kept.hash) == (A.user, A.own_key, "1", "hash-c1")
    assert do(db, use()) is True
    assert shape(db) == {A.own_key: ["telegram:1", "discord:2"]}
    assert do(db, use(side=C)) is False
    assert shape(db) == {A.own_key: ["telegram:1", "discord:2"]}


def test_an_expired_code_is_none_and_a_new_one_voids_the_earlier(db):
    do(db, code())
    assert people.link_codes(db, 700.0) == []
    assert do(db, use(at=700.0)) is False
    do(db, code("c2", at=650.0))
    do(db, code("c3", at=651.0))
    assert [one.code_id for one in people.link_codes(db, 652.0)] == ["c3"]
    assert do(db, use("c2", 652.0)) is False


def test_five_failures_lock_that_user_out_for_an_hour_also_for_good_codes_and_for_asking(db):
    do(db, code())
    for _ in range(MOST_FAILURES):
        assert do(db, use(None)) is False
    assert do(db, use()) is False
    assert do(db, code("c2", B, 200.0)) is False
    assert do(db, code("c4", replace(C, chat_id="D3"), 200.0)) is True
    assert do(db, use("c1", 201.0, C)) is True, "another user is not locked, and the code is still good"
    later = 200.0 + LOCKED_S
    do(db, code("c5", A, later))
    assert do(db, use("c5", later - 1)) is False
    assert do(db, use("c5", later)) is True


def test_what_fails_under_a_lock_does_not_prolong_it_and_a_success_clears_the_count(db):
    for _ in range(MOST_FAILURES + 3):
        do(db, use(None))
    assert db.execute("SELECT failures, locked_until FROM link_attempts").fetchall() == [
        (0, 200.0 + LOCKED_S)
    ]
    for _ in range(MOST_FAILURES - 1):
        do(db, use(None, side=C))
    do(db, code())
    assert do(db, use(side=C)) is True
    assert db.execute("SELECT count(*) FROM link_attempts WHERE platform = 'slack'").fetchone() == (0,)


def test_the_lock_is_in_the_file(tmp_path):
    from hermes.store.schema import open_writer

    path = tmp_path / "gateway.db"
    first = open_writer(path)
    for _ in range(MOST_FAILURES):
        do(first, use(None))
    first.close()
    again = open_writer(path)
    do(again, code())
    assert do(again, use()) is False
    again.close()


def test_a_command_that_links_says_one_thing_or_the_other(db):
    rows = accept(db, event("e1"), event("e2"))
    do(db, code())
    said = tuple(replace(TOLD, delivery_id=DeliveryId(name)) for name in ("done", "not", "done2", "not2"))
    assert do(
        db, Close(rows[0], "answered", "command:link", 200.0, said[:1], effect=use(), otherwise=said[1:2])
    )
    assert do(
        db, Close(rows[1], "answered", "command:link", 200.0, said[2:3], effect=use(), otherwise=said[3:])
    )
    told = [name for (name,) in db.execute("SELECT delivery_id FROM outbox ORDER BY row_id")]
    assert told == ["told", "done", "not2"]


# --- looking --------------------------------------------------------------------------------------------------------------


def test_where_somebody_wrote_last_is_known_by_any_form_of_their_id(db):
    fold = lambda user: replace(user, user_id=user.user_id.casefold())  # noqa: E731
    talk(db, replace(B, user=replace(B.user, user_id="Bob")))
    bob = replace(B.user, user_id="bob")
    assert people.last_chat(db, bob, fold) == (B.own_key, "77")
    assert people.last_chat(db, A.user, fold) is None


def test_the_audit_is_in_its_order(db):
    do(db, link())
    do(db, Audit("operator", "approve", "telegram:9", "", 300.0))
    assert [one["action"] for one in people.audit(db, 9)] == ["approve", "link"]
    assert len(people.audit(db, 1)) == 1


def test_what_is_sent_to_somebody_linked_is_mirrored_where_they_are_and_not_where_they_were(db):
    talk(db, A)
    talk(db, B)
    do(db, link(outbound=()))
    talk(db, replace(B, own_key=A.own_key), "since")
    talk(db, A, "later")
    before = {side.own_key: len(lines(db, side.own_key)) for side in (A, B)}
    do(
        db,
        Send(
            Outbound(DeliveryId("s"), "discord", "default", "77", "news"), 260.0, Mirror("assistant", "news")
        ),
    )
    assert len(lines(db, B.own_key)) == before[B.own_key]
    assert lines(db, A.own_key)[before[A.own_key] :] == ["news"]


def lines(db: sqlite3.Connection, key: str) -> list[str]:
    return [
        text
        for (text,) in db.execute(
            "SELECT text FROM transcript WHERE session_key = ? ORDER BY line_id", (key,)
        )
    ]
