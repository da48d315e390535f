"""A language model's endpoint on 127.0.0.1: what OpenAI, llama.cpp, vLLM and Ollama have in common, and their ways to fail.

    python -m hermes.testing.model --port 8080 --latency 0.5        an echo, as a process of its own
    async with FakeModel().listening() as model: ... model.base_url

What is planned strikes once, in order; what is not planned is answered with ``reply``:

    Say("hello", pace_s=0.1)         an answer, word by word if it is asked for so
    refusal("llama.cpp", "context")  an error as that server words it
    Use([("add", '{"a": 1}')])       calls of tools, their arguments in pieces if it is asked for a stream
    Hang()                           nothing, until the other side gives up
    Cut("hel")                       the beginning of a streamed answer, and a reset; of nothing: a reset before any answer
    Raw(b"data: {")                  a stream of whatever is given

It takes requests as strictly as the strictest of them: roles take turns, and begin and end with the user; each call of a tool has
its result behind it, and the tools are described where any was called.
"""

import argparse
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

import h11
import trio

from hermes.net.dial import hang_up
from hermes.testing.model_errors import Refuse, error, refusal
from hermes.testing.model_order import out_of_order
from hermes.testing.platform import reset

KEPT = 100_000
MODEL = "fake-model"
PIECE_BYTES = 65_536
READ_S = 0.05
"""What is written before a reset is given this long to be read: a reset takes what is on its way with it."""

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError)

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came in, whatever became of it; ``at`` is in Trio's time. Header names are lower case."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Say:
    """Answer with ``text`` after ``delay_s``, in a stream with ``pace_s`` before each word. ``thoughts`` come before it, as
    ``reasoning_content``. ``ending``: say ``[DONE]``. ``cached``: that many tokens of the prompt were known.
    """

    text: str
    finish: str | None = "stop"
    delay_s: float = 0.0
    pace_s: float = 0.0
    thoughts: str = ""
    ending: bool = True
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """Call tools, each by name with its arguments as a model writes them, after ``text``. ``indexed``: say which piece belongs to
    which call, as all but a few do; otherwise each call comes whole.
    """

    calls: Sequence[tuple[str, str]]
    text: str = ""
    indexed: bool = True


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing, until the other side gives up."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Stream ``text`` and cut the connection off."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """Stream ``pieces`` as they are; then end, unless there is no ``end``."""

    pieces: Sequence[bytes]
    end: bool = True


Act = Say | Use | Refuse | Hang | Cut | Raw


def echo(body: Body) -> str:
    """What was said last."""
    content = body["messages"][-1]["content"]
    return f"You said: {content if isinstance(content, str) else content[0]['text']}"


