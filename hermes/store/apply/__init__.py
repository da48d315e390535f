"""The SQL behind each operation.

    ops ──stable sort by rank──▶ runs of one kind ──▶ inbox · turns · outbox · keeping ──▶ results in the order of ops

sqlite3 gives up the GIL at every step of a statement, and beside a busy loop getting it back takes up to a switch
interval. So the hottest operation, Accept, is one statement for a whole run; the others take one to five each.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from hermes.store import busy_ops, ops
from hermes.store.apply import busy, inbox, keeping, outbox, turns

Apply = Callable[[sqlite3.Connection, Any], object]


def _each(one: Apply) -> Callable[[sqlite3.Connection, Sequence[Any]], list[object]]:
    return lambda connection, run: [one(connection, op) for op in run]


def _close(connection: sqlite3.Connection, op: ops.Close) -> bool:
    if not inbox.close(connection, op):
        return False
    came_to_something = op.effect is None or bool(apply(connection, [op.effect])[0])
    said = op.outbound if came_to_something or op.otherwise is None else op.otherwise
    outbox.put(connection, said, op.at)
    return True


_RUNS: dict[type[ops.Op[Any]], Callable[[sqlite3.Connection, Sequence[Any]], Sequence[object]]] = {
    ops.Accept: inbox.accept,
    ops.Undecodable: _each(inbox.undecodable),
    ops.Route: _each(inbox.route),
    ops.Close: _each(_close),
    ops.TellMissed: _each(inbox.tell_missed),
    ops.Take: _each(turns.take),
    ops.AddStep: _each(turns.add_step),
    ops.FinishTurn: _each(turns.finish_turn),
    ops.Release: _each(turns.release),
    ops.StopTurn: _each(turns.stop_turn),
    ops.Resume: _each(turns.resume),
    busy_ops.Interrupt: _each(busy.interrupt),
    busy_ops.Steer: _each(busy.steer),
    busy_ops.Revise: _each(busy.revise),
    busy_ops.SetBusyMode: _each(busy.set_busy_mode),
    ops.Enqueue: _each(outbox.enqueue),
    ops.Sending: _each(outbox.sending),
    ops.Receipt: _each(outbox.receipt),
    ops.Unsent: _each(outbox.unsent),
    ops.Expire: _each(outbox.expire),
    ops.LogEvents: _each(keeping.log_events),
    ops.AddNote: _each(keeping.add_note),
    ops.DropNote: _each(keeping.drop_note),
    ops.PutLoginCode: _each(keeping.put_login_code),
    ops.RedeemLoginCode: _each(keeping.redeem_login_code),
    ops.CloseBrowserSession: _each(keeping.close_browser_session),
    ops.Prune: _each(keeping.prune),
    ops.Probe: _each(keeping.probe),
}


def in_order(batch: Sequence[ops.Op[Any]]) -> list[int]:
    """Indices of ``batch`` in the order of execution: by rank, else as handed in."""
    return sorted(range(len(batch)), key=lambda index: batch[index].rank)


def apply(connection: sqlite3.Connection, batch: Sequence[ops.Op[Any]]) -> list[object]:
    """Carry out ``batch`` in the caller's transaction; one result per operation, in the order of ``batch``.

    Raises whatever SQLite or a codec raises: then the caller rolls everything back.
    """
    results: list[object] = [None] * len(batch)
    for kind, run in groupby(in_order(batch), key=lambda index: type(batch[index])):
        indices = list(run)
        for index, result in zip(indices, _RUNS[kind](connection, [batch[i] for i in indices]), strict=True):
            results[index] = result
    return results
