import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.render.html import to_html

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
        assert set(attrs) <= {"href", "title", "target", "rel", "class", "start"}
        if tag == "a":
            assert (attrs["href"] or "").lower().startswith(("http://", "https://", "mailto:"))
            assert "noopener" in (attrs["rel"] or "")


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>\n"),
        ("one\ntwo", "<p>one<br />\ntwo</p>\n"),
        ("~~gone~~", "<p><s>gone</s></p>\n"),
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
    assert to_html("```\nx") == "<pre><code>x</code></pre>\n"


@given(st.text(alphabet=st.sampled_from(list("<>\"'&[]()!`*_~#|:-/\\ \nahtps=")), max_size=60))
def test_no_text_at_all_is_unsafe(markdown: str) -> None:
    assert_safe(to_html(markdown))
