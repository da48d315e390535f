from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from hermes.agents import phrases
from hermes.agents.builtin import MAX_DELTAS, BuiltinAgent
from hermes.testing.fakes import FakeClock
from hermes.types.agent import (
    AgentEvent,
    ApprovalRequest,
    Approved,
    Decision,
    Delta,
    Denied,
    Final,
    LocalFile,
    Step,
    Turn,
)
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TraceId, TurnId
from hermes.types.origin import Origin
from hermes.types.records import Note, SearchHit


class ListMemory:
    """Memory as plain lists; a note's key is honoured as the store does. What stands in ``others`` is no conversation's own."""

    def __init__(self) -> None:
        self.kept: dict[str, Note] = {}
        self.others: set[int] = set()
        self.asked: list[tuple[str, int, SessionKey | None]] = []

    async def search(self, query: str, limit: int, of: SessionKey | None) -> Sequence[SearchHit]:
        self.asked.append((query, limit, of))
        return [SearchHit(SessionKey("k"), "assistant", f"the [{query}]", 0.0)]

    async def notes(self, of: SessionKey | None) -> Sequence[Note]:
        return [note for note in self.kept.values() if of is None or note.note_id not in self.others]

    async def add_note(self, key: str, text: str) -> Note:
        return self.kept.setdefault(key, Note(len(self.kept) + 1, text, 0.0))

    async def drop_note(self, note_id: int) -> bool:
        found = [key for key, note in self.kept.items() if note.note_id == note_id]
        for key in found:
            del self.kept[key]
        return bool(found)


class RecordingIO:
    """What a turn showed and committed; ``dies_at_step`` is a kill just before the commit of that step."""

    def __init__(self, dies_at_step: int | None = None) -> None:
        self.events: list[AgentEvent] = []
        self.steps: list[Step] = []
        self.later: tuple[InboundEvent, ...] = ()
        self.asked: list[ApprovalRequest] = []
        self.decision: Decision = Approved()
        self._dies_at_step = dies_at_step

    async def emit(self, event: AgentEvent) -> None:
        self.events.append(event)

    async def step(self, step: Step) -> None:
        if self._dies_at_step == len(self.steps):
            raise KeyboardInterrupt
        self.steps.append(step)

    async def approve(self, request: ApprovalRequest) -> Decision:
        self.asked.append(request)
        return self.decision

    async def steered(self) -> tuple[InboundEvent, ...]:
        later, self.later = self.later, ()
        return later


async def status() -> Mapping[str, Any]:
    return {"state": "running"}


def turn(*said: str, platform: str = "webchat") -> Turn:
    origin = Origin(platform, "main", user_id="operator")
    events = tuple(InboundEvent(str(n), origin, text, 0.0, TraceId("t")) for n, text in enumerate(said))
    return Turn(TurnId("turn1"), SessionKey("k"), 1, events)


@pytest.fixture
def memory() -> ListMemory:
    return ListMemory()


@pytest.fixture
def agent(memory: ListMemory) -> BuiltinAgent:
    return BuiltinAgent(memory, status, FakeClock(), pace=trio.lowlevel.checkpoint)


async def answer(agent: BuiltinAgent, *said: str) -> str:
    return (await agent.run(turn(*said), RecordingIO())).text


async def test_says_that_no_model_is_configured(agent: BuiltinAgent) -> None:
    assert await answer(agent, "hello") == phrases.greeting()
    assert await answer(agent, "help") == phrases.help_text()
    assert "`why is the sky blue?`" in await answer(agent, "why is the sky blue?")


async def test_notes(agent: BuiltinAgent) -> None:
    assert await answer(agent, "notes") == phrases.NO_NOTES
    assert await answer(agent, "note buy bread") == "Noted as number 1."
    assert "**1** buy bread" in await answer(agent, "notes")
    assert await answer(agent, "forget note 2") == phrases.NO_SUCH_NOTE.format(note_id=2)
    assert await answer(agent, "forget note 1") == "Note 1 is forgotten."
    assert await answer(agent, "notes") == phrases.NO_NOTES


async def test_search(agent: BuiltinAgent, memory: ListMemory) -> None:
    assert r"me: the \[bread\]" in await answer(agent, "search bread")
    assert memory.asked == [("bread", 5, None)]


async def test_status_time_and_echo(agent: BuiltinAgent) -> None:
    assert "**running**" in await answer(agent, "status")
    assert "04 March 2026" in await answer(agent, "time")
    assert await answer(agent, "echo *Hi*") == "*Hi*"


async def test_every_event_of_a_turn_is_answered_in_order(agent: BuiltinAgent) -> None:
    assert await answer(agent, "echo one", "note x", "echo two") == "one\n\nNoted as number 1.\n\ntwo"


async def test_two_notes_of_one_turn_are_two(agent: BuiltinAgent, memory: ListMemory) -> None:
    await answer(agent, "note x", "note x")
    assert [note.text for note in memory.kept.values()] == ["x", "x"]


async def test_streams_its_answer(agent: BuiltinAgent) -> None:
    io = RecordingIO()
    final = await agent.run(turn("help"), io)
    deltas = [event.text for event in io.events if isinstance(event, Delta)]
    assert "".join(deltas) == final.text
    assert 5 < len(deltas) <= MAX_DELTAS


