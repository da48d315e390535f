"""The Bot API: one call is one attempt, and what comes of it is given its name here and nowhere else.

    ok ─▶ result                                       400 ─▶ by its description: of this message, or of this chat
    401, 404 ─▶ getMe says so too? token_revoked       403 ─▶ forbidden (the chat)
           └─ no: this call alone                      409 ─▶ conflict: another poller; wait until its poll is over
    429 ─▶ rate_limited, retry_after                   5xx, what is no answer of the API ─▶ transient

The token is part of every URL, so no URL and no path leaves this module.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import trio

from hermes.net.failures import PROTOCOL, NetError
from hermes.net.http.client import Client, Reply
from hermes.net.http.content import Upload
from hermes.net.retry import retry_after
from hermes.types.errors import (
    CHAT_NOT_FOUND,
    FORBIDDEN,
    FORMAT_REFUSED,
    NOT_EDITABLE,
    RATE_LIMITED,
    TOO_LARGE,
    TOO_LONG,
    UNREACHABLE,
    Failure,
    GatewayError,
    SendError,
    SendPhase,
)
from hermes.types.ports import FileSink

TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a code
CONFLICT = "conflict"
MIGRATED = "migrated"
NOT_MODIFIED = "not_modified"
THREAD_NOT_FOUND = "thread_not_found"
MEDIA_REFUSED = "media_refused"
REFUSED = "refused"
UNAUTHORIZED = "unauthorized"
SERVER_ERROR = "server_error"

CALL_S = 25.0
UPLOAD_S = 110.0
LINGER_S = 5.0
"""How long past its timeout another's poll may be held by the server."""

SLOW_S = 15.0
"""How long past its timeout an answer to a poll may take."""

NO_WAY_S = 5.0
"""When a send is tried again that found no way to the server: no attempt is counted for it."""

_DETAIL_CHARACTERS = 200

Parameters = Mapping[str, Any]

_BY_DESCRIPTION: tuple[tuple[tuple[str, ...], str], ...] = (
    (("message is not modified",), NOT_MODIFIED),
    (
        ("can't parse entities", "can't parse messageentity", "entity begin", "entity_", "entities_"),
        FORMAT_REFUSED,
    ),
    (("too long", "too_long"), TOO_LONG),
    (("too big", "too large", "file_parts_invalid"), TOO_LARGE),
    (("chat not found", "peer_id_invalid", "chat_id is empty", "user not found"), CHAT_NOT_FOUND),
    (("thread not found", "topic_"), THREAD_NOT_FOUND),
    (
        (
            "to edit not found",
            "can't be edited",
            "to delete not found",
            "can't be deleted",
            "message_id_invalid",
        ),
        NOT_EDITABLE,
    ),
    (
        (
            "not enough rights to send text",
            "have no rights to send a message",
            "chat_write_forbidden",
            "need administrator rights in the channel",
            "bot is not a member",
        ),
        FORBIDDEN,
    ),
    (
        (
            *("photo_invalid", "image_process_failed", "wrong file identifier", "wrong type of the web page"),
            *(
                "failed to get http url content",
                "wrong remote file",
                "can't use file",
                "file must be non-empty",
            ),
            *("voice_messages_forbidden", "webpage_"),
        ),
        MEDIA_REFUSED,
    ),
)
"""Words of the description of a 400, lower case → what it means; the first that fits, else ``refused``."""

_OF_CHAT = frozenset({CHAT_NOT_FOUND, FORBIDDEN, MIGRATED})


class ApiError(SendError):
    """The call came to nothing. ``migrated_to``: the supergroup that the chat has become."""

    def __init__(self, failure: Failure, phase: SendPhase, migrated_to: str | None = None) -> None:
        super().__init__(failure, phase)
        self.migrated_to = migrated_to


