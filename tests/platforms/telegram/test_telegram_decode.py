"""Updates as the Bot API has them, and as it never would."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.platforms.telegram.decode import ALLOWED_UPDATES, Bot, Update, decode
from hermes.platforms.telegram.fields import Undecodable
from hermes.types.events import Attachment, InboundEvent

BOT = Bot("42", "TheBot", "default")
US = {"id": 42, "is_bot": True, "first_name": "Bot", "username": "TheBot"}
ANN = {"id": 7, "is_bot": False, "first_name": "Ann", "last_name": "Lee"}
DIRECT = {"id": 7, "type": "private", "first_name": "Ann"}
GROUP = {"id": -100, "type": "supergroup", "title": "Team", "is_forum": True}


def message(**more: Any) -> dict[str, Any]:
    return {"message_id": 5, "date": 1000, "chat": DIRECT, "from": ANN, **more}


def decoded(**update: Any) -> Update:
    return decode({"update_id": 1, **update}, BOT, 2000.0)


def said(**more: Any) -> InboundEvent:
    return decoded(message=message(**more)).event


def test_a_direct_message():
    event = said(text="hello")

    assert (event.event_id, event.message_id, event.kind) == ("42:1", "5", "message")
    assert (event.text, event.sent_at, event.received_at) == ("hello", 1000.0, 2000.0)
    origin = event.origin
    assert (origin.platform, origin.account) == ("telegram", "default")
    assert (origin.chat_id, origin.chat_type, origin.chat_name) == ("7", "dm", "Ann")
    assert (origin.user_id, origin.user_name, origin.is_bot) == ("7", "Ann Lee", False)
    assert not event.mentions_bot
    assert not event.forwarded


@pytest.mark.parametrize(
    ("kind", "expected"), [("group", "group"), ("supergroup", "group"), ("channel", "channel")]
)
def test_kinds_of_chats(kind, expected):
    assert said(chat={"id": -1, "type": kind, "title": "T"}).origin.chat_type == expected


def test_edits_are_edits():
    event = decoded(edited_message=message(text="better", edit_date=1500)).event

    assert (event.kind, event.text, event.message_id, event.sent_at) == ("edit", "better", "5", 1500.0)


@pytest.mark.parametrize("key", ["channel_post", "edited_channel_post"])
def test_S14_a_channels_post_has_no_user(key):
    post = {"message_id": 5, "date": 1, "chat": {"id": -1, "type": "channel", "title": "C"}, "text": "news"}
    post["sender_chat"] = post["chat"]

    assert decoded(**{key: post}).event.origin.user_id is None


def test_S14_an_anonymous_admin_has_no_user():
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    event = said(chat=GROUP, sender_chat=GROUP, **{"from": anonymous}, text="hi")

    assert event.origin.user_id is None
    assert event.origin.user_name == "Team"


def test_other_bots_are_bots():
    assert said(**{"from": {**US, "id": 43}}, text="hi").origin.is_bot


@pytest.mark.parametrize(
    ("text", "entity", "mentioned"),
    [
        ("hi @thebot!", {"type": "mention", "offset": 3, "length": 7}, True),
        ("😀 @TheBot", {"type": "mention", "offset": 3, "length": 7}, True),
        ("hi @thebots", {"type": "mention", "offset": 3, "length": 8}, False),
        ("hi @thebot", {"type": "bold", "offset": 3, "length": 7}, False),
        ("hi you", {"type": "text_mention", "offset": 3, "length": 3, "user": US}, True),
        ("hi you", {"type": "text_mention", "offset": 3, "length": 3, "user": ANN}, False),
    ],
)
def test_mentions(text, entity, mentioned):
    assert said(chat=GROUP, text=text, entities=[entity]).mentions_bot is mentioned
    assert said(chat=GROUP, caption=text, caption_entities=[entity]).mentions_bot is mentioned


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("@TheBot what is new?", "what is new?"),
        ("@thebot, what is new?", "what is new?"),
        ("@thebot: :)", ":)"),
        ("@thebot\nnews", "news"),
        ("hi @thebot!", "hi!"),
        ("hi @thebot what is new?", "hi what is new?"),
        ("😀 @thebot @ann @thebot", "😀 @ann"),
        ("one\n@thebot two", "one\ntwo"),
        ("ask @ann or @thebot2", "ask @ann or @thebot2"),
        ("@thebot", "@thebot"),
        ("mail me@thebot.org", "mail me@thebot.org"),
    ],
)
def test_our_own_name_is_no_word_of_what_is_said(text, heard):
    named = [
        {"type": "mention", "offset": utf16(text[: found.start()]), "length": utf16(found[0])}
        for found in re.finditer(r"(?<!\w)@\w+", text)
    ]
    assert said(chat=GROUP, text=text, entities=named).text == heard
    assert said(chat=GROUP, caption=text, caption_entities=named).text == heard


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_a_topic_is_a_thread_and_the_general_one_is_none():
    created = {
        "message_id": 17,
        "date": 1,
        "chat": GROUP,
        "from": US,
        "forum_topic_created": {"name": "Ideas"},
    }
    event = said(chat=GROUP, is_topic_message=True, message_thread_id=17, reply_to_message=created, text="x")

    assert (event.origin.thread_id, event.origin.chat_topic) == ("17", "Ideas")
    assert (event.reply_to, event.reply_to_is_own_message) == (None, False)
    assert said(chat=GROUP, message_thread_id=3, text="x").origin.thread_id is None


def test_answers_say_what_they_answer():
    ours = {"message_id": 3, "date": 1, "chat": DIRECT, "from": US, "text": "all of it"}
    whole = said(text="why?", reply_to_message=ours)
    part = said(text="why?", reply_to_message=ours, quote={"text": "of", "position": 4})

    assert (whole.reply_to, whole.reply_to_text, whole.reply_to_is_own_message) == ("3", "all of it", True)
    assert (whole.reply_to_author_id, whole.reply_to_author_name) == ("42", "Bot")
    assert part.reply_to_text == "of"


def test_what_is_forwarded_is_no_word_of_its_sender():
    assert said(text="/stop", forward_origin={"type": "hidden_user", "date": 1}).forwarded


FILE = {"file_id": "F", "file_unique_id": "u", "file_size": 9}


@pytest.mark.parametrize(
    ("content", "attachment"),
    [
        (
            {"photo": [{**FILE, "width": 1, "height": 1}, {**FILE, "file_id": "L", "width": 9, "height": 9}]},
            Attachment("image", "L", mime="image/jpeg", size_bytes=9),
        ),
        ({"voice": {**FILE, "duration": 1}}, Attachment("voice", "F", mime="audio/ogg", size_bytes=9)),
        (
            {"audio": {**FILE, "file_name": "a.mp3", "mime_type": "audio/mpeg"}},
            Attachment("audio", "F", "a.mp3", "audio/mpeg", 9),
        ),
        ({"video": {**FILE, "mime_type": "video/mp4"}}, Attachment("video", "F", None, "video/mp4", 9)),
        ({"video_note": FILE}, Attachment("video", "F", None, "video/mp4", 9)),
        (
            {"animation": FILE, "document": {**FILE, "file_id": "same"}},
            Attachment("video", "F", size_bytes=9),
        ),
        (
            {"document": {**FILE, "file_name": "../x", "mime_type": "text/plain"}},
            Attachment("document", "F", "../x", "text/plain", 9),
        ),
        (
            {"sticker": {**FILE, "is_animated": False}},
            Attachment("sticker", "F", mime="image/webp", size_bytes=9),
        ),
        ({"location": {"latitude": 52.5, "longitude": 13.25}}, Attachment("location", "52.5,13.25")),
    ],
)
def test_what_comes_with_a_message(content, attachment):
    event = said(caption="look", **content)

    assert event.attachments == (attachment,)
    assert event.text == "look"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"contact": {"first_name": "Bo", "phone_number": "+1"}}, "[contact] Bo +1"),
        (
            {"poll": {"question": "Tea?", "options": [{"text": "yes"}, {"text": "no"}]}},
            "[poll] Tea?\n- yes\n- no",
        ),
        ({"dice": {"emoji": "🎲", "value": 6}}, "🎲 6"),
        ({"new_chat_title": "T"}, ""),
    ],
)
def test_what_has_no_words_is_put_into_some(content, text):
    assert said(**content).text == text


def test_an_album_is_a_message_each():
    assert said(media_group_id="g", photo=[{**FILE, "width": 1, "height": 1}]).extra == {
        "media_group_id": "g"
    }


# --- buttons, and what else there is -----------------------------------------------------------------------------------------

BO = {"id": 8, "is_bot": False, "first_name": "Bo"}


def pressed(data: Any, **more: Any) -> Update:
    prompt = {"message_id": 9, "date": 1, "chat": GROUP, "from": US, "text": "May I?"}
    return decoded(
        callback_query={"id": "q", "from": BO, "message": prompt, "chat_instance": "c", "data": data, **more}
    )


def test_S18_a_button_is_a_command_of_whoever_pressed_it():
    update = pressed("approve:0123abcd")

    assert (update.event.kind, update.event.text) == ("command", "/approve 0123abcd")
    origin = update.event.origin
    assert (origin.chat_id, origin.user_id, origin.user_name, origin.is_bot) == ("-100", "8", "Bo", False)
    assert (update.press, update.event.message_id) == ("q", "9")
    assert not update.event.mentions_bot


@pytest.mark.parametrize(
    "data", ["", "approve:", "approve:all", "stop", "approve:0123abcd\n", "/restart", "deny:0123ABCD"]
)
def test_S18_forged_data_is_no_command(data):
    assert (pressed(data).event.kind, pressed(data).event.text) == ("callback", "")


def test_S18_a_button_without_its_message_is_no_command():
    assert pressed("approve:0123abcd", message=None).event.kind == "callback"


def test_reactions_memberships_and_moves():
    reaction = {"chat": DIRECT, "message_id": 3, "user": ANN, "date": 5, "old_reaction": []}
    reaction["new_reaction"] = [{"type": "emoji", "emoji": "👍"}]
    event = decoded(message_reaction=reaction).event
    assert (event.kind, event.text, event.message_id) == ("reaction", "👍", "3")

    def status(now: str) -> Update:
        change = {
            "chat": DIRECT,
            "from": ANN,
            "date": 5,
            "old_chat_member": {},
            "new_chat_member": {"status": now},
        }
        return decoded(my_chat_member=change)

    assert status("kicked").event.kind == "system"
    assert [status(one).reachable for one in ("kicked", "left", "member", "administrator")] == [
        False,
        False,
        True,
        True,
    ]
    moved = decoded(message=message(chat={"id": -5, "type": "group", "title": "T"}, migrate_to_chat_id=-1005))
    assert (moved.moved, moved.event.kind) == (("-5", "-1005"), "system")
    come = decoded(
        message=message(chat={"id": -1005, "type": "supergroup", "title": "T"}, migrate_from_chat_id=-5)
    )
    assert (come.moved, come.event.kind) == (("-5", "-1005"), "system")


# --- whatever comes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "update",
    [
        None,
        [],
        {},
        {"update_id": "1", "message": message(text="x")},
        {"update_id": True, "message": message(text="x")},
        {"update_id": 1},
        {"update_id": 1, "message": {}},
        {"update_id": 1, "message": message(text=5)},
        {"update_id": 1, "message": message(date=10**400)},
        {"update_id": 1, "message": message(chat={"id": 1, "type": "void"})},
        {"update_id": 1, "message": message(location={"latitude": float("nan"), "longitude": 1})},
    ],
)
def test_what_is_not_as_said_is_undecodable(update):
    with pytest.raises(Undecodable):
        decode(update, BOT, 0.0)


def test_halves_of_pairs_are_replaced():
    assert said(text="a\ud83d").text == "a\ufffd"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
WHOLE = {
    "message": message(
        chat=GROUP,
        is_topic_message=True,
        message_thread_id=3,
        text="hi @TheBot",
        entities=[{"type": "mention", "offset": 3, "length": 7}, {"type": "text_mention", "user": US}],
        reply_to_message={**message(), "quote": {}, "forum_topic_created": {"name": "T"}},
        quote={"text": "q"},
        photo=[{**FILE, "width": 1, "height": 1}],
        document={**FILE, "file_name": "f", "mime_type": "m"},
        sticker={**FILE, "emoji": "x"},
        location={"latitude": 1.0, "longitude": 2.0},
        contact={"first_name": "B"},
        media_group_id="g",
        forward_origin={"type": "user"},
    ),
    "callback_query": {"id": "q", "from": BO, "message": message(), "data": "approve:0123abcd"},
    "message_reaction": {
        "chat": DIRECT,
        "message_id": 3,
        "user": ANN,
        "date": 5,
        "new_reaction": [{"emoji": "x"}],
    },
    "my_chat_member": {"chat": DIRECT, "from": ANN, "new_chat_member": {"status": "member"}},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


@pytest.mark.parametrize("kind", WHOLE)
@settings(max_examples=100)
@given(data=st.data())
def test_any_value_at_any_place_is_decoded_or_undecodable(kind, data):
    update = json.loads(json.dumps({"update_id": 1, kind: WHOLE[kind]}))
    *path, last = data.draw(st.sampled_from(places(update)[1:]))
    holder: Any = update
    for key in path:
        holder = holder[key]
    holder[last] = data.draw(JSON)
    try:
        event = decode(update, BOT, 0.0).event
    except Undecodable:
        return
    assert event.origin.user_id is None or isinstance(event.origin.user_id, str)
    event.text.encode()


def test_what_is_asked_for_is_decoded():
    assert set(ALLOWED_UPDATES) == set(WHOLE) | {"edited_message", "channel_post", "edited_channel_post"}
