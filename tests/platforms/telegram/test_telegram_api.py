"""What comes of a call: each outcome has one name, whatever the call was."""

import json

import pytest
from botapi import TOKEN, BotApi, ok, refusal

from hermes.net.failures import CONNECT_REFUSED, DNS, PROTOCOL, RESET, TIMEOUT, NetError
from hermes.net.http.client import Reply
from hermes.platforms.telegram.api import (
    CONFLICT,
    MEDIA_REFUSED,
    MIGRATED,
    NOT_MODIFIED,
    REFUSED,
    SERVER_ERROR,
    THREAD_NOT_FOUND,
    TOKEN_REVOKED,
    UNAUTHORIZED,
    Api,
    ApiError,
)
from hermes.types.errors import (
    CHAT_NOT_FOUND,
    FORBIDDEN,
    FORMAT_REFUSED,
    NOT_EDITABLE,
    RATE_LIMITED,
    TOO_LARGE,
    TOO_LONG,
    UNREACHABLE,
    GatewayError,
)

HTML = b"<html><body>502 Bad Gateway</body></html>"


def api(server: BotApi) -> Api:
    return Api(server, TOKEN, "http://fake/bot", "http://fake/file/bot", poll_timeout_s=30)


async def failing(reply: Reply | NetError, method: str = "sendMessage", **parameters) -> ApiError:
    server = BotApi()
    server.plan[method].append(reply)
    with pytest.raises(ApiError) as caught:
        await api(server).call(method, {"chat_id": 7, **parameters})
    assert TOKEN not in str(caught.value) + repr(caught.value) + repr(caught.value.failure)
    return caught.value


