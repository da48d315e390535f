"""A console user's end of a conversation: what is not safe yet, what waits for an answer, what has been seen. Pure."""

from collections.abc import Sequence

from hermes.net import clientlink
from hermes.routing.commands import CommandKind, find_command, parse_command


class Conversation:
    """The books of one client. Whoever shares it between threads holds a lock around every call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = 0
        self._unaccepted: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        self._seen: set[str] = set()
        self.cursor: str | None = None

    @property
    def waiting(self) -> Sequence[str]:
        """Ids of messages that have no answer yet, oldest first."""
        return tuple(self._waiting)

    @property
    def unaccepted(self) -> Sequence[str]:
        """Ids of messages that the gateway has not said to be safe, oldest first."""
        return tuple(self._unaccepted)

    def say(self, text: str) -> clientlink.Send:
        """A new message, under an id that nobody else gives."""
        self._said += 1
        frame = clientlink.Send(f"{self._name}.{self._said}", text)
        self._unaccepted[frame.id] = self._waiting[frame.id] = text
        return frame

    def again(self, *, unanswered: bool) -> Sequence[clientlink.Send]:
        """What to send on a new connection: what may not have arrived, or all that has no answer.

        The gateway drops second copies. It tells a client that is ``own`` only what it has asked in this connection.
        """
        return [
            clientlink.Send(*pair) for pair in (self._waiting if unanswered else self._unaccepted).items()
        ]

    def accepted(self, message_id: str) -> None:
        """The gateway has it on disk."""
        self._unaccepted.pop(message_id, None)

    def refused(self, message_id: str) -> bool:
        """The gateway will never take it; False if it is none of ours."""
        self._unaccepted.pop(message_id, None)
        return self._waiting.pop(message_id, None) is not None

    def mine(self, item: clientlink.Item) -> bool:
        """Whether this client has said ``item``."""
        return item.item_id.startswith(f"{self._name}.")

    def asked(self, item: clientlink.Item) -> bool:
        """Whether ``item`` answers one of ours that still waits."""
        return any(one in self._waiting for one in item.answers)

    def see(self, item: clientlink.Item) -> bool:
        """Note ``item`` as seen, and what it settles; False if it has been seen before.

        Answers come in the order of what was said, so one settles all before it too: those were stopped, or are answered
        with it; a /stop stops what waits as well. A command that is answered beside the work settles itself alone.
        """
        if item.item_id in self._seen:
            return False
        self._seen.add(item.item_id)
        for answered in item.answers:
            if answered in self._waiting:
                self._settle(answered)
        return True

    def _settle(self, answered: str) -> None:
        ids = list(self._waiting)
        if _command_kind(self._waiting[answered]) != "info":
            for one in ids[: ids.index(answered)]:
                if _command_kind(self._waiting[one]) != "info":
                    self.refused(one)
        self.refused(answered)


def _command_kind(text: str) -> CommandKind | None:
    """How the gateway will take ``text``; a command that nobody knows is answered at once, as an info command is."""
    typed = parse_command(text)
    if typed is None:
        return None
    command = find_command(typed.name)
    return command.kind if command else "info"
