"""What a turn's agent is asked: what came, in words and with its files, and what it has to know for that.

rows, history, steps of an earlier attempt ─▶ files ─▶ the place and the messages in words ─▶ Turn
"""

from actors.lease import Lease
from actors.ports.services import Services
from hermes.routing import busy
from hermes.sessions import context
from hermes.sessions.keys import is_shared
from hermes.store.queries import Begun
from hermes.types.agent import Turn
from hermes.types.ids import TurnId
from hermes.types.memory import Asked
from hermes.types.records import TranscriptLine


async def question(services: Services, turn_id: TurnId, begun: Begun, lease: Lease) -> Turn:
    """The turn that ``begun`` begins; what a client has sent along as said before follows what we know of that. Files are waited
    for as long as ``fetching.DEADLINE_S``; they fail nothing.
    """
    rules, record = services.key_rules, begun.record
    events = tuple(row.event for row in begun.rows)
    # The program of a quick command reads none.
    files = () if busy.is_quick(begun.rows[0]) else await services.fetching.fetch(events, lease)
    origin = events[-1].origin
    told = [(line, event.received_at) for event in events for line in event.earlier]
    wanted = (line.text for line, _ in told if line.role == "system")
    spoken = (line.text for line in begun.history if line.role == "user")
    said = tuple(
        context.said(event, rules, [file for file in files if file.event == n])
        for n, event in enumerate(events)
    )
    recalled = ""
    if services.memories.any and not busy.is_quick(begun.rows[0]):
        recalled = await services.memories.recall(Asked(record.session_key, origin, "\n\n".join(said)))
    names: frozenset[str] = frozenset()
    if is_shared(origin, rules):  # else nobody is told them, and a long history takes its time
        names = context.names_in([*spoken, *(context.recorded(event, rules) for event in events)])
    return Turn(
        turn_id=turn_id,
        session_key=record.session_key,
        generation=record.generation,
        events=events,
        history=(
            *begun.history,
            *(TranscriptLine(line.role, line.text, at) for line, at in told if line.role != "system"),
        ),
        steps=tuple(begun.steps),
        said=said,
        context="\n\n".join(
            (context.describe(origin, services.adapters.capabilities(origin.platform), rules, names), *wanted)
        ),
        files=files,
        recalled=recalled,
    )
