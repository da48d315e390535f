import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("hello", Greeting()),
        ("  Good morning! ", Greeting()),
        ("help", Help()),
        ("?", Help()),
        ("What can you do?", Help()),
        ("note buy bread", AddNote("buy bread")),
        ("Note: two\nlines", AddNote("two\nlines")),
        ("remember the milk.", AddNote("the milk.")),
        ("notes", ListNotes()),
        ("show me my notes", ListNotes()),
        ("forget note 3", ForgetNote(3)),
        ("forget #12.", ForgetNote(12)),
        ("forget all notes", ForgetAll()),
        ("Forget everything!", ForgetAll()),
        ("forget all my notes", ForgetAll()),
        ("forget all of it", ForgetAll()),
        ("forget everything about Ann", Other("forget everything about Ann")),
        ("search red shoes", Search("red shoes")),
        ("find for: x", Search("x")),
        ("status?", Status()),
        ("What time is it?", Time()),
        ("what's the time", Time()),
        ("echo  Hi?", Echo("Hi?")),
        ("echo c1-17", Echo("c1-17")),
        ("", Other("")),
        ("note", Other("note")),
        ("echoes of the past", Other("echoes of the past")),
        ("time flies", Other("time flies")),
        ("forget it", Other("forget it")),
        ("forget note " + "9" * 5000, Other("forget note " + "9" * 5000)),
        ("hello, who won the war?", Other("hello, who won the war?")),
    ],
)
def test_plain_words(text: str, intent: Intent) -> None:
    assert read_intent(text) == intent


@given(st.text())
def test_never_fails(text: str) -> None:
    read_intent(text)
