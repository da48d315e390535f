"""The Telegram adapter: one bot.

connect ─ lock, client, getMe, commands ─▶ polling | webhook ─▶ intake ─▶ io.accept
lane    ─ send, edit, …                 ─▶ encode ─▶ api
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import trio

from hermes.net.failures import PROTOCOL
from hermes.net.http.client import Purpose, open_client
from hermes.net.http.content import Upload
from hermes.ops.media_files import open_copy
from hermes.ops.scoped_lock import scoped_lock
from hermes.platforms.telegram import commands, encode
from hermes.platforms.telegram.api import MEDIA_REFUSED, NOT_MODIFIED, SLOW_S, Api, ApiError, as_object
from hermes.platforms.telegram.decode import Bot
from hermes.platforms.telegram.encode import Call
from hermes.platforms.telegram.entry import ENTRY
from hermes.platforms.telegram.fields import Undecodable, number_of, text
from hermes.platforms.telegram.intake import Intake
from hermes.platforms.telegram.polling import poll
from hermes.platforms.telegram.settings import read
from hermes.platforms.telegram.webhook import Webhook
from hermes.registry.entry import AdapterSetup
from hermes.render.dialects import body
from hermes.render.ir import Body
from hermes.render.markdown import parse
from hermes.render.measure import length
from hermes.types.content import Draft, Media, Part, SendResult
from hermes.types.errors import NOT_EDITABLE, UNREACHABLE, Failure, GatewayError, SendError
from hermes.types.events import Attachment
from hermes.types.ports import AdapterIO, FileSink, Mount, Route, TaskStatus

PURPOSES = {
    "poll": Purpose(most=1, timeout_s=90.0),
    "send": Purpose(most=32, timeout_s=30.0),
    "files": Purpose(most=4, timeout_s=60.0),
}
LOCK_SCOPE = "telegram-bot-token"
MENU_S = 5.0
DRAFT_CHARACTERS = 3_500
"""Of a longer answer that is being written the end is shown."""

INLINE_RENDER_CHARACTERS = 1_000


class Telegram:
    """Implements ``ports.Adapter``, ``Drafts``, ``Edits``, ``Deletes``, ``Files``, ``Typing`` and ``Reactions``."""

    platform = ENTRY.name
    capabilities = ENTRY.capabilities

    def __init__(self, setup: AdapterSetup, *, slow_s: float = SLOW_S) -> None:
        """``slow_s``: how long past its timeout a poll may take. Raises ``GatewayError`` (``bad_config``)."""
        self._slow_s = slow_s
        self._settings = read(setup.config)
        self._account = setup.account
        self._home = setup.home
        self._clock = setup.clock
        self._api: Api | None = None
        self._io: AdapterIO | None = None
        url, secret = self._settings.webhook_url, self._settings.webhook_secret
        self._webhook = Webhook(setup.account, url, secret) if url else None

    @property
    def receive_deadline_s(self) -> float | None:
        """See ``ports.Receives``: as long as a poll may take; a webhook is called."""
        return None if self._webhook is not None else self._settings.poll_timeout_s + self._slow_s

    def routes(self) -> Sequence[Mount]:
        """The webhook, if it is set."""
        if self._webhook is None:
            return ()
        return (Route(self._webhook.path, "own", self._webhook.handle, frozenset({"POST"})),)

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """See ``ports.Adapter``. ``started()`` after the first poll, or once the webhook is set."""
        settings, now = self._settings, self._clock.wall
        with scoped_lock(LOCK_SCOPE, settings.token, home=self._home, account=self._account, at=now()):
            # What stands before a path's last word is the token.
            async with open_client(
                purposes=PURPOSES, redact=lambda path: f"/…/{path.rpartition('/')[2]}"
            ) as client:
                api = Api(
                    client,
                    settings.token,
                    settings.base_url,
                    settings.base_file_url,
                    poll_timeout_s=settings.poll_timeout_s,
                    slow_s=self._slow_s,
                )
                bot = await self._log_in(api)
                io.identify(bot.bot_id, bot.username or None)
                self._api, self._io = api, io
                with trio.move_on_after(MENU_S):
                    await commands.show(api, io.commands())
                intake = Intake(api, io, bot, now=now)
                if self._webhook is not None:
                    await self._webhook.listen(api, io, intake.take, task_status=task_status)
                else:
                    await poll(
                        api, io, intake.take, timeout_s=settings.poll_timeout_s, task_status=task_status
                    )

    async def disconnect(self) -> None:
        """There is nobody to say goodbye to; a webhook stays, and Telegram keeps what it cannot bring."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """See ``ports.Adapter``."""
        call = encode.send(chat_id, part, reply_to, metadata, self._settings)
        try:
            sent = await self._do(call)
        except ApiError as error:
            if error.failure.code != MEDIA_REFUSED or call.method != "sendPhoto":
                raise
            sent = await self._do(encode.as_document(call))
        message = sent[0] if isinstance(sent, list) and sent else sent
        try:
            return SendResult(str(number_of(as_object(message), "message_id")))
        except (Undecodable, GatewayError) as wrong:
            raise SendError(Failure(PROTOCOL, detail=f"{call.method}: {wrong}"), "unknown") from wrong

    async def edit(
        self, chat_id: str, message_id: str, part: Part, *, metadata: Mapping[str, str], final: bool
    ) -> None:
        """See ``ports.Edits``."""
        try:
            await self._do(encode.edit(chat_id, message_id, part, self._settings))
        except ApiError as error:
            if error.failure.code != NOT_MODIFIED:
                raise

    async def delete(self, chat_id: str, message_id: str) -> None:
        """See ``ports.Deletes``."""
        await self._do(Call("deleteMessage", self._message(chat_id, message_id)))

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """See ``ports.Drafts``; Telegram has them in direct chats alone."""
        if not chat_id.isdecimal():
            return
        said = draft.text if len(draft.text) <= DRAFT_CHARACTERS else f"…{draft.text[-DRAFT_CHARACTERS:]}"
        if len(said) > INLINE_RENDER_CHARACTERS:
            shown = await trio.to_thread.run_sync(_rendered, said, abandon_on_cancel=True)
        else:
            shown = _rendered(said)
        if shown.text.strip() and length(shown.text, "utf16") <= self.capabilities.max_length:
            await self._do(encode.draft(chat_id, draft.draft_id, draft.thread_id, shown))

    async def typing(self, chat_id: str, thread_id: str | None, on: bool) -> None:
        """See ``ports.Typing``; it ends by itself."""
        if on:
            where = {"chat_id": encode.chat(chat_id), **encode.thread(thread_id)}
            await self._do(Call("sendChatAction", {**where, "action": "typing"}))

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """See ``ports.Reactions``."""
        reaction = [{"type": "emoji", "emoji": encode.REACTIONS.get(emoji, emoji)}]
        await self._do(
            Call("setMessageReaction", {**self._message(chat_id, message_id), "reaction": reaction})
        )

    async def fetch(self, attachment: Attachment, to: FileSink) -> None:
        """See ``ports.Files``."""
        await self._connected().download(attachment.ref, to)

    # --- inside ----------------------------------------------------------------------------------------------------------

    async def _log_in(self, api: Api) -> Bot:
        me = as_object(await api.receive("getMe"))
        try:
            return Bot(str(number_of(me, "id")), text(me, "username"), self._account)
        except Undecodable as wrong:
            detail = f"getMe: {wrong}"
            raise GatewayError(Failure(PROTOCOL, "transient", "adapter", detail=detail)) from wrong

    async def _do(self, call: Call) -> Any:
        """Make ``call``; once more where Telegram names the supergroup that the chat has become, for nothing was done then."""
        try:
            return await self._attempt(call)
        except ApiError as error:
            if error.migrated_to is None or self._io is None:
                raise
            moved_to = error.migrated_to
        try:
            await self._io.chat_moved(str(call.parameters["chat_id"]), moved_to)
        except GatewayError as unkept:
            raise SendError(unkept.failure, "not_sent") from unkept
        if "message_id" in call.parameters:
            raise SendError(
                Failure(NOT_EDITABLE, "needs_operator", detail="its group is no more"), "not_sent"
            )
        return await self._attempt(encode.elsewhere(call, moved_to))

    async def _attempt(self, call: Call) -> Any:
        api = self._connected()
        with ExitStack() as opened:
            files = {key: await self._open(media, opened) for key, media in call.files.items()}
            return await api.call(call.method, call.parameters, files=files)

    async def _open(self, media: Media, opened: ExitStack) -> Upload:
        try:
            file = await trio.to_thread.run_sync(open_copy, media.ref, self.capabilities.max_media_bytes)
        except OSError as wrong:
            failure = Failure(
                MEDIA_REFUSED, "needs_operator", detail=f"{media.name or media.kind}: it is not kept any more"
            )
            raise SendError(failure, "not_sent") from wrong
        opened.callback(file.close)
        return Upload(media.name or "file", file, media.mime or "application/octet-stream")

    def _connected(self) -> Api:
        if self._api is None:
            raise SendError(Failure(UNREACHABLE, scope="adapter", detail="not logged in"), "not_sent")
        return self._api

    def _message(self, chat_id: str, message_id: str) -> dict[str, Any]:
        return {"chat_id": encode.chat(chat_id), "message_id": encode.chat(message_id)}


def _rendered(text: str) -> Body:
    return body(parse(text), "telegram")
