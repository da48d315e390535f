"""What a message becomes on its platform: pieces of text, numbers, marks, files. AC-22, AC-23, AC-27."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.delivery.parts import NUMBERED_FROM, Parts, cut, is_one_part, resumed, shortened
from hermes.render.cut import after
from hermes.render.dialects import body
from hermes.render.ir import Document, leaves
from hermes.render.markdown import parse
from hermes.render.measure import length
from hermes.types import texts
from hermes.types.content import Capabilities, Dialect, LengthUnit, Media, Outbound, Part
from hermes.types.ids import DeliveryId

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
UNITS: tuple[LengthUnit, ...] = get_args(LengthUnit)
MESSAGE = Outbound(DeliveryId("d"), "p", "default", "c", "hello")
ALL = frozenset(get_args(Media.__annotations__["kind"]))
WORDS = " ".join(f"word{n}" for n in range(60))
PIECES = (
    "word ",
    "*bold* ",
    "`code` ",
    "[link](https://example.org/a/long/one) ",
    "😀👩‍👩‍👧 ",
    "é_x_ ",
    "עברית ",
    "\\* < & ",
)
BLOCKS = (
    "\n\n",
    "\n",
    "\n\n- ",
    "\n\n> ",
    "\n\n```python\n",
    "\n```\n\n",
    "\n\n# ",
    "\n\n| a | b |\n|---|---|\n| c | d |\n\n",
)
MARKDOWN = st.lists(st.sampled_from(PIECES * 3 + BLOCKS), max_size=120).map("".join)


def made(text: str, numbered: bool = True, **more: Any) -> Parts:
    capabilities = Capabilities(**({"dialect": "plain", "idempotent_send": True} | more))
    return cut(replace(MESSAGE, text=text), capabilities, numbered=numbered)


def every(parts: Parts, **more: bool) -> list[Part]:
    return [parts.part(index, **more) for index in range(parts.total)]


def words(parts: list[Part]) -> list[str]:
    return [part.text for part in parts]


def test_what_fits_is_one_part_and_bears_no_number() -> None:
    (part,) = every(made("hello *you*", dialect="markdown"))
    assert part == Part(DeliveryId("d"), 0, 1, "hello *you*", "markdown")


@pytest.mark.parametrize("text", ["", "  \n", "a\n\n\n*b", "```\nopen", "<!-- x -->", "x" * 200])
def test_a_platform_that_renders_itself_gets_a_text_that_fits_letter_by_letter(text: str) -> None:
    parts = made(text, dialect="markdown", max_length=200)
    assert words(every(parts)) == [text]
    assert words(every(parts, marked=True)) == [texts.RESENT_MARK + text]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", ["", " ", "[](https://example.org)", "***", "<!-- x -->"])
def test_there_is_always_a_part_and_nothing_that_was_written_becomes_nothing(
    dialect: Dialect, text: str
) -> None:
    (part,) = every(made(text, dialect=dialect))
    assert bool(part.text.strip()) == bool(text.strip())


def test_several_parts_are_numbered_in_index_and_in_words() -> None:
    parts = every(made(WORDS, max_length=100))
    total = len(parts)
    assert total > 3
    assert [(part.index, part.total) for part in parts] == [(n, total) for n in range(total)]
    assert [part.text.rsplit(" ", 1)[1] for part in parts] == [f"({n}/{total})" for n in range(1, total + 1)]


def test_numbers_can_be_left_out_and_the_cut_is_the_same() -> None:
    numbered, bare = made(WORDS, max_length=100), made(WORDS, max_length=100, numbered=False)
    assert numbered.pieces == bare.pieces
    assert not any("(" in text for text in words(every(bare)))


def test_a_part_too_short_for_a_number_has_none() -> None:
    assert words(every(made("one two three four", max_length=10))) == ["one two ", "three four"]
    assert "(1/" in made(WORDS, max_length=NUMBERED_FROM).part(0).text
    assert "(1/" not in made(WORDS, max_length=NUMBERED_FROM - 1).part(0).text


@pytest.mark.parametrize(
    ("characters", "count"), [(74 * 9, 9), (74 * 9 + 1, 10), (72 * 99, 99), (72 * 99 + 1, 102)]
)
def test_AC_23_there_is_room_for_all_the_digits_of_a_number(characters: int, count: int) -> None:
    parts = every(made("x" * characters, max_length=80))
    assert len(parts) == count
    assert all(len(part.text) <= 80 for part in parts)
    assert parts[-1].text.endswith(f"({count}/{count})")


@pytest.mark.parametrize("dialect", ["markdown", "telegram", "discord", "slack", "plain"])
def test_AC_23_a_number_stands_in_no_fence(dialect: Dialect) -> None:
    block = "```python\n" + "print('hello')\n" * 20 + "```"
    parts = every(made(block, dialect=dialect, max_length=120))
    assert len(parts) > 2
    for part in parts:
        code, _, number = part.text.rpartition("\n")
        assert number == f"({part.index + 1}/{part.total})"
        assert code.count("```") in (0, 2)
        units = len(code.encode("utf-16-le")) // 2
        assert all(entity.offset + entity.length <= units for entity in part.entities)


@settings(max_examples=60)
@given(MARKDOWN, st.sampled_from(DIALECTS), st.sampled_from(UNITS), st.integers(160, 400), st.booleans())
def test_AC_23_every_form_of_every_part_is_within_the_limit(
    text: str, dialect: Dialect, unit: LengthUnit, most: int, idempotent: bool
) -> None:
    if dialect in ("matrix", "email"):
        most *= 4  # the tags of an empty quotation take a hundred
    limits: dict[str, Any] = {"dialect": dialect, "length_unit": unit, "max_length": most}
    parts = made(text, idempotent_send=idempotent, **limits)
    for plain in (False, True):
        for part in every(parts, plain=plain, marked=not idempotent):
            assert length(part.text, unit) <= most
            assert length(part.html or "", unit) <= most
            assert part.dialect == "plain" or not plain
            units = length(part.text, "utf16")
            assert all(0 <= one.offset <= one.offset + one.length <= units for one in part.entities)
    documents = [piece for piece in parts.pieces if isinstance(piece, Document)]
    if len(documents) > 1:
        said = "".join(leaf for document in documents for leaf in leaves(document.blocks))
        assert said.split() == "".join(leaves(parse(text).blocks)).split()


@pytest.mark.parametrize("dialect", ["matrix", "email"])
def test_AC_23_a_form_in_html_is_within_the_limit_too(dialect: Dialect) -> None:
    parts = every(made("**a** *b* " * 100, dialect=dialect, max_length=500))
    assert len(parts) > 4
    assert all("<strong>a</strong>" in str(part.html) for part in parts)
    assert max(len(str(part.html)) for part in parts) <= 500


def test_no_part_is_blank() -> None:
    parts = every(made("x" * 19 + " " * 60 + "y", max_length=20))
    assert [part.text.strip() for part in parts] == ["x" * 19, "y"]


@settings(max_examples=20)
@given(MARKDOWN, st.sampled_from(DIALECTS))
def test_AC_22_the_same_message_is_always_cut_alike(text: str, dialect: Dialect) -> None:
    parts = made(text, dialect=dialect, max_length=120)
    assert every(made(text, dialect=dialect, max_length=120)) == every(parts)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_AC_27_the_mark_is_a_paragraph_before_the_part_and_moves_what_is_marked_up(dialect: Dialect) -> None:
    parts = made("**bold** and more", dialect=dialect, idempotent_send=False)
    once, again = parts.part(0), parts.part(0, marked=True)
    mark = texts.RESENT_MARK.strip()
    assert again.text.startswith(mark)
    assert mark not in once.text
    begin = again.text.index("bold") - once.text.index("bold")
    assert [one.offset for one in again.entities] == [one.offset + begin for one in once.entities]


def test_AC_23_a_plain_part_whose_links_do_not_fit_keeps_what_was_written() -> None:
    text = " ".join(f"[w{n}](https://example.org/{'x' * 60})" for n in range(4))
    parts = made(text, dialect="telegram", max_length=60)
    (plain,) = [part.text for part in every(parts, plain=True)]
    assert plain == "w0 w1 w2 w3"


# --- files ----------------------------------------------------------------------------------------------------------------


def image(name: str) -> Media:
    return Media("image", f"/tmp/{name}.png")


A, B, C = image("a"), image("b"), image("c")
FILM = Media("video", "https://example.org/film.mp4")
REPORT = Media("document", "/home/me/secret place/report.pdf")


def with_files(*media: Media, text: str = "", **more: Any) -> list[Part]:
    capabilities = Capabilities(**({"media": ALL, "idempotent_send": True, "dialect": "plain"} | more))
    return every(cut(replace(MESSAGE, text=text, attachments=media), capabilities))


def test_files_follow_the_text_in_order() -> None:
    text, one, two = with_files(A, REPORT, text="look")
    assert (text.text, text.media, text.index, text.total) == ("look", (), 0, 3)
    assert (one.text, one.media, two.media, two.index) == ("", (A,), (REPORT,), 2)


def test_only_text_is_counted_in_words() -> None:
    parts = with_files(A, REPORT, text=WORDS, max_length=300)
    assert [part.total for part in parts] == [4] * 4
    assert [part.text.rsplit(" ", 1)[1] for part in parts[:2]] == ["(1/2)", "(2/2)"]


def test_pictures_that_follow_one_another_go_as_albums() -> None:
    parts = with_files(A, B, C, FILM, REPORT, A, album=3)
    assert [part.media for part in parts] == [(A, B, C), (FILM,), (REPORT,), (A,)]
    assert [len(part.media) for part in with_files(A, B, C)] == [1, 1, 1]


def test_a_message_may_be_files_alone_and_never_nothing() -> None:
    assert [part.media for part in with_files(A, text=" \n")] == [(A,)]
    assert [part.text for part in with_files()] == [""]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_file_that_cannot_be_shown_is_named_at_the_end_of_the_text(dialect: Dialect) -> None:
    captioned = replace(FILM, caption="our holidays")
    only_images = {"media": frozenset({"image"}), "dialect": dialect}
    text, file = with_files(REPORT, A, captioned, text="look", **only_images)
    assert file.media == (A,)
    lines = [line for line in text.text.replace("\\", "").split("\n") if line]
    assert lines[:3] == ["look", texts.FILE_NOT_HERE.format(name="report.pdf"), "our holidays"]
    assert FILM.ref in lines[3]
    assert "secret place" not in text.text
    (alone,) = with_files(REPORT, **only_images)
    assert alone.text.replace("\\", "") == lines[1]


def test_AC_27_a_second_copy_of_a_file_says_so_in_its_caption() -> None:
    captioned = replace(B, caption="b")
    capabilities = Capabilities(media=ALL, album=2)
    parts = cut(replace(MESSAGE, text="", attachments=(A, REPORT, captioned)), capabilities)
    mark = texts.RESENT_MARK
    again = [parts.part(index, marked=True).media[0].caption for index in range(parts.total)]
    assert again == [mark.strip(), mark.strip(), mark + "b"]


# --- platforms that take one message ---------------------------------------------------------------------------------------


NOTICE = "… (cut here; the whole text is in /home/a_b/cron/output/j.txt)"


@settings(max_examples=60)
@given(MARKDOWN.map(lambda text: text * 4), st.sampled_from(DIALECTS), st.sampled_from(UNITS), st.booleans())
def test_AC_23_a_shortened_text_is_one_part(
    text: str, dialect: Dialect, unit: LengthUnit, idempotent: bool
) -> None:
    most = 1_000 if dialect in ("matrix", "email") else 260
    pager = Capabilities(
        max_length=most, dialect=dialect, length_unit=unit, idempotent_send=idempotent, splits=False
    )
    short = shortened(text, 200, pager, NOTICE)
    (part,) = every(cut(replace(MESSAGE, text=short), pager), marked=not idempotent)
    assert length(part.text, unit) <= most
    assert "the whole text is in" in part.text


def test_a_text_is_one_part_within_both_limits() -> None:
    pager = Capabilities(max_length=160, idempotent_send=True, dialect="plain", splits=False)
    assert is_one_part("x" * 160, 4_000, pager)
    assert not is_one_part("x" * 161, 4_000, pager)
    assert not is_one_part("x" * 160, 159, pager)
    assert not is_one_part("x" * 98, 4_000, replace(pager, idempotent_send=False))


def test_a_notice_that_would_be_most_of_the_part_is_left_out() -> None:
    pager = Capabilities(max_length=80, idempotent_send=True, dialect="plain", splits=False)
    assert shortened(WORDS, 4_000, pager, NOTICE).startswith("word0 word1")
    assert "the whole" not in shortened(WORDS, 4_000, pager, NOTICE)


# --- a cut that is begun --------------------------------------------------------------------------------------------------


def said(parts: Parts, sent: int) -> tuple[int, int]:
    extents = [parts.extent(index) for index in range(sent)]
    return sum(chars for chars, _ in extents), sum(files for _, files in extents)


def seen_in(parts: Parts, indices: range) -> str:
    """What people read, without what is no part of the text: white space, bullets, numbers."""
    pieces = [parts.pieces[index] for index in indices]
    documents = [parse(piece) if isinstance(piece, str) else piece for piece in pieces]
    return "".join("".join("".join(leaves(one.blocks)).split()) for one in documents)


@settings(max_examples=80)
@given(MARKDOWN, st.sampled_from(DIALECTS), st.integers(160, 400), st.integers(160, 400), st.integers(1, 4))
def test_AC_22_a_cut_that_is_begun_goes_on_where_it_was_whatever_the_limit_is_now(
    text: str, dialect: Dialect, before: int, now: int, sent: int
) -> None:
    grow = 4 if dialect in ("matrix", "email") else 1
    old, new = (made(text, dialect=dialect, max_length=most * grow) for most in (before, now))
    sent = min(sent, old.total - 1)
    if not sent:
        return
    going_on = resumed(new, sent, *said(old, sent))
    assert seen_in(old, range(sent)) + seen_in(going_on, range(sent, len(going_on.pieces))) == seen_in(
        old, range(old.total)
    )
    for index in range(sent, going_on.total):
        part = going_on.part(index)
        assert (part.index, part.total) == (index, going_on.total)
        assert length(part.text, "codepoints") <= now * grow


def test_AC_22_a_cut_that_has_not_changed_stays_as_it_is() -> None:
    parts = made(WORDS, max_length=80)
    assert resumed(parts, 2, *said(parts, 2)) is parts


def test_AC_22_what_is_all_said_has_nothing_left() -> None:
    old, new = made(WORDS, max_length=60), made(WORDS, max_length=4000)
    assert resumed(new, old.total, *said(old, old.total)).total == old.total
    assert resumed(new, 5, 0, 0).total <= 5  # begun by a program that did not note how much it was


def test_AC_22_files_that_have_arrived_are_not_sent_again() -> None:
    pictures = tuple(Media("image", f"/p{n}.png") for n in range(5))
    message = replace(MESSAGE, text="hello", attachments=pictures)
    old, new = (
        cut(message, Capabilities(media=ALL, album=album, idempotent_send=True, dialect="plain"))
        for album in (2, 10)
    )
    assert (old.total, new.total) == (4, 2)
    going_on = resumed(new, 2, *said(old, 2))
    assert [going_on.part(index).media for index in range(2, going_on.total)] == [pictures[2:]]


@pytest.mark.parametrize(
    ("text", "count", "left"),
    [
        ("one *two* three", 4, "*wo* three"),
        ("- one\n- two\n- three", 4, "wo\n\n- three"),
        ("1. one\n2. two\n3. three", 3, "2. two\n3. three"),
        ("> one\n\ntwo", 3, "two"),
        ("```py\na = 1\nb = 2\n```", 3, "```py\n\nb = 2\n```"),
        ("one\n\n---\n\ntwo", 3, "___\n\ntwo"),
    ],
)
def test_what_follows_so_many_characters(text: str, count: int, left: str) -> None:
    assert body(after(parse(text), count), "markdown").text.strip() == left


def test_a_table_that_was_cut_within_a_row_goes_on_there() -> None:
    table = "| a | b |\n|---|---|\n| one | two |\n| three | four |\n"
    rest = after(parse(table), 7)
    assert "".join(leaves(rest.blocks)) == "othreefour"
