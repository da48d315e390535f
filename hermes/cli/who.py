"""Whose conversation ``hermes chat`` goes on with, and what may be said in it."""

from dataclasses import dataclass

from hermes.ops.control.client import ControlError

PLATFORM = "console"


@dataclass(frozen=True, slots=True)
class Who:
    """Whose conversation it is; ``session`` names one beside the user's main one."""

    user: str
    session: str | None = None

    @property
    def names(self) -> dict[str, str | None]:
        """The arguments of the verb ``console``."""
        return {"user": self.user, "session": self.session}

    @property
    def session_key(self) -> str:
        """The conversation's name in the gateway."""
        from hermes.sessions.keys import build_session_key
        from hermes.types.origin import Origin

        chat = self.user if self.session is None else f"{self.user}:{self.session}"
        return build_session_key(Origin(PLATFORM, chat))


def checked(text: str) -> str:
    """``text`` as it may be sent. Raises ``ControlError`` in words."""
    from hermes.net.clientlink import MAX_TEXT_CHARS
    from hermes.types import texts
    from hermes.types.errors import TOO_LARGE

    if not text.strip():
        raise ControlError("empty", "there is nothing to send")
    if len(text) > MAX_TEXT_CHARS:
        raise ControlError(TOO_LARGE, texts.TOO_LONG.format(limit=MAX_TEXT_CHARS))
    return text
