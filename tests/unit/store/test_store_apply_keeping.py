import importlib
import pkgutil
import sqlite3
from typing import Any

from store_kit import do

from hermes import store
from hermes.store import ops, queries
from hermes.store.apply import _RUNS
from hermes.store.keeping_ops import AddNote, CloseBrowserSession, DropNote, PutLoginCode, RedeemLoginCode
from hermes.store.ops import LogEvents, Probe
from hermes.store.upkeep_ops import PruneExpired
from hermes.types.records import Note


def test_every_operation_has_its_sql() -> None:
    names = [module.name for module in pkgutil.iter_modules(store.__path__) if module.name.endswith("ops")]
    modules = [importlib.import_module(f"hermes.store.{name}") for name in names]
    named = [kind for module in modules for kind in vars(module).values()]
    declared = {kind for kind in named if isinstance(kind, type) and issubclass(kind, ops.Op)} - {ops.Op}
    assert set(_RUNS) == declared


def test_events_are_kept_up_to_a_number(db: sqlite3.Connection) -> None:
    def logged(*kinds: str) -> LogEvents:
        events: tuple[dict[str, Any], ...] = tuple(
            {"at": 1.0, "path": "root", "kind": kind} for kind in kinds
        )
        return LogEvents(events, keep=3)

    do(db, logged("a", "b"))
    do(db, logged("c", "d"))
    do(db, logged())
    assert [event["kind"] for event in queries.last_events(db, 10)] == ["b", "c", "d"]
    assert [event["kind"] for event in queries.last_events(db, 1)] == ["d"]


def test_a_note_is_written_once_per_key(db: sqlite3.Connection) -> None:
    first = do(db, AddNote("turn-1:0", "buy milk", 100.0))
    assert first == Note(1, "buy milk", 100.0)
    assert do(db, AddNote("turn-1:0", "buy bread", 101.0)) == first
    second = do(db, AddNote("turn-1:1", "buy bread", 102.0))
    assert queries.notes(db) == [first, second]
    assert [do(db, DropNote(1)), do(db, DropNote(1))] == [True, False]
    assert queries.notes(db) == [second]


def test_a_login_code_opens_one_session(db: sqlite3.Connection) -> None:
    do(db, PutLoginCode(b"code", expires_at=160.0, at=100.0))
    assert do(db, RedeemLoginCode(b"wrong", b"s1", 110.0, 900.0)) is False
    assert do(db, RedeemLoginCode(b"code", b"s1", 110.0, 900.0)) is True
    assert do(db, RedeemLoginCode(b"code", b"s2", 110.0, 900.0)) is False
    assert queries.browser_session_expiry(db, b"s1") == 900.0
    assert queries.browser_session_expiry(db, b"s2") is None


def test_a_closed_browser_session_is_gone(db: sqlite3.Connection) -> None:
    do(db, PutLoginCode(b"code", 160.0, 100.0))
    do(db, RedeemLoginCode(b"code", b"s1", 110.0, 900.0))
    assert [do(db, CloseBrowserSession(b"s1")), do(db, CloseBrowserSession(b"s1"))] == [True, False]
    assert queries.browser_session_expiry(db, b"s1") is None


def test_an_expired_code_opens_nothing(db: sqlite3.Connection) -> None:
    do(db, PutLoginCode(b"code", expires_at=160.0, at=100.0))
    assert do(db, RedeemLoginCode(b"code", b"s1", 160.0, 900.0)) is False


def test_prune_drops_expired_logins(db: sqlite3.Connection) -> None:
    do(db, PutLoginCode(b"one", 160.0, 100.0))
    do(db, RedeemLoginCode(b"one", b"s1", 110.0, 200.0))
    do(db, PutLoginCode(b"two", 160.0, 110.0))
    assert do(db, PruneExpired(at=150.0)) == 0
    assert do(db, PruneExpired(at=200.0)) == 2
    assert queries.browser_session_expiry(db, b"s1") is None


def test_a_probe_writes(db: sqlite3.Connection) -> None:
    do(db, Probe(123.0))
    assert db.execute("SELECT probed_at FROM writer").fetchone() == (123.0,)