async def test_a_long_answer_takes_no_longer(memory: ListMemory, autojump_clock: MockClock) -> None:
    agent = BuiltinAgent(memory, status, FakeClock())
    began = trio.current_time()
    await agent.run(turn("echo " + "word " * 5000), RecordingIO())
    assert 0.1 < trio.current_time() - began <= 0.4 + 1e-9


@pytest.mark.parametrize("dies_at_step", [0, 1, None])
async def test_a_turn_run_again_does_nothing_twice(
    agent: BuiltinAgent, memory: ListMemory, dies_at_step: int | None
) -> None:
    await memory.add_note("before", "old")
    asked = turn("note x", "forget note 1")
    first = RecordingIO(dies_at_step)
    try:
        await agent.run(asked, first)
    except KeyboardInterrupt:
        assert dies_at_step is not None
    again = await agent.run(replace(asked, steps=tuple(first.steps)), RecordingIO())
    assert again == Final("Noted as number 2.\n\nNote 1 is forgotten.")
    assert [note.text for note in memory.kept.values()] == ["x"]


async def test_a_side_effect_commits_its_step(agent: BuiltinAgent) -> None:
    io = RecordingIO()
    await agent.run(turn("note x", "echo y"), io)
    assert io.steps == [Step("result", "turn1/0", "Noted as number 1.")]


async def test_what_it_is_steered_with_is_answered_too(agent: BuiltinAgent, memory: ListMemory) -> None:
    io = RecordingIO()
    io.later = turn("note second").events

    final = await agent.run(turn("note first"), io)

    assert final.text.count("\n\n") == 1
    assert [(key, note.text) for key, note in memory.kept.items()] == [
        ("turn1/0", "first"),
        ("turn1/1", "second"),
    ]


# --- what is asked before it is done --------------------------------------------------------------------------------------


async def test_all_notes_are_forgotten_once_that_is_approved(agent: BuiltinAgent, memory: ListMemory) -> None:
    await answer(agent, "note buy bread", "note call\nAnn")
    io = RecordingIO()
    assert (await agent.run(turn("forget all notes"), io)).text == "All 2 notes are forgotten."
    assert io.asked == [ApprovalRequest("forget all 2 notes", "1  buy bread\n2  call Ann")]
    assert memory.kept == {}


async def test_a_no_keeps_them_and_a_second_run_does_not_ask_again(
    agent: BuiltinAgent, memory: ListMemory
) -> None:
    await answer(agent, "note buy bread")
    io = RecordingIO()
    io.decision = Denied()
    assert (await agent.run(turn("forget everything"), io)).text == phrases.ALL_KEPT
    again = RecordingIO()
    assert (
        await agent.run(replace(turn("forget everything"), steps=tuple(io.steps)), again)
    ).text == phrases.ALL_KEPT
    assert again.asked == []
    assert len(memory.kept) == 1


async def test_nothing_is_asked_where_there_is_nothing_to_forget(agent: BuiltinAgent) -> None:
    io = RecordingIO()
    assert (await agent.run(turn("forget my notes"), io)).text == phrases.NO_NOTES
    assert io.asked == []


async def test_a_second_run_forgets_what_was_approved_and_nothing_that_came_since(
    agent: BuiltinAgent, memory: ListMemory
) -> None:
    """Killed after its step and before the notes were gone."""
    await answer(agent, "note buy bread")
    io = RecordingIO()
    step = Step("result", "turn1/0", "1")
    await memory.add_note("elsewhere", "came since")
    run = await agent.run(replace(turn("forget all notes"), steps=(step,)), io)
    assert run.text == "The note is forgotten."
    assert [note.text for note in memory.kept.values()] == ["came since"]
    assert (io.asked, io.steps) == ([], [])


async def test_nothing_is_gone_before_the_step_is_committed(agent: BuiltinAgent, memory: ListMemory) -> None:
    await answer(agent, "note buy bread")
    with pytest.raises(KeyboardInterrupt):
        await agent.run(turn("forget all notes"), RecordingIO(dies_at_step=0))
    assert len(memory.kept) == 1


async def test_whoever_is_not_the_operator_is_told_of_their_own_conversation_alone(
    agent: BuiltinAgent, memory: ListMemory
) -> None:
    await memory.add_note("elsewhere", "the owner's")
    memory.others = {1}

    async def ask(said: str) -> str:
        return (await agent.run(turn(said, platform="telegram"), RecordingIO())).text

    await ask("search bread")
    assert memory.asked == [("bread", 5, SessionKey("k"))]
    assert await ask("notes") == phrases.NO_NOTES
    assert await ask("forget note 1") == phrases.NO_SUCH_NOTE.format(note_id=1)
    assert await ask("forget all notes") == phrases.NO_NOTES
    assert [note.text for note in memory.kept.values()] == ["the owner's"]


async def test_says_that_it_has_a_file_and_cannot_look_at_it(agent: BuiltinAgent) -> None:
    files = (LocalFile(0, "image", "/c/a.jpg", "a.jpg"), LocalFile(1, "voice", "", "", problem="too large"))

    said = (await agent.run(replace(turn("", "echo hi", "echo ho"), files=files), RecordingIO())).text

    assert said == (
        f"I have your file. {phrases.CANNOT_LOOK} {phrases.HINT}\n\n"
        f"A file of yours did not reach me: too large. {phrases.CANNOT_LOOK}\n\nhi\n\nho"
    )
