"""Another reader of Markdown for Telegram (telegramify-markdown) marks the same stretches as we do.

What we do otherwise on purpose is not compared:

* it puts a sign and an underline on headings, has those of level 5 and 6 slanted, and puts a picture before images;
* it nests ``code`` in bold and in links, which Telegram does not take: compared is what remains bold or linked beside code,
  and in a link no code;
* it lets the server drop links to mail and to hosts without a dot, which we write out;
* it drops HTML and sets LaTeX in Unicode; spoilers within words are none to us;
* its tables are columns with bars, however wide; ours are padded, or lists.
"""

from collections.abc import Iterable
from random import Random

import pytest

from hermes.render import telegram
from hermes.render.markdown import parse

oracle = pytest.importorskip("telegramify_markdown", reason="telegramify-markdown is of the dev extra")

KINDS = ("bold", "italic", "strikethrough", "code", "pre", "text_link")
DOCUMENTS = 240
WORDS = (
    "alpha",
    "beta_gamma",
    "δέλτα",
    "日本",
    "👍🏽",
    "it's",
    "e.g.",
    "(so)",
    "a&b",
    "C++",
    "100%",
    "\\*",
    "\\_",
    "&amp;",
)


def text(random: Random) -> str:
    return " ".join(random.choices(WORDS, k=random.randint(1, 4)))


def inline(random: Random, depth: int = 0) -> str:
    parts = []
    for _ in range(random.randint(1, 4)):
        inner = inline(random, depth + 1) if depth < 2 and random.random() < 0.3 else text(random)
        form = random.choice(
            [
                "{}",
                "{}",
                "**{}**",
                "*{}*",
                "~~{}~~",
                "`c{}`",
                "[{}](https://e.example/a_(b)?x=1)",
                "<https://e.example/{}>",
            ]
        )
        if form.startswith("`") or form.startswith("<"):
            inner = str(random.randint(1, 99))
        elif form.startswith("["):
            inner = text(random)
        parts.append(form.format(inner))
    return f"so {' '.join(parts)} on"  # marks that touch are a matter of taste between readers


def block(random: Random) -> str:
    match random.randrange(6):
        case 0:
            return "#" * random.randint(1, 4) + " " + inline(random)
        case 1:
            return "\n".join(f"{number}. {inline(random)}" for number in range(3, 3 + random.randint(1, 3)))
        case 2:
            return "\n".join(f"- {inline(random)}\n  - {inline(random)}" for _ in range(random.randint(1, 2)))
        case 3:
            return f"> {inline(random)}\n> {inline(random)}"
        case 4:
            return f"```{random.choice(['', 'python'])}\n{text(random)}\n  **{text(random)}**\n```"
        case _:
            return f"{inline(random)}\n{inline(random)}"


def stretches(text: str, entities: Iterable[object]) -> dict[str, str]:
    """What each kind marks, in order and without blanks: where it begins and ends, and nothing of how it was laid out."""
    units = text.encode("utf-16-le")
    covered: dict[str, set[int]] = {kind: set() for kind in KINDS}
    for entity in entities:
        kind = getattr(entity, "kind", None) or entity.type
        covered.setdefault(kind, set()).update(range(entity.offset, entity.offset + entity.length))
    code = covered["code"] - covered["text_link"]
    covered["code"] = code
    for kind in ("bold", "italic", "strikethrough"):
        covered[kind] -= code
    return {
        kind: "".join(
            b"".join(units[2 * at : 2 * at + 2] for at in sorted(covered[kind])).decode("utf-16-le").split()
        )
        for kind in KINDS
    }


def test_it_marks_what_we_mark() -> None:
    random = Random(8)
    for number in range(DOCUMENTS):
        markdown = "\n\n".join(block(random) for _ in range(random.randint(1, 4)))
        ours = telegram.render(parse(markdown))
        theirs, entities = oracle.convert(markdown, latex_escape=False)

        assert stretches(ours.text, ours.entities) == stretches(theirs, entities), (number, markdown)
