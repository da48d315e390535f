"""Prompts about which somebody has decided: their buttons go, and what was decided stands in their place.

That may be lost, as typing may: a button that stays says that it is late.
"""

from functools import partial

from actors.cutting import aside
from actors.pace import Pace
from actors.ports.services import Services
from actors.ports.wire import Wire
from hermes.delivery import plan, stream
from hermes.routing.approvals import closed
from hermes.sessions.keys import chat_type_in
from hermes.store import approvals
from hermes.types.errors import SendError
from hermes.types.origin import LaneKey


async def close_prompts(services: Services, lane: LaneKey, pace: Pace, wire: Wire | None) -> None:
    """Edit what was shown in ``lane`` for approvals that wait no more; one attempt each, where there is room for it."""
    for approval_id in services.delivery.take_settled(lane):
        asked = await services.store.read(approvals.approval_of, approval_id)
        if asked is None or asked.state == "pending" or wire is None:
            continue  # a turn that is released by a restart asks again
        for prompt, message_ids in await services.store.read(approvals.prompts, asked):
            direct = chat_type_in(asked.session_key) == "dm"
            message = closed(prompt, asked, alone=len(message_ids) == 1, direct=direct)
            call = partial(stream.pieces, message, pace.capabilities)
            part, *_ = await aside(services, message.text, call)
            if not pace.may_show:
                return
            pace.called()
            chat_id, metadata = message.chat_id, plan.metadata(message)
            try:
                await wire.edit(chat_id, message_ids[-1], part, metadata=metadata, final=True)
            except SendError as error:
                pace.shown(error.failure)
