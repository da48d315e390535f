"""What is shown of an answer that is being written, and what becomes of its messages."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.config.model import Config, Display, PlatformDisplay
from hermes.config.model import Streaming as Settings
from hermes.delivery import stream
from hermes.delivery.parts import cut
from hermes.delivery.stream import Stream
from hermes.types import texts
from hermes.types.content import REFUSAL, Capabilities, Outbound, Part
from hermes.types.errors import FORMAT_REFUSED, RATE_LIMITED, SEND_UNCONFIRMED, Failure, SendError
from hermes.types.ids import DeliveryId, TurnId, answer_id, turn_of
from hermes.types.records import OutboxRow

NAME = DeliveryId("t1:0")
BOTH = Capabilities(streaming=("edit", "draft"))
CURSOR = " ▉"


def message(text, **kwargs):
    return Outbound(NAME, "fake", "default", "1", text, **kwargs)


def config(own=None, **keys):
    platforms = {} if own is None else {"fake": PlatformDisplay(streaming=own)}
    return Config(streaming=Settings(**keys), display=Display(platforms=platforms))


# --- whether and how ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "ways", "way"),
    [
        (config(), ("edit", "draft"), None),
        (config(enabled=True), ("edit", "draft"), "draft"),
        (config(enabled=True), ("edit",), "edit"),
        (config(enabled=True), (), None),
        (config(enabled=True, transport="edit"), ("edit", "draft"), "edit"),
        (config(enabled=True, transport="draft"), ("edit",), None),
        (config(enabled=True, transport="off"), ("edit",), None),
        (config(transport="edit"), ("edit",), None),
        (config(own=True), ("edit",), "edit"),
        (config(own=True, transport="off"), ("edit",), "edit"),
        (config(own=False, enabled=True), ("edit",), None),
    ],
)
def test_the_way_an_answer_is_shown(asked, ways, way):
    assert stream.transport(asked, "fake", Capabilities(streaming=ways)) == way


def test_a_page_of_our_own_shows_drafts_however_it_is_set():
    own = Capabilities(streaming=("draft",), own_page=True)
    assert stream.transport(config(), "fake", own) == "draft"
    assert stream.transport(config(own=False, transport="edit"), "fake", own) == "draft"
    assert stream.transport(config(enabled=True), "fake", replace(own, streaming=())) is None


# --- the text -------------------------------------------------------------------------------------------------------------


def test_a_turn_and_its_answer_name_one_another():
    assert turn_of(answer_id(TurnId("abc"))) == "abc"
    assert Stream(answer_id(TurnId("abc")), "open").turn_id == "abc"


@pytest.mark.parametrize("text", ["", "abc", " a b c ", "No re", "...", "*(sil"])
def test_it_is_too_early(text):
    assert stream.is_held_back(text)


@pytest.mark.parametrize("text", ["abcd", "a b c d", "Nobody"])
def test_it_is_time(text):
    assert not stream.is_held_back(text)


@pytest.mark.parametrize(
    ("above", "text", "rest"),
    [
        ("", "one", "one"),
        ("one\n\n", "one\n\ntwo", "two"),
        ("one\n\n", "one\n\n\ntwo", "two"),
        ("one\n\n", "one", None),
        ("one\n\n", "", None),
        ("one\n\n", "other", "other"),
    ],
)
def test_what_stands_above_is_not_said_again(above, text, rest):
    assert stream.rest(Stream(NAME, "open", above=above), text) == rest


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("one two", 0),
        ("one\ntwo", 0),
        ("one\n\ntwo", 5),
        ("one\n\n", 5),
        ("one\n\ntwo\n \nthree", 11),
        ("one\n\n```\na\n\nb\n", 5),
        ("```\na\n\nb\n```\n\nc", 14),
        ("````\n```\n\nx\n````\n\ny", 18),
        ("~~~ py\na\n```\n\nb", 0),
    ],
)
def test_whole_paragraphs_can_stand_by_themselves(text, at):
    assert stream.whole_paragraphs(text) == at


@pytest.mark.parametrize("dialect", ["markdown", "plain", "telegram", "discord", "matrix"])
def test_the_cursor_stands_at_the_end_and_in_no_code(dialect):
    capabilities = Capabilities(dialect=dialect)
    (part,) = stream.pieces(message("Say **so**"), capabilities, CURSOR)
    assert part.text.rstrip("</p>").endswith("▉")
    (code,) = stream.pieces(message("Look:\n\n```\nx = 1\n```"), capabilities, CURSOR)
    (bare,) = stream.pieces(message("Look:\n\n```\nx = 1\n```"), capabilities)
    assert "x = 1" in code.text
    assert code.text.startswith(bare.text.rstrip()[:5])
    assert code.text.index("x = 1") < code.text.index("▉")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("It is ||the but", "It is "),
        ("It is ||the butler|", "It is "),
        ("It is ||", "It is "),
        ("It is ||the butler||.", "It is ||the butler||."),
        ("||One|| and ||tw", "||One|| and "),
        ("a || b, a||b", "a || b, a||b"),
        ("`x ||y", "`x "),
        ("```\nx ||y", "```\nx ||y"),
        ("Not ||closed\n\nand over", "Not ||closed\n\nand over"),
    ],
)
def test_a_spoiler_is_not_shown_before_it_can_be_hidden(text, seen):
    assert stream.shown(text) == seen


@pytest.mark.parametrize("unit", ["characters", "utf16", "bytes"])
@given(
    words=st.lists(st.sampled_from(["word", "wörter", "🙂", "\n\n", "**b**", "`c`"]), min_size=1, max_size=60)
)
@settings(max_examples=60, deadline=None)
def test_the_cursor_never_makes_a_message_too_long_and_earlier_segments_are_the_answers(unit, words):
    capabilities = Capabilities(max_length=150, length_unit=unit, dialect="plain")
    text = " ".join(words)
    shown = stream.pieces(message(text), capabilities, CURSOR)
    measure = {
        "characters": len,
        "bytes": lambda one: len(one.encode()),
        "utf16": lambda one: len(one.encode("utf-16-le")) // 2,
    }
    assert all(measure[unit](part.text) <= 150 for part in shown)
    whole = cut(message(text), capabilities, numbered=False)
    assert [part.text for part in shown[:-1]] == [whole.part(n).text for n in range(whole.total - 1)]
    assert shown[-1].text.replace("▉", "").split() == whole.part(whole.total - 1).text.split()


def test_what_grows_leaves_earlier_segments_alone():
    capabilities = Capabilities(max_length=150, dialect="plain", idempotent_send=True)
    text = " ".join(str(n) for n in range(250))  # fewer than ten messages: their numbers take the same room
    before: tuple[Part, ...] = ()
    for end in range(20, len(text), 37):
        now = stream.pieces(message(text[:end]), capabilities, CURSOR)
        same = sum(stream.looks_like(seen, part) for seen, part in zip(before[:-1], now, strict=False))
        assert same == len(before[:-1])
        before = now


# --- its messages ---------------------------------------------------------------------------------------------------------


OPEN = Stream(NAME, "open", 2, segments=("m1", "m2"))


def part(index, total):
    return Part(NAME, index, total, "text")


def row(state="prepared", failure="", sent=0):
    return OutboxRow(1, state, message("text"), parts_sent=sent, failure=failure)


def test_the_answer_goes_where_its_segments_are():
    assert [stream.place(OPEN, n, 3) for n in range(3)] == ["m1", "m2", None]
    assert [stream.place(OPEN, n, 1) for n in range(2)] == ["m1", None], "a file is no text"
    assert stream.place(replace(OPEN, state="closed"), 0, 3) is None
    assert stream.place(replace(OPEN, state="unknown"), 1, 3) == "m2"


def test_AC27_what_was_begun_and_may_be_there_is_said_with_a_mark():
    lost = replace(OPEN, state="unknown")
    marks = [stream.needs_mark(lost, row(), n, 3, Capabilities()) for n in range(3)]
    assert marks == [False, False, True]
    assert not stream.needs_mark(lost, row(), 2, 3, Capabilities(idempotent_send=True))
    assert not stream.needs_mark(OPEN, row("unknown"), 0, 3, Capabilities()), "an edit may be made twice"
    assert stream.needs_mark(OPEN, row("unknown", sent=2), 2, 3, Capabilities())
    assert stream.needs_mark(None, row("unknown"), 0, 1, Capabilities())


def test_once_it_is_said_with_a_mark_the_doubt_is_over():
    after = stream.after_part(replace(OPEN, state="unknown"), part(2, 4), 4)
    assert after is not None
    assert not stream.needs_mark(after, row(sent=3), 3, 4, Capabilities())
    assert stream.after_part(after, part(3, 4), 4) is None


@pytest.mark.parametrize(
    ("total", "of_text", "leftover"),
    [(2, 2, ()), (3, 3, ()), (1, 1, ("m2",)), (2, 1, ("m2",)), (2, 0, ("m1", "m2"))],
)
def test_segments_that_the_answer_does_not_need_are_left_over(total, of_text, leftover):
    after = stream.after_part(OPEN, part(total - 1, total), of_text)
    assert (() if after is None else after.leftover) == leftover
    assert after is None or (after.state, after.segments) == ("closed", ())


@pytest.mark.parametrize(("doubt", "state"), [(False, "closed"), (True, "unknown")])
def test_from_where_it_cannot_be_edited_it_goes_anew(doubt, state):
    after = stream.given_up(OPEN, 1, doubt=doubt)
    assert (after.state, after.kept, after.segments, after.leftover) == (state, ("m1",), (), ("m2",))


def test_what_was_read_is_not_replaced_by_the_words_that_no_more_comes():
    refusal = message("no", metadata={REFUSAL: "failed"})

    def found(of=OPEN, *, known=True):
        return stream.before_answer(of, refusal, gave_up=False, is_known=known, parts_sent=0)

    closed = found()
    assert (closed.state, closed.segments) == ("closed", OPEN.segments)
    assert stream.after_part(closed, part(0, 1), 1) == replace(closed, above="", kept=())
    assert found(known=False) == OPEN, "nobody knows what it says, so it says why"
    above = replace(OPEN, above="One.\n\n", kept=("m0",))
    assert found(above).kept == ("m0",)
    assert stream.answer(above, refusal).text == "no"


@pytest.mark.parametrize(
    ("text", "said", "kept"),
    [
        ("One.\n\nTwo.", "Two.", ("m0",)),
        ("One.\n\n", "One.\n\n", ()),
        ("Other.", "Other.", ()),
    ],
)
def test_the_answer_goes_on_below_what_stands_above(text, said, kept):
    above = replace(OPEN, above="One.\n\n", kept=("m0",))
    found = stream.before_answer(above, message(text), gave_up=False, is_known=True, parts_sent=0)
    assert (stream.answer(found, message(text)).text, found.kept) == (said, kept)
    assert found.leftover == (() if kept else ("m0",))
    again = stream.before_answer(found, message(text), gave_up=False, is_known=False, parts_sent=0)
    assert again == found, "decided alike in every attempt"


def test_something_else_comes_below():
    after = stream.moved_below(OPEN, "One.\n\n", 1)
    assert (after.above, after.kept, after.segments, after.leftover) == ("One.\n\n", ("m1",), (), ("m2",))


# --- what goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "phase", "of", "ends"),
    [
        (Failure(RATE_LIMITED, retry_after=3.0), "not_sent", row(), False),
        (Failure("message_not_found", "needs_operator"), "not_sent", row(), True),
        (Failure("server_error"), "not_sent", row(), True),
        (Failure("unreachable", scope="adapter"), "not_sent", row(), False),
        (Failure("forbidden", "needs_operator", "chat"), "not_sent", row(), False),
        (Failure("forbidden", "needs_operator", "message"), "not_sent", row(), True),
        (Failure(FORMAT_REFUSED), "not_sent", row(), False),
        (Failure("timeout"), "unknown", row(), False),
        (Failure("timeout"), "unknown", row("unknown", SEND_UNCONFIRMED), True),
    ],
)
def test_when_new_messages_take_the_place_of_edits(failure, phase, of, ends):
    assert stream.ends_edits(of, part(0, 1), SendError(failure, phase)) is ends


def test_the_words_for_what_is_left_over_fit_everywhere():
    for words in (texts.STREAM_MOVED, texts.STREAM_CUT_OFF):
        assert len(stream.pieces(message(words), Capabilities(max_length=160))) == 1
