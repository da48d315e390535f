"""The page about formats: one answer, and what each platform is sent of it."""

from collections.abc import Iterator

from hermes.render.dialects import RENDERERS, body
from hermes.render.html import to_html
from hermes.render.ir import Body
from hermes.render.markdown import parse

ANSWER = """\
## Backups

The last one *failed*: **no space left** on `nas-2`. ~~Retrying.~~ Details are in
[the log](https://logs.example/run?id=4711&day=2). The passphrase is ||correct horse||.

1. Make room:
   - old snapshots first
   - then `/var/cache`
2. Start it again:

```sh
restic backup --tag nightly /srv  # as root
```

> Never delete the newest snapshot.

| Host | Size | State |
|:-----|-----:|:-----:|
| nas-1 | 1.2 TB | ok |
| nas-2 | 940 GB | full |
"""

_INTRO = """\
# Formats

An answer is written in Markdown, whoever it is for; each platform is sent what it can show. There is one reading of Markdown for
all of them: CommonMark with tables, `~~strikethrough~~` and `||spoilers||`, in which every line break stays one, HTML is text,
and links lead to http, https or mailto. A text without markup is sent as it is.

- Where a platform has no links behind a text, the address follows in brackets. Where it has no quotes, lines begin with `> `.
- A table stands in columns of monospaced text where it fits on a phone and holds no links, and is a list else, one item a row;
  on the web page, in Matrix and in mail it is a table.
- An image is a link: nothing is fetched for whoever reads.
- What is unfinished, because the answer is still being written, is shown as it stands; an open block of code is closed, and a
  spoiler comes when it is whole.
- When a platform refuses its format all the same, the part is sent once more as plain text.

This page is written by `docs/generate.py`. The answer:
"""

_NAMES = {
    "markdown": "Markdown, for adapters that render it themselves",
    "plain": "Plain text",
    "telegram": "Telegram: text and entities",
    "slack": "Slack: mrkdwn",
    "discord": "Discord: Markdown of its own",
    "whatsapp": "WhatsApp: marks of its own",
    "signal": "Signal: text and styles",
    "matrix": "Matrix: HTML, with the plain text beside it",
    "irc": "IRC: control characters, shown as their signs here",
    "email": "Mail: HTML, with the plain text beside it",
}
_CONTROLS = {code: 0x2400 + code for code in range(0x20) if code != 0x0A}


def formats() -> str:
    """The page."""
    document = parse(ANSWER)
    blocks = [_INTRO, *_fence(ANSWER, "markdown")]
    for dialect in RENDERERS:
        blocks += ["", f"## {_NAMES[dialect]}", "", *_shown(body(document, dialect))]
    blocks += ["", "## The web page", "", *_fence(to_html(ANSWER), "html")]
    return "\n".join(blocks) + "\n"


def _shown(body: Body) -> Iterator[str]:
    if body.html is not None:
        yield from _fence(body.html, "html")
    else:
        yield from _fence(body.text.translate(_CONTROLS), "text")
    if body.entities:
        yield from ("", "| what | from | long | of |", "|---|---|---|---|")
    units = body.text.encode("utf-16-le")
    for entity in body.entities:
        marked = units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")
        first, *more = marked.split("\n")
        kind = " ".join(filter(None, (f"`{entity.kind}`", entity.language, entity.url)))
        yield f"| {kind} | {entity.offset} | {entity.length} | {first}{' …' if more else ''} |"


def _fence(text: str, language: str) -> tuple[str, str, str]:
    return f"````{language}", text.removesuffix("\n"), "````"