class FakeModel:
    """The endpoint. ``key``: what it lets in, empty for everybody. ``refuses``: options that it does not know."""

    def __init__(
        self,
        *,
        key: str = "",
        latency_s: float = 0.0,
        refuses: Sequence[str] = (),
        reply: Callable[[Body], str] = echo,
    ) -> None:
        self.key = key
        self.latency_s = latency_s
        self.refuses = refuses
        self.reply = reply
        self.port = 0
        self.asked: deque[Asked] = deque(maxlen=KEPT)
        self.open = 0
        """Requests that are being answered now."""
        self.most_open = 0
        self.connections = 0
        self._acts: deque[Act] = deque()

    def plan(self, *acts: Act) -> None:
        """What the next requests meet."""
        self._acts += acts

    @property
    def base_url(self) -> str:
        """As ``model.base_url`` says it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["FakeModel"]:
        """Serve on 127.0.0.1 until the block is left."""
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, self.serve, port, host="127.0.0.1")
            listeners = await nursery.start(serve)
            self.port = listeners[0].socket.getsockname()[1]
            yield self
            nursery.cancel_scope.cancel()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, request after request."""
        self.connections += 1
        wire = _Wire(stream)
        try:
            with suppress(*_GONE):
                while (asked := await wire.request()) is not None:
                    self.asked.append(asked)
                    self.open += 1
                    self.most_open = max(self.most_open, self.open)
                    try:
                        await wire.until_gone(partial(self._answer, asked, wire))
                    finally:
                        self.open -= 1
                    wire.again()
        finally:
            hang_up(stream)

    async def _answer(self, asked: Asked, wire: "_Wire") -> None:
        if self.key and asked.headers.get("authorization") != f"Bearer {self.key}":
            return await self._do(refusal("openai", "key"), {}, wire)
        if asked.path == "/v1/models":
            listed = {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "fake"}]}
            return await wire.whole(200, json.dumps(listed).encode())
        if asked.path != "/v1/chat/completions":
            return await wire.whole(404, b'{"detail":"Not Found"}')
        if wrong := self._wrong(asked.body):
            return await wire.whole(
                400, json.dumps(error(message=wrong, type="invalid_request_error")).encode()
            )
        act = self._acts.popleft() if self._acts else Say(self.reply(asked.body), delay_s=self.latency_s)
        return await self._do(act, asked.body, wire)

    def _wrong(self, body: Any) -> str:
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return "you must provide messages"
        if unknown := [name for name in self.refuses if name in body]:
            return f"Unsupported parameter: '{unknown[0]}' is not supported with this model."
        return out_of_order(body["messages"], described=bool(body.get("tools")))

    async def _do(self, act: Act, body: Body, wire: "_Wire") -> None:
        match act:
            case Say():
                await trio.sleep(act.delay_s)
                await (_stream if body.get("stream") else _say)(act, body, wire)
            case Use():
                await (_stream_calls if body.get("stream") else _say_calls)(act, wire)
            case Refuse(status, said, headers):
                await wire.whole(status, said, headers)
            case Hang():
                await trio.sleep_forever()
            case Cut(text):
                if text:
                    await wire.begin()
                    await wire.event(_chunk({"role": "assistant", "content": text}))
                    await trio.sleep(READ_S)
                reset(wire.stream)
            case Raw(pieces, end):
                await wire.begin()
                for piece in pieces:
                    await wire.send(h11.Data(data=piece))
                if not end:
                    await trio.sleep_forever()
                await wire.send(h11.EndOfMessage())
            case _:
                assert_never(act)


