"""A webhook: Telegram brings the updates, and is told 200 once they are durable.

The secret is checked before anything is read (S24, S27); a body without it is nobody's. One connection at a time is asked for,
so that what follows one another in a chat arrives so.
"""

import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import trio

from hermes.platforms.telegram.api import Api
from hermes.platforms.telegram.decode import ALLOWED_UPDATES
from hermes.types.origin import DEFAULT_ACCOUNT
from hermes.types.ports import AdapterIO, Request, Response, TaskStatus

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name
PAUSED_S = 5.0
"""How long an update may wait for the inbox before Telegram is asked to bring it again."""


class Webhook:
    """The route of one account."""

    def __init__(self, account: str, url: str, secret: str) -> None:
        at = "" if account == DEFAULT_ACCOUNT else f"@{account}"
        self.path = f"/platforms/telegram{at}/webhook"
        self._url = url if urlsplit(url).path not in ("", "/") else url.rstrip("/") + self.path
        self._secret = secret.encode()
        self._io: AdapterIO | None = None
        self._take: Callable[[Sequence[Any]], Awaitable[None]] | None = None

    async def listen(
        self,
        api: Api,
        io: AdapterIO,
        take: Callable[[Sequence[Any]], Awaitable[None]],
        *,
        task_status: TaskStatus,
    ) -> None:
        """Tell Telegram where to bring updates, and be there until cancelled. Raises ``GatewayError``."""
        await api.receive(
            "setWebhook",
            {
                "url": self._url,
                "secret_token": self._secret.decode(),
                "allowed_updates": ALLOWED_UPDATES,
                "max_connections": 1,
            },
        )
        self._io, self._take = io, take
        task_status.started()
        await trio.sleep_forever()

    async def handle(self, request: Request) -> Response:
        """One update."""
        shown = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, self._secret):
            return _said(401, "unauthorized")
        if self._io is None or self._take is None:
            return _said(503, "not_connected")
        try:
            update = json.loads(request.body)
        except (ValueError, RecursionError):
            return _said(400, "no_json")
        with trio.move_on_after(PAUSED_S):
            await self._take([update])
            return _said(200, "ok")
        return _said(503, "paused")


def _said(status: int, word: str) -> Response:
    headers = {"retry-after": f"{PAUSED_S:g}"} if status == 503 else {}
    return Response(status, json.dumps({"status": word}).encode(), headers=headers)
