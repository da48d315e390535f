"""The answer that is being written, as far as it has come: whole text, and no more than anybody is shown."""

from dataclasses import dataclass

from hermes.delivery.stream import MOST_CHARACTERS
from hermes.types import texts
from hermes.types.whole import whole_so_far

_MOST = MOST_CHARACTERS - len(texts.STREAM_TOO_LONG)


@dataclass(slots=True)
class Written:
    """``text`` ends in words of ours once it has become too long: what comes then is not kept here, but in the answer itself."""

    text: str = ""
    _half: str = ""
    _full: bool = False

    def add(self, more: str) -> None:
        """The agent has written ``more``; what comes in two halves is one character."""
        if self._full:
            return
        said, self._half = whole_so_far(self._half + more)
        self.text += said
        if len(self.text) > _MOST:
            self.text, self._full = self.text[:_MOST] + texts.STREAM_TOO_LONG, True