async def _say_calls(act: Use, wire: "_Wire") -> None:
    calls = [_call(n, name, arguments) for n, (name, arguments) in enumerate(act.calls)]
    message = {"role": "assistant", "content": act.text or None, "refusal": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    await wire.whole(200, json.dumps({**_head("chat.completion"), "choices": [choice]}).encode())


async def _stream_calls(act: Use, wire: "_Wire") -> None:
    """Name and id first, then the arguments in halves, those of all calls by turns."""
    await wire.begin()
    await wire.event(_chunk({"role": "assistant", "content": act.text or None}))
    if not act.indexed:
        whole = [_call(n, name, arguments) for n, (name, arguments) in enumerate(act.calls)]
        await wire.event(_chunk({"tool_calls": whole}))
    else:
        for n, (name, _) in enumerate(act.calls):
            await wire.event(_chunk({"tool_calls": [{"index": n, **_call(n, name, "")}]}))
        for half in (0, 1):
            for n, (_, arguments) in enumerate(act.calls):
                middle = len(arguments) // 2
                piece = arguments[middle:] if half else arguments[:middle]
                await wire.event(_chunk({"tool_calls": [{"index": n, "function": {"arguments": piece}}]}))
    await wire.event(_chunk({}, "tool_calls"))
    await wire.send(h11.Data(data=b"data: [DONE]\n\n"))
    await wire.send(h11.EndOfMessage())


def _call(n: int, name: str, arguments: str) -> Body:
    return {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}


async def _say(act: Say, body: Body, wire: "_Wire") -> None:
    message = {"role": "assistant", "content": act.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": act.finish, "logprobs": None}
    answer = {**_head("chat.completion"), "choices": [choice], "usage": _usage(act, body)}
    await wire.whole(200, json.dumps(answer).encode())


async def _stream(act: Say, body: Body, wire: "_Wire") -> None:
    await wire.begin()
    await wire.event(_chunk({"role": "assistant", "content": ""}))
    for thought in act.thoughts.split():
        await trio.sleep(act.pace_s)
        await wire.event(_chunk({"reasoning_content": f"{thought} "}))
    for word in act.text.split(" ") if act.pace_s else [act.text]:
        await trio.sleep(act.pace_s)
        await wire.event(_chunk({"content": f"{word} " if act.pace_s else word}))
    if act.finish is not None:
        await wire.event(_chunk({}, act.finish))
    if (body.get("stream_options") or {}).get("include_usage"):
        await wire.event({**_head("chat.completion.chunk"), "choices": [], "usage": _usage(act, body)})
    if act.ending:
        await wire.send(h11.Data(data=b"data: [DONE]\n\n"))
    await wire.send(h11.EndOfMessage())


def _head(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-fake", "object": kind, "created": 1_772_618_400, "model": MODEL}


def _chunk(delta: Body, finish: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_head("chat.completion.chunk"), "choices": [choice]}


def _usage(act: Say, body: Body) -> dict[str, object]:
    given, said = len(json.dumps(body["messages"])) // 4, max(1, len(act.text) // 4)
    return {
        "prompt_tokens": given,
        "completion_tokens": said,
        "total_tokens": given + said,
        "prompt_tokens_details": {"cached_tokens": act.cached},
    }


class _Wire:
    """The server's side of one connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._h11 = h11.Connection(h11.SERVER)

    async def request(self) -> Asked | None:
        """The next one, whole; None: there will be none."""
        path, headers, body = "", dict[str, str](), bytearray()
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                self._h11.receive_data(await self.stream.receive_some(PIECE_BYTES))
            elif isinstance(event, h11.Request):
                path = event.target.decode()
                headers = {name.decode(): value.decode(errors="replace") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return Asked(trio.current_time(), path, headers, _json(bytes(body)))
            else:
                return None

    async def until_gone(self, answer: Callable[[], Any]) -> None:
        """Run ``answer``, but not for somebody who has left."""
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                with suppress(*_GONE):
                    if early := await self.stream.receive_some(PIECE_BYTES):
                        self._h11.receive_data(early)  # asked the moment they were answered
                        return
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            with suppress(*_GONE):
                await answer()
            nursery.cancel_scope.cancel()

    def again(self) -> None:
        """Make ready for the next request. Raises ``trio.ClosedResourceError`` where there can be none."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            raise trio.ClosedResourceError
        self._h11.start_next_cycle()

    async def begin(self) -> None:
        """A streamed answer."""
        headers = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]
        await self.send(h11.Response(status_code=200, headers=headers))

    async def event(self, document: Body) -> None:
        """One event of it."""
        await self.send(h11.Data(data=b"data: " + json.dumps(document).encode() + b"\n\n"))

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """A whole answer."""
        said = {"content-type": "application/json", **(headers or {}), "content-length": str(len(body))}
        await self.send(h11.Response(status_code=status, headers=list(said.items())))
        await self.send(h11.Data(data=body))
        await self.send(h11.EndOfMessage())

    async def send(self, event: h11.Event) -> None:
        """One event of h11's."""
        if data := self._h11.send(event):
            await self.stream.send_all(data)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def main() -> None:
    """Serve until told to stop; the first line on stdout is the base URL."""
    parser = argparse.ArgumentParser(
        prog="python -m hermes.testing.model", description="An echo for a model."
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 for any")
    parser.add_argument("--latency", type=float, default=0.0, help="before each answer, in seconds")
    parser.add_argument("--key", default="", help="the only key that it lets in")
    options = parser.parse_args()

    async def serve() -> None:
        async with FakeModel(key=options.key, latency_s=options.latency).listening(options.port) as model:
            print(model.base_url, flush=True)
            await trio.sleep_forever()

    with suppress(KeyboardInterrupt):
        trio.run(serve)


if __name__ == "__main__":
    main()
