import pytest

from hermes.agents import phrases
from hermes.types.agent import LocalFile
from hermes.types.ids import SessionKey
from hermes.types.records import Note, SearchHit


def test_a_model_is_missing_and_how_to_set_one() -> None:
    for text in (phrases.greeting(), phrases.help_text()):
        assert "No language model is configured" in text
        for key in ("config.yaml", "model:", "provider:", "base_url:", "api_key:", "default:"):
            assert key in text
    assert "I have no language model" in phrases.no_model("why?")
    assert "no language model is configured" in phrases.no_model("")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("hi", "`hi`"),
        ("a\n\n# b", "`a # b`"),
        ("`x`", "`` `x` ``"),
        ("``` [l](javascript:x)", "```` ``` [l](javascript:x) ````"),
        ("x" * 300, f"`{'x' * 199}…`"),
    ],
)
def test_S23_what_people_wrote_is_quoted_as_data(text: str, span: str) -> None:
    assert span in phrases.no_model(text)


def test_notes_and_hits_take_one_line_each() -> None:
    listed = phrases.notes([Note(1, "buy\n# bread", 0.0), Note(2, "[x](y)", 0.0)])
    assert len(listed.splitlines()) == 2
    assert r"buy \# bread" in listed
    assert r"\[x\](y)" in listed

    hit = SearchHit(SessionKey("k"), "user", "the [red]\nshoes", 0.0)
    found = phrases.hits("red", [hit])
    assert found.splitlines()[0] == "About `red`, newest first:"
    assert found.endswith(r", you: the \[red\] shoes")


def test_nothing_found() -> None:
    assert phrases.notes([]) == phrases.NO_NOTES
    assert "nothing about `red`" in phrases.hits("red", [])


@pytest.mark.parametrize(
    ("problems", "words"),
    [
        (("",), "I have your file."),
        (("", ""), "I have your 2 files."),
        (("too large",), "A file of yours did not reach me: too large."),
        (
            ("", "too large", "too large", "took too long"),
            "I have your file. A file of yours did not reach me: too large. A file of yours did not reach me: took too long.",
        ),
    ],
)
def test_files_are_acknowledged(problems: tuple[str, ...], words: str) -> None:
    files = [LocalFile(0, "image", "", "a.jpg", problem=problem) for problem in problems]

    assert phrases.received(files) == words
