"""What an author wrote reads as itself on every platform that has markup, and marks stand where they are read.

The readers here know of each platform what its documentation says, and no more.
"""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.render import discord, irc, slack, whatsapp
from hermes.render.ir import Body, Code, Document, Heading, Paragraph, Quote, Span
from hermes.render.lookalikes import SAME
from hermes.render.markdown import parse
from hermes.render.writer import NOTHING, URL

Render = Callable[[Document], Body]

MARKED = {
    "discord": re.compile(
        r"(?<!\\)(?:\*\*?(?=\S)[^*]+\*|__?\S[^_]*_|~~.+~~|\|\|.+\|\||`[^`]+`|\[[^\]]*\]\([^)]*\))"
        r"|^(?:#{1,3} |> |>>>|[-*] |-# |\d+\. )",
        re.MULTILINE,
    ),
    "slack": re.compile(r"(?<!\w)([*_~])(?=\S)[^\n]*?\S\1(?!\w)|`[^`\n]+`|^>", re.MULTILINE),
    "whatsapp": re.compile(r"(?<!\w)([*_~])(?=\S)[^\n]*?\S\1(?!\w)|`[^`\n]+`|^(?:> |[-*] )", re.MULTILINE),
}
"""What a platform would take for markup."""
LOOKS = str.maketrans({same: sign for sign, same in SAME.items()})


def without_addresses(text: str) -> str:
    return re.sub(URL, "address", text)


def said(text: str) -> Document:
    return Document((Paragraph((Span(text),)),))


signs = (
    st.lists(
        st.sampled_from(
            (
                "*",
                "**",
                "_",
                "__",
                "~",
                "~~",
                "`",
                "|",
                "||",
                "[",
                "](http://x)",
                "<",
                ">",
                "&",
                "\\",
                "#",
                "# ",
                "-",
                "- ",
                "1.",
                " ",
                "a",
                "b",
                "é",
                "\n",
                "&lt;",
                "<@U1>",
                "<!channel>",
                "@everyone",
                "@here",
                "<@&9>",
                "<#7>",
            )
        ),
        min_size=1,
        max_size=12,
    )
    .map(lambda parts: "\n".join(line.strip() for line in "".join(parts).split("\n")).strip())
    .filter(bool)
)


@settings(max_examples=100)
@given(signs)
def test_on_slack_a_text_reads_as_itself(text: str) -> None:
    sent = slack.render(said(text)).text
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", sent)
    read = sent.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert not MARKED["slack"].search(without_addresses(read))
    assert read.replace(NOTHING, "").translate(LOOKS) == text


@settings(max_examples=100)
@given(signs)
def test_on_whatsapp_a_text_reads_as_itself(text: str) -> None:
    sent = whatsapp.render(said(text)).text
    assert not MARKED["whatsapp"].search(without_addresses(sent))
    assert sent.replace(NOTHING, "").translate(LOOKS) == text


@settings(max_examples=100)
@given(signs)
def test_on_discord_a_text_reads_as_itself_and_calls_nobody(text: str) -> None:
    sent = discord.render(said(text)).text
    assert not re.search(r"@(?:everyone|here)|<[@#]", sent)
    unescaped = re.sub(r"\\[^0-9A-Za-z\s]", "\0", sent)
    assert not MARKED["discord"].search(without_addresses(unescaped))
    assert re.sub(r"\\([^0-9A-Za-z\s])", r"\1", sent).replace(NOTHING, "").replace("%40", "@") == text


@settings(max_examples=100)
@given(st.text(min_size=1))
def test_on_irc_no_control_character_gets_through(text: str) -> None:
    sent = irc.render(Document((*said(text).blocks, Code(text), Heading(1, (Span(text),))))).text
    assert not re.search(r"[\x00\r]", sent)
    assert set(re.findall(r"[\x01-\x08\x0b-\x1f\x7f-\x9f]", sent)) <= {"\x02"}


