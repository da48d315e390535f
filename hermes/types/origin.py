"""Where a message came from and where its answer goes."""

from dataclasses import dataclass
from typing import Literal, NewType

ChatType = Literal["dm", "group", "channel", "thread", "forum"]

DEFAULT_ACCOUNT = "default"

LaneKey = NewType("LaneKey", str)
"""``platform:account:chat``: messages of one lane leave in order, one at a time."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The platform's own coordinates of a message. Ids decide; names are for people and never grant anything."""

    platform: str
    chat_id: str
    account: str = DEFAULT_ACCOUNT
    chat_type: ChatType = "dm"
    thread_id: str | None = None
    user_id: str | None = None
    user_id_alt: str | None = None
    chat_name: str | None = None
    user_name: str | None = None
    is_bot: bool = False

    @property
    def lane(self) -> LaneKey:
        """The delivery lane of this chat."""
        return lane_key(self.platform, self.account, self.chat_id)


def lane_key(platform: str, account: str, chat_id: str) -> LaneKey:
    """Name the lane of a chat; only the last part may hold colons, so the first two split it unambiguously."""
    return LaneKey(f"{platform}:{account}:{chat_id}")
