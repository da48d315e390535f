"""The agent that is always there: deterministic, with no model, no key and no network.

    events ─▶ intent ─▶ sections of one answer ─▶ streamed in small deltas ─▶ Final
                 └ side effects: idempotent, and what was said about them is committed as a step

A turn that died is run again from the start; keys and steps make that invisible.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, assert_never

import trio

from hermes.agents import phrases
from hermes.agents.intent import (
    AddNote,
    Echo,
    ForgetAll,
    ForgetNote,
    Greeting,
    Help,
    Intent,
    ListNotes,
    Other,
    Search,
    Status,
    Time,
    read_intent,
)
from hermes.routing.answers import status_text
from hermes.sessions.people import OWN_CHATS
from hermes.types.agent import AgentIO, ApprovalRequest, Approved, Delta, Final, Memory, Step, Turn
from hermes.types.ids import Clock, SessionKey

PACE_S = 0.02
MAX_DELTAS = 20
SEARCH_LIMIT = 5
DEFAULT_PACE: Callable[[], Awaitable[None]] = partial(trio.sleep, PACE_S)


class BuiltinAgent:
    """Keeps notes, searches past conversations, tells status and time, and says that it has no model.

    ``status`` gives the mapping that ``hermes status --json`` prints. ``pace`` is awaited between two deltas,
    so that a person sees the answer being written; at most ``MAX_DELTAS`` times in a turn. ``no_model``: why the model that is
    configured is not asked, if there is one.
    """

    name = "builtin"
    model = ""

    def __init__(
        self,
        memory: Memory,
        status: Callable[[], Awaitable[Mapping[str, Any]]],
        clock: Clock,
        pace: Callable[[], Awaitable[None]] = DEFAULT_PACE,
        no_model: str = "",
    ) -> None:
        self._memory = memory
        self._status = status
        self._clock = clock
        self._pace = pace
        self.no_model = no_model

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Answer every event of ``turn``, and what it is steered with, in order, in one text.

        The operator, whom our own edges prove, is told of all conversations; everybody else of theirs alone.
        A turn that is run again does nothing twice and says the same about what it did: each note has a key
        made of the turn and the place of its event, and each event with a side effect has its step.
        """
        done = {step.name: step.text for step in turn.steps}
        of = None if turn.events[0].origin.platform in OWN_CHATS else turn.session_key
        sections: list[str] = []
        events = list(turn.events)
        while len(sections) < len(events):
            n = len(sections)
            text = events[n].text
            section = await self._answer(read_intent(text), f"{turn.turn_id}/{n}", of, done, io)
            if files := [file for file in turn.files if file.event == n]:
                rest = f"{phrases.CANNOT_LOOK}\n\n{section}" if text.strip() else section
                section = f"{phrases.received(files)} {rest}"
            sections.append(section)
            events += await io.steered()
        answer = "\n\n".join(sections)
        for piece in _deltas(answer):
            await io.emit(Delta(piece))
            await self._pace()
        return Final(answer)

    async def _answer(
        self, intent: Intent, key: str, of: SessionKey | None, done: Mapping[str, str], io: AgentIO
    ) -> str:
        match intent:
            case Greeting():
                return phrases.greeting(self.no_model)
            case Help():
                return phrases.help_text(self.no_model)
            case AddNote(text):
                return done.get(key) or await self._add_note(key, text, io)
            case ListNotes():
                return phrases.notes(await self._memory.notes(of))
            case ForgetNote(note_id):
                return await self._forget(key, note_id, of, done, io)
            case ForgetAll():
                return await self._forget_all(key, of, done, io)
            case Search(query):
                return phrases.hits(query, await self._memory.search(query, SEARCH_LIMIT, of))
            case Status():
                return status_text(await self._status())
            case Time():
                return time.strftime(phrases.TIME, time.localtime(self._clock.wall()))
            case Echo(text):
                return text
            case Other(text):
                return phrases.no_model(text)
            case _:
                assert_never(intent)

    async def _add_note(self, key: str, text: str, io: AgentIO) -> str:
        note = await self._memory.add_note(key, text)
        answer = phrases.NOTED.format(note_id=note.note_id)
        await io.step(Step("result", key, answer))
        return answer

    async def _forget(
        self, key: str, note_id: int, of: SessionKey | None, done: Mapping[str, str], io: AgentIO
    ) -> str:
        # The step comes first: forgetting twice is harmless, but a second run could not tell any more that
        # the note was there.
        known = any(note.note_id == note_id for note in await self._memory.notes(of))
        answer = done.get(key)
        if answer is None:
            answer = (phrases.FORGOTTEN if known else phrases.NO_SUCH_NOTE).format(note_id=note_id)
            await io.step(Step("result", key, answer))
        if known:
            await self._memory.drop_note(note_id)
        return answer

    async def _forget_all(self, key: str, of: SessionKey | None, done: Mapping[str, str], io: AgentIO) -> str:
        # The step says which notes go, none after a no: a second run must neither ask again nor take later notes too.
        ids = done.get(key)
        if ids is None:
            kept = await self._memory.notes(of)
            if not kept:
                return phrases.NO_NOTES
            request = ApprovalRequest(phrases.forget_all(kept), phrases.plain_notes(kept))
            approved = isinstance(await io.approve(request), Approved)
            ids = " ".join(str(note.note_id) for note in kept) if approved else ""
            await io.step(Step("result", key, ids))
        going = [int(note_id) for note_id in ids.split()]
        for note_id in going:
            await self._memory.drop_note(note_id)
        return phrases.all_forgotten(len(going))


def _deltas(text: str) -> list[str]:
    """Cut ``text`` into at most ``MAX_DELTAS`` runs of whole words that join to it."""
    words = re.findall(r"\s*\S+\s*", text)
    size = -(-len(words) // MAX_DELTAS) or 1
    return ["".join(words[at : at + size]) for at in range(0, len(words), size)]
