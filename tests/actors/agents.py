"""Agents that do what no script of ``FakeAgent`` says."""

import trio

from hermes.types.agent import AgentIO, ApprovalRequest, Approved, Decision, Delta, Final, Step, Turn


class Worker:
    """Does one step for each message and writes its answer in pieces; ``begun`` are the steps it took,
    ``done`` those it has seen committed.
    """

    name = "worker"

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Go on after the steps of an earlier attempt."""
        text = turn.events[-1].text
        if not turn.steps:
            self.begun.append(text)
            await io.step(Step("result", "look", text))
            self.done.append(text)
        for _ in range(3):
            await io.emit(Delta("."))
            await trio.sleep(0.1)
        return Final(f"re: {text}")


class Typist:
    """Writes ``pieces`` pieces, one every ``every_s`` seconds, and then ends as ``end`` says."""

    name = "typist"

    def __init__(self, pieces: int, every_s: float, end: Exception | None = None) -> None:
        self._pieces, self._every_s, self._end = pieces, every_s, end

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """The answer is the pieces joined."""
        for n in range(self._pieces):
            await io.emit(Delta(f"{n} "))
            await trio.sleep(self._every_s)
        if self._end is not None:
            raise self._end
        return Final("".join(f"{n} " for n in range(self._pieces)))


class Hasty:
    """Gives up waiting for its first step, which is committed all the same; then two tools of it end side by side."""

    name = "hasty"

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Say how many steps an earlier attempt has left."""
        with trio.CancelScope() as scope:
            scope.cancel()
            await io.step(Step("result", "first", ""))
        async with trio.open_nursery() as tools:
            tools.start_soon(io.step, Step("result", "left", ""))
            tools.start_soon(io.step, Step("result", "right", ""))
        return Final(f"re: {turn.events[-1].text}")


class Busy:
    """Takes a step every second for as long as it may; ``done`` counts those that were committed."""

    name = "busy"

    def __init__(self) -> None:
        self.done = 0

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Never end."""
        while True:
            await trio.sleep(1)
            await io.step(Step("result", "look", ""))
            self.done += 1


class Deaf:
    """Hears no cancellation until it is released (or for two hours); then it answers, too late. Later turns it
    answers after ``then_s``.
    """

    name = "deaf"

    def __init__(self, deaf_turns: int = 1, then_s: float = 0.0) -> None:
        self.released = trio.Event()
        self.late = 0
        self._deaf_turns = deaf_turns
        self._then_s = then_s

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Hang, or echo."""
        if self._deaf_turns == 0:
            await trio.sleep(self._then_s)
            return Final(turn.events[-1].text)
        self._deaf_turns -= 1
        with trio.move_on_after(7200, shield=True):
            await self.released.wait()
        self.late += 1
        return Final("too late")


class Ghost:
    """Hears no cancellation until it is released; then it shows two drafts, maybe takes a step, and answers, all too late."""

    name = "ghost"

    def __init__(self, *, step: bool = False) -> None:
        self.released = trio.Event()
        self._step = step

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Nobody is there any more."""
        with trio.CancelScope(shield=True):
            await self.released.wait()
            await io.emit(Delta("too "))
            await io.emit(Delta("late"))
            with trio.move_on_after(1):
                if self._step:
                    await io.step(Step("result", "look", "too late"))
        return Final("too late")


class Listener:
    """Takes a step every second, ``steps`` of them, and asks after each what else there is; answers all it was told."""

    name = "listener"

    def __init__(self, steps: int = 3) -> None:
        self._steps = steps
        self.turns: list[Turn] = []

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Go on after the steps of an earlier attempt."""
        self.turns.append(turn)
        heard = [event.text for event in turn.events]
        for n in range(len(turn.steps), self._steps):
            await trio.sleep(1)
            await io.step(Step("result", f"look {n}", ""))
            heard += [event.text for event in await io.steered()]
        return Final("\n".join(heard))


class Asker:
    """Asks for each word of the last message before it does it, side by side if ``at_once``; ``done`` is what it did.

    With ``steps`` it commits what it did as a step, and does nothing twice.
    """

    name = "asker"

    def __init__(self, *, at_once: bool = False, steps: bool = True) -> None:
        self.done: list[str] = []
        self.turns: list[Turn] = []
        self._at_once, self._steps = at_once, steps

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Say of each word what became of it."""
        self.turns.append(turn)
        words = turn.events[-1].text.split()
        said: dict[str, str] = {step.name: step.text for step in turn.steps}

        async def one(word: str) -> None:
            if word not in said:
                said[word] = self._did(
                    word, await io.approve(ApprovalRequest(f"do {word}", f"detail of {word}"))
                )
                if self._steps:
                    await io.step(Step("result", word, said[word]))

        if self._at_once:
            async with trio.open_nursery() as tools:
                for word in words:
                    tools.start_soon(one, word)
        else:
            for word in words:
                await one(word)
        return Final(", ".join(said[word] for word in words))

    def _did(self, word: str, decision: Decision) -> str:
        if isinstance(decision, Approved):
            self.done.append(word)
            return f"did {word}"
        return f"did not {word}: {decision.reason or 'no reason'}"
