import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.net import clientlink
from hermes.types.errors import TOO_LARGE, GatewayError


@pytest.mark.parametrize(
    "frame",
    [
        clientlink.Hello("web"),
        clientlink.Hello("web", "12.7"),
        clientlink.Hello("hermes chat", own=True),
        clientlink.Send("a.b_c:d-1", "hello\nthere 🙂"),
        clientlink.Ack("delivery:1/2"),
        clientlink.Ping(),
    ],
)
def test_a_client_frame_survives_the_wire(frame: clientlink.ClientFrame) -> None:
    assert clientlink.decode_client(clientlink.encode(frame)) == frame


ITEM = clientlink.Item("d1", "agent", "**x**", 1.5, None, "m1", "3.4")


@pytest.mark.parametrize(
    "frame",
    [
        clientlink.Welcome("boot", None, ()),
        clientlink.Welcome("boot", "3.4", (ITEM, clientlink.Item("m1", "user", "é 🙂", 1))),
        clientlink.Accepted("m1"),
        clientlink.Refused("m1", "too_large", "too long"),
        clientlink.Message(ITEM),
        clientlink.Draft("d1", None, "<p>x</p>"),
        clientlink.Typing(True),
        clientlink.Typing(False),
        clientlink.Said(ITEM),
        clientlink.Pong(),
        clientlink.Error("bad_frame", "what?"),
    ],
)
def test_a_server_frame_survives_the_wire(frame: clientlink.ServerFrame) -> None:
    assert clientlink.decode_server(clientlink.encode(frame)) == frame


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"t": "later"}',
        '{"t": "welcome", "boot": "b", "items": 3}',
        '{"t": "welcome", "boot": "b", "items": [7]}',
        '{"t": "message"}',
        '{"t": "message", "item": {"item_id": "d", "role": "nobody", "text": "x", "at": 1}}',
        '{"t": "message", "item": {"item_id": "d", "role": "agent", "text": null, "at": 1}}',
        '{"t": "accepted"}',
    ],
)
def test_what_is_no_frame_of_a_server_is_a_typed_error(text: str) -> None:
    with pytest.raises(GatewayError) as caught:
        clientlink.decode_server(text)

    assert caught.value.failure.code == clientlink.BAD_FRAME


def test_the_longest_text_fits_a_frame_in_any_script() -> None:
    text = "🙂" * clientlink.MAX_TEXT_CHARS

    assert clientlink.decode_client(clientlink.encode(clientlink.Send("1", text))) == clientlink.Send(
        "1", text
    )


def test_half_a_surrogate_does_not_stop_an_answer() -> None:
    frame = clientlink.Message(clientlink.Item("d1", "agent", "a\ud800b", 1.0))

    assert clientlink.encode(frame).encode("utf-8")


def test_a_server_frame_is_one_flat_object_named_by_t() -> None:
    item = clientlink.Item(
        "d1",
        "agent",
        "**x**",
        1.5,
        "<p>x</p>",
        "m1",
        "3.4",
        ("m0", "m1"),
        "refused:turns",
        (clientlink.File("a.png", "image", "/chat/media/d1/0", 12),),
    )

    frame = json.loads(clientlink.encode(clientlink.Welcome("boot", "3.4", (item,))))

    assert frame == {
        "t": "welcome",
        "boot": "boot",
        "cursor": "3.4",
        "items": [
            {
                "item_id": "d1",
                "role": "agent",
                "text": "**x**",
                "at": 1.5,
                "html": "<p>x</p>",
                "reply_to": "m1",
                "cursor": "3.4",
                "answers": ["m0", "m1"],
                "refusal": "refused:turns",
                "files": [{"name": "a.png", "kind": "image", "ref": "/chat/media/d1/0", "size_bytes": 12}],
            }
        ],
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "7",
        "{",
        "{}",
        '{"t": 1}',
        '{"t": "welcome", "boot": "x", "items": []}',
        '{"t": "hello"}',
        '{"t": "hello", "client": "web", "since": 4}',
        '{"t": "send", "id": "1"}',
        '{"t": "send", "id": "1", "text": " \\n"}',
        '{"t": "send", "id": "", "text": "x"}',
        '{"t": "send", "id": "a b", "text": "x"}',
        '{"t": "send", "id": "é", "text": "x"}',
        '{"t": "send", "id": 1, "text": "x"}',
        '{"t": "send", "id": "1", "text": ["x"]}',
        '{"t": "ack"}',
        json.dumps({"t": "ack", "item": "x" * 513}),
        json.dumps({"t": "send", "id": "x" * 129, "text": "x"}),
        "[" * 100_000,
        '{"t": ' * 50_000,
        '{"t": ' + "9" * 10_000 + "}",
    ],
)
def test_what_is_no_frame_is_refused_in_words(text: str) -> None:
    with pytest.raises(GatewayError) as caught:
        clientlink.decode_client(text)

    assert caught.value.failure.code == clientlink.BAD_FRAME
    assert caught.value.failure.detail


@pytest.mark.parametrize(
    "text", ["x" * (clientlink.MAX_FRAME_BYTES + 1), "é" * (clientlink.MAX_FRAME_BYTES // 2 + 1)]
)
def test_a_frame_over_the_cap_is_refused_before_it_is_parsed(text: str) -> None:
    with pytest.raises(GatewayError) as caught:
        clientlink.decode_client(text)

    assert caught.value.failure.code == TOO_LARGE


def test_a_text_as_long_as_allowed_fits_a_frame_however_it_is_written() -> None:
    text = "\x01" * clientlink.MAX_TEXT_CHARS

    assert clientlink.decode_client(clientlink.encode(clientlink.Send("1", text))) == clientlink.Send(
        "1", text
    )


def test_half_a_surrogate_cannot_reach_the_store() -> None:
    frame = clientlink.decode_client('{"t": "send", "id": "1", "text": "a\\ud800b"}')

    assert frame == clientlink.Send("1", "a\ufffdb")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
near_frames = st.fixed_dictionaries(
    {"t": st.sampled_from(["hello", "send", "ack", "ping", "pong"])},
    optional=dict.fromkeys(("client", "since", "id", "text", "item"), json_values),
).map(json.dumps)


@given(st.text() | near_frames)
def test_garbage_gives_a_frame_or_a_typed_error_and_nothing_else(text: str) -> None:
    try:
        frame = clientlink.decode_client(text)
    except GatewayError:
        return

    assert clientlink.decode_client(clientlink.encode(frame)) == frame
