"""The agent that asks a language model.

    run ─▶ attempt ─┬─ an answer ─┬─ Final
      ▲   ▲         │             └─ calls of tools: committed, run in order, what is written meanwhile taken in ─┐
      └───┼─────────┼──────────────────────────────────────────────────────────────────────────────────────────────┘
          │         └─ Refusal ─┬─ an option it does not know: without it, at once and from then on
          │                     ├─ nothing had come, and it may pass: twice more, with growing waits
          └─────────────────────┘  else Failed

An attempt is one request, and its connection belongs to the turn's task: a turn that is cancelled hangs up, which ends the
work of most servers. What has come of an answer that breaks off is shown, and is never the answer.
"""

import base64
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio

from hermes.agents.model import OPENAI
from hermes.agents.openai import prompt, refusals, wire, work
from hermes.agents.openai.answer import MAX_ANSWER_BYTES, Answer
from hermes.agents.openai.home import HomeWords
from hermes.agents.openai.refusals import Refusal
from hermes.config.model import Agent, Model
from hermes.net.failures import NetError
from hermes.net.http.client import Client, StreamedReply
from hermes.net.sse import EventParser
from hermes.types import texts
from hermes.types.agent import AgentIO, Answered, Asking, Delta, Failed, Final, LocalFile, Turn, Usage
from hermes.types.backoff import Backoff, delay
from hermes.types.errors import MODEL_ERROR, Failure

log = logging.getLogger(__name__)

PURPOSE = "model"
RETRIES = 2
BACKOFF = Backoff(min=0.5, max=8.0)
MOST_WAIT_S = 30.0
"""A person waits: what takes longer than this is better said."""

MAX_ERROR_BYTES = 64 * 1024
MAX_IMAGE_BYTES = 10 * 1024 * 1024
"""All pictures of a turn together."""

LAST_WORDS_S = 1.0
"""What a stream may take to its end, and to say what the answer has cost, once that is complete."""

_INSTEAD: Mapping[str, str] = {"stream_options": "", "tool_choice": "", "max_tokens": "max_completion_tokens"}
"""Options that some servers refuse, and what those take in their place."""


@dataclass(slots=True)
class _Course:
    """A turn as far as it has come. ``meanwhile``: what its people have written since it began."""

    turn: Turn
    io: AgentIO
    words: HomeWords
    images: Sequence[str]
    done: list[prompt.Done] = field(default_factory=list)
    meanwhile: list[str] = field(default_factory=list)
    usage: Usage = Usage()  # noqa: RUF009 - frozen


