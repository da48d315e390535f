"""New names for stretches of a conversation, turns and traces."""

import time

from hermes.types.ids import IdSource, SessionId, TraceId, TurnId

SESSION_HEX_DIGITS = 8
TURN_HEX_DIGITS = 16
TRACE_HEX_DIGITS = 16


def new_session_id(wall_time: float, ids: IdSource) -> SessionId:
    """``YYYYMMDD_HHMMSS_<8 hex>``; ``wall_time`` is in epoch seconds and shown in local time."""
    stamp = time.strftime("%Y%m%d_%H%M%S", time.localtime(wall_time))
    return SessionId(f"{stamp}_{ids.token(SESSION_HEX_DIGITS)}")


def new_turn_id(ids: IdSource) -> TurnId:
    """Name a turn; it keeps that name when it is taken again after a death."""
    return TurnId(ids.token(TURN_HEX_DIGITS))


def new_trace_id(ids: IdSource) -> TraceId:
    """Name what happens because of one inbound event, from its decoding to the receipt."""
    return TraceId(ids.token(TRACE_HEX_DIGITS))
