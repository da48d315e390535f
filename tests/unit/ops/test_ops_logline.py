"""The two shapes of an entry: inverse to what reads them, one entry a block whatever is in it, and never a lie."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.ops.logline import LEVELS, Entry, blocks, json_line, parse, text_lines

ENTRY = Entry("listening", 1_772_618_400.123, "INFO", "actors.web", "root/gateway/web", 2)

printable = st.text(string.ascii_letters + string.digits + " -|#{}\"'äß\n\t", max_size=60)
names = st.text(string.ascii_lowercase + ":@.%#_-", min_size=1, max_size=20)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "root/" + "/".join(parts))


@st.composite
def entries(draw) -> Entry:
    by_an_actor = draw(st.booleans())
    return Entry(
        message=draw(printable),
        at=draw(st.integers(0, 4_000_000_000_000)) / 1000,
        level=draw(st.sampled_from(list(LEVELS))),
        logger=draw(names),
        actor=draw(paths) if by_an_actor else None,
        incarnation=draw(st.integers(1, 10**6)) if by_an_actor else None,
        exc=draw(st.none() | printable),
    )


@given(entries())
def test_what_was_written_is_read_in_either_shape(entry):
    assert parse(text_lines(entry).split("\n")) == entry
    assert parse([json_line(entry)]) == entry


@given(st.lists(entries(), max_size=5), st.booleans())
def test_entries_stay_apart_in_a_file_read_from_either_end(written, as_json):
    lines = [line for entry in written for line in (json_line if as_json else text_lines)(entry).split("\n")]

    assert [parse(block) for block in blocks(lines)] == written
    assert [parse(block) for block in blocks(reversed(lines), backwards=True)] == written[::-1]


def test_a_line_says_when_how_bad_who_and_what():
    line = text_lines(ENTRY)

    assert line.endswith(" INFO    root/gateway/web#2 actors.web  listening")
    assert parse([line]).at == 1_772_618_400.123


def test_an_actor_without_an_incarnation_is_an_actor():
    assert parse([text_lines(Entry("m", 1.0, "INFO", "l", "root/x"))]).actor == "root/x"


def test_a_message_cannot_pass_for_another_entry():
    forged = f"hello\n{text_lines(ENTRY)}\n{json_line(ENTRY)}"
    entry = Entry(forged, 1.0, "DEBUG", "x", exc=forged)

    (block,) = blocks(text_lines(entry).split("\n"))
    assert parse(block) == entry


def test_a_name_is_one_word_whatever_is_in_it():
    line = text_lines(Entry("m", 1.0, "INFO", "my\nlog ger", "root/a b\x1b", 1))

    assert line.endswith(r" INFO    root/a\x20b\x1b#1 my\nlog\x20ger  m")
    assert parse([line]).message == "m"


@pytest.mark.parametrize("character", ["\r", "\x1b", "\x9b", "\u2028", "\x85", "\x00", "\u202e"])
def test_what_a_terminal_would_act_on_is_shown_as_python_writes_it(character):
    line = text_lines(Entry(f"a{character}b", 1.0, "INFO", "x"))

    assert line.endswith(f"  a{ascii(character)[1:-1]}b")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "just words",
        "    an indented line without a first one",
        "2026-13-45 10:00:00.000+00:00 INFO    - x  no such day",
        "2026-03-04 10:00:00.000+00:00 LOUD    - x  no such level",
        "0001-01-01 00:00:00.000+00:00 INFO    - x  before all logs",
        "9999-12-31 23:59:59.999-23:59 INFO    - x  after all logs",
        "2026-03-04 10:00:00,123 INFO gateway.run: the line of another program",
        "{",
        "{}",
        "[" * 100_000,
        '{"at": 1}',
        json.dumps(ENTRY.to_json() | {"level": "LOUD"}),
        json.dumps(ENTRY.to_json() | {"at": "soon"}),
        json.dumps(ENTRY.to_json() | {"message": None}),
        json.dumps(ENTRY.to_json())[:-9],
        '{"at":' * 10_000,
    ],
)
def test_a_line_that_nobody_wrote_is_its_own_text_and_claims_nothing(line):
    entry = parse([line])

    assert entry == Entry(line)
    assert text_lines(entry) == line


def test_text_without_facts_is_json_too():
    assert Entry("what").to_json() == dict.fromkeys(ENTRY.to_json()) | {"message": "what"}
