"""The agent of the language model, if there is one."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hermes.config.model import Config
from hermes.config.provider import is_set, unusable
from hermes.types.agent import Agent

OPENAI = "openai"
"""What the agent of the language model is called."""


@asynccontextmanager
async def model_agent(
    config: Config, home: Path, redact: Callable[[str], str]
) -> AsyncIterator[Agent | None]:
    """The agent of the language model, if one is configured that can be asked. It serves all turns of all incarnations, so its
    connections are kept above the tree.
    """
    if not is_set(config.model) or unusable(config.model):
        yield None
        return
    from hermes.agents.openai.opening import open_agent  # httpx takes its time to load

    async with open_agent(config, home, redact) as agent:
        yield agent
