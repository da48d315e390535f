"""Long polling: one poll at a time, by a connection of its own, and the offset behind the inbox.

    getUpdates(offset) ─▶ beat ─▶ take: durable ─▶ offset = last + 1 ─▶ the next one confirms

The offset is memory: after a restart everything that was not confirmed comes again and is dropped as known. Nothing is ever
thrown away at the start (AC-15).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hermes.net.failures import PROTOCOL
from hermes.platforms.telegram.api import Api, as_list
from hermes.platforms.telegram.decode import ALLOWED_UPDATES
from hermes.platforms.telegram.intake import update_id
from hermes.types.errors import Failure, GatewayError
from hermes.types.ports import AdapterIO, TaskStatus


async def poll(
    api: Api,
    io: AdapterIO,
    take: Callable[[Sequence[Any]], Awaitable[None]],
    *,
    timeout_s: float,
    task_status: TaskStatus,
) -> None:
    """Poll until cancelled, the first time without waiting. Raises ``GatewayError`` for whatever goes wrong, the first time."""
    info = await api.receive("getWebhookInfo")
    if isinstance(info, dict) and info.get("url"):
        await api.receive("deleteWebhook", {"drop_pending_updates": False})
    asked: dict[str, Any] = {"timeout": 0, "allowed_updates": ALLOWED_UPDATES}
    while True:
        updates = as_list(await api.receive("getUpdates", asked, wait_s=asked["timeout"]))
        io.beat()
        # It has confirmed what it had to. Kept, it would throw away what comes after a quiet week, whose ids begin anywhere.
        asked.pop("offset", None)
        if not asked["timeout"]:
            asked["timeout"] = timeout_s
            task_status.started()
        if updates:
            await take(updates)
            asked["offset"] = _following(updates)


def _following(updates: Sequence[Any]) -> int:
    known = [found for update in updates if (found := update_id(update)) is not None]
    if not known:  # asking again would bring the same at once, for ever
        raise GatewayError(Failure(PROTOCOL, "transient", "adapter", detail="updates without an id"))
    return max(known) + 1
