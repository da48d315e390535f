"""The control codec: what is said arrives, what is hostile is refused before it costs anything."""

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hermes.ops.control import frames
from hermes.ops.control.frames import FrameDecoder, FrameError, Limits

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
messages = st.dictionaries(st.text(), values, max_size=5)


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@given(st.lists(messages, max_size=5), st.integers(1, 40))
def test_what_is_encoded_is_decoded_however_it_is_cut(sent, piece):
    data = b"".join(map(frames.encode, sent))
    decoder = FrameDecoder()

    assert [
        frame for at in range(0, len(data), piece) for frame in decoder.feed(data[at : at + piece])
    ] == sent


@given(st.binary(max_size=300))
@example(b"\xff" * 40)
def test_S43_garbage_is_refused_or_decoded_and_nothing_else(data):
    for fed in (data, framed(data)):
        try:
            decoded = FrameDecoder().feed(fed)
        except FrameError:
            continue
        assert all(isinstance(frame, dict) for frame in decoded)


def deep(levels: int) -> object:
    value: object = 0
    for _ in range(levels):
        value = [value]
    return value


BOMBS = {
    "a megabyte of noise": b"\xa5" * (1 << 20),
    "a tag: big number": cbor2.dumps({"a": 2**80}),
    "a tag: shared reference": b"\xa1\x61a\xd8\x1c\x81\xd8\x1d\x00",
    "a tag in a tag in a tag": b"\xc1" * 1000 + b"\x00",
    "indefinite array": b"\xa1\x61a\x9f\xff",
    "indefinite map": b"\xbf\xff",
    "indefinite text": b"\xa1\x61a\x7f\x61b\xff",
    "recursion": b"\x81" * 100_000 + b"\x00",
    "one level too deep": cbor2.dumps({"a": deep(frames.DEPTH)}),
    "an array of 2**64 - 1 items": b"\xa1\x61a\x9b" + b"\xff" * 8,
    "an array of 2**31 items": b"\xa1\x61a\x9a\x80\x00\x00\x00",
    "a map of 2**32 - 1 pairs": b"\xba\xff\xff\xff\xff",
    "a text of 2**63 bytes": b"\xa1\x61a\x7b\x80\x00\x00\x00\x00\x00\x00\x00",
    "too many items": cbor2.dumps({"a": [0] * frames.REQUEST.items}),
    "cut in a header": b"\xa1\x61a\x19\x01",
    "cut in a text": b"\xa1\x61a\x65ab",
    "cut before a value": b"\xa1\x61a",
    "two items": b"\xa0\xa0",
    "no item": b"",
    "a reserved value": b"\xfc",
    "a break": b"\xff",
    "a list": b"\x80",
    "a number": b"\x01",
    "text that is not UTF-8": b"\xa1\x61\xff\x00",
    "the same as a key": b"\xa1\xa1\xa0\x00\x00" + b"\x00",
}


@pytest.mark.parametrize("name", BOMBS)
def test_S43_a_bomb_is_refused(name):
    with pytest.raises(FrameError):
        FrameDecoder().feed(framed(BOMBS[name]))


def test_S43_a_huge_length_is_refused_from_its_header():
    with pytest.raises(FrameError, match="over the limit"):
        FrameDecoder().feed((1 << 31).to_bytes(4, "big"))


def test_S43_half_a_frame_is_waited_for():
    decoder = FrameDecoder()
    whole = frames.encode({"a": "b"})

    assert decoder.feed(whole[:3]) == []
    assert decoder.feed(whole[3:-1]) == []
    assert decoder.feed(whole[-1:]) == [{"a": "b"}]


def test_the_deepest_allowed_value_passes():
    value = {"a": deep(frames.DEPTH - 1)}

    assert FrameDecoder().feed(frames.encode(value)) == [value]


def test_limits_are_those_asked_for():
    data = frames.encode({"a": [0] * 100})

    assert FrameDecoder(Limits(frame_bytes=len(data), items=103)).feed(data)
    with pytest.raises(FrameError, match="items"):
        FrameDecoder(Limits(frame_bytes=len(data), items=102)).feed(data)


def test_a_reply_over_the_cap_is_not_sent():
    with pytest.raises(FrameError, match="too long"):
        frames.encode({"a": b"x" * frames.REPLY.frame_bytes})


def test_a_request_is_taken_apart():
    (frame,) = FrameDecoder().feed(frames.encode({"id": 7, "verb": "tree", "args": {"path": "root"}}))

    assert frames.request(frame) == frames.Request(7, "tree", {"path": "root"})


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"id": "7", "verb": "tree", "args": {}},
        {"id": 7, "verb": 1, "args": {}},
        {"id": 7, "verb": "tree"},
        {"id": 7, "verb": "tree", "args": []},
        {"id": 7, "verb": "tree", "args": {1: 2}},
    ],
)
def test_what_is_not_a_request_is_refused(frame):
    with pytest.raises(FrameError):
        frames.request(frame)


def test_replies_have_the_documented_shape():
    replies = FrameDecoder().feed(frames.ok(1, [2]) + frames.error(3, "busy", "later", "wait"))

    assert replies == [
        {"id": 1, "ok": True, "result": [2]},
        {"id": 3, "ok": False, "error": {"type": "busy", "message": "later", "hint": "wait"}},
    ]
