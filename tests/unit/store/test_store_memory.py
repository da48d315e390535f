import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import KEY, event, finish, outbound, route, take

from hermes.store import busy_ops, keeping_ops, ops, queries, upkeep_ops
from hermes.store.apply import apply, in_order
from hermes.store.errors import OperationRefused
from hermes.store.memory import MemoryStore
from hermes.store.port import Store
from hermes.store.schema import open_writer
from hermes.types.agent import Step
from hermes.types.errors import STORE_GONE, GatewayError
from hermes.types.ids import BootId, SessionId, TurnId
from hermes.types.origin import Origin
from hermes.types.ports import Accepted


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.close()


async def test_it_is_a_store(store: MemoryStore) -> None:
    port: Store = store
    assert await port.write(ops.Accept((event(),))) == (Accepted(1, False),)
    port.post(route(1))
    rows, _ = await port.read(queries.open_work, KEY, 100)
    assert [(row.state, row.seq) for row in rows] == [("routed", 1)]


async def test_cancelling_the_caller_withdraws_nothing(store: MemoryStore) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.write(ops.Accept((event(),)))
    assert scope.cancelled_caught
    assert (await store.read(queries.counts)).received == 1


async def test_a_bad_operation_is_refused_and_rolled_back(store: MemoryStore) -> None:
    with pytest.raises(OperationRefused):
        await store.write(ops.Enqueue(outbound(metadata={"a": object()}), 1.0))
    assert await store.write(ops.Enqueue(outbound(), 1.0)) is True


async def test_a_fence_ends_it_and_a_successor_has_the_data(store: MemoryStore) -> None:
    await store.write(ops.Accept((event(),)))
    successor = store.reopen()
    for call in (store.write(ops.Probe(1.0)), store.read(queries.counts)):
        with pytest.raises(GatewayError) as caught:
            await call
        assert caught.value.failure.code == STORE_GONE
    with pytest.raises(GatewayError):
        store.post(ops.Probe(1.0))
    assert (await successor.read(queries.counts)).received == 1


async def test_a_fence_that_falls_during_a_write_hides_its_result(store: MemoryStore) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_writes_into_the_void, store)
        nursery.start_soon(_fence, store)


async def _writes_into_the_void(store: MemoryStore) -> None:
    with pytest.raises(GatewayError):
        await _write_for_ever(store)


async def _write_for_ever(store: MemoryStore) -> None:
    while True:
        await store.write(ops.Probe(1.0))


async def _fence(store: MemoryStore) -> None:
    await trio.lowlevel.checkpoint()
    store.fence()


_rows = st.integers(1, 4)
_at = st.integers(90, 120).map(float)
_turns = st.sampled_from([TurnId("t1"), TurnId("t2")])
_boots = st.sampled_from([BootId("b1"), BootId("b2")])
_ids = st.sampled_from("abcd")
_operations: st.SearchStrategy[ops.Op[Any]] = st.one_of(
    st.builds(ops.Accept, st.lists(st.builds(event, _ids), max_size=3).map(tuple)),
    st.builds(ops.Undecodable, st.just("webchat"), st.just("default"), _ids, st.binary(max_size=3), _at),
    st.builds(route, _rows),
    st.builds(
        lambda row, keep, out: ops.Close(row, "answered", "command", 1.0, out, keep),
        _rows,
        st.booleans(),
        st.lists(st.builds(outbound, _ids), max_size=2).map(tuple),
    ),
    st.builds(lambda row, turn, boot: take(row, turn_id=turn, boot=boot), _rows, _turns, _boots),
    st.builds(
        lambda g, t, n: ops.AddStep(KEY, g, t, n, Step("reply", "m", "x"), 1.0),
        st.integers(0, 3),
        _turns,
        _rows,
    ),
    st.builds(lambda g, row, t: finish(g, row, turn_id=t), st.integers(0, 3), _rows, _turns),
    st.builds(ops.Release, st.just(KEY), _turns),
    st.builds(ops.StopTurn, st.just(KEY), st.just("stop"), _at, st.sampled_from([None, SessionId("s2")])),
    st.builds(busy_ops.Interrupt, st.just(KEY), _turns, st.tuples(_rows)),
    st.builds(busy_ops.Steer, st.just(KEY), st.integers(0, 3), _turns, st.tuples(_rows), _boots, st.just(1)),
    st.builds(
        busy_ops.Revise,
        _rows,
        st.just(KEY),
        st.just(Origin("webchat", "ann")),
        st.sampled_from(["m", "n"]),
        st.sampled_from([None, "edited"]),
    ),
    st.builds(busy_ops.SetBusyMode, st.just(KEY), st.sampled_from([None, "steer"])),
    st.builds(ops.Enqueue, st.builds(outbound, _ids, expires_at=_at), _at),
    st.builds(ops.Sending, _rows, _boots, st.just(1), _at),
    st.builds(ops.Receipt, _rows, st.integers(0, 1), st.just(2), st.just("m"), _at),
    st.builds(
        ops.Unsent, _rows, st.sampled_from(["prepared", "retry", "unknown", "dead"]), _at, st.just("f"), _at
    ),
    st.builds(ops.Expire, st.sampled_from([(), ("webchat",)]), _at),
    st.builds(keeping_ops.AddNote, _ids, st.just("note"), _at),
    st.builds(keeping_ops.DropNote, _rows),
    st.builds(upkeep_ops.PruneExpired, _at),
    st.builds(
        upkeep_ops.Prune,
        st.sampled_from(["words", "inbox", "outbox", "journey"]),
        st.lists(_rows, max_size=3).map(tuple),
    ),
)

_TABLES = (
    "inbox",
    "outbox",
    "receipts",
    "sessions",
    "transcript",
    "dedupe",
    "turn_steps",
    "notes",
    "counters",
)


def _dump(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in _TABLES}


@settings(max_examples=60)
@given(batches=st.lists(st.lists(_operations, min_size=1, max_size=6), max_size=8))
def test_the_double_and_the_file_agree(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[ops.Op[Any]]]
) -> None:
    """A batch on the file does what its operations do one by one, in their order, on the double; failures included."""
    store = MemoryStore()
    path = tmp_path_factory.mktemp("store") / "gateway.db"
    with closing(store), closing(open_writer(path)) as file:
        for batch in batches:
            expected: dict[int, object] = {}
            refused = False
            for index in in_order(batch):
                try:
                    expected[index] = store._commit(batch[index])
                except OperationRefused:
                    refused = True
            if refused:  # as the writer does it: one by one
                for index in in_order(batch):
                    file.execute("SAVEPOINT single")
                    try:
                        assert apply(file, [batch[index]]) == [expected.get(index)]
                    except sqlite3.IntegrityError:
                        assert index not in expected
                        file.execute("ROLLBACK TO single")
                    file.execute("RELEASE single")
            else:
                assert apply(file, batch) == [expected[index] for index in range(len(batch))]
        assert _dump(file) == _dump(store._connection)
        counts = queries.counts(file)
        assert counts.unaccounted == 0
        assert counts.received == file.execute("SELECT count(*) FROM inbox").fetchone()[0]
