"""Where the answer to a question goes, and the errors an asker may get instead of one.

AskError
 ├─ ActorDownError        it ended before it answered, or will not read any more; it may have seen the question
 │   └─ RestartingError   it ended badly and comes back; it never saw the question, so asking again is safe
 ├─ MailboxFullError      the question was dropped for want of room; it was never seen
 └─ DeadlockError         asking would wait for itself; it was never sent
"""

import math
from typing import Generic, TypeVar, cast

import trio

from supervisors.reasons import ExitReason, describe

R = TypeVar("R")


class AskError(Exception):
    """There will be no answer."""


class ActorDownError(AskError):
    """Nobody at ``path`` will answer; ``reason`` is how the last life there ended."""

    def __init__(self, path: str, reason: ExitReason) -> None:
        super().__init__(f"{path} is down: {describe(reason)}")
        self.path = path
        self.reason = reason


class RestartingError(ActorDownError):
    """The actor is between two lives and never saw the question; ``reason`` is how the last life ended."""


class MailboxFullError(AskError):
    """The mailbox at ``path`` was full, and its policy is not to wait."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} has no room for the question")
        self.path = path


class DeadlockError(AskError):
    """Everybody on ``path`` waits for the next one; the first and the last are the actor that asked."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(f"asking would never end: {' -> '.join(path)}")
        self.path = path


class Reply(Generic[R]):
    """Where the answer to one question goes; sent once, later ones vanish, a caller that has left is no trouble.

    ``deadline`` is when the asker leaves, in Trio's time: it travels with the question, so nested ones keep to it.
    """

    __slots__ = ("_done", "_error", "_value", "deadline")

    def __init__(self, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self._done = trio.Event()
        self._value: R | None = None
        self._error: BaseException | None = None

    @property
    def open(self) -> bool:
        """True until the first answer."""
        return not self._done.is_set()

    def send(self, value: R) -> None:
        """Answer."""
        if self.open:
            self._value = value
            self._done.set()

    def fail(self, error: BaseException) -> None:
        """Answer with an exception, raised at the asker."""
        if self.open:
            self._error = error
            self._done.set()

    async def wait(self) -> R:
        """The answer; cancelling the asker harms nobody."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return cast("R", self._value)
