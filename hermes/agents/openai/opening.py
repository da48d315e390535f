"""The agent with its client, for as long as the gateway runs."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from hermes.agents.openai.agent import PURPOSE, OpenAIAgent
from hermes.agents.openai.home import FreshWords, HomeFiles
from hermes.config.model import Config
from hermes.net.failures import NetError
from hermes.net.http.client import Purpose, open_client

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_agent(
    config: Config, home: Path, redact: Callable[[str], str]
) -> AsyncIterator[OpenAIAgent | None]:
    """The agent of the model that is configured and can be used; None, and a word in the log, if the way out is unusable."""
    # As many at once as turns, which are limited already: two queues would be one too many.
    purpose = Purpose(most=config.limits.turns, timeout_s=config.model.request_timeout_s)
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(open_client(purposes={PURPOSE: purpose}))
        except NetError as wrong:
            log.error("the language model is not asked: %s", wrong.failure.detail)
            yield None
            return
        words = FreshWords(partial(trio.to_thread.run_sync, HomeFiles(home).read, abandon_on_cancel=True))
        yield OpenAIAgent(
            config.model, client, words=words, redact=redact, max_rounds=config.agent.max_tool_rounds
        )
