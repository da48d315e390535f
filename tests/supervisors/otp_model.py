"""What OTP's one_for_one promises, told in a second way: a judge that watches a core from outside.

The core computes; the judge only permits and demands. It keeps what the world looks like (which incarnations live, who was
ordered to do what, who owes a restart and when) and checks every action against it, and after every event what must hold.
"""

import random
from contextlib import suppress
from dataclasses import dataclass, field

from supervisors.core import SupervisorCore
from supervisors.reasons import (
    Cancelled,
    Crash,
    ExitReason,
    Failed,
    IntensityExceeded,
    Normal,
    Shutdown,
    StartFailed,
    Stuck,
)
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.step import (
    Abandon,
    Action,
    Add,
    Adjust,
    Begin,
    Booted,
    Cancel,
    Changed,
    Disable,
    Enable,
    End,
    Event,
    Exited,
    Fault,
    Phase,
    Ready,
    Record,
    Removed,
    Restart,
    SoftStop,
    Start,
    State,
    Stop,
    Terminate,
    Tick,
    TooManyChildrenError,
    UnknownChildError,
)

BOOM = Crash(ValueError("boom"))
REASONS: tuple[ExitReason, ...] = (
    Normal(),
    Shutdown(),
    Cancelled("test"),
    BOOM,
    BOOM,
    BOOM,
    Failed("net", "backoff", retry_after=7.0),
    Failed("net", "backoff"),
    Failed("token", "disable"),
    Failed("config", "escalate"),
    StartFailed("x", BOOM),
    IntensityExceeded("x", (BOOM,)),
    Stuck(),
)
CLEAN = (Normal, Shutdown, Cancelled)
ABNORMAL = (Crash, StartFailed, IntensityExceeded, Stuck)


async def idle() -> None:
    """The start of a child that no test of the core ever runs."""


def random_spec(rng: random.Random, name: str) -> ChildSpec:
    """A child with short times, so that deadlines and windows are met within a sequence."""
    return ChildSpec(
        name,
        idle,
        kind=rng.choice(("worker", "worker", "supervisor")),
        restart=rng.choice(("permanent", "permanent", "transient", "temporary")),
        start_mode=rng.choice(("sync", "eventual")),
        ready_timeout=rng.choice((3.0, float("inf"))),
        stall_s=rng.choice((None, None, 4.0)),
        shutdown=rng.choice((0.0, 2.0, float("inf"))),
        grace=1.0,
        backoff=Backoff(0.5, 8.0, 2.0, reset_after=20.0),
        intensity=Intensity(rng.choice((0, 1, 3)), 10.0, rng.choice(("disable", "escalate"))),
        on_stuck=rng.choice(("abandon", "escalate")),
    )


@dataclass
class Seen:
    """One child as the judge sees it."""

    spec: ChildSpec
    fate: str = "coming"  # up | coming | disabled | stopped
    number: int = 0
    ready: bool = False
    first: bool = True
    order: str | None = None  # what was ordered to follow the present life's end
    late: bool = False  # being cancelled for a fault: not ready in time, no progress, a linked actor's end
    due: float | None = None  # when the next life is to begin
    deadline: float | None = (
        None  # of the present life: get ready, show progress, stop softly, end once cancelled
    )
    ready_at: float | None = None
    asked: int = 0  # 1: to stop, 2: cancelled
    streak: int = 0
    restarts: int = 0
    ends: list[float] = field(default_factory=list)


