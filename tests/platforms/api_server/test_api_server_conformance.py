"""The conformance suite, applied to the API server: what a program asks is what a person says, its response what they read."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import trio
import trio.testing

from hermes.config.platforms import PlatformConfig
from hermes.platforms.api_server.adapter import ApiServer
from hermes.platforms.api_server.entry import ENTRY
from hermes.registry.entry import AdapterSetup
from hermes.testing.conformance import AdapterConformance, Refusal, SendFault, Shown, Subject
from hermes.testing.fakes import FakeIds, TrioClock
from hermes.types.content import Capabilities
from hermes.types.errors import STORED
from hermes.types.ports import Request, Response, StreamRoute


class Out:
    """The connection of a client that reads its answer in one piece."""

    def __init__(self) -> None:
        self.leaves = trio.Event()

    async def begin(self, response: Response) -> None:
        raise AssertionError("nobody has asked for a stream")

    async def send(self, data: bytes) -> None:
        raise AssertionError("nobody has asked for a stream")

    async def gone(self) -> None:
        await self.leaves.wait()


class ApiSubject(Subject):
    adapter = ApiServer
    chat = "session"
    answers_only = True
    send_faults: ClassVar[Mapping[SendFault, Refusal]] = {"refused": Refusal(STORED, "not_sent")}

    @classmethod
    def capabilities(cls) -> Capabilities:
        return ENTRY.capabilities

    def __init__(self) -> None:
        self._shown: list[Shown] = []
        self._leaves = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as self._nursery:
            yield
            self._nursery.cancel_scope.cancel()

    def make(self) -> ApiServer:
        config = PlatformConfig(enabled=True, settings={"max_concurrent_runs": "0"})
        setup = AdapterSetup("api_server", "default", config, Path("/"), TrioClock(), FakeIds(7))
        self._adapter = ApiServer(setup)
        return self._adapter

    async def say(self, text: str) -> None:
        body = {"messages": [{"role": "user", "content": text}]}
        headers = {"content-type": "application/json", "x-hermes-session-id": self.chat}
        request = Request("POST", "/v1/chat/completions", headers=headers, body=json.dumps(body).encode())
        out = Out()
        self._nursery.start_soon(self._ask, request, out)
        await trio.testing.wait_all_tasks_blocked()
        if self._leaves:
            out.leaves.set()
            await trio.testing.wait_all_tasks_blocked()

    async def _ask(self, request: Request, out: Out) -> None:
        route, *_ = self._adapter.routes()
        assert isinstance(route, StreamRoute)
        if (answer := await route.handler(request, out)) is not None and answer.status == 200:
            said = json.loads(answer.body)
            self._shown.append(Shown(said["id"], said["choices"][0]["message"]["content"]))

    def read(self) -> Sequence[Shown]:
        return self._shown

    async def break_sending(self, fault: SendFault) -> None:
        """Clients leave before their answer."""
        self._leaves = True

    async def heal(self) -> None:
        self._leaves = False


class TestApiServer(AdapterConformance):
    subject_type = ApiSubject
