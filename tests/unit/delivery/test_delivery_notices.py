"""AC-58: of one kind to one chat, at most one notice in ten minutes."""

import sqlite3
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.delivery.notices import EVERY_S, elsewhere, notice
from hermes.delivery.targets import Place
from hermes.store.apply import apply
from hermes.store.memory import in_memory
from hermes.store.notice_ops import Before, Begin, End, Notify
from hermes.types.ids import BootId

HOME = Place("telegram", "default", "-100", "17")
OTHER = Place("discord", "default", "5")
NOW = 1_772_618_400.0


def fresh() -> sqlite3.Connection:
    return in_memory()


def tell(db: sqlite3.Connection, at: float, kind: str = "back", place: Place = HOME) -> bool:
    (said,) = apply(db, [Notify(notice(kind, place, "I am back.", at), at)])
    return bool(said)


def test_it_goes_to_the_place_and_its_thread_and_is_no_news_for_ever() -> None:
    one = notice("back", HOME, "hello", NOW).message
    assert (one.chat_id, one.thread_id, one.kind, one.text) == ("-100", "17", "notice", "hello")
    assert one.expires_at == NOW + 3600


@pytest.mark.parametrize("apart", [0.0, 1.0, 599.0])
def test_AC58_not_twice_within_ten_minutes_wherever_the_slot_ends(apart: float) -> None:
    for offset in range(0, 600, 37):
        db = fresh()
        assert tell(db, NOW + offset)
        assert not tell(db, NOW + offset + apart)


def test_after_ten_minutes_it_is_news_again_and_other_kinds_and_chats_always_were() -> None:
    db = fresh()
    assert tell(db, NOW)
    assert tell(db, NOW, kind="disabled:discord:default")
    assert tell(db, NOW, place=OTHER)
    assert tell(db, NOW + EVERY_S)


@given(st.lists(st.floats(0.0, 900.0), max_size=60))
def test_AC58_whenever_it_is_asked_for(waits: list[float]) -> None:
    db, now, said = fresh(), NOW, []
    for wait in waits:
        now += wait
        if tell(db, now):
            said.append(now)
    assert all(later - first >= EVERY_S for first, later in pairwise(said))
    assert bool(said) is bool(waits)


def test_trouble_is_told_on_another_platform_and_best_where_it_is_heard() -> None:
    homes = [HOME, OTHER, Place("matrix", "default", "!r:s")]
    assert elsewhere(homes, "telegram", lambda _: True) == OTHER
    assert elsewhere(homes, "telegram", lambda home: home.platform == "matrix") == homes[2]
    assert elsewhere(homes, "telegram", lambda _: False) == OTHER
    assert elsewhere([HOME], "telegram", lambda _: True) is None


def test_a_boot_learns_how_the_one_before_it_ended() -> None:
    db = fresh()

    def begin(name: str) -> object:
        return apply(db, [Begin(BootId(name), NOW)])[0]

    assert begin("a") == Before("none")
    assert begin("b") == begin("b") == Before("")
    apply(db, [End(BootId("b"), "stop")])
    assert begin("c") == Before("stop")
    apply(db, [End(BootId("c"), "restart", OTHER)])
    assert begin("d") == begin("d") == Before("restart", OTHER)
    for n in range(200):
        begin(f"x{n}")
    assert db.execute("SELECT count(*) FROM boots").fetchone() == (100,)
