"""What other people and programs have written, put into our words as data: it can begin nothing and end nothing there. Pure."""

import re
import unicodedata

MOST_CHARACTERS = 80

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?|\x9b[0-?]*[ -/]*[@-~]"
)
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def quoted(text: str, most: int = MOST_CHARACTERS) -> str:
    """A name as one piece of code in Markdown: one line, no markup, no escapes, nothing invisible, ``most`` characters."""
    words = " ".join(_visible(text, keep="\n\t").replace("`", "'").split())
    return f"`{words if len(words) <= most else words[: most - 1] + '…'}`" if words else "``` ```"


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """``text`` as a person may name something: one line, nothing invisible, ``most`` characters at most."""
    return " ".join(_visible(text, keep="\n\t").split())[:most].rstrip()


def spelled_out(text: str) -> str:
    """``text`` with nothing hidden in it: what is not seen, or changes how the rest is read, stands there as Python writes it.
    For what somebody decides on: to leave it out would show them something else.
    """
    return "".join(
        character if character in "\n\t" or not _is_hidden(character) else ascii(character)[1:-1]
        for character in text
    )


def code_block(text: str) -> str:
    """What a program has written, in Markdown, with a fence that it cannot close."""
    plain = _visible(text.replace("\r\n", "\n"), keep="\n\t").strip("\n")
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{plain}\n{fence}"


def block_quote(text: str, most: int) -> str:
    """What somebody has written at length, as a block quote in Markdown that none of its lines can leave; cut at ``most``
    characters.
    """
    plain = _visible(re.sub("\r\n?", "\n", text), keep="\n\t").strip()
    short = plain if len(plain) <= most else plain[: most - 1] + "…"
    return "\n".join(f"> {line}".rstrip() for line in short.split("\n"))


def _visible(text: str, keep: str) -> str:
    return "".join(
        character for character in _ESCAPES.sub("", text) if character in keep or not _is_hidden(character)
    )


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE
