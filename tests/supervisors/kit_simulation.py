"""One seeded simulation of the whole kit: a random tree, a random plan of faults, virtual time, every law checked at the end.

``simulate(seed)`` is the repro of a failing seed, and returns the event log: the same seed gives the same log.
"""

import itertools
import random
from collections import Counter
from typing import Any

import trio
from kit_house import House
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import Life, Stop
from supervisors.context import Context
from supervisors.mailbox import Outcome
from supervisors.reasons import ExitReason, Failed, crash
from supervisors.reply import ActorDownError
from supervisors.spec import Backoff, ChildSpec, Intensity, MailboxSpec
from supervisors.supervisor import ChildNotUpError, supervisor
from supervisors.system import System

DURATION_S = 120.0
SHUTDOWN_S, GRACE_S = 3.0, 2.0
Told = tuple[str, int]


class NetworkError(Exception):
    """Mapped to a backoff: costs no budget."""


def classify(exc: BaseException) -> ExitReason:
    if isinstance(exc, NetworkError):
        return Failed("network", "backoff", retry_after=2.0, exc=exc)
    return crash(exc)


class Simulation:
    """The plan, the actors that follow it, and what they saw."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.numbers = itertools.count()
        self.told: dict[str, list[int]] = {}
        self.seen: dict[str, list[int]] = {}
        self.handled: Counter[str] = Counter()
        self.lives: dict[str, list[Life]] = {}
        self.violations: list[str] = []
        """What actors found wrong: raised there it would be one more crash."""
        self.faulty: set[str] = set()
        self.house = House(System(rng=random.Random(seed)))

    # --- the actors ----------------------------------------------------------------------------------------------------

    async def actor(self, ctx: Context[Any], temper: random.Random) -> None:
        """Handles numbers; sometimes hangs in init, crashes, dawdles, or does not let itself be stopped."""
        faulty = ctx.path in self.faulty
        if faulty and temper.random() < 0.15:
            await trio.sleep(temper.choice((1.0, 100.0)))
        others = self.lives.setdefault(ctx.path, [])
        if not all(life.fenced or life.done.is_set() for life in others):
            self.violations.append(f"two lives at {ctx.path} (N1)")
        others.append(ctx._life)
        ctx.ready()
        match temper.randrange(10) if faulty else 0:
            case 9:
                with trio.CancelScope(shield=True), trio.move_on_after(50):
                    await self._work(ctx, temper, faulty)
            case 8:
                await self._work(ctx, temper, faulty)
                with trio.CancelScope(shield=True):
                    await trio.sleep(50)
            case _:
                await self._work(ctx, temper, faulty)

    async def _work(self, ctx: Context[Any], temper: random.Random, faulty: bool) -> None:
        while True:
            match await ctx.receive():
                case Stop():
                    await trio.sleep(temper.choice((0.0, 1.0)) if not faulty else temper.choice((0.0, 10.0)))
                    return
                case int(number):
                    if ctx._life.fenced:
                        self.violations.append(f"{ctx.path} took mail after it was given up (N6)")
                    self.seen.setdefault(ctx.path, []).append(number)
                    await trio.sleep(temper.choice((0.0, 0.1, 0.5)))
                    if faulty:
                        self._misbehave(ctx, temper)
                    self.handled[ctx.path] += 1

    def _misbehave(self, ctx: Context[Any], temper: random.Random) -> None:
        match temper.randrange(12):
            case 0:
                raise ValueError("boom")
            case 1:
                raise NetworkError
            case 2:
                raise ExceptionGroup("several", [NetworkError(), ValueError("boom")])
            case 3:
                raise SystemExit(1)
            case 4:
                ctx.spawn_child(ChildSpec(f"helper{next(self.numbers)}", self._helper))

    async def _helper(self, ctx: Context[Any]) -> None:
        with trio.CancelScope(shield=self.rng.random() < 0.3):
            await trio.sleep(self.rng.choice((0.5, 30.0)))
        raise KeyError("helpers end badly")

    # --- the tree and what is done to it -------------------------------------------------------------------------------

    def spec(self, name: str, path: str) -> ChildSpec:
        rng = self.rng
        if rng.random() < 0.4:
            self.faulty.add(path)
        return ChildSpec(
            name,
            self.actor,
            (random.Random(rng.random()),),
            restart=rng.choice(("permanent", "permanent", "transient", "temporary")),
            start_mode="sync" if path not in self.faulty and rng.random() < 0.3 else "eventual",
            ready_timeout=5.0,
            shutdown=SHUTDOWN_S,
            grace=GRACE_S,
            backoff=Backoff(0.5, 5.0, reset_after=10),
            intensity=Intensity(rng.choice((1, 5)), 30.0),
            mailbox=MailboxSpec(rng.choice((1, 3, 50))),
            classify=classify,
        )

    def tree(self, path: str, depth: int) -> ChildSpec:
        name = path.rpartition("/")[2]
        children: list[ChildSpec] = []
        for n in range(self.rng.randint(1, 3)):
            below = f"{path}/{n}"
            if depth and self.rng.random() < 0.4:
                children.append(self.tree(below, depth - 1))
            else:
                children.append(self.spec(str(n), below))
        if self.rng.random() < 0.3:
            children.append(supervisor("dyn", dynamic=True))
        return supervisor(name, children)

    async def sender(self, path: str) -> None:
        """Tells the actor at ``path`` numbers in order."""
        for n in range(self.rng.randint(5, 60)):
            await trio.sleep(self.rng.choice((0.0, 0.2, 4.0)))
            with trio.move_on_after(self.rng.choice((0.1, 20.0))):
                if await self.house.ref(path).tell(n) is Outcome.ACCEPTED:
                    self.told.setdefault(path, []).append(n)

    async def operator(self) -> None:
        """Orders things at random times; some orders cross."""
        async with trio.open_nursery() as nursery:
            for _ in range(self.rng.randint(10, 40)):
                await trio.sleep(self.rng.choice((0.0, 1.0, 6.0)))
                nursery.start_soon(self._order)
            inner = sorted(path for path in self.house.system.supervisors if path != "root")
            for path in self.rng.sample(inner, min(len(inner), self.rng.choice((0, 0, 1, 2)))):
                self.house.ref(path).urge("a crash of the supervisor itself")

    async def _order(self) -> None:
        tree = self.house.system.snapshot()
        assert tree is not None
        node = self.rng.choice(tree.walk()[1:])
        parent, _, name = node.path.rpartition("/")
        if parent not in self.house.system.supervisors:
            return
        commands = self.house.commands(parent)
        if self.house.cell(parent).spec.args[1].dynamic:
            order = self.rng.choice((commands.terminate_child, commands.restart_child))
        else:
            restart, disable, enable = commands.restart_child, commands.disable_child, commands.enable_child
            order = self.rng.choice((restart, restart, disable, enable, enable))
        with_dyn = [n.path for n in tree.walk() if n.name == "dyn"]
        try:
            if with_dyn and self.rng.random() < 0.5:
                path = self.rng.choice(with_dyn)
                key = f"k{self.rng.randrange(3)}"
                await self.house.commands(path).start_child(self.spec(key, f"{path}/{key}"), 30.0)
            elif node.kind == "worker" or order == commands.restart_child:
                await order(name, 30.0)
        except (ChildNotUpError, ActorDownError, LookupError, trio.TooSlowError):
            pass

    # --- the whole -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        root = self.tree("root", 2)
        house = self.house
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.run, root)
            await wait_all_tasks_blocked()
            async with trio.open_nursery() as doing:
                tree = house.system.snapshot()
                assert tree is not None
                for node in tree.walk():
                    if node.kind == "worker":
                        doing.start_soon(self.sender, node.path)
                doing.start_soon(self.operator)
                doing.start_soon(self._watch, doing.cancel_scope)
            self.check_isolation()
            before, living = trio.current_time(), self._workers()
            root_ended = house.life("root").done
            house.stop()
            await root_ended.wait()  # the run itself goes on while a life that was given up does
            assert trio.current_time() - before <= living * (SHUTDOWN_S + GRACE_S), "too slow a stop (S2)"
        self.check_conservation()
        assert not self.violations

    async def _watch(self, doing: trio.CancelScope) -> None:
        """Law C7 at every quiet instant, seen from the snapshot."""
        until = trio.current_time() + DURATION_S
        while trio.current_time() < until and not self.house.over.is_set():
            tree = self.house.system.snapshot()
            assert tree is not None
            for node in tree.walk():
                assert node.state in {"starting", "running", "stopping", "backoff", "disabled", "stopped"}, (
                    node
                )
                if node.spec.restart == "permanent" and node.state == "stopped":
                    # Nobody terminates a static permanent child here: only a supervisor that ends leaves one stopped.
                    parent = tree.find(node.path.rpartition("/")[0])
                    assert parent is None or parent.state in {"stopping", "stopped", "backoff"}, node
                assert (node.next_start_in_s is not None) == (node.state == "backoff"), node
            await trio.sleep(0.7)
        doing.cancel()

    def _workers(self) -> int:
        tree = self.house.system.snapshot()
        assert tree is not None
        return sum(node.kind == "worker" for node in tree.walk())

    def check_isolation(self) -> None:
        """Law A1: who neither failed nor was under an order has lived one life."""
        ended = {event.path for event in self.house.log if event.kind == "exited"}
        for path, cell in self.house.system.registry._cells.items():
            above = {path.rsplit("/", n)[0] for n in range(path.count("/") + 1)}
            if not above & ended and cell.spec.kind == "worker" and path.count("helper") == 0:
                assert cell.last_incarnation <= 1, f"{path} was restarted for nothing (A1)"

    def check_conservation(self) -> None:
        """Laws M1 and M2: everything that was accepted is accounted for, and was seen in order, once."""
        for path, cell in self.house.system.registry._cells.items():
            stats = cell.mailbox.stats()
            assert stats.accepted == stats.taken + stats.used + stats.discarded, (path, stats)
            seen = self.seen.get(path, [])
            told = self.told.get(path, [])
            if path.rpartition("/")[0].endswith("dyn"):
                continue  # such a name may have belonged to several actors, one after the other
            assert seen == told[: len(seen)], f"{path}: {seen} of {told} (M2)"
            assert len(told) == len(seen) + stats.discarded, (path, told, seen, stats)
            assert len(seen) - self.handled[path] <= stats.dropped_in_flight, (path, stats)


def simulate(seed: int) -> list[str]:
    """Run the simulation of ``seed`` in a Trio of its own, with Trio's scheduler seeded as well; the event log."""
    vars(trio._core._run)["_ALLOW_DETERMINISTIC_SCHEDULING"] = True  # as pytest-trio sets it
    trio._core._run._r.seed(seed)
    simulation = Simulation(seed)
    trio.run(simulation.run, clock=MockClock(autojump_threshold=0))
    start = simulation.house.log[0].at
    return [
        f"{event.at - start:.6f} {event.kind} {event.path}#{event.incarnation} {sorted(event.detail.items())}"
        for event in simulation.house.log
    ]