@pytest.mark.parametrize(
    ("markdown", "on_slack", "on_discord", "on_whatsapp", "on_irc"),
    [
        (
            "**a *b* c** ~~d~~",
            "*a _b_ c* ~d~",
            "**a *b* c** ~~d~~",
            "*a _b_ c* ~d~",
            "\x02a \x1db\x1d c\x02 d",
        ),
        ("***both***", "*_both_*", "***both***", "*_both_*", "\x02\x1dboth\x1d\x02"),
        ("un**fold**ing", "un¤*fold*¤ing", "un**fold**ing", "unfolding", "un\x02fold\x02ing"),
        ("**a***b*", "*a*¤_b_", "**a**¤*b*", "ab", "\x02a\x02\x1db\x1d"),
        (
            "**two\nlines**",
            "*two*\n*lines*",
            "**two**\n**lines**",
            "*two*\n*lines*",
            "\x02two\x02\n\x02lines\x02",
        ),
        ("# Title *x*", "*Title _x_*", "# Title *x*", "*Title _x_*", "\x02Title \x1dx\x1d\x02"),
        ("#### Four", "*Four*", "**Four**", "*Four*", "\x02Four\x02"),
        ("||secret||", "secret", "||secret||", "secret", "secret"),
        ("`a*b` and ``c`d``", "`a*b` and `cˋd`", "`a*b` and `` c`d ``", "`a*b` and `cˋd`", "`a*b` and `c`d`"),
        (
            "[t](https://e.example/?a=1&b)",
            "<https://e.example/?a=1&amp;b|t>",
            "[t](https://e.example/?a=1&b)",
            "t (https://e.example/?a=1&b)",
            "t (https://e.example/?a=1&b)",
        ),
        (
            "[a](https://e.example/x_(y))",
            "<https://e.example/x_(y)|a>",
            "[a](https://e.example/x_%28y%29)",
            "a (https://e.example/x_(y))",
            "a (https://e.example/x_(y))",
        ),
        (
            "[https://good.example](https://bad.example)",
            "<https://bad.example|https://good.example>",
            "https://good.example (https://bad.example)",
            "https://good.example (https://bad.example)",
            "https://good.example (https://bad.example)",
        ),
        (
            "<@U1> <!here> @everyone",
            "&lt;@U1&gt; &lt;!here&gt; @everyone",
            "<¤@U1> \\<!here> @¤everyone",
            "<@U1> <!here> @everyone",
            "<@U1> <!here> @everyone",
        ),
        (
            "<https://e.example/@here>",
            "<https://e.example/@here|https://e.example/@here>",
            "https://e.example/%40here",
            "https://e.example/@here",
            "https://e.example/@here",
        ),
        (
            "**bold** ~5 *a*",
            "*bold* ~5 _a_",
            "**bold** \\~5 *a*",
            "*bold* ~5 _a_",
            "\x02bold\x02 ~5 \x1da\x1d",
        ),
        (r"**bold** 5\* x", "*bold* 5∗ x", r"**bold** 5\* x", "*bold* 5∗ x", "\x02bold\x02 5* x"),
        ("*a **b***", "_a *b*_", "*a **b***", "_a *b*_", "\x1da \x02b\x02\x1d"),
        ("***a** b*", "_*a* b_", "***a** b*", "_*a* b_", "\x1d\x02a\x02 b\x1d"),
        (
            "_a_ at https://e.example/x_y_z_",
            "_a_ at https://e.example/x_y_z_",
            "*a* at https://e.example/x_y_z_",
            "_a_ at https://e.example/x_y_z_",
            "\x1da\x1d at https://e.example/x_y_z_",
        ),
        (
            "- a\n  - b\n\n3. c",
            "• a\n  • b\n\n3. c",
            "- a\n  - b\n\n3. c",
            "- a\n  - b\n\n3. c",
            "• a\n  • b\n3. c",
        ),
        ("> a\n> > b", "> a\n>\n> b", "> a\n>\n> b", "> a\n>\n> b", "> a\n> b"),
        (
            "```py\nx = '<&'\n```",
            "```\nx = '&lt;&amp;'\n```",
            "```py\nx = '<&'\n```",
            "```\nx = '<&'\n```",
            "x = '<&'",
        ),
        ("````\n```\n````", "```\n``¤`\n```", "```\n``¤`\n```", "```\n``¤`\n```", "```"),
        (
            "1. a\n   ```\n   b\n   ```\n2. c",
            "1. a\n```\nb\n```\n2. c",
            "1. a\n```\nb\n```\n2. c",
            "1. a\n```\nb\n```\n2. c",
            "1. a\n  b\n2. c",
        ),
        (
            "|h|k|\n|-|-:|\n|1|2|",
            "```\nh  k\n-  -\n1  2\n```",
            "```\nh  k\n-  -\n1  2\n```",
            "```\nh  k\n-  -\n1  2\n```",
            "h  k\n-  -\n1  2",
        ),
        (
            r"\*a\* 2*3 * 4 snake_case",
            "∗a∗ 2*3 * 4 snake_case",
            r"\*a\* 2\*3 \* 4 snake_case",
            "∗a∗ 2*3 * 4 snake_case",
            "*a* 2*3 * 4 snake_case",
        ),
    ],
)
def test_what_each_platform_is_sent(
    markdown: str, on_slack: str, on_discord: str, on_whatsapp: str, on_irc: str
) -> None:
    document = parse(markdown)
    sent = [each.render(document).text.replace(NOTHING, "¤") for each in (slack, discord, whatsapp, irc)]
    assert sent == [on_slack, on_discord, on_whatsapp, on_irc]


def test_code_in_a_quote_is_not_part_of_the_quote_where_that_would_be_part_of_the_code() -> None:
    document = Document((Quote((Paragraph((Span("a"),)), Code("b\n"))),))
    assert slack.render(document).text == "> a\n>\n```\nb\n```"
    assert discord.render(document).text == "> a\n>\n> ```\n> b\n> ```"


@pytest.mark.parametrize("render", [slack.render, discord.render, whatsapp.render, irc.render])
def test_a_text_that_was_cut_has_no_blanks_at_its_ends(render: Render) -> None:
    bold = Span(" cut here \n", frozenset({"bold"}))
    assert render(Document((Paragraph((bold,)),))).text.strip("*\x02") == "cut here"