class Judge:
    """Feeds a core with events and holds everything it does against the rules."""

    def __init__(
        self,
        specs: list[ChildSpec],
        *,
        rng: random.Random,
        dynamic: bool = False,
        max_children: int | None = None,
    ) -> None:
        self.beats: dict[str, float] = {}
        self.core = SupervisorCore(
            specs,
            rng=rng,
            dynamic=dynamic,
            max_children=max_children,
            last_beat=lambda name: self.beats.get(name, 0.0),
        )
        self.dynamic = dynamic
        self.max_children = max_children
        self.faulty: set[str] = set()
        self.seen = {spec.id: Seen(spec) for spec in specs}
        self.now = 0.0
        self.booted = self.closing = self.ended = False
        self.asked_to_stop: ExitReason | None = None
        self.ticked = False

    def feed(self, event: Event) -> list[Action]:
        """Take one event, check all its consequences, check what must hold at every instant."""
        assert not self.ended
        self.ticked = isinstance(event, Tick)
        self.faulty = set(self._faults(event))
        expected = self._rule(event)
        known = set(self.core.children)
        try:
            actions = self.core.step(event, self.now)
        except UnknownChildError:
            assert (
                event.spec.id if isinstance(event, Adjust) else getattr(event, "child", None)
            ) not in known
            actions = []
        except TooManyChildrenError:
            assert isinstance(event, Add)
            assert event.spec.id not in known
            assert len(known) == self.max_children, "there is room (N7)"
            assert set(self.core.children) == known
            del self.seen[event.spec.id]
            return []
        records = [action.child for action in actions if isinstance(action, Record)]
        assert len(records) == len(set(records)), "one record an exit"
        ends = [action.child for action in actions if isinstance(action, Abandon)]
        if isinstance(event, Exited) and expected is not None:
            ends.append(event.child)
        assert records == ends, "every end has its record"
        for position, action in enumerate(actions):
            self._check(action, last=position == len(actions) - 1, event=event)
        if expected is not None:
            name, fate = expected
            got = self.seen[name].fate if name in self.seen else "stopped"
            assert got == fate or (self.closing and got == "stopped"), (name, fate, got)
        self.invariant()
        return actions

    def after_the_end(self, events: list[Event]) -> None:
        """Whatever comes after the end moves nothing and nobody."""
        for event in events:
            with suppress(UnknownChildError, TooManyChildrenError):
                for action in self.core.step(event, self.now):
                    assert isinstance(action, Changed | Removed), action
        assert self.core.phase is Phase.DONE
        assert not any(child.alive for child in self.core.children.values())

    def living(self) -> list[str]:
        """Children with a live incarnation, in start order."""
        return [name for name in self.core.children if name in self.seen and self.seen[name].fate == "up"]

    def _faults(self, event: Event) -> list[str]:
        """Who is to be ended for a fault now; who owes progress later than it seemed gets his new deadline."""
        match event:
            case Fault(name, number) if (child := self.seen.get(name)) is not None:
                return [name] if child.fate == "up" and number == child.number and not child.asked else []
            case Tick():
                faulty = []
                for name, child in self.seen.items():
                    owes = child.fate == "up" and child.ready and not child.asked
                    if owes and child.deadline is not None and child.deadline <= self.now:
                        assert child.spec.stall_s is not None
                        seen_at = max(child.ready_at or 0.0, self.beats.get(name, 0.0))
                        child.deadline = seen_at + child.spec.stall_s
                        faulty += [name] if child.deadline <= self.now else []
                return faulty
            case _:
                return []

    # --- what OTP says about an end --------------------------------------------------------------------------------

    def _rule(self, event: Event) -> tuple[str, str] | None:
        """The fate that the child of this event must have afterwards, where the rules know it beforehand."""
        match event:
            case Exited(name, number, reason, waiting):
                child = self.seen.get(name)
                if child is None or child.fate != "up" or number != child.number:
                    return None
                return name, self._after(child, reason, waiting)
            case Ready(name, number):
                child = self.seen.get(name)
                expected = child and child.fate == "up" and number == child.number and child.order is None
                if child and expected and not (child.ready or child.late or child.asked):
                    child.ready, child.ready_at = True, self.now
                    child.deadline = None if child.spec.stall_s is None else self.now + child.spec.stall_s
            case Add(spec) if spec.id not in self.seen:
                self.seen[spec.id] = Seen(spec)
                return (spec.id, "up") if self.booted and not self.closing else None
            case Adjust(spec) if spec.id in self.seen:
                child = self.seen[spec.id]
                child.spec = spec
                if child.fate == "up" and child.ready and not child.asked:
                    child.deadline = None if spec.stall_s is None else self.now + spec.stall_s
            case Terminate(name) | Disable(name) | Restart(name):
                if name in self.seen and not self.closing:
                    orders = {Terminate: "stopped", Disable: "disabled", Restart: "up"}
                    return self._ordered(name, orders[type(event)])
            case Enable(name) if (
                name in self.seen and not self.closing and self.seen[name].fate == "disabled"
            ):
                return self._ordered(name, "up")
            case Stop(reason) if not self.closing:
                self.asked_to_stop = reason
                self._close()
        return None

    def _ordered(self, name: str, wish: str) -> tuple[str, str] | None:
        child = self.seen[name]
        if child.fate == "up":
            child.order, child.late = wish, False
            return None
        if wish == "up" and child.fate == "disabled":
            child.ends.clear()
            child.streak = 0
        if wish == "up" and child.fate == "coming" and not child.number and not self.booted:
            return name, "coming"  # its turn will come
        return name, "stopped" if (wish, child.fate) == ("stopped", "stopped") else wish

    def _after(self, child: Seen, reason: ExitReason, waiting: bool) -> str:
        if self.closing:
            return "stopped"
        if child.order is not None:
            return child.order
        if child.late:
            reason, waiting = BOOM, False
        boot = not self.booted and child.first and not child.ready and child.spec.start_mode == "sync"
        match reason, child.spec.restart:
            case Failed(verdict="escalate"), _:
                return self._close()
            case Failed(verdict="disable"), _:
                return "disabled"
            case _ if boot:
                return self._close()
            case Normal(), "transient" if waiting:
                return "coming"
            case _, "temporary":
                return "stopped"
            case _, "transient" if isinstance(reason, CLEAN):
                return "stopped"
            case _ if not isinstance(reason, ABNORMAL):
                return "coming"
        policy = child.spec.intensity
        child.ends.append(self.now)
        if sum(self.now - end <= policy.per for end in child.ends) <= policy.restarts:
            return "coming"
        return self._close() if policy.on_exceeded == "escalate" else "disabled"

    def _close(self) -> str:
        self.closing = True
        return "stopped"

    # --- what each action may do -----------------------------------------------------------------------------------

    def _check(self, action: Action, *, last: bool, event: Event) -> None:
        match action:
            case Start(name, number):
                child = self.seen[name]
                assert not self.closing, "a start while stopping (S3)"
                assert child.fate != "up", "a second life beside the first (N1)"
                assert number == child.number + 1
                assert child.due is None or self.now >= child.due or not isinstance(event, Tick), (
                    "too early (C4)"
                )
                ordered = event in (Restart(name), Enable(name))
                if not (self.booted or child.number or ordered):
                    self._all_ready_before(name)
                child.restarts += child.number > 0 and child.order is None
                child.first = child.first and not child.number
                child.fate, child.number, child.ready, child.order = "up", number, False, None
                child.late, child.due, child.asked, child.ready_at = False, None, 0, None
                child.deadline = self.now + child.spec.ready_timeout
            case SoftStop(name, number):
                child = self._alive(name, number)
                assert child.asked == 0
                assert child.ready or child.spec.kind == "supervisor", "asks one who does not listen yet (S4)"
                assert child.spec.shutdown > 0
                self._in_turn(name)
                child.asked, child.deadline = 1, self.now + child.spec.shutdown
            case Cancel(name, number):
                child = self._alive(name, number)
                assert child.asked < 2
                if isinstance(event, Tick) and child.asked:
                    assert child.deadline is not None
                    assert child.deadline <= self.now, "cancelled too early (S2)"
                if name in self.faulty:
                    child.late = child.order is None
                elif child.order is None and not self.closing:
                    assert not child.ready
                    child.late = True
                elif child.asked == 0 and (child.ready or not isinstance(event, Tick)):
                    deaf = not child.ready and child.spec.kind == "worker"
                    assert deaf or child.spec.shutdown == 0, "cancelled without being asked (S2)"
                    self._in_turn(name)
                child.asked, child.deadline = 2, self.now + child.spec.grace
            case Abandon(name, number):
                child = self._alive(name, number)
                assert child.asked == 2, "given up before it was cancelled (S2)"
                assert child.deadline is not None
                assert child.deadline <= self.now, "given up too early (S2)"
                child.fate = "stopped"
                if child.spec.on_stuck == "escalate" and self.booted:
                    self._close()
                elif not self.closing and child.order is None and self._after(child, BOOM, False) == "coming":
                    child.fate = "coming"
            case Record(name, number, reason, decision, delay):
                self._record(self.seen[name], number, decision, delay, reason)
            case Booted():
                assert not self.booted
                self._all_ready_before(None)
                self.booted = True
            case Removed(name):
                assert self.dynamic or self.closing
                assert self.seen.pop(name).fate != "up"
            case End(reason):
                assert (
                    reason == self.asked_to_stop if self.asked_to_stop else not isinstance(reason, Shutdown)
                )
                assert last
                assert self.closing
                assert not self.living(), "ended before its children (S1)"
                self.ended = True
            case Changed(name, state):
                if name in self.seen and self.seen[name].fate != "up":
                    changed = {State.DISABLED: "disabled", State.STOPPED: "stopped", State.BACKOFF: "coming"}
                    self.seen[name].fate = changed.get(state, self.seen[name].fate)
                    if state is not State.BACKOFF:
                        self.seen[name].due = None

    def _alive(self, name: str, number: int) -> Seen:
        child = self.seen[name]
        assert child.fate == "up", "acts on a dead child"
        assert child.number == number, "acts on a dead child"
        return child

    def _in_turn(self, name: str) -> None:
        if self.closing and not self.dynamic and self.seen[name].order is None:
            assert name == self.living()[-1], "stopped out of turn (S1)"

    def _all_ready_before(self, name: str | None) -> None:
        for other in self.core.children:
            if other == name:
                return
            child = self.seen[other]
            waits = child.fate == "up" and not child.ready and child.spec.start_mode == "sync"
            assert not waits, "went on before the one before was ready (B1)"

    def _record(
        self, child: Seen, number: int, decision: str, delay: float | None, reason: ExitReason
    ) -> None:
        assert number == child.number
        assert not child.late or child.order or self.closing or isinstance(reason, Crash), (
            "a late start is a crash"
        )
        child.fate = "stopped"
        if decision == "restart":
            assert not self.closing
            assert child.spec.restart != "temporary" or child.order == "up", (
                "a temporary child restarted (A3)"
            )
            policy = child.spec.backoff
            assert delay is not None
            if child.order is None:
                if child.ready_at is not None and self.now - child.ready_at >= policy.reset_after:
                    child.streak = 0
                if isinstance(reason, Failed) and reason.retry_after is not None:
                    least = max(policy.min, reason.retry_after)
                    most = least * 1.2
                else:
                    least, most = policy.min, min(policy.max, policy.min * policy.factor**child.streak)
                    child.streak += 1
                assert least <= delay <= most, "not within its bounds (C4)"
            else:
                assert delay == 0, "a restart by order waits for nothing"
            child.fate, child.due = "coming", self.now + delay

    # --- what holds at every instant -------------------------------------------------------------------------------

    def invariant(self) -> None:
        """Law C7, seen from outside: whoever should be up is up, or is being brought up by somebody with a time."""
        core, deadline = self.core, self.core.next_deadline
        assert not self.closing or core.phase in {Phase.STOPPING, Phase.DONE}
        assert (core.phase is Phase.DONE) == self.ended
        assert deadline is None or deadline > self.now or not self.ticked, "a deadline has passed unheeded"
        for name, child in core.children.items():
            fate = self.seen[name].fate
            assert child.alive == (fate == "up"), (name, child.state, fate)
            assert child.deadline is None or (deadline is not None and deadline <= child.deadline)
            assert child.deadline == (self.seen[name].deadline if fate == "up" else self.seen[name].due)
            if fate in ("stopped", "disabled"):
                assert child.state == fate
            assert child.restarts == self.seen[name].restarts
            assert child.state is not State.STOPPING or self.seen[name].asked
            match child.state:
                case State.STARTING if not child.launched:
                    assert core.phase is Phase.BOOTING
                case State.STARTING | State.STOPPING | State.BACKOFF:
                    assert child.deadline is not None, "nobody is responsible (C7)"
                case State.STOPPED | State.DISABLED:
                    assert child.deadline is None
                case State.STUCK:
                    raise AssertionError("stuck is a moment, not a place to stay")
        if self.closing and not self.ended:
            assert self.living(), "all are gone and nobody ended (S1)"
            next_ones = self.living() if self.dynamic else self.living()[-1:]
            assert all(self.seen[name].asked for name in next_ones), "nobody stops the next one (S1)"
        if core.phase is Phase.BOOTING:
            assert any(
                child.alive and child.ready_at is None and child.spec.start_mode == "sync"
                for child in core.children.values()
            ), "the boot waits for nobody"


