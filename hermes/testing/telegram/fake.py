"""A Telegram with people in it: bots call it as they call the real one, tests move the people.

    fake = FakeTelegram()
    async with fake.listening():
        ann = fake.person("Ann")
        fake.say(ann, "hello")              # an update for the bot
        …                                    # the bot answers
        fake.seen(ann)                       # what Ann sees of it

A chat is named by itself, by a person (her direct chat with the bot), or by its id.
"""

import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never
from urllib.parse import unquote, urlsplit

import trio

from hermes.testing.platform import KEPT, Delay, HalfClose, Hang, Reset
from hermes.testing.telegram.bot import Bot
from hermes.testing.telegram.faults import Drop, Fault, Html, Plan, Status
from hermes.testing.telegram.forms import Params, parse
from hermes.testing.telegram.methods import METHODS
from hermes.testing.telegram.people import People
from hermes.testing.telegram.refusal import Refused
from hermes.testing.telegram.server import Asked, Cut, Peer, Reply, Server
from hermes.testing.telegram.updates import Updates

TOKEN = "123456:FAKE-token_of-no-use"  # noqa: S105 - of no use
"""The token of the first bot, unless said."""

PAGE = b"<html><head><title>Bad Gateway</title></head><body><h1>nginx</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that came in, whatever became of it; ``at`` is in Trio's time. ``files`` are the names of what was uploaded."""

    at: float
    method: str
    params: Mapping[str, Any]
    bot: str
    content_type: str
    files: tuple[str, ...] = ()


class FakeTelegram(People):
    """The server, the people, and what is known of both. ``poll_s``: no long poll takes longer, whatever was asked for."""

    def __init__(self, token: str = TOKEN, *, poll_s: float = 50.0, webhook_retry_s: float = 0.1) -> None:
        super().__init__()
        self.plan_of = Plan()
        self.calls: deque[Call] = deque(maxlen=KEPT)
        self.wrongs: deque[str] = deque(maxlen=KEPT)
        """What a client must not do although it is answered: parameters that there are not."""
        self._poll_s = poll_s
        self._webhook_retry_s = webhook_retry_s
        self._nursery: trio.Nursery | None = None
        self.server = Server(self._answer)
        self.bot = self.add_bot(token, "hermes_bot")

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["FakeTelegram"]:
        """Serve on 127.0.0.1 until the block is left."""
        async with self.server.listening(port) as nursery:
            self._nursery = nursery
            for bot in self.bots.values():
                nursery.start_soon(bot.updates.deliver)
            yield self

    @property
    def url(self) -> str:
        """Where it listens; ``/bot`` and ``/file/bot`` are below."""
        return f"http://127.0.0.1:{self.server.port}"

    def add_bot(self, token: str, username: str) -> Bot:
        """One more bot."""
        updates = Updates(poll_s=self._poll_s, retry_s=self._webhook_retry_s)
        bot = self.bots[token] = Bot(token, username, updates)
        if self._nursery is not None:
            self._nursery.start_soon(updates.deliver)
        return bot

    # --- what goes wrong -----------------------------------------------------------------------------------------------

    def plan(self, method: str, *faults: Fault | None) -> None:
        """Have the next calls of ``method`` go wrong, one each; None: this one goes well. ``*`` is any method."""
        self.plan_of.once(method, *faults)
        self._stir()

    def plan_for(self, seconds: float, method: str, fault: Fault) -> None:
        """Have every call of ``method`` go wrong that comes within ``seconds``."""
        self.plan_of.until(trio.current_time() + seconds, method, fault)
        self._stir()

    def always(self, method: str, fault: Fault) -> None:
        """... until ``heal``."""
        self.plan_for(float("inf"), method, fault)

    async def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.plan_of.clear()
        for bot in self.bots.values():
            bot.revoked = False
        await self.server.plug("yes")

    def _stir(self) -> None:
        for bot in self.bots.values():
            bot.updates.stir()

    # --- the wire ------------------------------------------------------------------------------------------------------

    async def _answer(self, asked: Asked, peer: Peer) -> Reply | Cut:
        where = urlsplit(asked.target)
        path = unquote(where.path)
        if path.startswith("/file/bot"):
            return await self._download(path.removeprefix("/file/bot"))
        token, _, name = path.removeprefix("/bot").partition("/")
        try:
            params = parse(where.query, asked.content_type, asked.body)
        except Refused as refused:
            return _refused(refused)
        method = METHODS[name.lower()].name if name.lower() in METHODS else name
        self.calls.append(
            Call(trio.current_time(), method, params.given, token, asked.content_type, tuple(params.files))
        )
        act = partial(self._act, token, method, params, peer)
        match fault := self.plan_of.take(method):
            case None:
                return await act()
            case Status(code, description, retry_after, moved_to):
                return _refused(
                    Refused(code, description, retry_after=retry_after, migrate_to_chat_id=moved_to)
                )
            case Html(code):
                return Reply(code, PAGE, "text/html")
            case Delay(seconds):
                answer = await act()
                await trio.sleep(seconds)
                return answer
            case Hang():
                await trio.sleep_forever()
                raise AssertionError
            case HalfClose():
                await act()
                return Cut("half")
            case Reset(acted):
                if acted:
                    await act()
                return Cut("reset")
            case Drop():
                return Cut("close")
            case _:
                assert_never(fault)

    async def _act(self, token: str, name: str, params: Params, peer: Peer) -> Reply:
        try:
            bot = self._bot(token)
            if (method := METHODS.get(name.lower())) is None:
                raise Refused(404)
            self._check_names(name, params, method.names)
            await trio.lowlevel.checkpoint()
            result = method.handler(self.world, bot, params)
            if callable(result):
                result = await result(peer.is_open)
        except Refused as refused:
            return _refused(refused)
        return Reply(200, json.dumps({"ok": True, "result": result}).encode())

    def _bot(self, token: str) -> Bot:
        bot = self.bots.get(token)
        if bot is None or bot.revoked:
            raise Refused(401 if token.partition(":")[0].isdecimal() and ":" in token else 404)
        return bot

    def _check_names(self, name: str, params: Params, known: frozenset[str]) -> None:
        attached = {key for key in params.files if f"attach://{key}" in json.dumps(dict(params.given))}
        for unknown in sorted((params.given.keys() | params.files.keys()) - known - attached):
            self.wrongs.append(f"{name} has no parameter {unknown}")

    async def _download(self, path: str) -> Reply:
        token, _, place = path.partition("/")
        await trio.lowlevel.checkpoint()
        try:
            self._bot(token)
        except Refused as refused:
            return _refused(refused)
        for file in self.world.files.values():
            if file.path == place:
                return Reply(200, file.body, "application/octet-stream")
        return _refused(Refused(404))


def _refused(refused: Refused) -> Reply:
    return Reply(refused.code, json.dumps(refused.body).encode())
