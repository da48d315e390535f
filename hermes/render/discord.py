r"""Discord: Markdown of its own, with titles and lists.

https://docs.discord.com/developers/reference (message formatting) · https://support.discord.com, "Markdown Text 101".

A backslash before any sign makes it text. Who is called by a message is decided by Discord from its bare text, escaped or
not, so a mention that an author wrote is broken here, by a space of no width; what may ring is the adapter's, by
``allowed_mentions``. Tables stand in a block of code.
"""

import re

from hermes.render import writer
from hermes.render.ir import Body, Document
from hermes.render.writer import NOTHING, URL, Style

_EVERYONE = re.compile(r"@(?=everyone|here)")
_SIGNS = re.compile(
    rf"(?P<url>{URL})"
    rf"|(?P<everyone>{_EVERYONE.pattern})"
    r"|(?P<who><)(?=[@#])"
    r"|(?<![^\W_])_|_(?![^\W_])"
    r"|[*~`|\[\]<]"
    r"|\\(?![0-9A-Za-z\s])"
)
_START = re.compile(r"^(\s*(?:\d+(?=\.\s)|(?=#{1,3}\s|>{1,3}\s|>>>|[-+]\s|-#)))")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]+")
_TITLES = 3


def render(document: Document) -> Body:
    """The document in Discord's Markdown."""
    return writer.render(document, _STYLE)


def _escape(text: str, _line: str, _signs: str) -> str:
    return _SIGNS.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "url":  # a backslash would lead elsewhere
            return _EVERYONE.sub("%40", found[0])
        case "everyone" | "who":
            return found[0] + NOTHING
        case _:
            return "\\" + found[0]


def _start(line: str) -> str:
    return _START.sub(r"\1\\", line)


def _code(text: str) -> str:
    if "`" not in text:
        return f"`{text}`"
    return f"`` {text.replace('``', f'`{NOTHING}`')} ``"


def _fence(text: str, language: str) -> str:
    return writer.fenced(text, language if _LANGUAGE.fullmatch(language) else "")


def _link(text: str, url: str) -> str:
    url = _EVERYONE.sub("%40", url)
    is_shown = (
        url.lower().startswith("http") and "://" not in text
    )  # a text like an address makes it no link to Discord
    return (
        f"[{text}]({url.replace('(', '%28').replace(')', '%29')})" if is_shown else writer.beside(text, url)
    )


def _heading(level: int) -> str | None:
    return "#" * level + " " if level <= _TITLES else None


_STYLE = Style(
    dialect="discord",
    marks={"bold": "**", "italic": "*", "strike": "~~", "underline": "__", "spoiler": "||"},
    escape=_escape,
    link=_link,
    code=_code,
    fence=_fence,
    start=_start,
    heading=_heading,
    inside="always",
)
