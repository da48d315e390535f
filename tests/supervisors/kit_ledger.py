"""The books of one simulation: what callers and actors saw, and the laws that all of it is held against.

Nothing here acts on the kit. A violation is written down at once, as raised in an actor it would be one more crash.

    told ──▶ accepted = handled ⊎ dead letters ⊎ dropped in flight        (law M1, message by message)
    asked ──▶ answered | refused | too slow | cancelled                   (laws Q1 and Q3)
"""

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import trio

from supervisors.cell import Cell, Down, Life
from supervisors.events import SupervisionEvent
from supervisors.letters import DeadLetters
from supervisors.mailbox import Outcome
from supervisors.reasons import is_clean
from supervisors.reply import MailboxFullError, Reply, RestartingError
from supervisors.spec import MailboxSpec
from supervisors.system import System


@dataclass(frozen=True, slots=True)
class Letter:
    """Message ``number`` of all there are; those of one ``sender`` come in order. ``poison`` fells its reader each time."""

    sender: int
    number: int
    poison: bool


@dataclass(frozen=True, slots=True)
class Question:
    """To be answered with its ``number``."""

    number: int
    reply: Reply[int]


@dataclass(eq=False, slots=True)
class Alarm:
    """A timer's message: due ``at``, for ``life`` alone, unless it was ``cancelled``."""

    life: Life
    at: float
    cancelled: bool = False


@dataclass(slots=True)
class Told:
    """What became of one letter. ``outcome`` is None for a sender that was cancelled while it waited for room."""

    path: str
    mailbox: MailboxSpec
    outcome: Outcome | None = None
    seen: int = 0
    handled: int = 0
    parked: int = 0


