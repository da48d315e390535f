"""Telegram and Signal: text with entities. How they look is in the golden files."""

from itertools import combinations, pairwise

import pytest
import render_words as words
from hypothesis import given, settings

from hermes.render import signal, telegram
from hermes.render.ir import Body, Document, Item, ListBlock, Paragraph, Span
from hermes.render.markdown import parse
from hermes.types.content import Entity

E = "https://e.example"


def marked(text: str) -> list[tuple[str, str]]:
    body = telegram.render(parse(text))
    return [(entity.kind, stretch(body, entity)) for entity in body.entities]


def stretch(body: Body, entity: Entity) -> str:
    """Strict: half a surrogate pair does not decode, and nothing is beyond the end."""
    units = body.text.encode("utf-16-le")
    assert 0 <= entity.offset < entity.offset + entity.length <= len(units) // 2
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def end(entity: Entity) -> int:
    return entity.offset + entity.length


def assert_well_placed(body: Body) -> None:
    places = [(entity.offset, -entity.length) for entity in body.entities]
    assert places == sorted(places)
    for entity in body.entities:
        text = stretch(body, entity)
        assert text == (text.rstrip() if entity.kind in ("pre", "blockquote", "code") else text.strip())
        assert text[0] != "\n"
    around: list[Entity] = []
    for entity in body.entities:
        around = [outer for outer in around if entity.offset < end(outer)]
        assert all(end(entity) <= end(outer) for outer in around)
        assert entity.kind not in {outer.kind for outer in around}
        around.append(entity)
    assert body.text == body.text.rstrip()


@settings(max_examples=100)
@given(words.markdown)
def test_AC23_telegrams_entities_are_what_its_server_takes(text: str) -> None:
    body = telegram.render(parse(text))

    assert_well_placed(body)
    for outer, inner in combinations(body.entities, 2):
        if inner.offset < end(outer):
            assert outer.kind not in ("pre", "code")
            if inner.kind in ("pre", "code"):
                assert outer.kind == "blockquote"
            if inner.kind == "blockquote":
                assert outer.kind not in ("blockquote", "text_link")


@settings(max_examples=100)
@given(words.markdown)
def test_AC23_signals_styles_are_within_its_text(text: str) -> None:
    body = signal.render(parse(text))

    assert_well_placed(body)
    assert {entity.kind for entity in body.entities} <= {"bold", "italic", "strikethrough", "spoiler", "code"}


def test_offsets_count_utf16_units() -> None:
    (bold,) = telegram.render(parse("👨‍👩‍👧 and **𝔘**")).entities

    assert (bold.offset, bold.length) == (13, 2)


def test_what_is_nested_stays_nested() -> None:
    assert marked("**a *b* c**") == [("bold", "a b c"), ("italic", "b")]
    assert marked("***a** b* **c *d***") == [
        ("italic", "a b"),
        ("bold", "a"),
        ("bold", "c d"),
        ("italic", "d"),
    ]


def test_code_is_in_nothing_and_a_link_holds_none() -> None:
    assert marked("**a `b` c**") == [("bold", "a"), ("code", "b"), ("bold", "c")]
    assert marked(f"**[a `b`]({E})**") == [("text_link", "a b"), ("bold", "a b")]


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/x", "http://intranet", "mailto:ann@example", "http://[bad"]
)
def test_a_link_the_server_would_drop_is_written_out(url: str) -> None:
    body = telegram.render(Document((Paragraph((Span("here", link=url),)),)))

    assert body == Body(f"here ({url.removeprefix('mailto:')})", dialect="telegram")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1]/", "HTTPS://E.EXAMPLE"])
def test_a_link_the_server_takes_is_behind_its_text(url: str) -> None:
    (link,) = telegram.render(Document((Paragraph((Span("here", link=url),)),))).entities

    assert link == Entity("text_link", 0, 4, url=url)


def test_code_stands_at_the_left_edge() -> None:
    """Also in lists: who copies it wants the code. The first line keeps its own indentation."""
    assert telegram.render(parse("- a\n  ```\n    x\n  y\n  ```\n  b")).text == "• a\n  x\ny\n  b"
    assert telegram.render(parse("1. ```py\n   x\n   ```")).text == "1.\nx"
    assert marked("```py\n\n  x\n```") == [("pre", "  x")]


def test_a_quote_in_a_quote_or_a_list_is_marked_in_the_text() -> None:
    assert marked("> a\n> > b") == [("blockquote", "a\n\n> b")]
    assert telegram.render(parse("- > a")) == Body("• > a", dialect="telegram")


def test_the_rest_of_a_cut_list_begins_without_a_blank() -> None:
    inner = ListBlock((Item((Paragraph((Span(" rest\nmore", frozenset({"bold"})),)),), continued=True),))
    body = telegram.render(Document((ListBlock((Item((inner,), continued=True),)),)))

    assert body.text == "rest\n    more"
    assert [stretch(body, entity) for entity in body.entities] == [body.text]


def test_neighbours_in_the_order_of_the_text() -> None:
    entities = telegram.render(parse("**a**\n\n`b`\n\n> *c*")).entities

    assert [entity.kind for entity in entities] == ["bold", "code", "blockquote", "italic"]
    assert all(first.offset <= second.offset for first, second in pairwise(entities))
