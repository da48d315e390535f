"""Where a message came from and where its answer goes."""

from dataclasses import dataclass
from typing import Literal, NewType

ChatType = Literal["dm", "group", "channel", "thread", "forum"]

DEFAULT_ACCOUNT = "default"

ITSELF = "cron"
"""In place of a platform: a chat of the gateway's with itself, one for each job. Nothing is sent there; the answer is read
from its transcript.
"""

LaneKey = NewType("LaneKey", str)
"""``platform:account:chat``: messages of one lane leave in order, one at a time."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The platform's own coordinates of a message. Ids decide; names are for people and never grant anything.

    The alternative ids name the same user and chat in the platform's other scheme (a Signal UUID beside a number), or by what a
    chat was called before it became another one.
    ``scope_id`` is what the chat belongs to (guild, workspace, server), ``parent_chat_id`` the channel of a thread.
    ``role_authorized``: the platform's own roles let this user in; an adapter sets it from what it looked up itself,
    never from a field of the payload. ``auto_thread_*``: we opened the thread for this message, under that name.

    Fields of the original that have another place: ``message_id`` is the event's, ``profile`` belongs to the key rules.
    ``delivered_via_upstream_relay`` has none: an event is always read back from its row, and that mark must never be
    stored; an edge that proves its users says so in ``Capabilities.authenticated``.
    """

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
    chat_topic: str | None = None
    chat_id_alt: str | None = None
    scope_id: str | None = None
    parent_chat_id: str | None = None
    role_authorized: bool = False
    auto_thread_created: bool = False
    auto_thread_initial_name: str | None = None

    @property
    def lane(self) -> LaneKey:
        """The delivery lane of this chat."""
        return lane_key(self.platform, self.account, self.chat_id)


def lane_key(platform: str, account: str, chat_id: str) -> LaneKey:
    """Name the lane of a chat; only the last part may hold colons, so the first two split it unambiguously."""
    return LaneKey(f"{platform}:{account}:{chat_id}")
