"""Chat completions on the wire: every request is read or refused with its place, and what is said adds up to the answer."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.platforms.api_server import wire
from hermes.types import errors
from hermes.types.content import REFUSAL, USAGE
from hermes.types.events import Attachment, Earlier
from hermes.types.ports import Request

JSON = {"content-type": "application/json; charset=utf-8"}
SYSTEM = {"role": "system", "content": "be brief"}
BEFORE = {"role": "user", "content": "and before?"}
SAID = {"role": "assistant", "content": "this"}
ASKED = {"role": "user", "content": "hello"}


def request(body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/v1/chat/completions", headers={**JSON, **named}, body=data)


def read(*messages, **fields):
    return wire.read(request({"messages": messages, **fields}))


def refused(request):
    with pytest.raises(wire.Refused) as caught:
        wire.read(request)
    response = caught.value.response
    fault = json.loads(response.body)["error"]
    assert set(fault) == {"code", "message", "type", "param"}
    assert fault["message"]
    return response.status, fault["code"], fault["param"]


def test_the_last_message_of_the_user_is_what_is_asked():
    order = read(SYSTEM, BEFORE, SAID, ASKED, {"role": "assistant", "content": "a beginning"})

    assert order.text == "hello"
    assert order.earlier == (
        Earlier("system", "be brief"),
        Earlier("user", "and before?"),
        Earlier("assistant", "this"),
    )
    assert (order.model, order.stream, order.usage, order.session_id) == ("hermes-agent", False, False, None)


def test_where_we_keep_the_conversation_nothing_counts_of_it_but_the_instructions():
    order = wire.read(request({"messages": [SYSTEM, BEFORE, SAID, ASKED]}, x_hermes_session_id="a/b:c@d-1"))

    assert (order.session_id, order.earlier) == ("a/b:c@d-1", (Earlier("system", "be brief"),))


def test_options_are_read_and_those_that_mean_nothing_here_are_passed_over():
    order = read(
        ASKED, model="gpt-4o", stream=True, stream_options={"include_usage": True}, temperature=2, n=1
    )

    assert (order.model, order.stream, order.usage) == ("gpt-4o", True, True)


def test_content_in_parts():
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "high"}}
    order = read(
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
        },
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "done", "tool_call_id": "1"},
        {"role": "developer", "content": [{"type": "text", "text": "kindly"}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "what"}, {"type": "text", "text": "is it?"}, picture],
        },
    )

    assert order.text == "what\nis it?"
    assert order.images == (Attachment("image", "https://example.org/a.png"),)
    assert order.earlier == (Earlier("user", "[image]"), Earlier("system", "kindly"))


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        (None, "invalid_value", "messages"),
        ([], "invalid_value", "messages"),
        ({}, "invalid_value", "messages"),
        ([SYSTEM], "invalid_value", "messages"),
        (["hello"], "invalid_value", "messages[0]"),
        ([ASKED, {"role": "robot", "content": "x"}], "invalid_value", "messages[1].role"),
        ([{"content": "x"}], "invalid_value", "messages[0].role"),
        ([{"role": ["user"], "content": "x"}], "invalid_value", "messages[0].role"),
        ([{"role": "user"}], "invalid_value", "messages[0].content"),
        ([{"role": "user", "content": 5}], "invalid_value", "messages[0].content"),
        ([{"role": "user", "content": " \n"}], "invalid_value", "messages[0].content"),
        ([{"role": "user", "content": []}], "invalid_value", "messages[0].content"),
        ([{"role": "user", "content": ["x"]}], "invalid_value", "messages[0].content[0]"),
        (
            [{"role": "user", "content": [{"type": "text", "text": 1}]}],
            "invalid_value",
            "messages[0].content[0]",
        ),
        (
            [{"role": "user", "content": [{"type": "file", "file": {}}]}],
            "unsupported_content_type",
            "messages[0].content[0]",
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
                }
            ],
            "unsupported_content_type",
            "messages[0].content",
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}],
                }
            ],
            "unsupported_content_type",
            "messages[0].content",
        ),
    ],
)
def test_a_bad_message_is_a_400_that_names_its_place(messages, code, param):
    assert refused(request({"messages": messages})) == (400, code, param)


@pytest.mark.parametrize(
    ("field", "value"), [("n", 2), ("n", "x"), ("stream", "yes"), ("stream", 1), ("model", 7)]
)
def test_a_bad_option_is_a_400_that_names_it(field, value):
    assert refused(request({"messages": [ASKED], field: value})) == (400, "invalid_value", field)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000], ids=lambda b: b[:4]
)
def test_S29_what_is_no_json_object_is_a_400(body):
    assert refused(request(body)) == (400, "invalid_json", None)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_encoding": "gzip"},
    ],
)
def test_S29_another_content_type_is_a_415(headers):
    assert refused(request({"messages": [ASKED]}, **headers))[:2] == (415, "unsupported_media_type")


@pytest.mark.parametrize("name", ["", "a b", "ä", "x\ny", "x" * 257])
def test_a_session_has_a_name_that_may_stand_in_a_key(name):
    assert refused(request({"messages": [ASKED]}, x_hermes_session_id=name))[:2] == (
        400,
        "invalid_session_id",
    )


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["user", "text", "system"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "image_url", "url", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=100)
@given(messages=ANYTHING, rest=ANYTHING)
def test_any_json_is_read_or_refused(messages, rest):
    fields = rest if isinstance(rest, dict) else {"stream_options": rest, "model": rest}
    try:
        order = wire.read(request({**fields, "messages": messages}))
    except wire.Refused as no:
        status = no.response.status
    else:
        status = 200 if order.text.strip() or order.images else 0

    assert status in (200, 400)


def test_half_surrogates_which_no_store_can_hold_are_replaced():
    order = wire.read(
        request(b'{"messages": [{"role": "user", "content": "a\\ud800b"}], "model": "m\\udfff"}')
    )

    assert (order.text, order.model) == ("a\ufffdb", "m\ufffd")


# --- what is answered -----------------------------------------------------------------------------------------------------


def answer(text="hi", rule="", **metadata):
    return wire.Answer(text, ({REFUSAL: rule} if rule else {}) | metadata)


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ("refused:turns", 429, "too_many_requests"),
        ("refused:sessions", 429, "too_many_requests"),
        ("refused:waiting", 429, "too_many_requests"),
        ("refused:too_long", 400, "message_too_long"),
        (errors.CONTEXT_TOO_LONG, 400, "context_length_exceeded"),
        (errors.TURN_DEADLINE, 504, errors.TURN_DEADLINE),
        (errors.MODEL_BUSY, 503, errors.MODEL_BUSY),
        (errors.MODEL_UNREACHABLE, 502, errors.MODEL_UNREACHABLE),
        (errors.POISON, 500, errors.POISON),
        ("a_plugin_s_own", 500, "a_plugin_s_own"),
    ],
)
def test_a_refusal_or_a_failure_is_an_error_with_its_status(rule, status, code):
    failure = answer("in words", rule).failure

    fault = json.loads(failure.body)["error"]
    assert (failure.status, fault["code"], fault["message"]) == (status, code, "in words")
    # A library asks again by itself only where nothing has been worked on.
    assert ("Retry-After" in failure.headers) == (status == 429)
    assert (failure.headers.get("x-should-retry") == "false") == (status != 429)


@pytest.mark.parametrize(
    "rule", ["", "refused:unknown_command", "ignored:stale_command", errors.MODEL_FILTERED]
)
def test_words_for_a_person_are_an_answer(rule):
    assert answer("in words", rule).failure is None


def test_usage_is_that_of_the_turn_and_zero_where_nobody_has_counted():
    assert answer(**{USAGE: "100 20 7 3"}).usage == {
        "prompt_tokens": 110,
        "completion_tokens": 20,
        "total_tokens": 130,
        "prompt_tokens_details": {"cached_tokens": 7},
    }
    assert answer().usage["total_tokens"] == 0


@given(
    sent=st.text("ab \n", max_size=4),
    drafts=st.lists(st.text("ab \n", max_size=6), max_size=4),
    final=st.text("ab \n", max_size=6),
)
def test_what_is_sent_ends_with_the_whole_answer_and_is_never_taken_back(sent, drafts, final):
    for draft in drafts:
        sent += wire.growth(sent, draft)
    whole = sent + wire.addition(sent, final)

    assert whole.startswith(sent)
    assert whole.endswith(final) or whole.startswith(final)
    if final.startswith(sent):
        assert whole == final


def test_space_at_the_end_of_a_draft_waits_because_it_may_yet_go():
    assert wire.growth("", "one \n") == "one"
    assert wire.growth("one", "one two ") == " two"
    assert wire.growth("one", "another") == ""
    assert wire.addition("one", "one") == ""
