"""What an order becomes: one step for each target, and one that fails stops no other."""

import pytest

from hermes.config.homes import HomeChannel
from hermes.delivery.router import (
    File,
    Known,
    Order,
    Post,
    Refused,
    Skipped,
    delivery_id,
    homes_in_order,
    outbound,
    page,
    plan,
)
from hermes.delivery.targets import Place
from hermes.types.channels import Channel
from hermes.types.content import Capabilities

ANY = Capabilities()
HERE = Place("telegram", "default", "-100", "17")
HOME = Place("telegram", "default", "5")
WORK = Place("telegram", "work", "6")
WEB = Place("webchat", "default", "main")
KNOWN = Known(
    {"telegram": ANY, "webchat": ANY},
    frozenset({("telegram", "default"), ("telegram", "work"), ("webchat", "default")}),
    (WEB, HOME, WORK, Place("slack", "default", "C123456")),
    {"telegram": (Channel("-100", "Team", "group"), Channel("-100", "Deploys", "group", "17"))},
    {"telegram": {"-100": "crew"}},
)
ORDER = Order("run1", "hello", 1_772_618_400.0)


def steps(targets, *, order=ORDER, known=KNOWN, origin=None):
    return plan(targets, order, known, origin=origin)


def places(targets, **more):
    found = steps(targets, **more)
    assert all(isinstance(step, Post) for step in found), found
    return [step.place for step in found]


def refusal(targets, **more):
    (step,) = steps(targets, **more)
    assert isinstance(step, Refused), step
    return step.words


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("telegram:9", [Place("telegram", "default", "9")]),
        ("telegram", [HOME]),
        ("telegram@work", [WORK]),
        ("home", [WEB]),
        ("all", [WEB, HOME, WORK]),  # slack has a home and is not configured
        ("telegram:#team", [Place("telegram", "default", "-100")]),
        ("telegram:crew", [Place("telegram", "default", "-100")]),
        ("telegram:deploys", [HERE]),
        ("origin", [HERE]),
        (
            "telegram:1, webchat:main,telegram:2",
            [Place("telegram", "default", "1"), WEB, Place("telegram", "default", "2")],
        ),
    ],
)
def test_where_a_target_leads(target, expected):
    assert places(target, origin=HERE) == expected


def test_all_has_a_result_for_each_place():
    assert [step.target for step in steps("all")] == ["webchat:main", "telegram:5", "telegram@work:6"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nosuch:1", "there is no platform nosuch"),
        ("slack:C123456", "slack is not configured here; there is telegram, webchat"),
        ("slack", "slack is not configured here"),
        ("telegram@play:1", "telegram has no account play; it has default, work"),
        ("telegram:#nobody", "telegram:#nobody: no chat is known by the name #nobody"),
        ("webchat@x", "webchat@x has no home channel: write /sethome in one of its chats, or name a chat"),
        ("origin", "in no chat"),
        ("", "a target is missing"),
    ],
)
def test_a_target_that_leads_nowhere_is_refused_in_words(target, words):
    assert words in refusal(target)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("home", "no home channel is known: write /sethome"),
        ("all", "no home channel is known: write /sethome"),
        ("telegram", "or set TELEGRAM_HOME_CHANNEL"),
    ],
)
def test_without_any_home_the_words_say_how_to_have_one(target, words):
    assert words in refusal(target, known=Known(KNOWN.platforms, KNOWN.accounts))


def test_one_target_that_fails_stops_no_other():
    first, second, third = steps(["telegram:", "webchat:main", "nosuch"])
    assert isinstance(second, Post)
    assert [type(one) for one in (first, third)] == [Refused, Refused]


def test_the_same_place_is_written_to_once():
    one, two, three, four = steps("telegram,telegram:5,local,local")
    assert (one.target, two) == ("telegram", Skipped("telegram:5", "the same place as telegram"))
    assert (three, four) == (File("local"), Skipped("local", "the same place as local"))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order("n", " \n", 0.0), "the text is empty"),
        (Order("n", "a\0b", 0.0), "NUL"),
        (Order("n", "x", 0.0, job_id="../../etc/cron.d/x"), "is no job's id"),
        (Order("n", "x", 0.0, job_id=".."), "is no job's id"),
        (Order("n", "x", 0.0, job_id="a/b"), "is no job's id"),
        (Order("n", "x", 0.0, job_id=""), "is no job's id"),
        (Order("n", "x", 0.0, job_id="j" * 65), "is no job's id"),
    ],
)
def test_what_cannot_be_sent_is_refused_for_each_target(order, words):
    assert [words in step.words for step in steps("local,telegram:1", order=order)] == [True, True]


def test_homes_set_in_chat_come_first_the_newest_before_all():
    newest, older = Place("webchat", "default", "w"), Place("telegram", "default", "t")
    written = {
        ("telegram", "default"): HomeChannel("no"),
        ("slack", "default"): HomeChannel("C1", "7"),
        ("discord", "default"): HomeChannel("1"),
    }
    assert homes_in_order([newest, older], written) == (
        newest,
        older,
        Place("discord", "default", "1"),
        Place("slack", "default", "C1", "7"),
    )


def test_the_thread_of_the_target_goes_into_the_metadata_unless_given():
    message = outbound(ORDER, HERE, "hi")
    assert (message.thread_id, message.metadata) == ("17", {"thread_id": "17"})
    given = outbound(Order("n", "x", 0.0, metadata={"thread_id": "3", "silent": "1"}), HERE, "hi")
    assert (given.thread_id, given.metadata) == ("3", {"thread_id": "3", "silent": "1"})
    assert outbound(ORDER, HOME, "hi").metadata == {}


def test_an_order_and_a_place_make_one_delivery_for_ever():
    assert delivery_id("run1", HERE) == "run1:" + delivery_id("run2", HERE).removeprefix("run2:")
    assert len({delivery_id("run1", place) for place in (HERE, HOME, WORK, WEB)}) == 4
    assert delivery_id("run1", HOME) == delivery_id("run1", Place("telegram", "default", "5"))


def test_a_page_has_its_facts_on_one_line_each():
    order = Order(
        "n",
        "body\nof two lines",
        1_772_618_400.0,
        job_id="abc",
        job_name="Daily\n# x",
        metadata={"a": "b\n---"},
    )
    head, rule, body = page(order).partition("\n---\n")
    assert head.splitlines()[0] == "# Daily # x"
    assert "**Job ID:** abc" in head
    assert "**a:** b ---" in head
    assert (rule, body) == ("\n---\n", "\nbody\nof two lines\n")
    assert page(Order("n", "x", 0.0)).startswith("# Message\n\n**Timestamp:** 19")
