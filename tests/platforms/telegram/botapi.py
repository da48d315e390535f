"""A Bot API without a network, for time that is virtual: what an adapter's client is answered, and what it has asked."""

import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from hermes.config.platforms import PlatformConfig
from hermes.net.failures import TIMEOUT, NetError
from hermes.net.http.client import Reply
from hermes.net.http.content import Upload
from hermes.platforms.telegram import adapter
from hermes.platforms.telegram.adapter import Telegram
from hermes.registry.entry import AdapterSetup
from hermes.testing.fakes import FakeIds, TrioClock

TOKEN = "123456:SECRET-TOKEN_of-a-bot"
ANN = {"id": 7, "is_bot": False, "first_name": "Ann"}
DIRECT = {"id": 7, "type": "private", "first_name": "Ann"}


def ok(result: Any) -> Reply:
    return Reply(200, {}, json.dumps({"ok": True, "result": result}).encode())


def refusal(code: int, description: str, **parameters: Any) -> Reply:
    said = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return Reply(code, {}, json.dumps(said).encode())


@dataclass
class BotApi:
    """``plan`` holds what the next calls of a method come to, in place of the truth."""

    pending: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    files: list[dict[str, bytes]] = field(default_factory=list)
    plan: defaultdict[str, deque[Reply | NetError]] = field(default_factory=lambda: defaultdict(deque))
    webhook: str = ""
    polls: int = 0
    most_polls: int = 0
    clients: int = 0
    news: trio.Event = field(default_factory=trio.Event)

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [parameters for _, called, parameters in self.calls if called == method]

    def say(self, text: str, update_id: int | None = None, **more: Any) -> int:
        number = 100 + len(self.calls) * 1000 + len(self.pending) if update_id is None else update_id
        message = {"message_id": number, "date": 1, "chat": DIRECT, "from": ANN, "text": text, **more}
        return self.bring({"update_id": number, "message": message})

    def bring(self, update: dict[str, Any]) -> int:
        self.pending.append(update)
        self.news.set()
        self.news = trio.Event()
        return update["update_id"]

    @asynccontextmanager
    async def open_client(self, **_options: Any) -> AsyncIterator["BotApi"]:
        self.clients += 1
        yield self
        await trio.lowlevel.checkpoint()

    async def request(
        self,
        verb: str,
        url: str,
        *,
        purpose: str = "send",
        timeout_s: float,
        json: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
        files: dict[str, Upload] | None = None,
    ) -> Reply:
        base, _, method = url.rpartition("/")
        assert (verb, base) == ("POST", f"http://fake/bot{TOKEN}")
        self.calls.append((trio.current_time(), method, dict(json or data or {})))
        self.files.append({key: file.content.read() for key, file in (files or {}).items()})
        await trio.lowlevel.checkpoint()
        if self.plan[method]:
            planned = self.plan[method].popleft()
            if isinstance(planned, Reply):
                return planned
            if planned.code == TIMEOUT:
                await trio.sleep(timeout_s)
            raise planned
        match method:
            case "getMe":
                return ok({"id": 123456, "is_bot": True, "first_name": "Bot", "username": "TheBot"})
            case "getWebhookInfo":
                return ok({"url": self.webhook})
            case "getUpdates":
                return ok(await self._poll((json or {}).get("offset"), (json or {})["timeout"]))
            case "sendMediaGroup":
                return ok([{"message_id": len(self.calls)}, {"message_id": 0}])
            case _ if method.startswith("send") and method not in ("sendChatAction", "sendMessageDraft"):
                return ok({"message_id": len(self.calls)})
            case _:
                return ok(True)

    async def _poll(self, offset: int | None, wait_s: float) -> list[dict[str, Any]]:
        self.polls += 1
        self.most_polls = max(self.most_polls, self.polls)
        try:
            if offset is not None:
                self.pending = [one for one in self.pending if one["update_id"] >= offset]
            with trio.move_on_after(wait_s):
                while not self.pending:
                    await self.news.wait()
            return self.pending[:100]
        finally:
            self.polls -= 1


def setup(tmp_path: Any, account: str = "default", **settings: Any) -> AdapterSetup:
    everything = {"token": TOKEN, "base_url": "http://fake/bot", **settings}
    return AdapterSetup(
        "telegram", account, PlatformConfig(True, everything), tmp_path, TrioClock(), FakeIds()
    )


def telegram(api: BotApi, monkeypatch: Any, tmp_path: Any, **settings: Any) -> Telegram:
    monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setattr(adapter, "open_client", api.open_client)
    return Telegram(setup(tmp_path, **settings))
