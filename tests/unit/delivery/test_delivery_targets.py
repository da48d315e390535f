"""Where a message is to go: parsing and printing are inverses, and what cannot be meant is an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.delivery.targets import (
    ID_SHAPES,
    BadTarget,
    Local,
    Place,
    ToAll,
    ToChat,
    ToHome,
    ToName,
    ToOrigin,
    ToPlatform,
    parse,
    pieces,
)

ORIGIN = Place("telegram", "default", "789", "42")


def chat(platform, chat_id, thread_id=None, account="default"):
    return ToChat(Place(platform, account, chat_id, thread_id))


TABLE = [
    ("origin", ToOrigin(ORIGIN), "origin"),
    ("local", Local(), "local"),
    (" Local ", Local(), "local"),
    ("home", ToHome(), "home"),
    ("ALL", ToAll(), "all"),
    ("telegram", ToPlatform("telegram"), "telegram"),
    ("telegram@work", ToPlatform("telegram", "work"), "telegram@work"),
    ("telegram@default", ToPlatform("telegram"), "telegram"),
    ("telegram:12345", chat("telegram", "12345"), "telegram:12345"),
    ("TELEGRAM:12345", chat("telegram", "12345"), "telegram:12345"),
    ("telegram@work:12345", chat("telegram", "12345", account="work"), "telegram@work:12345"),
    ("slack:C123ABC", chat("slack", "C123ABC"), "slack:C123ABC"),
    ("telegram:-100:17", chat("telegram", "-100", "17"), "telegram:-100:17"),
    (
        "telegram:722341991:Hermes API Test",
        chat("telegram", "722341991", "Hermes API Test"),
        "telegram:722341991:Hermes API Test",
    ),
    ("telegram:@durov", chat("telegram", "@durov"), "telegram:@durov"),
    ("discord:1:2:3", chat("discord", "1", "2:3"), "discord:1:2:3"),
    ("irc:#chan", chat("irc", "#chan"), "irc:#chan"),
    (
        "whatsapp-cloud:+4915112345678",
        chat("whatsapp_cloud", "+4915112345678"),
        "whatsapp_cloud:+4915112345678",
    ),
    ("webchat:main", chat("webchat", "main"), "webchat:main"),
    ("webchat:main:7", chat("webchat", "main", "7"), "webchat:main:7"),
]
"""§7 of how the original behaves: text, what it means, and its one form."""

COLONS = [
    ("matrix:!r:server.org", "!r:server.org", None),
    ("matrix:!r:server.org:8448", "!r:server.org:8448", None),
    ("matrix:!r:server.org:$event", "!r:server.org", "$event"),
    ("matrix:!r:server.org:8448:$event", "!r:server.org:8448", "$event"),
    ("matrix:!room-of-version-12:$event", "!room-of-version-12", "$event"),
    ("matrix:@user:server.org", "@user:server.org", None),
    ("signal:group:aGVsbG8=", "group:aGVsbG8=", None),
    ("teams:19:abc@thread.tacv2", "19:abc@thread.tacv2", None),
    ("teams:19:abc@thread.tacv2:17", "19:abc@thread.tacv2", "17"),
    ("simplex:group:5", "group:5", None),
    ("whatsapp:60123456789:47@s.whatsapp.net", "60123456789:47@s.whatsapp.net", None),
    ("google_chat:spaces/AAAA:threads/1", "spaces/AAAA", "threads/1"),
]
"""Ids that the original tears apart."""


@pytest.mark.parametrize(("text", "target", "printed"), TABLE, ids=[row[0] for row in TABLE])
def test_the_table_of_targets(text, target, printed):
    assert parse(text, origin=ORIGIN) == target
    assert str(target) == printed
    assert parse(printed, origin=ORIGIN) == target


@pytest.mark.parametrize(("text", "chat_id", "thread_id"), COLONS, ids=[row[0] for row in COLONS])
def test_ids_with_colons_stay_whole(text, chat_id, thread_id):
    target = parse(text)
    assert target == chat(text.partition(":")[0], chat_id, thread_id)
    assert str(target) == text


@pytest.mark.parametrize(
    "text",
    [
        "telegram:Team / topic 7",
        "telegram:#general",
        "slack:#general",
        "slack:general",
        "slack:Acme/general",
        "discord:@ann",
        "webchat:#main",
        "webchat:@ann: the second",
        "matrix:#room",
    ],
)
def test_what_looks_like_no_id_is_a_name_as_a_whole(text):
    platform, _, name = text.partition(":")
    assert parse(text) == ToName(platform, "default", name)
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a target is missing"),
        ("  ", "a target is missing"),
        ("nosuch", "there is no platform nosuch"),
        ("nosuch:1", "there is no platform nosuch"),
        ("telegam:1", "did you mean telegram"),
        ("lokal", "did you mean local"),
        ("hom", "did you mean home"),
        ("#general", "platform:#general"),
        (":5", "names no platform"),
        ("telegram:", "telegram alone is its home channel"),
        ("telegram: ", "names no chat"),
        ("telegram:5:", "ends in nothing"),
        ("webchat::5", "ends in nothing"),
        ("telegram@:5", "is no account's name"),
        ("telegram:1,telegram:2", "more than one"),
        ("telegram:1\n2", "invisible"),
        ("telegram:\u202e1", "invisible"),
        ("telegram:" + "1" * 600, "512 characters"),
    ],
)
def test_what_cannot_be_meant_is_an_error_in_words_and_never_local(text, words):
    with pytest.raises(BadTarget) as error:
        parse(text)
    assert words in error.value.failure.detail


def test_AC24_origin_without_an_origin_is_refused():
    with pytest.raises(BadTarget, match="in no chat"):
        parse("origin")


def test_a_platform_brings_the_look_of_its_own_ids():
    shapes = {**ID_SHAPES, "radio": r"\d+:\d+"}
    assert parse("radio:1:2:3", shapes) == chat("radio", "1:2", "3")
    assert parse("radio:one", shapes) == ToName("radio", "default", "one")


def test_a_list_has_commas_between():
    assert list(pieces("telegram, local ,")) == ["telegram", "local", ""]


SAMPLES = {
    "discord": r"[0-9]{1,20}",
    "email": r"[a-z.]{1,9}@[a-z.]{1,9}",
    "irc": r"#[a-z]{1,9}",
    "matrix": r"[!@][a-z]{1,9}:[a-z.]{1,9}(:[0-9]{2,5})?",
    "signal": r"group:[A-Za-z0-9+/=]{1,20}|\+[0-9]{5,15}",
    "slack": r"[CDG][A-Z0-9]{5,9}",
    "teams": r"19:[a-z0-9@.]{1,20}",
    "telegram": r"-?[0-9]{1,15}|@[a-z]{5,9}",
    "webchat": r"[a-z0-9_-]{1,9}",
    "whatsapp": r"[0-9]{5,15}(:[0-9]{1,2})?@(s\.whatsapp\.net|g\.us|lid)",
    "yuanbao": r"[a-z]{1,5}:[a-z0-9]{1,9}",
}


@st.composite
def places(draw):
    platform = draw(st.sampled_from(sorted(SAMPLES)))
    account = draw(st.from_regex(r"[A-Za-z0-9_.-]{1,9}", fullmatch=True))
    chat_id = draw(st.from_regex(SAMPLES[platform], fullmatch=True))
    thread = r"\$[A-Za-z0-9:_-]{1,9}" if platform == "matrix" else r"[A-Za-z0-9.]{1,9}(:[0-9]{1,3})?"
    thread_id = draw(st.none() | st.from_regex(thread, fullmatch=True))
    return Place(platform, account, chat_id, thread_id)


@given(places())
def test_what_is_printed_is_parsed_back(place):
    assert parse(str(place)) == ToChat(place)


@given(
    st.sampled_from(
        ["", "telegram", "Matrix", "webchat", "irc@x", "teams", "slack", "home", "origin", "nosuch"]
    ),
    st.text(st.sampled_from("ab1:#@!$ /-.,C0\n"), max_size=16),
)
def test_what_is_parsed_prints_as_what_it_is(head, rest):
    try:
        target = parse(f"{head}:{rest}" if rest else head, origin=ORIGIN)
    except BadTarget:
        return
    assert parse(str(target), origin=ORIGIN) == target