class Api:
    """Calls for one bot, by one incarnation's client."""

    def __init__(
        self,
        client: Client,
        token: str,
        base_url: str,
        base_file_url: str,
        *,
        poll_timeout_s: float,
        slow_s: float = SLOW_S,
    ) -> None:
        self._client = client
        self._base = f"{base_url}{token}"
        self._files = f"{base_file_url}{token}"
        self._poll_timeout_s = poll_timeout_s
        self._slow_s = slow_s
        self._quiet_until = -math.inf

    async def call(
        self,
        method: str,
        parameters: Parameters | None = None,
        *,
        files: Mapping[str, Upload] | None = None,
    ) -> Any:
        """The result of ``method``. Raises ``ApiError``; ``not_sent`` where the API itself says that nothing was done."""
        try:
            return await self._judged(method, parameters or {}, files or {}, "send")
        except ApiError as error:
            if error.failure.code == RATE_LIMITED:
                until = trio.current_time() + (error.failure.retry_after or 0.0)
                self._quiet_until = max(self._quiet_until, until)
            raise

    @property
    def is_quiet(self) -> bool:
        """Telegram has had enough of something lately: what may be lost is better not asked for."""
        return trio.current_time() < self._quiet_until

    async def receive(self, method: str, parameters: Parameters | None = None, *, wait_s: float = 0.0) -> Any:
        """As ``call``, by a connection of its own, for what is of the whole bot and not of one message: logging in and
        polling. The answer may take ``wait_s`` and some time; every failure is the adapter's.
        """
        try:
            return await self._judged(method, parameters or {}, {}, "poll", wait_s + self._slow_s)
        except ApiError as error:
            raise GatewayError(replace(error.failure, scope="adapter")) from error.__cause__

    async def download(self, file_id: str, to: FileSink) -> None:
        """All bytes of a file that somebody sent. Raises ``GatewayError``, and lets through what ``to`` raises."""
        file = await self.call("getFile", {"file_id": file_id})
        path = file.get("file_path") if isinstance(file, dict) else None
        if not isinstance(path, str) or path.startswith("/") or ".." in path.split("/"):
            raise ApiError(Failure(MEDIA_REFUSED, "needs_operator", detail="no path to the file"), "not_sent")
        async with self._client.stream("GET", f"{self._files}/{path}", purpose="files") as answer:
            if answer.status != 200:
                detail = f"its server answers with status {answer.status}"
                raise ApiError(Failure(SERVER_ERROR, detail=detail), "not_sent")
            while piece := await answer.read():
                await to.write(piece)

    async def _judged(
        self,
        method: str,
        parameters: Parameters,
        files: Mapping[str, Upload],
        purpose: str,
        timeout_s: float | None = None,
    ) -> Any:
        """As ``_attempt``; where the token is doubted, by what getMe says to that: a single 401 proves nothing (AC-09)."""
        try:
            return await self._attempt(method, parameters, files, purpose, timeout_s)
        except ApiError as error:
            failed = error
        if failed.failure.code == UNAUTHORIZED and await self._is_revoked():
            detail = "Telegram does not know this token (any more); get one from @BotFather and set it"
            failed = ApiError(Failure(TOKEN_REVOKED, "needs_operator", "adapter", detail=detail), "not_sent")
        raise failed

    async def _is_revoked(self) -> bool:
        try:
            await self._attempt("getMe", {}, {}, "send")
        except ApiError as error:
            return error.failure.code == UNAUTHORIZED
        return False

    async def _attempt(
        self,
        method: str,
        parameters: Parameters,
        files: Mapping[str, Upload],
        purpose: str,
        timeout_s: float | None = None,
    ) -> Any:
        url = f"{self._base}/{method}"
        try:
            if files:
                form = {
                    key: value if isinstance(value, str) else _json(value)
                    for key, value in parameters.items()
                }
                reply = await self._client.request("POST", url, data=form, files=files, timeout_s=UPLOAD_S)
            else:
                reply = await self._client.request(
                    "POST", url, purpose=purpose, json=parameters, timeout_s=timeout_s or CALL_S
                )
        except NetError as error:
            raise _of_network(error, purpose) from error
        return result(method, parameters, reply, poll_timeout_s=self._poll_timeout_s)


