"""Which agent answers: that of a plug-in, if one is named, else the language model, if one is configured."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import trio

from hermes.agents.builtin import BuiltinAgent
from hermes.agents.model import OPENAI, model_agent
from hermes.config.model import Model
from hermes.config.provider import unusable
from hermes.registry.agents import AgentFactory, AgentSetup
from hermes.types.agent import Agent
from hermes.types.errors import in_words

log = logging.getLogger(__name__)

MAKE_DEADLINE_S = 10.0


def described(agent: Agent, model: Model) -> dict[str, str]:
    """Who answers: its name, the model that it asks, and on which host, as far as that is known; without any secret.
    ``problem``: why that is not who was meant to.
    """
    at = ""
    if agent.name == OPENAI:
        parts = urlsplit(model.base_url)
        port = "" if parts.port is None else f":{parts.port}"
        at = f"{parts.scheme}://{parts.hostname}{port}"
    problem = agent.no_model if isinstance(agent, BuiltinAgent) else ""
    return {"name": agent.name, "model": agent.model, "at": at, "problem": problem}


@asynccontextmanager
async def chosen_agent(
    setup: AgentSetup, agents: Mapping[str, AgentFactory], redact: Callable[[str], str]
) -> AsyncIterator[tuple[Agent | None, str]]:
    """The agent, or None and why there is none though one is wanted, in words for people."""
    config = setup.config
    if not config.agent.name:
        async with model_agent(config, setup.home, redact) as agent:
            yield agent, unusable(config.model)
        return
    factory = agents.get(config.agent.name)
    if factory is None:
        found: Agent | str = "no plug-in brings it"
    else:
        found = await _made(factory, setup)
    if isinstance(found, str):
        log.error("agent %s does not answer: %s", config.agent.name, found)
        yield None, redact(f"agent {config.agent.name}: {found}")
    else:
        yield found, ""


@asynccontextmanager
async def answering(
    setup: AgentSetup,
    agents: Mapping[str, AgentFactory],
    redact: Callable[[str], str],
    otherwise: Callable[..., Agent],
) -> AsyncIterator[Agent]:
    """The agent, or what ``otherwise`` makes of the reason that there is none (``no_model``)."""
    async with chosen_agent(setup, agents, redact) as (agent, why):
        yield agent or otherwise(no_model=why)


async def _made(factory: AgentFactory, setup: AgentSetup) -> Agent | str:
    """The agent, or why there is none. Foreign code: in a thread, and what comes of it is checked."""

    def make() -> Agent | str:
        try:
            return factory(setup)
        # In a thread, where nobody is cancelled; and a SystemExit must end no more than this.
        except BaseException as error:  # noqa: ASYNC103
            log.exception("the agent's factory failed")
            wrong = in_words(error)
        return wrong

    with trio.move_on_after(MAKE_DEADLINE_S):
        agent = await trio.to_thread.run_sync(make, abandon_on_cancel=True)
        if isinstance(agent, str):
            return agent
        named = all(isinstance(getattr(agent, key, None), str) for key in ("name", "model"))
        if not named or not callable(getattr(agent, "run", None)):
            return f"{type(agent).__name__} is no agent: it has no name, model and run(turn, io)"
        return agent
    return f"it was not made within {MAKE_DEADLINE_S:g} s"
