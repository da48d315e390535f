"""A model's endpoint on loopback, the agent that asks it, and a turn to answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from hermes.agents.openai.agent import PURPOSE, OpenAIAgent
from hermes.config.model import Model
from hermes.net.http.client import Purpose, open_client
from hermes.testing.model import FakeModel
from hermes.types.agent import AgentEvent, Delta, LocalFile, Turn
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TraceId, TurnId
from hermes.types.origin import Origin
from hermes.types.records import TranscriptLine


class Shown:
    """The side of a turn that the agent writes to."""

    def __init__(self) -> None:
        self.events: list[AgentEvent] = []

    async def emit(self, event: AgentEvent) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))


def turn(
    *said: str,
    history: tuple[TranscriptLine, ...] = (),
    context: str = "",
    files: tuple[LocalFile, ...] = (),
    name: str = "t",
) -> Turn:
    origin = Origin("webchat", "main", user_id="operator")
    events = tuple(InboundEvent(str(n), origin, text, 0.0, TraceId("t")) for n, text in enumerate(said))
    return Turn(
        TurnId(name), SessionKey("k"), 1, events, history=history, said=said, context=context, files=files
    )


@asynccontextmanager
async def asking(
    model: FakeModel,
    *,
    silence_s: float = 5.0,
    soul: str = "",
    redact: Callable[[str], str] = str,
    base_url: str = "",
    **config: Any,
) -> AsyncIterator[OpenAIAgent]:
    """The agent of ``model``, which listens."""

    async def who() -> str:
        return soul

    purpose = Purpose(most=50, timeout_s=silence_s)
    async with open_client(purposes={PURPOSE: purpose}, connect_s=silence_s, proxy="") as client:
        settings = Model(base_url=base_url or model.base_url, **{"default": "m"} | config)
        yield OpenAIAgent(settings, client, soul=who, redact=redact, rng=lambda: 0.0)
