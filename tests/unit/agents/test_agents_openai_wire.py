"""What answers and errors mean, in the forms of many servers."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.agents.openai import refusals, wire
from hermes.agents.openai.wire import Piece
from hermes.delivery.endings import FAILURES
from hermes.net.failures import CONNECT_REFUSED, DNS, TIMEOUT, TLS, NetError
from hermes.testing.model_errors import refusal
from hermes.types.agent import Usage
from hermes.types.errors import (
    CONTEXT_TOO_LONG,
    MODEL_BUSY,
    MODEL_ERROR,
    MODEL_FILTERED,
    MODEL_NOT_FOUND,
    MODEL_REFUSED_KEY,
    MODEL_UNREACHABLE,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "finish_reason",
                    "usage",
                    "error",
                    "code",
                    "detail",
                    "prompt_tokens",
                    "prompt_tokens_details",
                    "cached_tokens",
                    "type",
                    "text",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        ({"choices": [{"delta": {"content": "hi"}, "finish_reason": None}]}, Piece("hi")),
        ({"choices": [{"delta": {}, "finish_reason": "stop"}]}, Piece(finish="stop")),
        ({"choices": [{"delta": {"reasoning_content": "hm", "content": None}}]}, Piece()),
        ({"choices": [{"delta": {"refusal": "I will not"}}]}, Piece("I will not")),
        ({"choices": [{"message": {"content": "hi"}, "finish_reason": "length"}]}, Piece("hi", "length")),
        (
            {"choices": [{"delta": {"content": [{"type": "thinking"}, {"type": "text", "text": "hi"}]}}]},
            Piece("hi"),
        ),
        (
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 10,
                    "completion_tokens": 3,
                    "prompt_tokens_details": {"cached_tokens": 4},
                },
            },
            Piece(usage=Usage(6, 3, 4)),
        ),
        (
            {"usage": {"prompt_tokens": -1, "completion_tokens": 1e3, "prompt_tokens_details": None}},
            Piece(usage=Usage()),
        ),
        ({"usage": None}, Piece()),
        ({"error": None, "choices": None}, Piece()),
        ({"error": {"message": "no"}}, Piece(error={"error": {"message": "no"}})),
        ({"error": "no"}, Piece(error={"error": "no"})),
    ],
)
def test_pieces(said, piece):
    assert wire.read(json.dumps(said)) == piece


@pytest.mark.parametrize("said", ["", "{", "[]", "1", "null", '"x"', "[" * 100_000, b"\xff"])
def test_what_is_no_object_is_refused(said):
    with pytest.raises(ValueError, match=r"."):
        wire.read(said)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["choices", "usage", "error", "message", "detail"]), VALUES))
def test_any_value_may_stand_anywhere(said):
    piece = wire.read(json.dumps(said))
    assert isinstance(piece.text, str)
    assert piece.usage is None or piece.usage.plausible

    for status in (400, 404, 429, 500):
        found = refusals.of_status(status, {}, json.dumps(said).encode(), str)
        assert found.failure.code in (*FAILURES, MODEL_BUSY)
    refusals.of_error(said, str)


def meaning(status, body=b"", **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = refusals.of_status(status, named, body, str)
    return found.failure.code, found.again


@pytest.mark.parametrize("server", ["openai", "llama.cpp", "vllm", "ollama"])
@pytest.mark.parametrize(
    ("kind", "means"),
    [
        ("key", (MODEL_REFUSED_KEY, False)),
        ("model", (MODEL_NOT_FOUND, False)),
        ("context", (CONTEXT_TOO_LONG, False)),
        ("busy", (MODEL_BUSY, True)),
        ("failed", (MODEL_ERROR, True)),
    ],
)
def test_four_servers_say_the_same_in_their_own_words(server, kind, means):
    refused = refusal(server, kind)

    assert meaning(refused.status, refused.body) == means


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        (302, b"", (MODEL_UNREACHABLE, False)),
        (400, {"error": {"message": "no"}}, (MODEL_ERROR, False)),
        (400, {"error": {"message": "x is not a valid model ID", "code": 400}}, (MODEL_NOT_FOUND, False)),
        (400, {"error": {"message": "you must provide a model parameter"}}, (MODEL_NOT_FOUND, False)),
        (400, {"error": {"code": "content_filter", "message": "…"}}, (MODEL_FILTERED, False)),
        (400, {"error": {"code": "content_policy_violation"}}, (MODEL_FILTERED, False)),
        (
            403,
            {"error": {"message": "input was flagged by moderation", "code": 403}},
            (MODEL_FILTERED, False),
        ),
        (402, {"error": {"message": "Insufficient credits", "code": 402}}, (MODEL_REFUSED_KEY, False)),
        (403, b"<html>", (MODEL_REFUSED_KEY, False)),
        (404, {"detail": "Not Found"}, (MODEL_NOT_FOUND, False)),
        (413, b"", (CONTEXT_TOO_LONG, False)),
        (422, {"detail": [{"loc": ["body", "x"], "msg": "extra", "input": "words"}]}, (MODEL_ERROR, False)),
        (429, {"error": {"code": "insufficient_quota", "message": "…"}}, (MODEL_REFUSED_KEY, False)),
        (429, b"", (MODEL_BUSY, True)),
        (408, b"", (MODEL_UNREACHABLE, True)),
        (
            500,
            {"error": {"message": "Context size has been exceeded.", "code": 500}},
            (CONTEXT_TOO_LONG, False),
        ),
        (500, b"", (MODEL_ERROR, True)),
        (502, b"<html>", (MODEL_UNREACHABLE, True)),
        (503, b"", (MODEL_BUSY, True)),
        (504, b"", (MODEL_UNREACHABLE, True)),
        (524, b"", (MODEL_UNREACHABLE, True)),
        (529, [{"error": {"status": "UNAVAILABLE", "message": "overloaded"}}], (MODEL_BUSY, True)),
    ],
)
def test_every_status(status, body, means):
    assert meaning(status, body) == means


def test_what_the_operator_must_do_is_told_apart():
    severities = {
        status: refusals.of_status(status, {}, b"", str).failure.severity for status in (401, 404, 429, 500)
    }

    assert severities == {
        401: "needs_operator",
        404: "needs_operator",
        429: "transient",
        500: "transient",
    }


@pytest.mark.parametrize(("wish", "seconds"), [("3", 3.0), ("nan", None), ("", None)])
def test_a_wait_is_taken_from_the_headers(wish, seconds):
    assert refusals.of_status(429, {"retry-after": wish}, b"", str).failure.retry_after == seconds


@pytest.mark.parametrize(
    ("code", "again"), [(DNS, True), (CONNECT_REFUSED, True), (TIMEOUT, False), (TLS, False)]
)
def test_failures_of_the_network(code, again):
    found = refusals.of_network(NetError(code, "host: why"), str)

    assert (found.failure.code, found.again) == (MODEL_UNREACHABLE, again)
    assert found.failure.detail == f"{code}: host: why"


def test_S48_what_a_person_wrote_is_not_quoted():
    said = {"detail": [{"loc": ["body", "messages"], "msg": "bad", "input": "my secret diary"}]}
    detail = refusals.of_status(422, {}, json.dumps(said).encode(), str).failure.detail

    assert detail == "422 ['body', 'messages']: bad"
    assert "diary" not in refusals.of_status(502, {}, b"<html>my secret diary", str).failure.detail


def test_S50_details_are_one_short_redacted_line():
    body = json.dumps({"error": {"message": "a\nb secret " + "x" * 1_000}}).encode()
    detail = refusals.of_status(400, {}, body, lambda text: text.replace("secret", "***")).failure.detail

    assert detail.startswith("400 a b *** xxx")
    assert len(detail) == refusals.DETAIL_CHARACTERS


def test_a_404_without_a_word_asks_for_the_base_url():
    detail = refusals.of_status(404, {}, b"{}", str).failure.detail

    assert detail == "404 not found; is base_url right? It mostly ends in /v1"
