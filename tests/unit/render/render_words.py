"""Markdown as people and models write it, at its worst, for the tests of what is rendered and cut."""

from hypothesis import strategies as st

FAMILY = "👨‍👩‍👧‍👦"
CLUSTERS = (
    FAMILY,
    "🇩🇪",
    "👍🏽",
    "❤️",
    "e\u0301",
    "\u1100\u1161\u11a8",  # a Korean syllable in letters
    "\u0915\u094d\u0937\u093f",  # and one in Devanagari
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "𝔘",
    "😀",
)

words = st.one_of(
    st.sampled_from(
        (
            "a",
            "word",
            "naïve",
            "שלום",
            "مرحبا",
            "你好世界。",
            "x" * 30,
            "2*3",
            "snake_case",
            "__init__",
            "~5",
            "<@1>",
            "@here",
            "&amp;",
            "C:\\dir",
            "1.",
            "#",
            ">",
            "-",
            "||x||",
            "`",
        )
    ),
    st.sampled_from(CLUSTERS),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=6),
    st.lists(st.sampled_from(CLUSTERS), min_size=2, max_size=4).map("".join),
)
plain = st.lists(words, min_size=1, max_size=8).map(" ".join)


def _marked(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(
        (
            "**{}**",
            "*{}*",
            "~~{}~~",
            "`{}`",
            "||{}||",
            "[{}](https://e.example/a_(b)?x=1&y=2)",
            "***{}***",
            "{}",
        )
    ).map(lambda form: form.format(text))


inline = st.lists(words.flatmap(_marked), min_size=1, max_size=8).map(" ".join)
paragraph = st.lists(inline, min_size=1, max_size=3).map("\n".join)
fence = st.tuples(
    st.sampled_from(("", "python", "c++")),
    st.lists(plain | st.just("") | st.just("    indented"), max_size=6),
).map(lambda pair: f"```{pair[0]}\n" + "".join(f"{line.replace('`', '')}\n" for line in pair[1]) + "```")
heading = st.tuples(st.integers(1, 6), inline).map(lambda pair: "#" * pair[0] + " " + pair[1])
table = st.lists(
    st.lists(words.filter(lambda word: "|" not in word), min_size=2, max_size=2), min_size=1, max_size=4
).map(lambda rows: "| h | k |\n|--:|---|\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows))


def _indent(text: str, first: str) -> str:
    return first + text.replace("\n", "\n" + " " * len(first))


def _lists(blocks: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(blocks, min_size=1, max_size=4).map(
            lambda items: "\n".join(_indent(item, "- ") for item in items)
        ),
        st.tuples(st.integers(0, 98), st.lists(blocks, min_size=1, max_size=4)).map(
            lambda pair: "\n\n".join(_indent(item, f"{pair[0] + n}. ") for n, item in enumerate(pair[1]))
        ),
        blocks.map(lambda text: "> " + text.replace("\n", "\n> ")),
        st.lists(blocks, min_size=2, max_size=3).map("\n\n".join),
    )


blocks = st.recursive(
    st.one_of(paragraph, paragraph, fence, heading, table, st.just("---")), _lists, max_leaves=6
)
markdown = st.lists(blocks, min_size=1, max_size=5).map("\n\n".join)
