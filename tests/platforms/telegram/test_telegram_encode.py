"""Parts as calls of the Bot API."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from botapi import setup

from hermes.platforms.telegram import encode
from hermes.platforms.telegram.decode import Bot, decode
from hermes.platforms.telegram.settings import read
from hermes.render.ir import Body
from hermes.render.measure import length
from hermes.types.approvals import APPROVAL_ID
from hermes.types.content import Entity, Media, Part
from hermes.types.ids import DeliveryId

SETTINGS = read(setup(Path("/")).config)
SPEC = Path(__file__).parents[4] / "shared/specs/telegram/api.json"


def part(text: str = "hello", index: int = 0, total: int = 1, **more) -> Part:
    return Part(DeliveryId("d"), index, total, text, "telegram", **more)


def parameters(one: Part, reply_to=None, metadata=None, chat="7", settings=SETTINGS):
    return encode.send(chat, one, reply_to, metadata or {}, settings).parameters


def test_text_goes_with_entities_and_without_a_parse_mode():
    entities = (
        Entity("bold", 0, 5),
        Entity("text_link", 6, 2, url="https://a.example"),
        Entity("pre", 9, 1, language="py"),
    )

    assert parameters(part("hello you x", entities=entities)) == {
        "chat_id": 7,
        "text": "hello you x",
        "entities": [
            {"type": "bold", "offset": 0, "length": 5},
            {"type": "text_link", "offset": 6, "length": 2, "url": "https://a.example"},
            {"type": "pre", "offset": 9, "length": 1, "language": "py"},
        ],
    }


def test_places():
    assert parameters(part(), chat="@channel")["chat_id"] == "@channel"
    assert parameters(part(), metadata={"thread_id": "17"}, chat="-100")["message_thread_id"] == 17
    for nowhere in ("1", "Hermes API Test"):
        assert "message_thread_id" not in parameters(part(), metadata={"thread_id": nowhere})


@pytest.mark.parametrize(
    ("mode", "first", "second"), [("off", False, False), ("first", True, False), ("all", True, True)]
)
def test_reply_to_mode(mode, first, second):
    settings = replace(SETTINGS, reply_to_mode=mode)
    pointed = [
        "reply_parameters" in parameters(part(index=n, total=2), "5", settings=settings) for n in (0, 1)
    ]

    assert pointed == [first, second]


def test_what_is_answered_may_be_gone():
    assert parameters(part(), "5")["reply_parameters"] == {
        "message_id": 5,
        "allow_sending_without_reply": True,
    }
    assert "reply_parameters" not in parameters(part(), "no number")


def test_link_previews_can_be_off():
    settings = replace(SETTINGS, link_previews=False)

    assert parameters(part(), settings=settings)["link_preview_options"] == {"is_disabled": True}


def test_an_approvals_buttons_are_read_back_as_commands():
    asked = {APPROVAL_ID: "0123abcd"}
    assert "reply_markup" not in parameters(part(index=0, total=2), metadata=asked)
    (row,) = parameters(part(index=1, total=2), metadata=asked)["reply_markup"]["inline_keyboard"]
    prompt = {"message_id": 1, "date": 1, "chat": {"id": 7, "type": "private"}}
    read_back = [
        decode(
            {
                "update_id": 1,
                "callback_query": {
                    "id": "q",
                    "from": {"id": 7},
                    "message": prompt,
                    "data": one["callback_data"],
                },
            },
            Bot("42", "", "default"),
            0.0,
        ).event.text
        for one in row
    ]

    assert read_back == ["/approve 0123abcd", "/deny 0123abcd"]
    assert all(len(one["callback_data"].encode()) <= 64 for one in row)


@pytest.mark.parametrize(
    ("media", "method", "field"),
    [
        (Media("image", "/c/a.png", "a.png"), "sendPhoto", "photo"),
        (Media("image", "/c/a.gif", "a.gif"), "sendAnimation", "animation"),
        (Media("image", "/c/a.svg", "a.svg"), "sendDocument", "document"),
        (Media("image", "/c/a.png", "a.png", size_bytes=10_000_001), "sendDocument", "document"),
        (Media("voice", "/c/a.ogg", "a.ogg"), "sendVoice", "voice"),
        (Media("voice", "/c/a.wav", "a.wav"), "sendDocument", "document"),
        (Media("audio", "/c/a.mp3", "a.mp3"), "sendAudio", "audio"),
        (Media("audio", "/c/a.ogg", "a.ogg"), "sendDocument", "document"),
        (Media("video", "/c/a.mp4", "a.mp4"), "sendVideo", "video"),
        (Media("document", "/c/a.png", "a.png"), "sendDocument", "document"),
    ],
)
def test_each_file_goes_as_what_telegram_takes(media, method, field):
    call = encode.send("7", part("", media=(media,)), None, {}, SETTINGS)

    assert (call.method, call.files) == (method, {field: media})


def test_an_address_is_fetched_by_telegram():
    media = Media("image", "https://a.example/x.png?v=1", caption="look")
    call = encode.send("7", part("", media=(media,)), "5", {"thread_id": "3"}, SETTINGS)

    assert (call.method, call.files) == ("sendPhoto", {})
    assert call.parameters["photo"] == media.ref
    assert call.parameters["caption"] == "look"
    assert call.parameters["message_thread_id"] == 3


def test_an_album():
    here, there = (
        Media("image", "/c/a.png", "a.png", caption="one"),
        Media("video", "https://a.example/b.mp4"),
    )
    call = encode.send("7", part("", media=(here, there)), None, {}, SETTINGS)

    assert (call.method, call.files) == ("sendMediaGroup", {"file0": here})
    assert call.parameters["media"] == [
        {"type": "photo", "media": "attach://file0", "caption": "one"},
        {"type": "video", "media": there.ref},
    ]
    large = replace(here, size_bytes=20_000_000)
    listed = encode.send("7", part("", media=(large, there)), None, {}, SETTINGS).parameters["media"]
    assert [one["type"] for one in listed] == ["document", "document"]


@pytest.mark.parametrize("caption", ["x" * 1025, "😀" * 513, "e\u0301" * 600])
def test_AC23_captions_fit(caption):
    media = Media("image", "/c/a.png", "a.png", caption=caption)
    cut = encode.send("7", part("", media=(media,)), None, {}, SETTINGS).parameters["caption"]

    assert 1000 < length(cut, "utf16") <= 1024
    assert caption.startswith(cut[:-1])
    assert cut.endswith("…")


def test_a_picture_that_is_refused_goes_as_a_file():
    photo = encode.send(
        "7", part("", media=(Media("image", "/c/a.png", "a.png", caption="c"),)), None, {}, SETTINGS
    )
    document = encode.as_document(photo)

    assert (document.method, list(document.files)) == ("sendDocument", ["document"])
    assert document.parameters == {"chat_id": 7, "caption": "c"}


def test_every_parameter_is_one_that_the_api_has():
    if not SPEC.exists():
        pytest.skip("the Bot API's description is not here")
    methods = json.loads(SPEC.read_text())["methods"]
    picture, film = Media("image", "/c/a.png", "a.png", caption="c"), Media("video", "/c/b.mp4", "b.mp4")
    settings = replace(SETTINGS, link_previews=False)
    meta = {"thread_id": "3", APPROVAL_ID: "0123abcd"}
    calls = [
        encode.send("7", part(entities=(Entity("bold", 0, 5),)), "5", meta, settings),
        encode.send("7", part("", media=(picture, film)), "5", meta, settings),
        *(
            encode.send(
                "7", part("", media=(Media(kind, ref, "x" + ref[-4:], caption="c"),)), "5", meta, settings
            )
            for kind, ref in (
                ("image", "/a.png"),
                ("voice", "/a.ogg"),
                ("audio", "/a.mp3"),
                ("video", "/a.mp4"),
                ("document", "/a.txt"),
            )
        ),
        encode.edit("7", "5", part(), settings),
        encode.draft("7", "turn:0", "3", Body("text", (Entity("bold", 0, 4),))),
    ]

    for call in calls:
        known = {field["name"]: field for field in methods[call.method]["fields"]}
        sent = set(call.parameters) | {key for key in call.files if not key.startswith("file")}
        assert sent <= set(known), call.method
        assert {name for name, field in known.items() if field["required"]} <= sent, call.method
