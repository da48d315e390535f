"""The SQL behind each operation.

    ops ──stable sort by rank──▶ runs of one kind ──▶ inbox · turns · outbox · keeping ──▶ results in the order of ops

sqlite3 gives up the GIL at every step of a statement, and beside a busy loop getting it back takes up to a switch
interval. So the hottest operation, Accept, is one statement for a whole run; the others take one to five each.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from hermes.store import (
    approval_ops,
    busy_ops,
    chat_ops,
    command_ops,
    cron_ops,
    import_ops,
    keeping_ops,
    notice_ops,
    ops,
    outbox_ops,
    people_ops,
    send_ops,
    stream_ops,
    upkeep_ops,
)
from hermes.store.apply import (
    approvals,
    busy,
    chats,
    commands,
    cron,
    erasing,
    importing,
    inbox,
    keeping,
    notices,
    outbox,
    people,
    sends,
    streams,
    stretches,
    turns,
    upkeep,
)

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


def _route(connection: sqlite3.Connection, op: ops.Route) -> int | ops.NotRouted:
    """The effect goes first, for the row may go only where it is."""
    if op.effect is None:
        return inbox.route(connection, op)
    if not inbox.is_accepted(connection, op.row_id):
        return "decided"
    return inbox.route(connection, op) if apply(connection, [op.effect])[0] else "changed"


def _if_at_rest(connection: sqlite3.Connection, op: command_ops.IfAtRest) -> object:
    return apply(connection, [op.op])[0] if commands.at_rest(connection, op.session_key) else False


def _then(connection: sqlite3.Connection, op: ops.Then[Any, Any]) -> tuple[object, object]:
    (result,) = apply(connection, [op.op])
    return result, op.look(connection, result)


def _upon(connection: sqlite3.Connection, op: ops.Upon[Any, Any]) -> tuple[object, object]:
    made = op.make(op.look(connection))
    return made, apply(connection, [made])[0]


_RUNS: dict[type[ops.Op[Any]], Callable[[sqlite3.Connection, Sequence[Any]], Sequence[object]]] = {
    ops.Then: _each(_then),
    ops.Upon: _each(_upon),
    ops.Accept: inbox.accept,
    ops.Undecodable: _each(inbox.undecodable),
    ops.Route: _each(_route),
    ops.Close: _each(_close),
    ops.TellMissed: _each(inbox.tell_missed),
    ops.Take: _each(turns.take),
    ops.AddStep: _each(turns.add_step),
    ops.FinishTurn: _each(turns.finish_turn),
    ops.CountLate: _each(lambda connection, _: turns.count_late(connection)),
    ops.Release: _each(turns.release),
    ops.StopTurn: _each(turns.stop_turn),
    ops.Resume: _each(turns.resume),
    busy_ops.Interrupt: _each(busy.interrupt),
    busy_ops.Steer: _each(busy.steer),
    busy_ops.Revise: _each(busy.revise),
    busy_ops.SetBusyMode: _each(busy.set_busy_mode),
    command_ops.IfAtRest: _each(_if_at_rest),
    command_ops.Undo: _each(commands.undo),
    command_ops.Branch: _each(commands.branch),
    command_ops.SetTitle: _each(
        lambda connection, op: stretches.set_title(connection, op.session_key, op.title)
    ),
    command_ops.SetHome: _each(commands.set_home),
    chat_ops.MoveChat: _each(chats.move),
    cron_ops.Claim: _each(cron.claim),
    cron_ops.Claims: _each(cron.claim_all),
    cron_ops.ReleaseClaims: _each(cron.release),
    cron_ops.Reclaim: _each(cron.reclaim),
    cron_ops.StartRun: _each(cron.start),
    cron_ops.EndRun: _each(cron.end),
    cron_ops.SettleDelivery: _each(cron.settle),
    approval_ops.Ask: _each(approvals.ask),
    approval_ops.Decide: _each(approvals.decide),
    approval_ops.Expire: _each(approvals.expire),
    approval_ops.ShiftApprovals: _each(approvals.shift),
    people_ops.PutLinkCode: _each(people.put_link_code),
    people_ops.UseLinkCode: _each(people.use_link_code),
    people_ops.Link: _each(people.link),
    people_ops.Unlink: _each(people.unlink),
    people_ops.Audit: _each(people.audit),
    people_ops.Forget: _each(erasing.forget),
    ops.Enqueue: _each(outbox.enqueue),
    send_ops.Send: _each(sends.send),
    notice_ops.Notify: _each(notices.notify),
    notice_ops.Begin: _each(notices.begin),
    notice_ops.End: _each(notices.end),
    notice_ops.AdoptDeadTargets: _each(notices.adopt_dead_targets),
    ops.Sending: _each(outbox.sending),
    ops.Receipt: _each(outbox.receipt),
    ops.Unsent: _each(outbox.unsent),
    ops.Flood: _each(outbox.flood),
    stream_ops.OpenStream: _each(streams.open_stream),
    stream_ops.KeepStream: _each(streams.keep_stream),
    stream_ops.DropStream: _each(streams.drop_stream),
    stream_ops.ReceiptOfStream: _each(streams.receipt_of_stream),
    outbox_ops.Retry: _each(outbox.retry),
    outbox_ops.Drop: _each(outbox.drop),
    ops.Expire: _each(outbox.expire),
    ops.LogEvents: _each(keeping.log_events),
    keeping_ops.AddNote: _each(keeping.add_note),
    keeping_ops.DropNote: _each(keeping.drop_note),
    keeping_ops.PutLoginCode: _each(keeping.put_login_code),
    keeping_ops.RedeemLoginCode: _each(keeping.redeem_login_code),
    keeping_ops.CloseBrowserSession: _each(keeping.close_browser_session),
    ops.Probe: _each(keeping.probe),
    import_ops.TakeStretches: _each(importing.take_stretches),
    import_ops.TakeLines: _each(importing.take_lines),
    upkeep_ops.Prune: _each(upkeep.prune),
    upkeep_ops.PruneExpired: _each(upkeep.prune_expired),
    upkeep_ops.ExpireSession: _each(upkeep.expire_session),
    upkeep_ops.Remembered: _each(upkeep.remembered),
    upkeep_ops.NoteUpkeep: _each(upkeep.note_upkeep),
    upkeep_ops.GiveBack: _each(upkeep.give_back),
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
