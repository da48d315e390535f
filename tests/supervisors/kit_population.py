"""Who lives in a simulation: actors that do what may go wrong, in a random tree of supervisors."""

import math
import random
from dataclasses import dataclass
from typing import Any

import trio
from kit_callers import Callers
from kit_ledger import Alarm, Letter, Question

from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reasons import ExitReason, Failed, crash
from supervisors.spec import Backoff, ChildSpec, Intensity, Limit, MailboxSpec
from supervisors.supervisor import supervisor

SHUTDOWN_S, GRACE_S = 3.0, 2.0
STUCK_S = 30.0
DEPTH = 2


class NetworkError(Exception):
    """Mapped to a backoff: costs no budget."""


class TokenError(Exception):
    """Mapped to a disable."""


class FatalError(Exception):
    """Mapped to an escalation: the end of the whole run."""


def classify(exc: BaseException) -> ExitReason:
    match exc:
        case NetworkError():
            return Failed("network", "backoff", retry_after=2.0, exc=exc)
        case TokenError():
            return Failed("token", "disable", exc=exc)
        case FatalError():
            return Failed("fatal", "escalate", exc=exc)
        case _:
            return crash(exc)


@dataclass(frozen=True)
class Nature:
    """What an actor is like in all its lives: its own chance, whether it does harm, whether siblings may take it along."""

    temper: random.Random
    faulty: bool
    depends: bool


