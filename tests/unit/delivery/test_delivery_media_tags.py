"""The files that an answer names: what is found, what is left to be read, and what of it may be seen while it is written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.delivery.media_tags import (
    Extracted,
    Named,
    Refusal,
    extract,
    fitting,
    mime_of,
    names_files,
    strip_partial,
)
from hermes.types.content import Capabilities, Media

HOME = "/home/ann"


def taken(named: Named) -> Media:
    """Everything may go."""
    return Media(named.kind, named.ref, named.name, caption=named.caption)


def denied(_named: Named) -> Refusal:
    return "denied"


def refs(found: Extracted) -> list[str]:
    return [media.ref for media in found.media]


TAGS = [
    ("Here: MEDIA:/a/b.png", "Here:", ["/a/b.png"]),
    ("MEDIA: /a/b.png", "", ["/a/b.png"]),
    ("MEDIA:/a/b.png and more", "and more", ["/a/b.png"]),
    ("One MEDIA:/a/b.png.", "One .", ["/a/b.png"]),
    ("MEDIA:/a/b.png.", "", ["/a/b.png"]),
    ('It is "MEDIA:/a/b.png"', "It is", ["/a/b.png"]),
    ("**MEDIA:/a/b.png**", "", ["/a/b.png"]),
    ("See _(MEDIA:/a/b.png)_ there", "See there", ["/a/b.png"]),
    ("A [report](MEDIA:/a/b.pdf)", "A [report]", ["/a/b.pdf"]),
    ("*MEDIA:/a.png*MEDIA:/b.png*", "", ["/a.png", "/b.png"]),
    ("MEDIA:`/a/b.png` there", "there", ["/a/b.png"]),
    ("MEDIA:'/a/b c.odd' there", "there", ["/a/b c.odd"]),
    ('MEDIA:"/a/b c.png"', "", ["/a/b c.png"]),
    ("MEDIA:/a/My best song.mp3 enjoy", "enjoy", ["/a/My best song.mp3"]),
    ("MEDIA:/a/x.tar.gz, please", ", please", ["/a/x.tar.gz"]),
    ("MEDIA:~/b.pdf", "", ["/home/ann/b.pdf"]),
    ("MEDIA:/a/README", "", ["/a/README"]),
    ("MEDIA:/a/b.xyz", "", ["/a/b.xyz"]),
    ("MEDIA:https://h.example/x.png ok", "ok", ["https://h.example/x.png"]),
    ("MEDIA:/a.png MEDIA:/b c.png", "", ["/a.png", "/b c.png"]),
    ("Two:\n- MEDIA:/a.png\n- MEDIA:/b.png\n\nThat is all.", "Two:\n\nThat is all.", ["/a.png", "/b.png"]),
    ("MEDIA:/a.png\nMEDIA:/a.png", "", ["/a.png"]),
]


@pytest.mark.parametrize(("text", "left", "files"), TAGS)
def test_a_tag_goes_and_its_file_with_the_answer(text: str, left: str, files: list[str]) -> None:
    found = extract(text, HOME, taken)

    assert (found.text, refs(found)) == (left, files)
    assert names_files(text)


@pytest.mark.parametrize(
    "text",
    [
        "Write `MEDIA:/a/b.png` for it.",
        "```\nMEDIA:/a/b.png\n```",
        "~~~text\nMEDIA:/a/b.png\n",
        "``a ` MEDIA:/a/b.png``",
        "> ```\n> MEDIA:/a/b.png\n> ```",
        "MULTIMEDIA:/a/b.png",
        "MEDIA: is the tag",
        "MEDIA:relative/b.png",
        "MEDIA:http://h.example/x.png",
        "[a link](https://h.example/x.png)",
        "![no picture](https://h.example/page)",
        "![none of ours](http://h.example/x.png)",
        "and/or.txt",
        "`/a/b.png`",
        "[[as_something]]",
        "",
    ],
)
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert extract(text, HOME, taken) == Extracted(text)
    assert not names_files(text) or text.startswith("![")


@pytest.mark.parametrize(
    ("text", "left", "media"),
    [
        (
            "See ![a cat](https://h.example/cat.jpg) here",
            "See here",
            Media("image", "https://h.example/cat.jpg", "cat.jpg", caption="a cat"),
        ),
        ("![](/a/cat.png)", "", Media("image", "/a/cat.png", "cat.png")),
        ('![c](/a/cat.png "t")', "", Media("image", "/a/cat.png", "cat.png", caption="c")),
        (
            "![](https://v3.fal.media/files/x)",
            "",
            Media("image", "https://v3.fal.media/files/x", "x"),
        ),
        (
            '<img src="https://h.example/a%20b.gif" alt="x">',
            "",
            Media("image", "https://h.example/a%20b.gif", "a b.gif"),
        ),
        ("/a/report.pdf", "", Media("document", "/a/report.pdf", "report.pdf")),
        ("Done:\n- /a/report.pdf", "Done:", Media("document", "/a/report.pdf", "report.pdf")),
        (
            "It is in /a/report.pdf, as asked.",
            "It is in /a/report.pdf, as asked.",
            Media("document", "/a/report.pdf", "report.pdf"),
        ),
    ],
)
def test_pictures_and_paths(text: str, left: str, media: Media) -> None:
    assert extract(text, HOME, taken) == Extracted(left, (media,))


@pytest.mark.parametrize(
    ("text", "kind", "left"),
    [
        ("MEDIA:/a.ogg", "audio", ""),
        ("[[audio_as_voice]]\nMEDIA:/a.ogg", "voice", ""),
        ("[[audio_as_voice]] Hear: MEDIA:/a.png", "image", "Hear:"),
        ("MEDIA:/a.png [[as_document]]", "document", ""),
        ("MEDIA:/a.mp4 [[as_document]]", "document", ""),
        ("MEDIA:/a.mp4", "video", ""),
        ("MEDIA:/a.zip", "document", ""),
    ],
)
def test_kinds(text: str, kind: str, left: str) -> None:
    found = extract(text, HOME, taken)

    assert ([media.kind for media in found.media], found.text) == ([kind], left)


@pytest.mark.parametrize(
    ("text", "left", "refused"),
    [
        ("Here: MEDIA:/etc/shadow.txt", "Here:", ("denied",)),
        ("![x](/etc/x.png) and", "and", ("denied",)),
        ("MEDIA:/etc/shadow.txt", "", ("denied",)),
        ("MEDIA:/a.png MEDIA:/a.png MEDIA:/b.png", "", ("denied", "denied")),
        # It may be meant as something else, or a platform shows the link: nothing is lost by its staying.
        ("MEDIA:/etc/passwd", "MEDIA:/etc/passwd", ()),
        ("see /etc/shadow.txt", "see /etc/shadow.txt", ()),
        ("![x](https://h.example/x.png)", "![x](https://h.example/x.png)", ()),
    ],
)
def test_S39_what_may_not_go_is_taken_out_where_it_was_meant_to(
    text: str, left: str, refused: tuple[Refusal, ...]
) -> None:
    assert extract(text, HOME, denied) == Extracted(left, (), refused)


def test_an_answer_of_flags_alone_is_recovered() -> None:
    assert extract("[[audio_as_voice]]", HOME, taken) == Extracted("[[audio_as_voice]]")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Here M", "Here"),
        ("Here MEDIA", "Here"),
        ("Here MEDIA:", "Here"),
        ("Here MEDIA: ~", "Here"),
        ("Here MEDIA:/home/ann/My so", "Here"),
        ("Here MEDIA:/a.png and m", "Here"),
        ("Here MEDIA:/a.png\nand", "Here\nand"),
        ("See ![a ca", "See"),
        ("See ![a cat](https://h.exam", "See"),
        ("See ![a cat](https://h.example/cat.jpg) th", "See th"),
        ("a <img src='https://h", "a"),
        ("[[audio_as_v", ""),
        ("[[audio_as_voice]] hi", "hi"),
        ("`MEDIA:/a.png`", "`MEDIA:/a.png`"),
        ("A MEDIAN", "A MEDIAN"),
        ("a [link](https://h.example)", "a [link](https://h.example)"),
        ("Wow! And", "Wow! And"),
    ],
)
def test_a_text_that_grows_shows_no_tag(written: str, shown: str) -> None:
    assert strip_partial(written) == shown


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_beginning_of_an_answer_shows_the_path_of_its_file(data: st.DataObject) -> None:
    piece = st.sampled_from(
        [
            "text ",
            "\n",
            "\n\n",
            "- ",
            "MEDIA:/se/cret.png",
            "![x](/se/cret.png)",
            "MEDIA: `/se/cret x.bin`",
            "**b** ",
        ]
    )
    text = " ".join(data.draw(st.lists(piece, max_size=8)))
    end = data.draw(st.integers(0, len(text)))

    assert "/se" not in strip_partial(text[:end])
    assert "/se" not in extract(text, HOME, taken).text


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="MEDIA:/~ab. `\n![]()<img src='\">-*#\\", max_size=200))
def test_every_text_has_a_reading(text: str) -> None:
    found = extract(text, HOME, denied)

    assert extract(text, HOME, denied) == found
    assert names_files(text) or found == Extracted(text)
    strip_partial(text)


def test_a_kind_goes_as_what_the_platform_takes() -> None:
    some = Capabilities(media=frozenset({"image", "audio", "document"}))

    assert [fitting(kind, some) for kind in ("image", "voice", "video")] == ["image", "audio", "document"]
    assert fitting("document", Capabilities(media=frozenset({"image"}))) is None


def test_types_are_the_same_everywhere() -> None:
    names = ("a.png", "a.webp", "a.ogg", "a.pdf", "a.tar.gz", "a", "data:a.png")

    assert [mime_of(name) for name in names] == [
        "image/png",
        "image/webp",
        "audio/ogg",
        "application/pdf",
        None,
        None,
        "image/png",
    ]


def test_a_long_gap_in_the_address_of_a_picture_takes_no_minutes() -> None:
    text = f"![a](https://example.com/{' ' * 200_000}b"

    assert not names_files(text)
    assert strip_partial(text) == ""