def result(method: str, parameters: Parameters, reply: Reply, *, poll_timeout_s: float) -> Any:
    """What ``reply`` brings. Raises ``ApiError``. Pure."""
    body = _parsed(reply.body)
    if body is None:
        # Something before the API has answered; it may have handed the call on.
        code = PROTOCOL if reply.status < 500 else SERVER_ERROR
        detail = f"{method}: an answer of status {reply.status} that is not the Bot API's"
        phase: SendPhase = "not_sent" if reply.status == 503 else "unknown"
        raise ApiError(Failure(code, retry_after=retry_after(reply.headers), detail=detail), phase)
    if body.get("ok") is True and "result" in body:
        return body["result"]
    said = body.get("description")
    description = said if isinstance(said, str) else ""
    status = body.get("error_code")
    status = status if isinstance(status, int) else reply.status
    more = body.get("parameters")
    more = more if isinstance(more, dict) else {}
    detail = f"{method}: {status} {description[:_DETAIL_CHARACTERS]}".rstrip()
    failure, migrated_to = _failure(status, description.lower(), detail, more, "chat_id" in parameters)
    if failure.code == RATE_LIMITED and failure.retry_after is None:
        failure = replace(failure, retry_after=retry_after(reply.headers) or 1.0)
    elif failure.code == CONFLICT:
        failure = replace(failure, retry_after=poll_timeout_s + LINGER_S)
    raise ApiError(failure, "not_sent", migrated_to)


def _failure(
    status: int, description: str, detail: str, parameters: Mapping[str, Any], of_chat: bool
) -> tuple[Failure, str | None]:
    match status:
        case 400:
            migrated_to = parameters.get("migrate_to_chat_id")
            if isinstance(migrated_to, int):
                return Failure(MIGRATED, "needs_operator", "chat", detail=detail), str(migrated_to)
            code = next(
                (code for words, code in _BY_DESCRIPTION if any(map(description.__contains__, words))),
                REFUSED,
            )
            return Failure(
                code, "needs_operator", "chat" if code in _OF_CHAT else "message", detail=detail
            ), None
        case 401:
            return Failure(UNAUTHORIZED, detail=detail), None
        case 404 if "method" in description:
            return Failure(REFUSED, "needs_operator", detail=detail), None
        case 404:
            return Failure(UNAUTHORIZED, detail=detail), None
        case 403:
            return Failure(FORBIDDEN, "needs_operator", "chat", detail=detail), None
        case 409:
            return Failure(CONFLICT, "transient", "adapter", detail=detail), None
        case 413:
            return Failure(TOO_LARGE, "needs_operator", detail=detail), None
        case 429:
            wait = parameters.get("retry_after")
            wait_s = float(wait) if isinstance(wait, int) and 0 <= wait < 1e9 else None
            return Failure(RATE_LIMITED, "transient", "chat" if of_chat else "adapter", wait_s, detail), None
        case _ if status >= 500:
            return Failure(SERVER_ERROR, detail=detail), None
        case _:
            return Failure(REFUSED, "needs_operator", detail=detail), None


def _of_network(error: NetError, purpose: str) -> ApiError:
    failure = error.failure
    if purpose == "send" and error.phase == "not_sent" and failure.severity == "transient":
        failure = Failure(UNREACHABLE, "transient", "chat", NO_WAY_S, str(failure))
    return ApiError(failure, error.phase)


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) and "ok" in parsed else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_list(value: Any) -> list[Any]:
    """``value`` as the list that it should be. Raises ``GatewayError``."""
    if not isinstance(value, list):
        raise _unlike("list")
    return value


def as_object(value: Any) -> Mapping[str, Any]:
    """``value`` as the object that it should be. Raises ``GatewayError``."""
    if not isinstance(value, dict):
        raise _unlike("object")
    return value


def _unlike(kind: str) -> GatewayError:
    return GatewayError(Failure(PROTOCOL, "transient", "adapter", detail=f"an answer is no {kind}"))
