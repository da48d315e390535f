"""Chats in which nobody is reached any more: forbidden to us, or not there. Nothing is sent to them on its own.

Our own are in the database, and a receipt from the chat clears one. The original keeps a file, of the shape

    {"telegram:-100123": {"reason": "forbidden", …}}
"""

from dataclasses import dataclass

from hermes.types.errors import FORBIDDEN
from hermes.types.origin import DEFAULT_ACCOUNT

SKIPPED = "dead_target"
"""What the result of a target says that was left out for this."""

MOST_TARGETS = 10_000
MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class DeadTarget:
    """A chat in which nobody is reached any more, and why."""

    platform: str
    account: str
    chat_id: str
    failure: str


def read_document(found: object) -> tuple[DeadTarget, ...]:
    """What the original's file holds, leaving out what is none. Raises ``ValueError`` if the whole is no map."""
    if not isinstance(found, dict):
        raise ValueError('it holds no {"platform:chat": {…}}')
    targets = []
    for name, entry in list(found.items())[:MOST_TARGETS]:
        platform, _, chat_id = str(name).partition(":")
        if platform and chat_id and isinstance(entry, dict):
            reason = str(entry.get("reason") or FORBIDDEN)[:MOST_CHARACTERS]
            targets.append(DeadTarget(platform.lower(), DEFAULT_ACCOUNT, chat_id, reason))
    return tuple(targets)
