from hermes.routing.missed import EXCERPT_CHARACTERS, NAMED, notice
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin


def event(text):
    return InboundEvent("e", Origin("p", "c"), text, 0.0, TraceId("t"))


def test_one_message_is_one_message():
    assert notice([event("buy milk")]).splitlines()[:2] == [
        "I was away and missed 1 message, by now too old to answer:",
        "- `buy milk`",
    ]


def test_the_first_few_are_named_and_the_others_counted():
    words = notice([event(f"m{n}") for n in range(1200)])

    assert "missed 1,200 messages" in words
    assert words.count("`m") == NAMED
    assert f"- … and {1200 - NAMED:,} more" in words


def test_S23_what_somebody_wrote_is_quoted_and_becomes_no_markup():
    words = notice([event("`\n# heading\x1b[31m ``` **bold**"), event("x" * 1000), event(""), event("` `")])

    assert words.splitlines()[1:5] == [
        "- `# heading [31m **bold**`",
        f"- `{'x' * EXCERPT_CHARACTERS}…`",
        "- (without words)",
        "- (without words)",
    ]