class Population:
    """``specs`` are all the actors that live, lived, or may come, by path."""

    def __init__(self, rng: random.Random, callers: Callers) -> None:
        self.rng = rng
        self.callers = callers
        self.ledger = callers.ledger
        self.specs: dict[str, ChildSpec] = {}

    # --- the actors ----------------------------------------------------------------------------------------------------

    async def actor(self, ctx: Context[Any], nature: Nature) -> None:
        """Reads its mail; a faulty one may hang in init, crash, dawdle, leave, or not let itself be stopped."""
        temper = nature.temper
        if nature.faulty and temper.random() < 0.1:
            await trio.sleep(temper.choice((1.0, 100.0)))
        self.ledger.began(ctx._life)
        ctx.ready()
        stubborn, deaf = (temper.random() < 0.1, temper.random() < 0.1) if nature.faulty else (False, False)
        with trio.CancelScope(shield=stubborn), trio.move_on_after(STUCK_S if stubborn else math.inf):
            while True:
                message = await ctx.receive()
                ctx.beat()
                self.ledger.acts(ctx._life)
                if isinstance(message, Stop):
                    self.ledger.asked_to_stop(ctx._life, depends=nature.depends)
                    if not stubborn:
                        break
                elif await self._read(ctx, nature, message):
                    return
        with trio.CancelScope(shield=deaf):
            slow = STUCK_S if deaf else 10.0 if nature.faulty else 0.0
            await trio.sleep(temper.choice((0.0, 1.0, slow)))

    async def _read(self, ctx: Context[Any], nature: Nature, message: Any) -> bool:
        """Handle ``message``; True if that was enough for a life."""
        ledger, temper, life = self.ledger, nature.temper, ctx._life
        match message:
            case Down() as down:
                ledger.down(life, down)
            case Alarm() as alarm:
                ledger.rings(life, alarm)
            case Question(number, reply) as question:
                ledger.saw(question)
                await self._handle(ctx, nature)
                if temper.random() < 0.9:
                    reply.send(number)
            case Letter() as letter:
                ledger.read(letter, ctx.attempt)
                await self._handle(ctx, nature)
                if letter.poison:
                    raise ValueError("poison")
                leaves = nature.faulty and temper.random() < 0.03
                # Who leaves while a linked actor takes him down has ended badly, and his last letter with him.
                if not (life.fenced or (leaves and life.fault is not None)):
                    ledger.handled(letter)
                return leaves
        return False

    async def _handle(self, ctx: Context[Any], nature: Nature) -> None:
        temper = nature.temper
        await trio.sleep(temper.choice((0.0, 0.1, 0.5)))
        match temper.randrange(24):
            case 0 | 1:
                self._watch_somebody(ctx, temper)
            case 2 | 3:
                self._set_alarm(ctx, temper)
            case 4 | 5:
                await self.callers.ask(ctx.ask, temper.choice(self.paths()), temper)
            case 6 if nature.faulty:
                self._spawn(ctx, temper)
            case 7 if nature.faulty:
                raise NetworkError
            case 8 if nature.faulty:
                raise temper.choice((SystemExit(1), ExceptionGroup("two", [NetworkError(), ValueError("x")])))
            case 9 if nature.faulty and temper.random() < 0.3:
                raise TokenError
            case 10 if nature.faulty and temper.random() < 0.02:
                raise FatalError
            case 11 if nature.faulty and temper.random() < 0.3:
                with trio.CancelScope(shield=True):
                    await trio.sleep(STUCK_S)
            case 12 | 13 if nature.faulty:
                raise ValueError("boom")

    def _watch_somebody(self, ctx: Context[Any], temper: random.Random) -> None:
        path = temper.choice(self.paths())
        cell, ref = self.ledger.system.registry.cell(path), self.ledger.system.registry.ref(path)
        if ctx._life.fenced or path == ctx.path:
            return
        target = None if cell is None else cell.life
        if temper.random() < 0.8:
            ctx.monitor(ref)
            number = 0 if cell is None else cell.last_incarnation
            self.ledger.watches(ctx._life, path, number, target)
        elif target is not None:
            ctx.link(ref)
            self.ledger.links.append((ctx._life, target))

    def _set_alarm(self, ctx: Context[Any], temper: random.Random) -> None:
        if ctx._life.fenced:
            return
        seconds = temper.choice((0.0, 0.3, 5.0))
        alarm = Alarm(ctx._life, trio.current_time() + seconds)
        timer = ctx.send_after(seconds, alarm)
        if temper.random() < 0.3:
            alarm.cancelled = timer.cancel()

    def _spawn(self, ctx: Context[Any], temper: random.Random) -> None:
        if ctx._life.fenced:
            return
        name = f"helper{self.ledger.number()}"
        ref = ctx.spawn_child(ChildSpec(name, self._helper, (temper,)))
        self.ledger.kinds["linked child"] += 1
        self.ledger.watches(ctx._life, ref.path, 1, ctx._life.linked[name])
        if temper.random() < 0.2:
            ctx.cancel_child(name)

    async def _helper(self, ctx: Context[Any], temper: random.Random) -> None:
        with trio.CancelScope(shield=temper.random() < 0.3):
            await trio.sleep(temper.choice((0.5, STUCK_S)))
        if temper.random() < 0.5:
            raise KeyError("helpers end badly")

    # --- the tree ------------------------------------------------------------------------------------------------------

    def spec(self, path: str, *, depends: bool, significant: bool = False) -> ChildSpec:
        """The one actor that may live at ``path``."""
        rng = self.rng
        if (spec := self.specs.get(path)) is None:
            faulty = rng.random() < 0.4
            restarts = ("transient", "temporary") if significant else ("permanent", "permanent", "transient")
            spec = self.specs[path] = ChildSpec(
                path.rpartition("/")[2],
                self.actor,
                (Nature(random.Random(rng.random()), faulty, depends),),
                restart=rng.choice((*restarts, "temporary")),
                start_mode="sync" if not faulty and rng.random() < 0.3 else "eventual",
                ready_timeout=5.0,
                shutdown=SHUTDOWN_S,
                grace=GRACE_S,
                stall_s=rng.choice((None, None, 15.0)) if faulty else None,
                backoff=Backoff(0.5, 5.0, reset_after=10),
                intensity=Intensity(
                    rng.choice((1, 5)),
                    30.0,
                    rng.choice(("disable", "disable", "escalate")),
                    probe=rng.choice((None, 15.0)),
                ),
                on_stuck=rng.choice(("abandon", "abandon", "escalate")),
                significant=significant,
                mailbox=self._mailbox(),
                classify=classify,
            )
        return spec

    def _mailbox(self) -> MailboxSpec:
        rng = self.rng
        overflow = rng.choice(("backpressure", "backpressure", "drop_oldest", "drop_newest", "park"))
        return MailboxSpec(
            rng.choice((1, 3, 50)) if overflow == "backpressure" else rng.choice((1, 3)),
            overflow,
            rng.choice(("drop", "redeliver:1", "redeliver:3")),
            self._park if overflow == "park" else None,
        )

    def _park(self, message: Any) -> None:
        if self.rng.random() < 0.1:
            raise OSError("no room to park either")
        if isinstance(message, Letter):
            self.ledger.told[message.number].parked += 1

    def tree(self, path: str = "root", depth: int = DEPTH) -> ChildSpec:
        """A supervisor of some actors and, up to ``depth``, supervisors; the root is patient, that a run may last."""
        rng, root = self.rng, depth == DEPTH
        strategy = rng.choice(("one_for_one", "one_for_one", "one_for_all", "rest_for_one"))
        auto = rng.choice(("never", "never", "any_significant", "all_significant")) if not root else "never"
        children: list[ChildSpec] = []
        for n in range(rng.randint(2, 3)):
            below = f"{path}/{n}"
            if depth and rng.random() < 0.5:
                children.append(self.tree(below, depth - 1))
            else:
                significant = auto != "never" and rng.random() < 0.5
                children.append(self.spec(below, depends=strategy != "one_for_one", significant=significant))
        if rng.random() < 0.4:
            children.append(self._dynamic())
        return supervisor(
            path.rpartition("/")[2],
            children,
            strategy=strategy,
            limit=None if root else rng.choice((None, Limit(2, 20.0))),
            auto_shutdown=auto,
            intensity=Intensity(rng.choice((1, 3)), 30.0, rng.choice(("disable", "disable", "escalate"))),
            backoff=Backoff(0.5, 5.0),
        )

    def _dynamic(self) -> ChildSpec:
        most = self.rng.choice((None, 1))
        return supervisor("dyn", dynamic=True, max_children=most, intensity=Intensity(3, 60.0, "disable"))

    def paths(self) -> list[str]:
        """Where actors live, lived or may live."""
        return list(self.specs)
