"""From updates to the inbox: the one way in, for polling and for a webhook."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import trio

from hermes.platforms.telegram.api import Api
from hermes.platforms.telegram.decode import Bot, Update, decode, event_id
from hermes.platforms.telegram.fields import Undecodable, number
from hermes.types import faults
from hermes.types.errors import GatewayError
from hermes.types.ports import AdapterIO

log = logging.getLogger(__name__)

PRESSES_S = 3.0
"""For a word to all buttons that were pressed: without one they only look busy for a while."""


class Intake:
    """What one incarnation takes in."""

    def __init__(self, api: Api, io: AdapterIO, bot: Bot, *, now: Callable[[], float]) -> None:
        self._api = api
        self._io = io
        self._bot = bot
        self._now = now

    async def take(self, updates: Sequence[Any]) -> None:
        """Return when all of them are durable, in one commit but for those that cannot be decoded: only then may Telegram forget
        them. Every one is kept: a text that a client has split comes as the messages that it is, which the busy mode joins.
        """
        taken: list[Update] = []
        for update in updates:
            try:
                taken.append(decode(update, self._bot, self._now()))
            except Undecodable as wrong:
                log.debug("an update cannot be decoded: %s", wrong)
                await self._io.undecodable(self._named(update), json.dumps(update).encode())
        faults.point("after_decode")
        for one in taken:
            if one.moved is not None:
                await self._io.chat_moved(*one.moved)
        if taken:
            await self._io.accept([one.event for one in taken])
        faults.point("before_ack")
        for one in taken:
            if one.reachable:
                self._io.chat_up(one.event.origin.chat_id)
        await self._acknowledge([one.press for one in taken if one.press])

    def _named(self, update: Any) -> str:
        known = update_id(update)
        if known is not None:
            return event_id(self._bot, known)
        digest = hashlib.sha256(json.dumps(update).encode()).hexdigest()
        return f"{self._bot.bot_id}:sha256-{digest}"

    async def _acknowledge(self, presses: Sequence[str]) -> None:
        """Have the buttons look pressed. What becomes of it is said in the chat, by whoever decides."""
        with trio.move_on_after(PRESSES_S):
            for press in presses:
                if self._api.is_quiet:
                    return
                try:
                    await self._api.call("answerCallbackQuery", {"callback_query_id": press})
                except GatewayError as error:
                    log.debug("a pressed button got no word: %s", error)


def update_id(update: Any) -> int | None:
    """The id of an update that may be of any form."""
    try:
        return number(update, "update_id") if isinstance(update, dict) else None
    except Undecodable:
        return None
