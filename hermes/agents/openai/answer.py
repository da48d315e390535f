"""An answer as it comes, piece by piece. Pure."""

from dataclasses import dataclass, field

from hermes.agents.openai import wire, work
from hermes.types.agent import Usage
from hermes.types.whole import whole, whole_so_far

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""A model that has lost its way writes for ever."""


@dataclass(slots=True)
class Answer:
    """What has come so far. ``begun``: anything of it; what the model thinks counts too, and has been paid for."""

    pieces: list[str] = field(default_factory=list)
    calls: work.Calls = field(default_factory=work.Calls)
    half: str = ""
    size: int = 0
    finish: str = ""
    usage: Usage | None = None
    error: object = None
    begun: bool = False
    done: bool = False

    def add(self, piece: wire.Piece) -> None:
        """What has come of it now."""
        if piece.error is not None:
            self.error, self.done = piece.error, True
            return
        self.begun = True
        self.usage = piece.usage or self.usage
        self.finish = piece.finish or self.finish
        if piece.text:
            # Some servers cut between the halves of a pair, as their tokens do.
            said, self.half = whole_so_far(self.half + piece.text)
            self.pieces.append(said)
            self.size += len(piece.text)
        for call in piece.calls:
            self.calls.add(call)
        if self.size + self.calls.size > MAX_ANSWER_BYTES:
            self.finish, self.done = "length", True

    @property
    def text(self) -> str:
        """What it says, so far."""
        return "".join(self.pieces) + whole(self.half)

    @property
    def complete(self) -> bool:
        """Nothing more is to come: said so, or known by the reason for its end."""
        return self.done or bool(self.finish)
