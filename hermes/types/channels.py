"""Chats as a person picks them: by the name that the platform shows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """A chat that can be written to, or one thread of it, under its name.

    ``type`` is a chat type as in ``Origin``, or empty where the platform does not tell. ``guild`` is what the chat belongs
    to (guild, workspace, server). Names are for people and decide nothing: two chats may share one.
    """

    chat_id: str
    name: str = ""
    type: str = ""
    thread_id: str | None = None
    guild: str | None = None

    @property
    def listed_id(self) -> str:
        """Its id in the channel directory: a thread is named with its chat, ``-100:7``."""
        return self.chat_id if self.thread_id is None else f"{self.chat_id}:{self.thread_id}"