@pytest.mark.parametrize(
    ("code", "description", "expected"),
    [
        (
            400,
            "Bad Request: can't parse entities: unsupported",
            (FORMAT_REFUSED, "needs_operator", "message"),
        ),
        (400, "Bad Request: ENTITY_BOUNDS_INVALID", (FORMAT_REFUSED, "needs_operator", "message")),
        (400, "Bad Request: message is too long", (TOO_LONG, "needs_operator", "message")),
        (400, "Bad Request: MEDIA_CAPTION_TOO_LONG", (TOO_LONG, "needs_operator", "message")),
        (400, "Bad Request: file is too big", (TOO_LARGE, "needs_operator", "message")),
        (413, "Request Entity Too Large", (TOO_LARGE, "needs_operator", "message")),
        (400, "Bad Request: message is not modified: x", (NOT_MODIFIED, "needs_operator", "message")),
        (400, "Bad Request: message to edit not found", (NOT_EDITABLE, "needs_operator", "message")),
        (400, "Bad Request: message can't be edited", (NOT_EDITABLE, "needs_operator", "message")),
        (400, "Bad Request: chat not found", (CHAT_NOT_FOUND, "needs_operator", "chat")),
        (400, "Bad Request: message thread not found", (THREAD_NOT_FOUND, "needs_operator", "message")),
        (400, "Bad Request: TOPIC_DELETED", (THREAD_NOT_FOUND, "needs_operator", "message")),
        (400, "Bad Request: not enough rights to send text messages", (FORBIDDEN, "needs_operator", "chat")),
        (400, "Bad Request: not enough rights to send photos", (REFUSED, "needs_operator", "message")),
        (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", (MEDIA_REFUSED, "needs_operator", "message")),
        (400, "Bad Request: something new", (REFUSED, "needs_operator", "message")),
        (403, "Forbidden: bot was blocked by the user", (FORBIDDEN, "needs_operator", "chat")),
        (404, "Not Found: method not found", (REFUSED, "needs_operator", "message")),
        (500, "Internal Server Error", (SERVER_ERROR, "transient", "message")),
    ],
)
async def test_AC09_what_the_api_says(code, description, expected):
    error = await failing(refusal(code, description))

    assert (error.failure.code, error.failure.severity, error.failure.scope) == expected
    assert error.phase == "not_sent"


async def test_AC43_a_flood_names_its_scope_and_its_time():
    chat = await failing(refusal(429, "Too Many Requests: retry after 17", retry_after=17))
    whole = await failing(
        refusal(429, "Too Many Requests: retry after 3", retry_after=3), "setMyCommands", chat_id=0
    )
    server = BotApi()
    server.plan["getMe"].append(refusal(429, "Too Many Requests", retry_after=5))
    with pytest.raises(GatewayError) as bot:
        await api(server).receive("getMe")

    assert (chat.failure.code, chat.failure.scope, chat.failure.retry_after) == (RATE_LIMITED, "chat", 17)
    assert whole.failure.retry_after == 3
    assert (bot.value.failure.code, bot.value.failure.scope, bot.value.failure.retry_after) == (
        RATE_LIMITED,
        "adapter",
        5,
    )


@pytest.mark.parametrize(
    ("reply", "code", "phase"),
    [
        (Reply(502, {}, HTML), SERVER_ERROR, "unknown"),
        (Reply(503, {}, HTML), SERVER_ERROR, "not_sent"),
        (Reply(504, {}, b""), SERVER_ERROR, "unknown"),
        (Reply(200, {}, HTML), PROTOCOL, "unknown"),
        (Reply(404, {}, HTML), PROTOCOL, "unknown"),
        (Reply(200, {}, b"[]"), PROTOCOL, "unknown"),
        (Reply(200, {}, b"[" * 100_000), PROTOCOL, "unknown"),
    ],
)
async def test_AC09_what_is_no_answer_of_the_api(reply, code, phase):
    error = await failing(reply)

    assert (error.failure.code, error.failure.severity, error.phase) == (code, "transient", phase)


@pytest.mark.parametrize("odd", [None, "x", 10**400, -1, [], {}, True])
async def test_odd_fields_of_a_refusal_are_nothing(odd):
    body = {"ok": False, "error_code": 429, "description": odd, "parameters": odd}
    error = await failing(Reply(429, {}, json.dumps(body).encode()))
    assert error.failure.retry_after == 1.0
    body = {"ok": False, "error_code": 429, "description": "x", "parameters": {"retry_after": odd}}
    error = await failing(Reply(429, {}, json.dumps(body).encode()))
    assert error.failure.retry_after == 1.0


@pytest.mark.parametrize(
    ("code", "phase", "expected"),
    [
        (DNS, "not_sent", (UNREACHABLE, "chat", 5.0)),
        (CONNECT_REFUSED, "not_sent", (UNREACHABLE, "chat", 5.0)),
        (RESET, "unknown", (RESET, "message", None)),
        (TIMEOUT, "unknown", (TIMEOUT, "message", None)),
    ],
)
async def test_AC27_a_network_that_fails_keeps_its_phase(code, phase, expected, autojump_clock):
    error = await failing(NetError(code, "fake: broken", phase=phase))

    assert (error.failure.code, error.failure.scope, error.failure.retry_after) == expected
    assert (error.failure.severity, error.phase) == ("transient", phase)


@pytest.mark.parametrize("code", [401, 404])
async def test_AC09_one_doubt_about_the_token_proves_nothing(code):
    error = await failing(refusal(code, "Unauthorized" if code == 401 else "Not Found"))

    assert (error.failure.code, error.failure.severity, error.failure.scope) == (
        UNAUTHORIZED,
        "transient",
        "message",
    )


@pytest.mark.parametrize("code", [401, 404])
async def test_AC09_a_token_that_getMe_does_not_know_either_is_for_an_operator(code):
    server = BotApi()
    server.plan["sendMessage"].append(refusal(code, "no"))
    server.plan["getMe"].append(refusal(code, "no"))

    with pytest.raises(ApiError) as caught:
        await api(server).call("sendMessage", {"chat_id": 7})

    failure = caught.value.failure
    assert (failure.code, failure.severity, failure.scope) == (TOKEN_REVOKED, "needs_operator", "adapter")
    assert len(server.asked("getMe")) == 1


async def test_AC09_a_probe_that_does_not_arrive_proves_nothing():
    server = BotApi()
    server.plan["getUpdates"].append(refusal(401, "Unauthorized"))
    server.plan["getMe"].append(NetError(DNS, "fake: gone"))

    with pytest.raises(GatewayError) as caught:
        await api(server).receive("getUpdates", {"timeout": 0})

    assert (caught.value.failure.code, caught.value.failure.severity) == (UNAUTHORIZED, "transient")
    assert caught.value.failure.scope == "adapter"


async def test_AC30_a_conflict_waits_until_the_other_poll_is_over():
    server = BotApi()
    server.plan["getUpdates"].append(refusal(409, "Conflict: terminated by other getUpdates request"))

    with pytest.raises(GatewayError) as caught:
        await api(server).receive("getUpdates", {"timeout": 30})

    failure = caught.value.failure
    assert (failure.code, failure.severity, failure.scope, failure.retry_after) == (
        CONFLICT,
        "transient",
        "adapter",
        35.0,
    )


async def test_a_group_that_has_moved_says_where_to():
    error = await failing(refusal(400, "group chat was upgraded", migrate_to_chat_id=-1005))

    assert (error.failure.code, error.migrated_to) == (MIGRATED, "-1005")


async def test_a_result_is_handed_on():
    server = BotApi()
    server.plan["sendMessage"].append(ok({"message_id": 3}))

    assert await api(server).call("sendMessage", {"chat_id": 7}) == {"message_id": 3}
