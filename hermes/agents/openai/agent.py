"""The agent that asks a language model.

    run ─▶ attempt ─┬─ Final
          ▲         └─ Refusal ─┬─ an option it does not know: without it, at once and from then on
          │                     ├─ nothing had come, and it may pass: twice more, with growing waits
          └─────────────────────┘  else Failed

An attempt is one request, and its connection belongs to the turn's task: a turn that is cancelled hangs up, which ends the
work of most servers. What has come of an answer that breaks off is shown, and is never the answer.
"""

import base64
import json
import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio

from hermes.agents.openai import prompt, refusals, wire
from hermes.agents.openai.refusals import Refusal
from hermes.config.model import Model
from hermes.net.failures import NetError
from hermes.net.http.client import Client, StreamedReply
from hermes.net.sse import EventParser
from hermes.types import texts
from hermes.types.agent import AgentIO, Delta, Failed, Final, LocalFile, Turn, Usage
from hermes.types.backoff import Backoff, delay
from hermes.types.errors import MODEL_ERROR, Failure

log = logging.getLogger(__name__)

PURPOSE = "model"
RETRIES = 2
BACKOFF = Backoff(min=0.5, max=8.0)
MOST_WAIT_S = 30.0
"""A person waits: what takes longer than this is better said."""

MAX_ERROR_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""A model that has lost its way writes for ever."""

MAX_IMAGE_BYTES = 10 * 1024 * 1024
"""All pictures of a turn together."""

LAST_WORDS_S = 1.0
"""What a stream may take to its end, and to say what the answer has cost, once that is complete."""

_INSTEAD: Mapping[str, str] = {"stream_options": "", "max_tokens": "max_completion_tokens"}
"""Options that some servers refuse, and what those take in their place."""


class OpenAIAgent:
    """Implements ``Agent`` for the model that is configured. It keeps nothing of a turn.

    ``client`` has the purpose ``PURPOSE`` and outlives the agent. ``soul`` reads who it is to be, empty for our own words.
    ``redact`` makes of a server's words what may stand in a log. ``rng`` gives numbers in [0, 1).
    """

    name = "openai"

    def __init__(
        self,
        config: Model,
        client: Client,
        *,
        soul: Callable[[], Awaitable[str]],
        redact: Callable[[str], str],
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.model = config.default or urlsplit(config.base_url).netloc
        self._config = config
        self._client = client
        self._soul = soul
        self._redact = redact
        self._rng = rng
        self._refused: set[str] = set()

    async def run(self, turn: Turn, io: AgentIO) -> Final | Failed:
        """Answer ``turn``. Of what its people write meanwhile it takes nothing: without tools there is no step to take it at."""
        messages = prompt.messages(
            turn,
            soul=await self._soul(),
            context_length=self._config.context_length,
            max_tokens=self._config.max_tokens,
            images=await self._images(turn.files),
        )
        retries = 0
        while True:
            answer = _Answer()
            outcome = await self._attempt(messages, answer, io)
            if isinstance(outcome, Final):
                return outcome
            if self._learns(outcome):
                continue
            failure = outcome.failure
            wait_s = delay(BACKOFF, retries, self._rng, failure.retry_after)
            in_time = trio.current_time() + wait_s < trio.current_effective_deadline()
            if answer.begun or not outcome.again or retries == RETRIES or wait_s > MOST_WAIT_S or not in_time:
                return Failed(failure)
            retries += 1
            log.info("turn %s: %s; asked again in %.1f s", turn.turn_id, failure, wait_s)
            await trio.sleep(wait_s)

    async def _attempt(
        self, messages: Sequence[prompt.Message], answer: "_Answer", io: AgentIO
    ) -> Final | Refusal:
        headers = {"content-type": "application/json"}
        if self._config.api_key:
            headers["authorization"] = f"Bearer {self._config.api_key}"
        try:
            async with self._client.stream(
                "POST",
                f"{self._config.base_url}/chat/completions",
                purpose=PURPOSE,
                headers=headers,
                # Not as ``json``: in ASCII, half a surrogate pair that somebody sent travels too.
                content=json.dumps(self._body(messages)).encode(),
            ) as reply:
                if reply.status != 200:
                    body = await _whole(reply, MAX_ERROR_BYTES)
                    return refusals.of_status(reply.status, reply.headers, body, self._redact)
                if "event-stream" in reply.headers.get("content-type", ""):
                    await self._listen(reply, answer, io)
                else:
                    answer.add(wire.read(await _whole(reply, MAX_ANSWER_BYTES)))
                    answer.done = True
        except NetError as wrong:
            if not answer.complete:
                return refusals.of_network(wrong, self._redact)
        except ValueError as wrong:
            return refusals.broken(f"its answer is not understood: {wrong}")
        return self._end(answer)

    async def _listen(self, reply: StreamedReply, answer: "_Answer", io: AgentIO) -> None:
        parser = EventParser()
        while not answer.done and (piece := await _heard(reply, answer)):
            had = len(answer.pieces)
            for data in parser.feed(piece):
                answer.done = answer.done or data.strip() == wire.DONE
                if not answer.done:
                    answer.add(wire.read(data))
            # Also where it is empty: somebody is there, and thinks.
            await io.emit(Delta("".join(answer.pieces[had:])))
        if answer.done:
            await _heard(reply, answer)  # the end of the body: its connection serves the next request, too

    def _end(self, answer: "_Answer") -> Final | Refusal:
        if answer.error is not None:
            return refusals.of_error(answer.error, self._redact)
        if answer.finish == "content_filter":
            return refusals.filtered()
        if not answer.complete:
            return refusals.cut_off("its answer broke off")
        text = answer.text
        if answer.finish == "length":
            if not text.strip():
                detail = "it had no room left for an answer: max_tokens, or the context of the server, is too small"
                return Refusal(Failure(MODEL_ERROR, detail=detail))
            text = f"{text.rstrip()}\n\n{texts.MODEL_CUT}"
        return Final(text, answer.usage)

    def _body(self, messages: Sequence[prompt.Message]) -> dict[str, Any]:
        config = self._config
        options: dict[str, Any] = {
            "model": config.default or None,
            "messages": messages,
            "max_tokens": config.max_tokens,
            "temperature": config.temperature,
            "stream": config.stream,
            "stream_options": {"include_usage": True} if config.stream else None,
        }
        named = {_INSTEAD[name] if name in self._refused else name: value for name, value in options.items()}
        return {name: value for name, value in named.items() if name and value is not None}

    def _learns(self, refusal: Refusal) -> bool:
        """Whether the request was refused for an option that may be left out or called otherwise; then it is, from now on."""
        said = refusal.checked
        found = {name for name in _INSTEAD if name in said and name not in self._refused}
        self._refused |= found
        if found:
            log.info("the model's server refuses %s: asked without", ", ".join(sorted(found)))
        return bool(found)

    async def _images(self, files: Sequence[LocalFile]) -> Sequence[str]:
        if not self._config.vision:
            return ()
        pictures = [file for file in files if file.kind == "image" and not file.problem]
        return await trio.to_thread.run_sync(partial(_data_urls, pictures)) if pictures else ()


@dataclass(slots=True)
class _Answer:
    """What has come so far. ``begun``: anything of it; what the model thinks counts too, and has been paid for."""

    pieces: list[str] = field(default_factory=list)
    half: str = ""
    size: int = 0
    finish: str = ""
    usage: Usage | None = None
    error: object = None
    begun: bool = False
    done: bool = False

    def add(self, piece: wire.Piece) -> None:
        if piece.error is not None:
            self.error, self.done = piece.error, True
            return
        self.begun = True
        self.usage = piece.usage or self.usage
        self.finish = piece.finish or self.finish
        if said := self.half + piece.text:
            # Some servers cut between the halves of a pair, as their tokens do.
            self.half = said[-1] if "\ud800" <= said[-1] <= "\udbff" else ""
            self.pieces.append(wire.whole(said.removesuffix(self.half)))
            self.size += len(piece.text)
        if self.size > MAX_ANSWER_BYTES:
            self.finish, self.done = "length", True

    @property
    def text(self) -> str:
        return "".join(self.pieces) + wire.whole(self.half)

    @property
    def complete(self) -> bool:
        """Nothing more is to come: said so, or known by the reason for its end."""
        return self.done or bool(self.finish)


async def _heard(reply: StreamedReply, answer: _Answer) -> bytes:
    """The next piece of a stream; nothing at its end, and where nothing more need come."""
    with trio.move_on_after(LAST_WORDS_S if answer.complete else math.inf):
        return await reply.read()
    return b""


async def _whole(reply: StreamedReply, most: int) -> bytes:
    """The body, up to about ``most`` bytes."""
    body = bytearray()
    while len(body) < most and (piece := await reply.read()):
        body += piece
    return bytes(body)


def _data_urls(files: Sequence[LocalFile]) -> list[str]:
    """In a thread. What is gone, or too large, stays a name in the words that came with it."""
    found: list[str] = []
    room = MAX_IMAGE_BYTES
    for file in files:
        try:
            with Path(file.path).open("rb") as opened:
                data = opened.read(room + 1)
        except OSError as wrong:
            log.warning("a picture cannot be shown to the model: %s", wrong.strerror)
            continue
        if len(data) <= room:
            room -= len(data)
            found.append(f"data:{file.mime or 'image/jpeg'};base64,{base64.b64encode(data).decode()}")
    return found