class OpenAIAgent:
    """Implements ``Agent`` for the model that is configured. It keeps nothing of a turn.

    ``client`` has the purpose ``PURPOSE`` and outlives the agent. ``words`` reads who it is to be and what it keeps in mind.
    ``redact`` makes of a server's words what may stand in a log. ``rng`` gives numbers in [0, 1). After ``max_rounds`` replies
    that call tools it is to answer.
    """

    name = OPENAI

    def __init__(
        self,
        config: Model,
        client: Client,
        *,
        words: Callable[[], Awaitable[HomeWords]],
        redact: Callable[[str], str],
        rng: Callable[[], float] = random.random,
        max_rounds: int = Agent().max_tool_rounds,
    ) -> None:
        self.model = config.default or urlsplit(config.base_url).netloc
        self._config = config
        self._client = client
        self._words = words
        self._redact = redact
        self._rng = rng
        self._max_rounds = max_rounds
        self._refused: set[str] = set()

    async def run(self, turn: Turn, io: AgentIO) -> Final | Failed:
        """Answer ``turn``. What its people write meanwhile is taken in after the tools of a reply; without tools, never."""
        course = _Course(turn, io, await self._words(), await self._images(turn.files))
        for reply in work.replies(turn.steps):
            await io.emit(Delta(reply.text))
            await self._call(reply, course)
        while True:
            answer = await self._answer(course)
            if isinstance(answer, Failed):
                return answer
            course.usage += answer.usage or Usage()
            if not answer.calls or len(course.done) >= self._max_rounds:
                said = (*(reply.text.strip() for reply, _ in course.done), _text(answer))
                usage = course.usage if course.usage != Usage() else None
                return Final("\n\n".join(filter(None, said)), usage)
            told = len(turn.events) + len(course.meanwhile)
            reply = work.Reply(answer.text, answer.calls.asked(), told)
            await io.step(reply.step())
            await self._call(reply, course)
            course.meanwhile += map(io.said, await io.steered())

    async def _call(self, reply: work.Reply, course: _Course) -> None:
        """Do what a reply asks for, one call after the other. What an earlier attempt has done has its result at once."""
        io, round_ = course.io, len(course.done)
        if reply.text.strip():
            await io.emit(Delta("\n\n"))
        results = [
            await io.call(work.call_id(round_, place), call.name, call.arguments)
            for place, call in enumerate(reply.calls)
        ]
        course.done.append((reply, results))

    async def _answer(self, course: _Course) -> Answer | Failed:
        """What the model says, asked as often as makes sense."""
        io = course.io
        retries = 0
        while True:
            answer = Answer()
            await io.emit(Asking(self.model))
            refusal = await self._attempt(self._body(course), answer, io)
            if refusal is None:
                await io.emit(Answered(self.model, answer.text))
                return answer
            if self._learns(refusal):
                continue
            failure = refusal.failure
            wait_s = delay(BACKOFF, retries, self._rng, failure.retry_after)
            in_time = trio.current_time() + wait_s < trio.current_effective_deadline()
            if answer.begun or not refusal.again or retries == RETRIES or wait_s > MOST_WAIT_S or not in_time:
                return Failed(failure)
            retries += 1
            log.info("turn %s: %s; asked again in %.1f s", course.turn.turn_id, failure, wait_s)
            await trio.sleep(wait_s)

    async def _attempt(self, body: Mapping[str, Any], answer: Answer, io: AgentIO) -> Refusal | None:
        """Ask once; None if there is an answer, in ``answer``."""
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
                content=json.dumps(body).encode(),
            ) as reply:
                if reply.status != 200:
                    said = await _whole(reply, MAX_ERROR_BYTES)
                    return refusals.of_status(reply.status, reply.headers, said, self._redact)
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
        return self._wrong(answer)

    async def _listen(self, reply: StreamedReply, answer: Answer, io: AgentIO) -> None:
        parser = EventParser()
        while not answer.done and (piece := await _heard(reply, answer)):
            had = len(answer.pieces)
            for data in parser.feed(piece):
                answer.done = answer.done or data.strip() == wire.DONE
                if not answer.done:
                    answer.add(wire.read(data))
            # Also where it is empty: somebody is there, and thinks.
            await io.emit(Delta("".join(answer.pieces[had:])))
        if answer.done and not reply.ended:
            await _heard(reply, answer)  # the end of the body: its connection serves the next request, too

    def _wrong(self, answer: Answer) -> Refusal | None:
        if answer.error is not None:
            return refusals.of_error(answer.error, self._redact)
        if answer.finish == "content_filter":
            return refusals.filtered()
        if not answer.complete:
            return refusals.cut_off("its answer broke off")
        if answer.finish == "length" and not answer.text.strip() and not answer.calls:
            detail = (
                "it had no room left for an answer: max_tokens, or the context of the server, is too small"
            )
            return Refusal(Failure(MODEL_ERROR, detail=detail))
        return None

    def _body(self, course: _Course) -> Mapping[str, Any]:
        """By what holds now: the last refusal may have taught us to offer no tools."""
        config = self._config
        tools = () if "tools" in self._refused else course.io.tools
        messages = prompt.messages(
            course.turn,
            words=course.words,
            context_length=config.context_length,
            max_tokens=config.max_tokens,
            images=course.images,
            tools=tools,
            done=course.done,
            meanwhile=course.meanwhile,
        )
        options: dict[str, Any] = {
            "model": config.default or None,
            "messages": messages,
            "tools": [{"type": "function", "function": tool.function} for tool in tools] or None,
            "tool_choice": "none" if tools and len(course.done) >= self._max_rounds else None,
            "max_tokens": config.max_tokens,
            "temperature": config.temperature,
            "stream": config.stream,
            "stream_options": {"include_usage": True} if config.stream else None,
        }
        named = {
            _INSTEAD.get(name, "") if name in self._refused else name: value
            for name, value in options.items()
        }
        return {name: value for name, value in named.items() if name and value is not None}

    def _learns(self, refusal: Refusal) -> bool:
        """Whether the request was refused for an option that may be left out or called otherwise; then it is, from now on."""
        said = refusal.checked
        found = {name for name in _INSTEAD if name in said and name not in self._refused}
        if not found and refusal.no_tools and "tools" not in self._refused:
            found = {"tools"}
            log.warning("the model is offered no tools any more: %s", refusal.failure)
        self._refused |= found
        if found:
            log.info("the model's server refuses %s: asked without", ", ".join(sorted(found)))
        return bool(found)

    async def _images(self, files: Sequence[LocalFile]) -> Sequence[str]:
        if not self._config.vision:
            return ()
        pictures = [file for file in files if file.kind == "image" and not file.problem]
        return await trio.to_thread.run_sync(partial(_data_urls, pictures)) if pictures else ()


def _text(answer: Answer) -> str:
    return f"{answer.text.rstrip()}\n\n{texts.MODEL_CUT}" if answer.finish == "length" else answer.text


async def _heard(reply: StreamedReply, answer: Answer) -> bytes:
    """The next piece of a stream; nothing at its end, and where nothing more need come."""
    if not answer.complete:
        return await reply.read()
    with trio.move_on_after(LAST_WORDS_S):
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
