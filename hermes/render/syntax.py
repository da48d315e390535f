"""What is Markdown here: CommonMark by markdown-it, and how it differs because this is a chat and not a book.

* there are tables, strikethrough and ``||spoilers||``, and every line break stays one;
* HTML is text;
* a link leads to http, https or mailto, or it is text;
* a spoiler is ``||`` on the outside of a word, with the next ``||`` of the paragraph as its end: ``a||b`` and ``a || b`` are
  what programmers write. Table cells have none, their bars are the table's;
* what is nested deeper than ``MAX_LEVEL`` is shown as its author typed it.
"""

import re
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

MAX_LEVEL = 32
"""Blocks within blocks; a list with its item counts as two."""

_SAFE_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)


def _spoiler(state: StateInline, silent: bool) -> bool:
    """An inline rule: ``||text||``, marked as a span of its own. Linear, since only the next ``||`` may end it."""
    start, limit = state.pos, state.posMax
    before = state.src[start - 1] if start else " "
    if not state.src.startswith("||", start) or before.isalnum() or before == "|":
        return False
    end = state.src.find("||", start + 2, limit)
    inner = state.src[start + 2 : end]
    after = state.src[end + 2 : end + 3]
    if end < 0 or inner != inner.strip() or not inner or after.isalnum() or after == "|":
        return False
    if not silent:
        state.pos, state.posMax = start + 2, end
        state.push("spoiler_open", "", 1)
        state.md.inline.tokenize(state)
        state.push("spoiler_close", "", -1)
    state.pos, state.posMax = end + 2, limit
    return True


def _too_deep(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    """A block rule: below ``MAX_LEVEL`` there are only paragraphs; the parser by itself would drop the text."""
    if state.level < MAX_LEVEL:
        return False
    line = start + 1
    while line < end and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        line += 1
    state.push("paragraph_open", "p", 1)
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(start, line, state.blkIndent, False).strip()
    inline.children = []
    state.push("paragraph_close", "p", -1)
    state.line = line
    return True


def _parser() -> MarkdownIt:
    options: dict[str, Any] = {
        "html": False,
        "inline_definitions": True,
        "maxNesting": MAX_LEVEL + 8,
    }
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: bool(_SAFE_LINK.match(url))  # type: ignore[method-assign]
    parser.block.ruler.before("table", "too_deep", _too_deep)
    parser.inline.ruler.push("spoiler", _spoiler)
    parser.inline.add_terminator_char("|")
    return parser


PARSER = _parser()
