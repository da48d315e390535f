"""What a model is told of a turn."""

from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_kit import turn

from hermes.agents.openai.home import HomeWords
from hermes.agents.openai.prompt import IDENTITY, MANNER, messages
from hermes.types.records import TranscriptLine


def told(*lines, said=("now",), length=32_768, **options):
    history = tuple(TranscriptLine(role, text, 0.0) for role, text in lines)
    settings = {"words": HomeWords(), "context_length": length, "max_tokens": None} | options
    return messages(turn(*said, history=history, context="The place."), **settings)


def roles(said):
    return [message["role"] for message in said]


def test_who_and_where_come_first_and_never_the_time():
    system = told()[0]

    assert system == {"role": "system", "content": f"{IDENTITY}\n\n{MANNER}\n\nThe place."}
    assert told(words=HomeWords("You are Ann."))[0]["content"] == f"You are Ann.\n\n{MANNER}\n\nThe place."
    assert len(f"{IDENTITY} {MANNER}") < 600, "small models read slowly"


def test_what_was_said_before_and_what_is_said_now():
    said = told(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), said=("e", "f"))

    assert [message["content"] for message in said[1:]] == ["a", "b", "c", "d", "e\n\nf"]
    assert roles(said) == ["system", "user", "assistant", "user", "assistant", "user"]


def test_notes_and_notices_stand_in_brackets_before_what_was_said_next():
    said = told(
        ("system", "a new day"), ("user", "a"), ("notice", "I stopped."), ("user", "b"), ("assistant", "c")
    )

    assert said[1]["content"] == (
        "[Note: a new day]\n\na\n\n[In place of an answer they were told: I stopped.]\n\nb"
    )
    assert roles(said) == ["system", "user", "assistant", "user"]


def test_what_had_no_answer_is_said_together_with_what_is_said_now():
    said = told(("user", "a"), ("assistant", "b"), ("user", "c"), ("notice", "{text} {broken"))

    assert roles(said) == ["system", "user", "assistant", "user"]
    assert said[-1]["content"] == "c\n\n[In place of an answer they were told: {text} {broken]\n\nnow"


def test_an_answer_to_what_is_too_long_ago_is_left_out():
    assert roles(told(("assistant", "b"), ("user", "c"), ("assistant", "d"))) == [
        "system",
        "user",
        "assistant",
        "user",
    ]


def test_the_newest_exchanges_that_fit_go_along():
    lines = [
        line
        for n in range(100)
        for line in (("user", f"question {n} " + "x" * 300), ("assistant", f"answer {n}"))
    ]

    said = told(*lines, length=2_000)

    assert said[-2]["content"] == "answer 99"
    assert 3 < len(said) < 100
    assert said[1]["content"].startswith("question ")
    size = sum(len(message["content"]) for message in said) / 4
    assert size < 1_500, "a quarter is for the answer"


def test_what_the_answer_may_take_is_kept_free():
    lines = [("user", "x" * 1_000), ("assistant", "y")] * 20

    assert len(told(*lines, length=4_000, max_tokens=100)) > len(told(*lines, length=4_000, max_tokens=1_900))


def test_other_scripts_count_for_what_they_take():
    lines = [("user", "好" * 400), ("assistant", "是")] * 20

    assert len(told(*lines, length=2_000)) < len(
        told(*[("user", "x" * 400), ("assistant", "y")] * 20, length=2_000)
    )


def test_what_is_said_now_goes_in_any_case():
    said = told(("user", "a"), ("assistant", "b"), said=("x" * 100_000,), length=512)

    assert roles(said) == ["system", "user"]


def test_pictures_stand_beside_the_words():
    said = told(images=("data:a", "data:b"))

    assert said[-1]["content"] == [
        {"type": "text", "text": "now"},
        {"type": "image_url", "image_url": {"url": "data:a"}},
        {"type": "image_url", "image_url": {"url": "data:b"}},
    ]


def test_a_turn_without_words_of_its_own_is_told_by_its_events():
    plain = turn("hello")
    object.__setattr__(plain, "said", ())

    assert messages(plain, words=HomeWords(), context_length=1_000, max_tokens=None)[-1]["content"] == "hello"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "notice", "system"]), st.text(max_size=20))),
    st.integers(512, 1_200),
)
def test_roles_take_turns_whatever_was_said(lines, length):
    said = told(*lines, length=length)

    assert all(role == due for role, due in zip(roles(said)[1:], cycle(("user", "assistant")), strict=False))
    assert (roles(said)[0], roles(said)[-1]) == ("system", "user")


@pytest.mark.parametrize("length", [600, 800, 1_000, 5_000])
def test_no_exchange_is_torn_apart(length):
    lines = [line for n in range(30) for line in (("user", f"q{n}"), ("assistant", f"a{n}"))]
    said = [message["content"] for message in told(*lines, length=length)[1:-1]]

    assert said == [text for _, text in lines][len(lines) - len(said) :]
    assert len(said) % 2 == 0


def test_what_it_keeps_in_mind_stands_before_the_place_and_what_is_recalled_before_the_question():
    words = HomeWords(memory="The {text} server is ada.", user="She is called Ann.")
    asked = replace(turn("now", context="The place."), recalled="She likes tea.\n")
    system, now = messages(asked, words=words, context_length=32_768, max_tokens=None)

    assert system["content"] == (
        f"{IDENTITY}\n\n{MANNER}\n\nWhat you have noted for yourself:\nThe {{text}} server is ada."
        "\n\nWhat you know of the person you work for:\nShe is called Ann.\n\nThe place."
    )
    assert now["content"] == "[What you remember that may help: She likes tea.]\n\nnow"
