"""The suite, applied to the adapter of the platform that is not real."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

from hermes.testing.conformance import (
    AdapterConformance,
    Fault,
    Refusal,
    SendFault,
    Shown,
    Subject,
    Verdict,
)
from hermes.testing.platform import FakePlatform, HalfClose, Hang, Reset, Status
from hermes.testing.platform import Fault as Planned
from hermes.testing.wire import WireAdapter
from hermes.types.content import Capabilities
from hermes.types.errors import RATE_LIMITED, SEND_UNCONFIRMED

POLL_S = 0.02
DEADLINE_S = 0.2

RECEIVING: Mapping[Fault, Planned] = {
    "dropped": HalfClose(),
    "half_open": Hang(),
    "server_error": Status(502),
    "limited": Status(429, retry_after=3.0, scope="adapter"),
    "revoked": Status(401),
}

SENDING: Mapping[SendFault, Planned] = {
    "reset_before": Reset(acted=False),
    "reset_after": Reset(acted=True),
    "dropped": HalfClose(),
    "server_error": Status(502),
    "chat_limited": Status(429, retry_after=3.0),
    "bot_limited": Status(429, retry_after=4.0, scope="adapter"),
    "revoked": Status(401),
}


class WireSubject(Subject):
    receive_deadline_s = POLL_S + DEADLINE_S
    chat = "ann"
    faults: ClassVar[Mapping[Fault, Verdict]] = {
        "refused": Verdict("connect_failed", moments=frozenset({"connecting"})),
        "reset": Verdict(SEND_UNCONFIRMED),
        "dropped": Verdict(SEND_UNCONFIRMED),
        "half_open": Verdict(SEND_UNCONFIRMED),
        "server_error": Verdict("server_error"),
        "limited": Verdict(RATE_LIMITED, retry_after=3.0),
        "revoked": Verdict("refused", "needs_operator"),
    }
    send_faults: ClassVar[Mapping[SendFault, Refusal]] = {
        "refused": Refusal("connect_failed", "not_sent"),
        "reset_before": Refusal(SEND_UNCONFIRMED, "unknown"),
        "reset_after": Refusal(SEND_UNCONFIRMED, "unknown", arrives=True),
        "dropped": Refusal(SEND_UNCONFIRMED, "unknown", arrives=True),
        "server_error": Refusal("server_error", "not_sent"),
        "chat_limited": Refusal(RATE_LIMITED, "not_sent", "chat", retry_after=3.0),
        "bot_limited": Refusal(RATE_LIMITED, "not_sent", "adapter", retry_after=4.0),
        "revoked": Refusal("refused", "not_sent", severity="needs_operator"),
    }
    adapter = WireAdapter

    def __init__(self) -> None:
        self.platform = FakePlatform()
        self._port = 0
        self._said = ""

    @classmethod
    def capabilities(cls) -> Capabilities:
        return WireAdapter(1, edits=True).capabilities

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.platform.listening() as platform:
            self._port = platform.port
            yield

    def make(self) -> WireAdapter:
        self._adapter = self.adapter(self._port, edits=True, poll_s=POLL_S, call_deadline_s=DEADLINE_S)
        return self._adapter

    async def say(self, text: str) -> None:
        self._said = self.platform.write(self.chat, text)

    def message_id(self) -> str:
        return self._said

    async def garble(self) -> None:
        self.platform.garble()

    async def repeat(self) -> None:
        self.platform.repeat(self._said)

    def unacknowledged(self) -> int:
        return self.platform.unacknowledged

    def read(self) -> Sequence[Shown]:
        return [Shown(seen.message_id, seen.text, seen.reply_to) for seen in self.platform.seen]

    async def break_receiving(self, fault: Fault) -> None:
        if fault == "refused":
            self._port = 1
        elif fault == "reset":
            self.platform.cut_off(reachable=False)
        else:
            self.platform.plan("poll", RECEIVING[fault])

    async def break_sending(self, fault: SendFault) -> None:
        if fault == "refused":
            self._adapter._port = 1
        else:
            self.platform.plan("send", SENDING[fault])

    async def heal(self) -> None:
        self._port = self.platform.port
        self.platform.cut_off(reachable=True)

    def calls(self) -> Sequence[str]:
        return [call.kind for call in self.platform.calls]

    def connections(self) -> int:
        return self.platform.connections

    def connections_ever(self) -> int:
        return self.platform.connections_ever

    def receivers(self) -> int:
        return self.platform.most_polls

    def typed(self) -> int:
        return sum(call.kind == "typing" for call in self.platform.calls)


class TestWire(AdapterConformance):
    subject_type = WireSubject
