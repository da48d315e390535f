import html.parser

import pytest
import render_words as words
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.render import email, matrix
from hermes.render.html import to_html
from hermes.render.ir import Body, Document, Item, ListBlock, Paragraph, Span
from hermes.render.markdown import parse

ALLOWED = {
    *[
        "p",
        "br",
        "strong",
        "em",
        "s",
        "code",
        "pre",
        "blockquote",
        "ul",
        "ol",
        "li",
        "hr",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
    ],
    *["a", "table", "thead", "tbody", "tr", "th", "td"],
    "span",  # a spoiler, which is focused to be read
}


class Tags(html.parser.HTMLParser):
    """Everything in a piece of HTML that a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_safe(rendered: str) -> None:
    for tag, attrs in Tags(rendered).found:
        assert tag in ALLOWED
        assert set(attrs) <= {"href", "target", "rel", "class", "start", "tabindex"}
        if tag == "a":
            assert (attrs["href"] or "").lower().startswith(("http://", "https://", "mailto:"))
            assert "noopener" in (attrs["rel"] or "")


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>\n"),
        ("one\ntwo", "<p>one<br />\ntwo</p>\n"),
        ("~~gone~~", "<p><s>gone</s></p>\n"),
        ("||who||", '<p><span class="spoiler" tabindex="0">who</span></p>\n'),
        ("*a **b** c*", "<p><em>a <strong>b</strong> c</em></p>\n"),
        ("```py\nx < 1\n```", '<pre><code class="language-py">x &lt; 1\n</code></pre>\n'),
    ],
)
def test_markdown_becomes_html(markdown: str, expected: str) -> None:
    assert to_html(markdown) == expected


def test_a_table_keeps_its_alignment_without_a_style_attribute() -> None:
    assert '<td class="align-right">1</td>' in to_html("| a |\n|--:|\n| 1 |")


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "text <b onclick=alert(1)>b</b>",
        "<!-- --><iframe src='https://evil.example'></iframe>",
        '```"><script>alert(1)</script>\nx\n```',
        '[x](https://e.example "t\\" onclick=1")',
        '[x](https://e.example/"onclick="alert)',
        "| <script>x</script> |\n|--|\n| <svg onload=x> |",
    ],
)
def test_raw_html_is_text(markdown: str) -> None:
    assert_safe(to_html(markdown))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "&#106;avascript:alert(1)",
        "java%0ascript:alert(1)",
        "vbscript:x",
        "data:text/html;base64,AAAA",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        "//evil.example/x",
        "/api/restart",
        "#code",
    ],
)
def test_only_web_and_mail_links_become_links(url: str) -> None:
    for markdown in (f"[x]({url})", f"<{url}>", f"[x]\n\n[x]: {url}", f"![x]({url})"):
        assert "href" not in to_html(markdown)


def test_a_web_link_opens_elsewhere_and_tells_nothing() -> None:
    rendered = to_html("[x](https://e.example/a_(b)?x=1&y=2)")

    assert 'href="https://e.example/a_(b)?x=1&amp;y=2"' in rendered
    assert 'target="_blank" rel="noopener noreferrer nofollow"' in rendered


def test_an_image_is_a_link_and_loads_nothing() -> None:
    rendered = to_html('![a <b>" onerror=x](https://evil.example/i.png)')

    assert "<img" not in rendered
    assert_safe(rendered)
    assert 'href="https://evil.example/i.png"' in rendered


@pytest.mark.parametrize("markdown", ["**bol", "`x", "[a](http", "![a](https://e", "| a |\n|--", "- ", "> "])
def test_unfinished_markdown_is_shown_as_it_stands(markdown: str) -> None:
    rendered = to_html(markdown)

    assert_safe(rendered)
    assert "href" not in rendered


def test_an_open_code_fence_is_closed() -> None:
    """And so is its last line, as every line of code is: the answer does not move when its end arrives."""
    assert to_html("```\nx") == to_html("```\nx\n```") == "<pre><code>x\n</code></pre>\n"


@given(st.text(alphabet=st.sampled_from(list("<>\"'&[]()!`*_~#|:-/\\ \nahtps=")), max_size=60))
def test_no_text_at_all_is_unsafe(markdown: str) -> None:
    assert_safe(to_html(markdown))


class Nesting(html.parser.HTMLParser):
    """Complains of a tag that is closed by another or not at all."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("br", "hr")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


MATRIX_ATTRS = {"a": {"href"}, "ol": {"start"}, "code": {"class"}, "span": {"data-mx-spoiler"}}
MAIL_ATTRS = {"style", "dir", "border", "cellpadding"}


@settings(max_examples=100)
@given(words.markdown | st.lists(st.sampled_from([*"<>\"'&[]()!`*~|\n-", "](http://", "> "])).map("".join))
def test_every_html_is_well_formed_and_safe(text: str) -> None:
    document = parse(text)
    page, chat, mail = to_html(text), matrix.render(document).html, email.render(document).html

    for rendered in filter(None, (page, chat, mail)):
        Nesting(rendered)
    assert_safe(page)
    for tag, attrs in Tags(chat or "").found:
        assert tag in ALLOWED - {"s"} | {"del"}
        assert set(attrs) <= MATRIX_ATTRS.get(tag, set())
    for tag, attrs in Tags(mail or "").found:
        assert tag in ALLOWED
        assert set(attrs) <= MAIL_ATTRS | {"href", "start", "class"}
        assert "url(" not in (attrs.get("style") or "")


def test_a_text_without_marks_needs_no_html() -> None:
    document = parse("Yes & no.\n\n3 < 4")

    assert matrix.render(document) == Body("Yes & no.\n\n3 < 4", dialect="matrix")
    assert email.render(document) == Body("Yes & no.\n\n3 < 4", dialect="email")


def test_a_single_paragraph_needs_no_tag_in_matrix() -> None:
    assert matrix.render(parse("a *b*\nc")).html == "a <em>b</em><br />c"
    assert matrix.render(parse("a\n\n*b*")).html == "<p>a</p><p><em>b</em></p>"


def test_the_rest_of_a_cut_item_gets_no_bullet() -> None:
    items = (Item((Paragraph((Span("rest"),)),), continued=True), Item((Paragraph((Span("next"),)),)))

    assert (
        matrix.render(Document((ListBlock(items, start=4),))).html == 'rest<ol start="5"><li>next</li></ol>'
    )
    assert matrix.render(Document((ListBlock(items[:1]),))).html == "rest"
