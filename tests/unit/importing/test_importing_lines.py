"""Messages of the original as lines of ours."""

import json

from hermes.importing.lines import STRUCTURED, Reading, words
from hermes.types import texts
from hermes.types.records import TranscriptLine, Used


def read(*messages):
    reading = Reading(5.0)
    return [one for message in messages for one in reading.read(message)], reading


def call(call_id="c1", name="search", arguments='{"q": "x"}'):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_tools_go_with_the_answer_that_comes_of_them():
    lines, reading = read(
        {"role": "user", "content": "find it", "timestamp": 10.0},
        {"role": "assistant", "content": "", "tool_calls": json.dumps([call()]), "timestamp": 11.0},
        {"role": "tool", "tool_call_id": "c1", "content": "found", "timestamp": 12.0},
        {"role": "assistant", "content": "here", "timestamp": 13.0},
    )

    assert lines == [
        (TranscriptLine("user", "find it", 10.0), False),
        (TranscriptLine("assistant", "here", 13.0, used=(Used("search", '{"q": "x"}', "found"),)), False),
    ]
    assert (reading.seen, reading.settled) == (4, 4)


def test_what_has_no_answer_yet_is_not_settled_and_what_never_gets_one_is_said_so():
    lines, reading = read(
        {"role": "user", "content": "find it"},
        {"role": "assistant", "content": None, "tool_calls": [call()]},
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
    )
    assert [line.role for line, _ in lines] == ["user"]
    assert (reading.seen, reading.settled) == (3, 1)

    (notice, _), (user, _) = reading.read({"role": "user", "content": "well?"})

    assert (notice.role, notice.text, notice.used[0].result) == ("notice", texts.NO_ANSWER_CAME, "found")
    assert user.text == "well?"
    assert reading.settled == 4


def test_a_result_whose_call_is_not_known_keeps_its_name():
    lines, _ = read(
        {"role": "tool", "tool_call_id": "gone", "tool_name": "shell", "content": "done"},
        {"role": "assistant", "content": "so it is"},
    )

    assert lines[0][0].used == (Used("shell", "", "done"),)


def test_what_was_taken_back_there_is_taken_back_here_and_what_was_only_shortened_is_not():
    lines, _ = read(
        {"role": "user", "content": "a", "active": 0, "compacted": 0},
        {"role": "user", "content": "b", "active": 0, "compacted": 1},
        {"role": "user", "content": "c", "active": 1, "compacted": 0},
    )

    assert [(line.text, undone) for line, undone in lines] == [("a", True), ("b", False), ("c", False)]


def test_times_that_are_missing_or_none_are_those_of_the_message_before():
    lines, _ = read(
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b", "timestamp": 9.0},
        {"role": "user", "content": "c", "timestamp": "never"},
        {"role": "user", "content": "d", "timestamp": float("inf")},
    )

    assert [line.at for line, _ in lines] == [5.0, 9.0, 9.0, 9.0]


def test_other_roles_and_empty_words_are_no_lines():
    lines, reading = read(
        {"role": "session_meta", "content": "x"},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": None, "tool_calls": "no json"},
    )

    assert lines == []
    assert reading.settled == 4


def test_words_of_every_kind_of_content():
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:"}}, "this"]

    assert words(parts) == words(STRUCTURED + json.dumps(parts)) == "see\nthis"
    assert words("a\0b\ud800") == "ab?"
    assert words(None) == words({"text": "x"}) == ""
    assert words(7) == "7"
