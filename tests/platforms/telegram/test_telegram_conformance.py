"""The conformance suite, applied to Telegram against a server that is one in all but name."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from schema_telegram import SCHEMA, telegram_schema

from hermes.config.platforms import PlatformConfig
from hermes.net.failures import CONNECT_REFUSED, RESET, TIMEOUT
from hermes.platforms.telegram.adapter import Telegram
from hermes.platforms.telegram.api import CONFLICT as CONFLICT_CODE
from hermes.platforms.telegram.api import SERVER_ERROR, TOKEN_REVOKED, UNAUTHORIZED
from hermes.registry.entry import AdapterSetup
from hermes.testing.conformance import (
    AdapterConformance,
    Fault,
    Refusal,
    SendFault,
    Shown,
    Subject,
    Verdict,
)
from hermes.testing.fakes import FakeIds, TrioClock
from hermes.testing.telegram import CONFLICT, TOKEN, Drop, FakeTelegram, Hang, Html, Reset, Status
from hermes.testing.telegram.faults import Fault as Planned
from hermes.types.errors import (
    CHAT_NOT_FOUND,
    FORBIDDEN,
    FORMAT_REFUSED,
    RATE_LIMITED,
    TOO_LONG,
    UNREACHABLE,
)
from hermes.types.events import EventKind

POLL_S = 0.02
SLOW_S = 1.0
TIMEOUT_S = 1

RECEIVING: Mapping[Fault, tuple[str, Planned]] = {
    "dropped": ("*", Drop()),
    "half_open": ("getUpdates", Hang()),
    "server_error": ("*", Status(500)),
    "page": ("*", Html(502)),
    "limited": ("*", Status(429, retry_after=3)),
    "conflict": ("getUpdates", CONFLICT),
}
SENDING: Mapping[SendFault, Planned] = {
    "reset_before": Reset(acted=False),
    "reset_after": Reset(acted=True),
    "dropped": Drop(),
    "server_error": Status(500),
    "page": Html(502),
    "chat_limited": Status(429, retry_after=3),
    "format": Status(400, "Bad Request: can't parse entities: nonsense"),
    "forbidden": Status(403, "Forbidden: bot was blocked by the user"),
    "chat_gone": Status(400, "Bad Request: chat not found"),
    "too_long": Status(400, "Bad Request: message is too long"),
}


class TelegramSubject(Subject):
    adapter = Telegram
    receive_deadline_s = TIMEOUT_S + SLOW_S
    kinds: frozenset[EventKind] = frozenset({"message", "edit", "reaction", "command", "system"})
    faults: ClassVar[Mapping[Fault, Verdict]] = {
        "refused": Verdict(CONNECT_REFUSED, moments=frozenset({"connecting"})),
        "reset": Verdict(RESET),
        "dropped": Verdict(RESET),
        "mute": Verdict(TIMEOUT),
        "half_open": Verdict(TIMEOUT),
        "server_error": Verdict(SERVER_ERROR),
        "page": Verdict(SERVER_ERROR),
        "limited": Verdict(RATE_LIMITED, retry_after=3.0),
        "conflict": Verdict(CONFLICT_CODE, retry_after=TIMEOUT_S + 5.0),
        "doubted": Verdict(UNAUTHORIZED, attempts=2),
        "revoked": Verdict(TOKEN_REVOKED, "needs_operator", attempts=2),
    }
    send_faults: ClassVar[Mapping[SendFault, Refusal]] = {
        "refused": Refusal(UNREACHABLE, "not_sent", "chat", retry_after=1.0),
        "reset_before": Refusal(RESET, "unknown"),
        "reset_after": Refusal(RESET, "unknown", arrives=True),
        "dropped": Refusal(RESET, "unknown"),
        "server_error": Refusal(SERVER_ERROR, "not_sent"),
        "page": Refusal(SERVER_ERROR, "unknown"),
        "chat_limited": Refusal(RATE_LIMITED, "not_sent", "chat", retry_after=3.0),
        "format": Refusal(FORMAT_REFUSED, "not_sent", severity="needs_operator"),
        "forbidden": Refusal(FORBIDDEN, "not_sent", "chat", "needs_operator"),
        "chat_gone": Refusal(CHAT_NOT_FOUND, "not_sent", "chat", "needs_operator"),
        "too_long": Refusal(TOO_LONG, "not_sent", severity="needs_operator"),
        "revoked": Refusal(TOKEN_REVOKED, "not_sent", "adapter", "needs_operator"),
    }

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
        self.fake = FakeTelegram(poll_s=POLL_S)
        self.ann = self.fake.person("Ann")
        self.chat = str(self.ann.id)
        self._monkeypatch, self._tmp_path = monkeypatch, tmp_path
        self._lives = 0
        self._said = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.fake.listening():
            yield

    def make(self) -> Telegram:
        # Each life on a machine of its own: else the lock of the token would keep the second one from Telegram's own verdict.
        self._lives += 1
        self._monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(self._tmp_path / f"machine{self._lives}"))
        settings = {"token": TOKEN, "base_url": f"{self.fake.url}/bot", "poll_timeout": str(TIMEOUT_S)}
        config = PlatformConfig(True, settings)
        setup = AdapterSetup("telegram", self.account, config, self._tmp_path, TrioClock(), FakeIds())
        return Telegram(setup, slow_s=SLOW_S)

    async def say(self, text: str) -> None:
        self._said = self.fake.say(self.ann, text)

    def message_id(self) -> str:
        return str(self._said)

    def read(self) -> Sequence[Shown]:
        return [
            Shown(
                str(seen.message_id),
                seen.text,
                None if seen.reply_to is None else str(seen.reply_to),
                None if seen.thread_id is None else str(seen.thread_id),
                seen.files,
                seen.reactions,
            )
            for seen in self.fake.seen(self.ann)
        ]

    async def happen(self, kind: EventKind) -> Mapping[str, object]:
        match kind:
            case "edit":
                self.fake.edit(self.ann, self._said or await self._first(), "better")
                return {"text": "better", "message_id": self.message_id()}
            case "reaction":
                self.fake.react(self.ann, self._said or await self._first(), "👍")
                return {"text": "👍", "message_id": self.message_id()}
            case "command":
                chat = self.fake.chat(self.ann)
                button = {"text": "Yes", "callback_data": "approve:0123abcd"}
                prompt = chat.add(
                    self.fake.bot.user, text="May I?", reply_markup={"inline_keyboard": [[button]]}
                )
                self.fake.press(self.ann, prompt["message_id"], "approve:0123abcd")
                return {"text": "/approve 0123abcd"}
            case "system":
                self.fake.block(self.ann)
                return {"text": ""}
            case _:
                return await super().happen(kind)

    async def _first(self) -> int:
        """A message from before the gateway."""
        self._said = self.fake.chat(self.ann).add(self.ann.user, text="first")["message_id"]
        return self._said

    async def garble(self) -> None:
        self.fake.garble()

    async def repeat(self) -> None:
        self.fake.repeat()

    def unacknowledged(self) -> int:
        return len(self.fake.bot.updates.waiting)

    async def send_file(self, body: bytes) -> None:
        self.fake.say(self.ann, files={"document": body}, name="notes.bin")

    async def break_receiving(self, fault: Fault) -> None:
        match fault:
            case "refused" | "reset" | "mute":
                await self.fake.server.plug(fault)
            case "doubted":
                self.fake.plan("getMe" if not self._lives else "getUpdates", Status(401))
            case "revoked":
                self.fake.bot.revoked = True
            case _:
                self.fake.always(*RECEIVING[fault])

    async def break_sending(self, fault: SendFault) -> None:
        match fault:
            case "refused":
                await self.fake.server.plug("refused")
            case "revoked":
                self.fake.bot.revoked = True
            case _:
                self.fake.plan("sendMessage", SENDING[fault])

    async def heal(self) -> None:
        await self.fake.heal()

    def calls(self) -> Sequence[str]:
        beside = ("setMyCommands", "sendMessage", "answerCallbackQuery")
        return [call.method for call in self.fake.calls if call.method not in beside]

    def connections(self) -> int:
        return self.fake.server.connections

    def connections_ever(self) -> int:
        return self.fake.server.connections_ever

    def receivers(self) -> int:
        return self.fake.bot.updates.most_polls

    def drafts(self) -> Sequence[str]:
        return [draft.text for draft in self.fake.bot.drafts]

    def typed(self) -> int:
        return len(self.fake.bot.actions)


class TestTelegram(AdapterConformance):
    subject_type = TelegramSubject

    @pytest.fixture
    def subject(self, monkeypatch: pytest.MonkeyPatch, tmp_path) -> TelegramSubject:
        return TelegramSubject(monkeypatch, tmp_path)

    @pytest.fixture(autouse=True)
    def _honest(self, subject: TelegramSubject):
        yield
        assert not subject.fake.wrongs
        for call in subject.fake.calls if SCHEMA.exists() else ():
            if call.content_type == "application/json":
                telegram_schema().check_request(call.method, call.params)

    def test_its_requests_are_held_against_the_schema(self) -> None:
        """In each test of this class; skipped where the schema is missing."""
        telegram_schema()
