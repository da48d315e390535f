"""The channel directory as everybody reads it; kept by ``actors.channels``."""

from typing import Any

from hermes.delivery.directory import Aliases, Directory
from supervisors.ref import ActorRef


class ChannelDirectory:
    """Belongs to root: a crash of its keeper loses no name."""

    def __init__(self, keeper: ActorRef[Any], look: object) -> None:
        self._keeper = keeper
        self._look = look
        self.directory: Directory = {}
        self.aliases: Aliases = {}

    def changed(self) -> None:
        """There may be other chats than before: an adapter has connected. A lost word is made good within minutes."""
        self._keeper.tell_nowait(self._look)
