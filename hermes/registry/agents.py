"""Agents that somebody else brings: chosen by name, made once for as long as the gateway runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hermes.config.model import Config
from hermes.types.agent import Agent
from hermes.types.ids import Clock, IdSource


@dataclass(frozen=True, slots=True)
class AgentSetup:
    """What a factory is handed. Tools are handed to each turn, by its ``AgentIO``."""

    config: Config
    home: Path
    clock: Clock
    ids: IdSource


AgentFactory = Callable[[AgentSetup], Agent]
"""Runs in a thread, with a deadline and without Trio."""