@dataclass(slots=True)
class Ledger:
    """``kinds`` counts what happened, so that a plan which is too tame is noticed; ``story`` is all of it, in order."""

    system: System
    kinds: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    told: dict[int, Told] = field(default_factory=dict)
    cells: dict[Cell, None] = field(default_factory=dict)
    newest: dict[str, Life] = field(default_factory=dict)
    links: list[tuple[Life, Life]] = field(default_factory=list)
    ordered: set[str] = field(default_factory=set)
    """Paths that an operator has given an order for."""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _questions_seen: set[int] = field(default_factory=set)
    _newest_of: dict[int, int] = field(default_factory=dict)
    _watches: "defaultdict[tuple[Life, str, int], list[Life | None]]" = field(
        default_factory=lambda: defaultdict(list)
    )
    _downs: "Counter[tuple[Life, str, int]]" = field(default_factory=Counter)
    _last_alarm: dict[Life, float] = field(default_factory=dict)
    _lives: "Counter[tuple[str, int]]" = field(default_factory=Counter)
    _records: "Counter[tuple[str, int]]" = field(default_factory=Counter)

    def violated(self, law: str, what: str) -> None:
        """Somebody has seen that ``law`` does not hold."""
        self.violations.append(f"{law}: {what}")

    def write(self, what: str) -> None:
        """Add to the story, with the time."""
        self.story.append(f"{trio.current_time():.6f} {what}")

    def number(self) -> int:
        """A new one."""
        return next(self._numbers)

    # --- lives ---------------------------------------------------------------------------------------------------------

    def event(self, event: SupervisionEvent) -> None:
        """A listener of the system's."""
        detail = " ".join(f"{key}={value}" for key, value in event.detail.items())
        self.write(f"{event.kind} {event.path}#{event.incarnation} {detail}")
        match event.kind:
            case "started":
                self._lives[event.path, event.incarnation] += 1
                cell = self.system.registry.cell(event.path)
                assert cell is not None
                self.cells[cell] = None
            case "stuck":
                self.kinds["stuck"] += 1
            case "exited":
                self._record(event)

    def _record(self, event: SupervisionEvent) -> None:
        key, detail = (event.path, event.incarnation), event.detail
        self._records[key] += 1
        if self._records[key] > self._lives[key]:
            self.violated("O1", f"{event.path}#{event.incarnation} has one record too many")
        decision, delay, reason = detail["decision"], detail["delay_s"], detail["reason"]
        self.kinds[f"decision: {decision}"] += 1
        if decision == "restart" and delay is None:
            self.kinds["taken along by a sibling"] += 1
        if decision == "restart" and delay and reason.startswith("cancelled"):
            self.violated("X1", f"the cancellation of {event.path} is held against it")
        for kind in ("not ready", "no progress", "LinkDownError", "ended too often", "SystemExit", "network"):
            self.kinds[kind] += kind in reason

    def began(self, life: Life) -> None:
        """An actor runs."""
        before = self.newest.get(life.cell.path)
        if before is not None and not before.fenced and not before.done.is_set():
            self.violated("N1", f"two lives at {life.cell.path}")
        self.newest[life.cell.path] = life

    def acts(self, life: Life) -> None:
        """An actor was handed something."""
        if life.fenced:
            self.violated("N6", f"{life.cell.path}#{life.incarnation} took mail after it was given up")

    def asked_to_stop(self, life: Life, *, depends: bool) -> None:
        """Law A1: nobody is stopped for what is another's. ``depends``: its supervisor's strategy may want it."""
        path = life.cell.path
        parent = path.rpartition("/")[0]
        above = {path.rsplit("/", n)[0] for n in range(path.count("/") + 1)}
        supervisor: Any = self.system.supervisors.get(parent)
        if life.fenced or depends or above & self.ordered or supervisor is None:
            return
        if not supervisor._core.ending:
            self.violated("A1", f"{path} was stopped for nothing")

    # --- messages ------------------------------------------------------------------------------------------------------

    def letter(self, sender: int, path: str, mailbox: MailboxSpec, *, poison: bool) -> Letter:
        """A new one, about to be told to the actor at ``path``."""
        letter = Letter(sender, self.number(), poison)
        self.told[letter.number] = Told(path, mailbox)
        return letter

    def put(self, letter: Letter, outcome: Outcome) -> None:
        """``tell`` returned ``outcome``."""
        told = self.told[letter.number]
        told.outcome = outcome
        self.write(f"told {told.path} {letter.number}: {outcome}")

    def read(self, letter: Letter, attempt: int) -> None:
        """Laws M2 and M3: a reader has it in work."""
        told = self.told[letter.number]
        told.seen += 1
        if attempt != told.seen:
            self.violated("M3", f"the reader of {letter} is told attempt {attempt}, and it is {told.seen}")
        if told.seen == 1:
            if letter.number < self._newest_of.get(letter.sender, -1):
                self.violated("M2", f"{letter} came late to {told.path}")
            self._newest_of[letter.sender] = letter.number
        self.write(f"read {told.path} {letter.number}")

    def handled(self, letter: Letter) -> None:
        """Its reader is done with it."""
        told = self.told[letter.number]
        told.handled += 1
        self.write(f"handled {told.path} {letter.number}")

    def check_mail(self, letters: DeadLetters) -> None:
        """Law M1, when the run is over: every letter has had exactly one fate, and it fits what its sender was told."""
        dead: Counter[int] = Counter()
        for dead_letter in letters.newest(1_000_000):
            if isinstance(dead_letter.message, Letter):
                dead[dead_letter.message.number] += 1
        if letters.dropped:
            self.violated(
                "O4", "the simulation writes more dead letters than the ring keeps: make it smaller"
            )
        dropped = 0
        for number, told in self.told.items():
            fate = (told.handled, dead[number], told.parked)
            match told.outcome:
                case Outcome.ACCEPTED if sum(fate) == 0 and told.seen == 1:
                    dropped += 1
                    right = told.mailbox.in_flight == "drop"
                case Outcome.ACCEPTED:
                    right = fate in {(1, 0, 0), (0, 1, 0)}
                case Outcome.PARKED:
                    right = fate == (0, 0, 1)
                case Outcome.STOPPED:
                    right = fate == (0, 1, 0)
                case Outcome.FULL:
                    right = fate == (0, told.mailbox.overflow != "backpressure", 0)
                case None:
                    right = fate == (0, 0, 0) and told.seen == 0
            if not right:
                promise = f"{told.outcome} under {told.mailbox.overflow}, {told.mailbox.in_flight}"
                fates = f"handled, dead, parked: {fate}, seen: {told.seen}"
                self.violated("M1", f"letter {number} to {told.path} was {promise}; {fates}")
        for cell in self.cells:
            stats = cell.mailbox.stats()
            if stats.accepted != stats.taken + stats.used + stats.discarded or stats.used:
                self.violated("M1", f"{cell.path}: {stats}")
            if stats.peak > stats.capacity:
                self.violated("M4", f"{cell.path}: {stats}")
            dropped -= stats.dropped_in_flight
            for kind in ("dropped_in_flight", "redelivered", "poisoned", "overflowed", "parked"):
                self.kinds[kind] += getattr(stats, kind)
        if dropped > 0:
            self.violated("M1", f"{dropped} letters fell with a crash and are not counted")

    # --- questions -----------------------------------------------------------------------------------------------------

    def saw(self, question: Question) -> None:
        """A reader has it in work."""
        self._questions_seen.add(question.number)

    def outcome(self, number: int, deadline: float, answer: int | BaseException) -> None:
        """What question ``number`` came to, the one thing its asker got; cancelled ones are told of elsewhere."""
        name = "answered" if isinstance(answer, int) else type(answer).__name__
        self.kinds[name] += 1
        self.write(f"question {number}: {name}")
        if isinstance(answer, int) and answer != number:
            self.violated("Q2", f"question {number} got the answer to {answer}")
        if isinstance(answer, RestartingError | MailboxFullError) and number in self._questions_seen:
            self.violated("Q3", f"the asker of {number} was told that nobody saw it: {answer!r}")
        if trio.current_time() > deadline + 1e-6:
            self.violated("Q1", f"question {number} outlived its deadline")

    # --- watching ------------------------------------------------------------------------------------------------------

    def watches(self, watcher: Life, path: str, incarnation: int, target: Life | None) -> None:
        """``watcher`` is owed one ``Down`` for the end of ``target``; at once if that is None."""
        self._watches[watcher, path, incarnation].append(target)

    def down(self, watcher: Life, down: Down) -> None:
        """It came."""
        key = (watcher, down.path, down.incarnation)
        self._downs[key] += 1
        self.kinds["Down"] += 1
        if self._downs[key] > sum(map(_over, self._watches[key])):
            self.violated("N3", f"{watcher.cell.path} got a Down too many: {down}")

    def rings(self, life: Life, alarm: Alarm) -> None:
        """A timer's message was handed out."""
        self.kinds["timer"] += 1
        now = trio.current_time()
        if alarm.life is not life or alarm.cancelled or alarm.at > now + 1e-9:
            self.violated("N6", f"at {now} {life.cell.path}#{life.incarnation} was handed {alarm}")
        if alarm.at < self._last_alarm.get(life, 0.0):
            self.violated("M2", f"{life.cell.path} got its timers out of order")
        self._last_alarm[life] = alarm.at

    def check_watches(self) -> None:
        """Laws N3 and N4, at an instant at which everybody rests."""
        for key, targets in self._watches.items():
            watcher, path, incarnation = key
            if watcher.fenced or watcher.ended is not None:
                continue
            waiting = sum(
                isinstance(down := envelope.body, Down)
                and envelope.fence == watcher.incarnation
                and (down.path, down.incarnation) == (path, incarnation)
                for envelope in watcher.cell.mailbox._control
            )
            if self._downs[key] + waiting != sum(map(_over, targets)):
                self.violated("N3", f"{watcher.cell.path} waits for the Down of {path}#{incarnation}")
        for pair in self.links:
            for life, other in (pair, pair[::-1]):
                bad = life.ended is not None and not is_clean(life.ended)
                if bad and not (other.fenced or other.ended is not None or other.scope.cancel_called):
                    self.violated("N4", f"{other.cell.path} outlives {life.cell.path}, linked with it")

    # --- the end -------------------------------------------------------------------------------------------------------

    def check_records(self) -> None:
        """Law O1, when the run is over."""
        for key in self._lives | self._records:
            if self._lives[key] != self._records[key]:
                self.violated("O1", f"{key}: {self._lives[key]} lives, {self._records[key]} records")

    def close(self) -> list[str]:
        """All violations; nobody writes any more."""
        self.check_mail(self.system.letters)
        self.check_records()
        return self.violations


def _over(target: Life | None) -> bool:
    return target is None or target.ended is not None