def random_event(judge: Judge, rng: random.Random) -> Event:
    """Something that may happen now, sensible or late or meant for nobody."""
    names = list(judge.core.children) or ["nobody"]
    name = rng.choice(names)
    number = judge.core.children[name].incarnation if name in judge.core.children else 1
    roll = rng.random()
    if roll < 0.30:
        deadline = judge.core.next_deadline
        if deadline is not None and deadline < float("inf") and rng.random() < 0.7:
            judge.now = max(judge.now, deadline)
        else:
            judge.now += rng.choice((0.0, 0.25, 1.0, 5.0, 20.0))
        if rng.random() < 0.3:
            judge.beats[name] = judge.now
        return Tick()
    if roll < 0.50:
        return Ready(name, number - (rng.random() < 0.1))
    if roll < 0.78:
        return Exited(name, number - (rng.random() < 0.1), rng.choice(REASONS), rng.random() < 0.2)
    if roll < 0.80:
        return rng.choice((Fault(name, number - (rng.random() < 0.1), BOOM), Adjust(random_spec(rng, name))))
    if roll < 0.83:
        return Stop(Shutdown("asked"))
    if roll < 0.87:
        return Add(random_spec(rng, f"new{rng.randrange(3)}"))
    if roll < 0.88:
        return Restart("nobody")
    return rng.choice((Terminate, Restart, Disable, Enable))(name)


def play(seed: int, length: int = 30) -> Judge:
    """One seeded sequence; the repro of a failing one is ``play(seed)``."""
    rng = random.Random(seed)
    dynamic = rng.random() < 0.3
    specs = [random_spec(rng, f"c{i}") for i in range(0 if dynamic else rng.randint(1, 4))]
    most = rng.choice((None, 1, 2)) if dynamic else None
    judge = Judge(specs, rng=rng, dynamic=dynamic, max_children=most)
    judge.feed(Begin())
    for _ in range(length):
        if judge.ended:
            break
        judge.feed(random_event(judge, rng))
    if judge.ended:
        judge.after_the_end([random_event(judge, rng) for _ in range(3)])
    return judge
