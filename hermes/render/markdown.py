"""Markdown, as people and models write it in a chat, → the IR: one reading for every dialect.

What Markdown is here, is in ``hermes.render.syntax``. Nothing of the text is lost: an image is a link to itself, and one within
a link is its description; a reference nobody refers to is shown, and so is a link without a text.

Unfinished Markdown (an answer while it is written) comes out as literal text; an open code fence is closed. What holds no text
at all (an empty quote, an empty fence) is left out, unless there is nothing else: then it is shown as it was typed.
"""

import re
from collections.abc import Iterator
from itertools import groupby

from markdown_it.common.utils import unescapeAll
from markdown_it.token import Token

from hermes.render.ir import (
    Align,
    Block,
    Code,
    Document,
    Heading,
    Item,
    ListBlock,
    Mark,
    Paragraph,
    Quote,
    Rule,
    Span,
    Table,
)
from hermes.render.syntax import PARSER
from hermes.types.whole import whole

_MAYBE_MARKUP = re.compile(
    r"""[\\`*_~|\[\t\r\f\v\0] | <\S | &[#a-zA-Z]     # anywhere in a line
    | ^\ {4} | ^\ *(?: [-+#>=] | \d+[.)] )          # at its start
    | ^\ *[^\S\n ] | [^\S\n ]\ *$                   # blanks that are no spaces, of which the parser drops some
    """,
    re.MULTILINE | re.VERBOSE,
)
_LANGUAGE = re.compile(r"\s*([\w#+.-]+)")
_BLANK_LINES = re.compile(r"\n(?: *\n)+")
_LINE_BREAK = re.compile(r" *\n *")
_MARKS: dict[str, Mark] = {"strong": "bold", "em": "italic", "s": "strike", "spoiler": "spoiler"}


def parse(text: str) -> Document:
    """What ``text`` says; total: any text is a document, in a time that grows with its length."""
    text = whole(text)
    if not _MAYBE_MARKUP.search(text):
        return _plain(text)
    tokens = PARSER.parse(text)
    blocks, _ = _blocks(iter(tokens), "", _targets(tokens))
    return Document(tuple(blocks)) if blocks or not text.strip() else _plain(text)


def _plain(text: str) -> Document:
    """What the parser would make of a text without markup, at a hundredth of its cost: most messages are such texts."""
    paragraphs = (_LINE_BREAK.sub("\n", part.strip(" \n")) for part in _BLANK_LINES.split(text))
    return Document(tuple(Paragraph((Span(part),)) for part in paragraphs if part))


def _targets(tokens: list[Token]) -> frozenset[str]:
    """Where the links of the document lead, if it has references that may be among them."""
    if not any(token.type == "definition" for token in tokens):
        return frozenset()
    inline = (child for token in tokens for child in token.children or ())
    return frozenset(str(child.attrGet("href") or child.attrGet("src") or "") for child in inline)


def _blocks(tokens: Iterator[Token], end: str, targets: frozenset[str]) -> tuple[list[Block], bool]:
    """The blocks before the token ``end``, and whether a paragraph among them stands apart from its neighbours."""
    blocks: list[Block] = []
    loose = False
    for token in tokens:
        match token.type:
            case "paragraph_open":
                loose |= not token.hidden
                if spans := _inline(tokens):
                    blocks.append(Paragraph(spans))
            case "heading_open":
                if spans := _inline(tokens):
                    blocks.append(Heading(int(token.tag[1:]), spans))
            case "fence" | "code_block":
                if token.content.strip():
                    text = token.content if token.content.endswith("\n") else f"{token.content}\n"
                    blocks.append(Code(text, _language(token.info)))
            case "bullet_list_open" | "ordered_list_open":
                blocks.append(_list(token, tokens, targets))
            case "blockquote_open":
                if inner := _blocks(tokens, "blockquote_close", targets)[0]:
                    blocks.append(Quote(tuple(inner)))
            case "table_open":
                blocks.append(_table(tokens))
            case "hr":
                blocks.append(Rule())
            case "definition" if token.meta["url"] not in targets:
                url = str(token.meta["url"])
                blocks.append(Paragraph((Span(f"{token.meta['label']}: "), Span(url, link=url))))
            case kind if kind == end:
                break
            case _:
                pass  # the ends of the above; a definition that a link refers to
    return blocks, loose


def _language(info: str) -> str:
    name = _LANGUAGE.match(unescapeAll(info))
    return name[1] if name else ""


def _inline(tokens: Iterator[Token]) -> tuple[Span, ...]:
    return _spans(next(tokens).children or [])


def _list(opening: Token, tokens: Iterator[Token], targets: frozenset[str]) -> ListBlock:
    start = int(opening.attrs.get("start", 1)) if opening.tag == "ol" else None
    items: list[Item] = []
    tight = True
    for token in tokens:
        if token.type != "list_item_open":
            break
        blocks, loose = _blocks(tokens, "list_item_close", targets)
        items.append(Item(tuple(blocks)))
        tight &= not loose
    return ListBlock(tuple(items), start, tight)


def _table(tokens: Iterator[Token]) -> Table:
    rows: list[tuple[tuple[Span, ...], ...]] = []
    row: list[tuple[Span, ...]] = []
    aligns: list[Align] = []
    for token in tokens:
        match token.type:
            case "th_open":
                aligns.append(_align(token))
                row.append(_inline(tokens))
            case "td_open":
                row.append(_inline(tokens))
            case "tr_close":
                rows.append(tuple(row))
                row = []
            case "table_close":
                break
            case _:
                pass
    return Table(tuple(rows), tuple(aligns))


def _align(token: Token) -> Align:
    style = str(token.attrGet("style") or "")
    return next((align for align in _ALIGNS if style.endswith(align)), "")


_ALIGNS: tuple[Align, ...] = ("left", "center", "right")


def _spans(tokens: list[Token]) -> tuple[Span, ...]:
    pieces: list[Span] = []
    marks: list[Mark] = []
    link: str | None = None
    for index, token in enumerate(tokens):
        look = frozenset(marks)
        match token.type:
            case "text" | "text_special":
                pieces.append(Span(token.content, look, link))
            case "code_inline":
                pieces.append(Span(token.content, look | {"code"}, link))
            case "softbreak" | "hardbreak":
                pieces.append(Span("\n", look, link))
            case "image":
                text = "".join(span.text for span in _spans(token.children or [])) or "image"
                pieces.append(Span(text, look, link or str(token.attrGet("src")), link is None))
            case "link_open":
                link = str(token.attrGet("href"))
            case "link_close":
                if tokens[index - 1].type == "link_open":  # nothing to see, and yet it leads somewhere
                    pieces.append(Span(link or "", look, link))
                link = None
            case kind if kind.endswith("_open"):
                marks.append(_MARKS[kind.removesuffix("_open")])
            case _:
                marks.pop()
    return tuple(_merged(pieces))


def _merged(pieces: list[Span]) -> Iterator[Span]:
    """Neighbours that look alike as one span, so that equal texts are equal data; two images remain two."""
    for _, group in groupby(pieces, lambda span: (span.marks, span.link, span.image and id(span))):
        alike = tuple(group)
        if text := "".join(span.text for span in alike):
            yield Span(text, alike[0].marks, alike[0].link, alike[0].image)
