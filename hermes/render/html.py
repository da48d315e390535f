"""Markdown → HTML that is safe to put into a page as it is.

Safe means: no tag that the parser itself did not write, no link but http, https and mailto, and nothing that the browser
fetches on its own: an image becomes a link, because loading one from a foreign host tells that host who reads when.
Unfinished Markdown (an answer while it is written) comes out as literal text; an open code fence is closed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_SAFE_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
_LINK_ATTRS = 'target="_blank" rel="noopener noreferrer nofollow"'


def to_html(markdown: str) -> str:
    """Render ``markdown``; total: any text gives well-formed, safe HTML."""
    html: str = _PARSER.render(markdown)
    return html


def _link_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: object, _env: object
) -> str:
    return f"<a{renderer.renderAttrs(tokens[index])} {_LINK_ATTRS}>"


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Mapping[str, Any]
) -> str:
    token = tokens[index]
    alt = renderer.renderInlineAsText(token.children, options, dict(env)) or "image"
    return f'<a href="{escapeHtml(str(token.attrGet("src")))}" {_LINK_ATTRS}>[{escapeHtml(alt)}]</a>'


def _cell(renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: object, _env: object) -> str:
    """A table cell; its alignment as a class, since a page with a strict policy forbids the style attribute."""
    token = tokens[index]
    align = str(token.attrGet("style") or "").removeprefix("text-align:")
    return f'<{token.tag} class="align-{align}">' if align else f"<{token.tag}>"


def _parser() -> MarkdownIt:
    """CommonMark with tables and strikethrough; a line break stays one, as people mean it in a chat."""
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: bool(_SAFE_LINK.match(url))  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("th_open", _cell)
    parser.add_render_rule("td_open", _cell)
    return parser


_PARSER = _parser()
