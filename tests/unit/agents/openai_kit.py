"""A model's endpoint on loopback, the agent that asks it, and a turn to answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from hermes.agents.openai.agent import PURPOSE, OpenAIAgent
from hermes.agents.openai.home import HomeWords
from hermes.config.model import Model
from hermes.net.http.client import Purpose, open_client
from hermes.testing.model import FakeModel
from hermes.types.agent import AgentEvent, Answered, Asking, Delta, LocalFile, Step, Turn
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TraceId, TurnId
from hermes.types.origin import Origin
from hermes.types.records import TranscriptLine
from hermes.types.tools import Tool

ORIGIN = Origin("webchat", "main", user_id="operator")


class Shown:
    """The side of a turn that the agent writes to. ``tools`` answer by ``results``, else with what they are given; ``coming`` is
    what is written after each step.
    """

    def __init__(self, *tools: Tool, steps: tuple[Step, ...] = ()) -> None:
        self.events: list[AgentEvent] = []
        self.models: list[AgentEvent] = []
        self.tools = tools
        self.steps = list(steps)
        self.called: list[tuple[str, str, str]] = []
        self.results: dict[str, str] = {}
        self.coming: list[str] = []

    async def emit(self, event: AgentEvent) -> None:
        (self.models if isinstance(event, Asking | Answered) else self.events).append(event)

    async def step(self, step: Step) -> None:
        self.steps.append(step)

    async def call(self, call_id: str, name: str, arguments: str) -> str:
        self.called.append((call_id, name, arguments))
        return self.results.get(call_id, f"{name}: {arguments}")

    async def steered(self) -> tuple[InboundEvent, ...]:
        coming, self.coming = self.coming, []
        return tuple(InboundEvent(text, ORIGIN, text, 0.0, TraceId("t")) for text in coming)

    def said(self, event: InboundEvent) -> str:
        return event.text

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))


def turn(
    *said: str,
    history: tuple[TranscriptLine, ...] = (),
    context: str = "",
    files: tuple[LocalFile, ...] = (),
    name: str = "t",
    steps: tuple[Step, ...] = (),
) -> Turn:
    events = tuple(InboundEvent(str(n), ORIGIN, text, 0.0, TraceId("t")) for n, text in enumerate(said))
    return Turn(
        TurnId(name),
        SessionKey("k"),
        1,
        events,
        history=history,
        said=said,
        context=context,
        files=files,
        steps=steps,
    )


@asynccontextmanager
async def asking(
    model: FakeModel,
    *,
    silence_s: float = 5.0,
    soul: str = "",
    redact: Callable[[str], str] = str,
    base_url: str = "",
    max_rounds: int = 5,
    **config: Any,
) -> AsyncIterator[OpenAIAgent]:
    """The agent of ``model``, which listens."""

    async def words() -> HomeWords:
        return HomeWords(soul)

    purpose = Purpose(most=50, timeout_s=silence_s)
    async with open_client(purposes={PURPOSE: purpose}, connect_s=silence_s, proxy="") as client:
        settings = Model(base_url=base_url or model.base_url, **{"default": "m"} | config)
        yield OpenAIAgent(
            settings, client, words=words, redact=redact, rng=lambda: 0.0, max_rounds=max_rounds
        )
