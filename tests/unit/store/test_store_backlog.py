from store_kit import event

from hermes.store.backlog import MAX_BATCH, Backlog, Cell
from hermes.store.ops import Accept, Probe, Receipt, Unsent


def _cell(event_id: str = "a") -> Cell:
    return Cell(Accept((event(event_id),)))


def _held() -> tuple[Backlog, object]:
    backlog, holder = Backlog(), object()
    backlog.hold(holder)
    return backlog, holder


def test_what_waits_is_taken_in_one_batch_up_to_the_bound() -> None:
    backlog, holder = _held()
    cells = [_cell(str(n)) for n in range(MAX_BATCH + 1)]
    for cell in cells:
        backlog.put(cell)
    first = backlog.take(holder, 1)
    assert first is not None
    assert (first.number, first.cells) == (1, cells[:MAX_BATCH])
    backlog.land(first)
    second = backlog.take(holder, 2)
    assert second is not None
    assert second.cells == cells[MAX_BATCH:]


def test_receipts_overtake() -> None:
    backlog, holder = _held()
    for _ in range(MAX_BATCH):
        backlog.put(_cell())
    urgent = [Cell(Receipt(1, 0, 1, "m", 1.0)), Cell(Unsent(1, "retry", 0.0, "", 1.0)), Cell(Probe(1.0))]
    for cell in urgent:
        backlog.put(cell)
    flight = backlog.take(holder, 1)
    assert flight is not None
    assert flight.cells[:3] == urgent


def test_a_batch_that_did_not_commit_goes_first_in_its_order() -> None:
    backlog, old = _held()
    cells = [_cell(str(n)) for n in range(3)]
    for cell in cells[:2]:
        backlog.put(cell)
    backlog.take(old, 7)
    backlog.put(cells[2])
    new = object()
    backlog.hold(new)
    assert backlog.recover(new, committed=6) is None
    flight = backlog.take(new, 7)
    assert flight is not None
    assert flight.cells == cells


def test_a_batch_that_did_commit_is_handed_back_for_its_report() -> None:
    backlog, old = _held()
    backlog.put(_cell())
    flight = backlog.take(old, 7)
    assert flight is not None
    flight.outcomes = ["done"]
    new = object()
    backlog.hold(new)
    assert backlog.recover(new, committed=7) is flight
    assert backlog.recover(new, committed=7) is flight, "dying before the report loses nothing"
    backlog.land(flight)
    assert backlog.recover(new, committed=7) is None


def test_who_lost_the_backlog_gets_nothing() -> None:
    backlog, old = _held()
    new = object()
    backlog.hold(new)
    backlog.put(_cell())
    assert backlog.take(old, 1) is None
    assert backlog.recover(old, 0) is None
    assert backlog.pause(old, 60.0) is False
    backlog.release(old)
    assert backlog.take(new, 1) is not None
    backlog.revoke(new)
    assert backlog.take(new, 2) is None


def test_a_released_holder_finishes_what_waits() -> None:
    backlog, holder = _held()
    backlog.put(_cell())
    backlog.release(holder)
    assert backlog.take(holder, 1) is not None
    assert backlog.take(holder, 2) is None


def test_clear_gives_everything_back() -> None:
    backlog, holder = _held()
    cells = [_cell("a"), Cell(Receipt(1, 0, 1, "m", 1.0)), _cell("b")]
    backlog.put(cells[0])
    backlog.take(holder, 1)
    backlog.put(cells[2])
    backlog.put(cells[1])
    assert backlog.clear() == cells
    assert backlog.clear() == []
    assert backlog.take(holder, 2) is None
