"""A bot: who it is, what it is told, and what it has shown that is no message."""

from dataclasses import dataclass
from typing import Any

from hermes.testing.telegram.updates import Updates


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that was shown while it was written."""

    chat_id: int
    draft_id: int
    text: str


class Bot:
    """``privacy``: in groups it is told only what is meant for it. ``revoked``: its token counts no more."""

    def __init__(self, token: str, username: str, updates: Updates) -> None:
        self.token = token
        self.id = int(token.partition(":")[0])
        self.username = username
        self.updates = updates
        self.privacy = False
        self.revoked = False
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.queries: set[str] = set()
        self.answers: list[tuple[str, str]] = []
        self.actions: list[tuple[int, str, int | None]] = []
        self.drafts: list[Draft] = []

    @property
    def user(self) -> dict[str, Any]:
        """As ``User``."""
        return {"id": self.id, "is_bot": True, "first_name": self.username, "username": self.username}

    def is_told(self, message: dict[str, Any]) -> bool:
        """Whether it hears of a message in a group."""
        text = message.get("text", message.get("caption", ""))
        answered = message.get("reply_to_message", {}).get("from", {}).get("id") == self.id
        mentioned = f"@{self.username}".lower() in text.lower()
        return not self.privacy or answered or mentioned or text.startswith("/") or not text
