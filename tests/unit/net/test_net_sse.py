from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.net import sse
from hermes.net.sse import EventParser


def heard(*pieces: bytes) -> list[str]:
    parser = EventParser()
    return [data for piece in pieces for data in parser.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\ndata: b\r\n\r\n", ["a\nb"]),
        (b"data: a\r\rdata:  b\r\r\n", ["a", " b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b": still here\n\ndata: a\n: and here\ndata: b\n\n", ["a\nb"]),
        (b"event: x\nid: 3\nretry: 5\ndata\n\nnonsense\n\n", [""]),
        (b"data: \xff\xc3\xa9\n\n", ["\ufffdé"]),
        (b"data: cut off\n", []),
        (b"data: cut off", []),
        (b"", []),
    ],
)
def test_the_standard_s_forms(stream: bytes, data: list[str]) -> None:
    assert heard(stream) == data
    assert heard(*(stream[at : at + 1] for at in range(len(stream)))) == data


LINES = st.sampled_from([b"data: x", b"data:", b"data: \xc3\xa9", b": note", b"event: e", b"", b"", b"dat"])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(LINES, ENDS), max_size=20), st.lists(st.integers(0, 200), max_size=10))
def test_it_makes_no_difference_where_it_is_split(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(line + end for line, end in lines)
    at = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:stop] for start, stop in pairwise(at)]

    assert heard(*pieces) == heard(stream)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_comes_is_read(stream: bytes) -> None:
    heard(stream)


@pytest.mark.parametrize("line", [b"data: " + b"x" * 100, b"data: 1234567890\n" * 10])
def test_an_event_without_an_end_is_given_up(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 64)

    with pytest.raises(ValueError, match="64 bytes"):
        heard(line)
    assert len(heard(*[b"data: 1234567890\n\n"] * 100)) == 100, "only one event counts"
