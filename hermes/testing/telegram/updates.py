"""What a bot is told, and how it asks: by long polls, or by a webhook.

add ──▶ queue ──getUpdates──▶ bot        an offset above an update confirms it
              └─POST─────────▶ bot        a 2xx confirms it; else it comes again
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import trio

from hermes.net.connection import Connection, Request
from hermes.net.failures import NetError
from hermes.testing.telegram.faults import CONFLICT
from hermes.testing.telegram.refusal import Refused

KINDS = frozenset(
    "message edited_message channel_post edited_channel_post business_connection business_message edited_business_message "
    "deleted_business_messages guest_message message_reaction message_reaction_count inline_query chosen_inline_result "
    "callback_query shipping_query pre_checkout_query purchased_paid_media poll poll_answer my_chat_member chat_member "
    "chat_join_request chat_boost removed_chat_boost managed_bot".split()
)
UNASKED = KINDS - {"chat_member", "message_reaction", "message_reaction_count"}
"""What a bot gets that has never said what it wants."""

MOST = 100
LONGEST_POLL_S = 50.0
WEBHOOK_S = 10.0
SECRET_HEADER = b"X-Telegram-Bot-Api-Secret-Token"

Update = dict[str, Any]


class Updates:
    """The queue of one bot. ``poll_s``: no long poll takes longer; ``retry_s``: how long until a webhook is tried again."""

    def __init__(self, *, poll_s: float, retry_s: float) -> None:
        self.allowed = UNASKED
        self.polls = 0
        self.most_polls = 0
        self.webhook: dict[str, Any] = {"url": "", "has_custom_certificate": False}
        self.secret = ""
        self.tries: list[int] = []
        """What a webhook has answered, as HTTP statuses; 0 for none."""
        self._poll_s = poll_s
        self._retry_s = retry_s
        self._queue: deque[Update] = deque()
        self._past: Update | None = None
        self._next_id = 1_000_001
        self._open: list[Callable[[], bool]] = []
        self._current: object | None = None
        self._news = trio.Event()

    def add(self, kind: str, content: Any) -> int | None:
        """Have the bot told; the update's id, None if it has not asked for ``kind``."""
        if kind in KINDS and kind not in self.allowed:
            return None
        update = {"update_id": self._next_id, kind: content}
        self._next_id += 1
        self._queue.append(update)
        self._past = update
        self.stir()
        return int(update["update_id"])

    def repeat(self) -> None:
        """The last update comes once more, as after a reconnect."""
        if self._past is not None:
            self._queue.append(self._past)
            self.stir()

    @property
    def waiting(self) -> Sequence[Update]:
        """Updates that are not confirmed."""
        return tuple(self._queue)

    def stir(self) -> None:
        """Have everybody look who waits."""
        self._news.set()
        self._news = trio.Event()

    def allow(self, names: Any) -> None:
        """Take ``allowed_updates``; None leaves it as it is."""
        if names is not None:
            self.allowed = KINDS & set(names) if names else UNASKED

    # --- long polls --------------------------------------------------------------------------------------------------------

    async def poll(
        self, offset: int, limit: int, timeout_s: float, is_open: Callable[[], bool]
    ) -> list[Update]:
        """What is new, at once or within ``timeout_s``. A newer poll, or a webhook, ends this one with a conflict.

        ``is_open`` says whether the caller is still there: one that has gone receives no more.
        """
        if self.webhook["url"]:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            )
        mine = self._current = object()
        self._open = [*(other for other in self._open if other()), is_open]
        self.most_polls = max(self.most_polls, len(self._open))
        self.polls += 1
        self.stir()
        self._confirm(offset)
        try:
            with trio.move_on_after(min(timeout_s, self._poll_s, LONGEST_POLL_S)):
                while not self._queue and self._current is mine:
                    await self._news.wait()
            if self._current is not mine:
                by = "setWebhook request" if self.webhook["url"] else None
                raise Refused(409, f"Conflict: terminated by {by}" if by else CONFLICT.description)
            self._current = None
            return list(self._queue)[: min(limit, MOST)]
        finally:
            if is_open in self._open:
                self._open.remove(is_open)

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            while len(self._queue) > -offset:
                self._queue.popleft()
        self._queue = deque(update for update in self._queue if update["update_id"] >= offset)

    # --- the webhook -------------------------------------------------------------------------------------------------------

    def hook(self, url: str, secret: str, most: int | None) -> None:
        """Tell the bot by POST from now on; "" ends that."""
        self.webhook = {"url": url, "has_custom_certificate": False}
        if url:
            self.webhook |= {"max_connections": most or 40, "allowed_updates": sorted(self.allowed)}
        self.secret = secret
        self._current = None
        self.stir()

    def drop(self) -> None:
        """Forget what is not confirmed."""
        self._queue.clear()

    async def deliver(self) -> None:
        """Serve the webhook, whenever there is one: an update at a time, in order, until it is taken."""
        while True:
            news = self._news
            if not self.webhook["url"] or not self._queue:
                await news.wait()
                continue
            update = self._queue[0]
            status = await self._post(self.webhook["url"], json.dumps(update).encode())
            self.tries.append(status)
            if status // 100 == 2:
                if self._queue and self._queue[0] is update:
                    self._queue.popleft()
                continue
            self.webhook |= {"last_error_message": f"Wrong response from the webhook: {status}"}
            await trio.sleep(self._retry_s)

    async def _post(self, url: str, body: bytes) -> int:
        """The status of the answer; 0 if there is none."""
        where = urlsplit(url)
        host = where.hostname or ""
        headers = [
            (b"Host", where.netloc.encode()),
            (b"Content-Type", b"application/json"),
            (b"Connection", b"close"),
        ]
        if self.secret:
            headers.append((SECRET_HEADER, self.secret.encode()))
        target = (where.path or "/") + (f"?{where.query}" if where.query else "")
        try:
            with trio.fail_after(WEBHOOK_S):
                stream = await trio.open_tcp_stream(host, where.port or 80)
                async with stream:
                    asked = Request(b"POST", target.encode(), headers, body)
                    return (await Connection(stream, host).ask(asked)).status
        except (OSError, NetError, trio.TooSlowError):
            return 0
