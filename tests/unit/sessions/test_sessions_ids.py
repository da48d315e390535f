import re
from datetime import datetime

from hermes.sessions.ids import new_session_id, new_trace_id, new_turn_id
from hermes.testing.fakes import FakeIds


def test_session_id_tells_local_time() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7).timestamp()
    name = new_session_id(at, FakeIds())
    assert re.fullmatch(r"20260304_050607_[0-9a-f]{8}", name)


def test_ids_are_fresh_and_reproducible() -> None:
    ids, again = FakeIds(3), FakeIds(3)
    first = [new_turn_id(ids), new_trace_id(ids)]
    assert first == [new_turn_id(again), new_trace_id(again)]
    assert len(set(first)) == 2
    assert all(re.fullmatch(r"[0-9a-f]{16}", name) for name in first)
