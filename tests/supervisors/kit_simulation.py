"""One seeded simulation of the whole kit: a random tree, a random plan of faults, virtual time, the laws checked throughout.

``python tests/supervisors/kit_simulation.py SEED`` is the repro of a failing seed. The same seed gives the same story.
"""

import argparse
import logging
import random
from collections.abc import Awaitable
from typing import Any

import trio
from kit_callers import Callers
from kit_house import House
from kit_ledger import Ledger, Letter
from kit_population import GRACE_S, SHUTDOWN_S, Population
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.commands import ChildNotUpError
from supervisors.ref import ActorRef
from supervisors.reply import AskError
from supervisors.step import TooManyChildrenError
from supervisors.system import System
from supervisors.tree import ActorSnapshot

DURATION_S = 60.0
LOOK_EVERY_S = 2.9
ORDERS = (
    "restart_child",
    "restart_child",
    "disable_child",
    "enable_child",
    "enable_child",
    "terminate_child",
)

DETERMINISTIC = "_ALLOW_DETERMINISTIC_SCHEDULING"
"""Trio's private switch: tasks that can run are sorted, and shuffled by its own source of chance."""
ORDER_ERRORS = (ChildNotUpError, TooManyChildrenError, AskError, LookupError, trio.TooSlowError)

REPRO = "PYTHONPATH=. python tests/supervisors/kit_simulation.py"


class Simulation:
    """The plan: what is told, asked, ordered and looked at, and when. ``lossy`` plants a violation: a letter vanishes."""

    def __init__(self, seed: int, *, lossy: bool = False) -> None:
        self.rng = random.Random(seed)
        self.lossy = lossy
        self.house = House(System(rng=random.Random(seed)))
        self.system = self.house.system
        self.ledger = Ledger(self.system)
        self.system.events.listen(self.ledger.event)
        self.callers = Callers(self.ledger)
        self.people = Population(self.rng, self.callers)
        self.doing: trio.Nursery

    # --- what is done to it --------------------------------------------------------------------------------------------

    async def sender(self, sender: int, path: str) -> None:
        """Tells the actor at ``path`` letters in order; ``sender`` keeps to one lane."""
        rng, ref = self.rng, self.house.ref(path)
        how = rng.choice(("tell", "tell", "tell", "tell_nowait", "urge"))
        patience = rng.choice((0.0, 0.2, 0.2, 4.0))
        for _ in range(rng.randint(5, 30)):
            await trio.sleep(rng.choice((0.0, patience)))
            poison = rng.random() < 0.02
            letter = self.ledger.letter(sender, path, self.people.specs[path].mailbox, poison=poison)
            if how == "tell":
                await self.callers.call("tell", self._tell(path, letter), rng)
            else:
                self.ledger.put(letter, getattr(ref, how)(letter))

    async def _tell(self, path: str, letter: Letter) -> None:
        self.ledger.put(letter, await self.house.ref(path).tell(letter))

    async def asker(self, path: str) -> None:
        """Asks the actor at ``path`` now and then."""
        for _ in range(self.rng.randint(1, 6)):
            await trio.sleep(self.rng.choice((0.0, 1.0, 8.0)))
            await self.callers.ask(ActorRef.ask, path, self.rng)

    async def operator(self) -> None:
        """Orders things at random times; some orders cross, some who gave one do not wait for it."""
        rng = self.rng
        for _ in range(rng.randint(5, 20)):
            await trio.sleep(rng.choice((0.0, 1.0, 5.0)))
            self.doing.start_soon(self._order)
        inner = [path for path in self.system.supervisors if path != "root"]
        for path in rng.sample(inner, min(len(inner), rng.choice((0, 0, 1)))):
            self.ledger.kinds["crash of a supervisor"] += 1
            self.house.ref(path).urge("a crash of the supervisor itself")

    async def _order(self) -> None:
        rng = self.rng
        parent = rng.choice(list(self.system.supervisors) or ["root"])
        tree = self.system.snapshot()
        node = None if tree is None else tree.find(parent)
        if node is None:
            return
        commands = self.house.commands(parent)
        names = [child.name for child in node.children]
        if node.spec.args[1].dynamic and (not names or rng.random() < 0.5):
            what, name = "start_child", f"k{rng.randrange(3)}"
            spec = self.people.spec(f"{parent}/{name}", depends=False)
            order: Awaitable[Any] = commands.start_child(spec, 30.0)
        else:
            what = rng.choice(ORDERS)
            name = rng.choice(names or ["nobody"])
            order = getattr(commands, what)(name, 30.0)
        self.ledger.ordered.add(f"{parent}/{name}")

        async def wait() -> None:
            try:
                await order
            except ORDER_ERRORS as error:
                self.ledger.kinds[f"{what}: {type(error).__name__}"] += 1

        self.ledger.write(f"{what} {parent}/{name}")
        await self.callers.call(what, wait(), rng)

    # --- the whole -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Everything; raises ``AssertionError`` with the violations."""
        root = self.people.tree()
        async with trio.open_nursery() as self.callers.nursery:
            self.callers.nursery.start_soon(self.house.run, root)
            await wait_all_tasks_blocked()
            with trio.move_on_after(DURATION_S):
                async with trio.open_nursery() as self.doing:
                    for sender, path in enumerate(self.people.paths()):
                        self.doing.start_soon(self.sender, sender, path)
                        self.doing.start_soon(self.asker, path)
                    self.doing.start_soon(self.operator)
                    self.doing.start_soon(self._look)
                    if self.lossy:
                        self.doing.start_soon(self._lose_a_letter)
            await wait_all_tasks_blocked()
            if self.house.over.is_set():
                self.ledger.kinds["ended by itself"] += 1
            else:
                self.ledger.check_watches()
                self._check_registry()
                await self._stop()
        violations = self.ledger.close()
        assert not violations, f"{violations[0]} (and {len(violations) - 1} more violations)"

    async def _look(self) -> None:
        """Laws A2, C7 and M4, seen from the snapshot."""
        while not self.house.over.is_set():
            tree = self.system.snapshot()
            assert tree is not None
            for node in tree.walk():
                self._look_at(node)
            await trio.sleep(LOOK_EVERY_S)

    def _look_at(self, node: ActorSnapshot) -> None:
        if node.mailbox is not None and node.mailbox.used > node.mailbox.capacity:
            self.ledger.violated("M4", repr(node.mailbox))
        if (node.next_start_in_s is not None) != (node.state == "backoff"):
            self.ledger.violated("C7", f"{node.path} is in {node.state}, next start: {node.next_start_in_s}")
        if node.kind == "supervisor" and node.state == "running":
            self._look_at_children(node)

    def _look_at_children(self, node: ActorSnapshot) -> None:
        rules, ordered = node.spec.args[1], self.ledger.ordered
        down = {child.path for child in node.children if child.state in {"backoff", "disabled"}}
        if rules.strategy == "one_for_all" and down:
            down = {child.path for child in node.children}
        # They are stopped one after the other.
        busy = any(child.state == "stopping" for child in node.children)
        held = False
        for child in node.children:
            held = rules.strategy != "one_for_one" and (held or child.path in down)
            if held and child.state == "running" and not busy:
                self.ledger.violated("A2", f"{child.path} is up, and what it depends on is not")
            lost = (
                child.state == "stopped" and child.spec.restart == "permanent" and child.path not in ordered
            )
            if lost and not self.system.supervisors[node.path]._core.ending:  # type: ignore[attr-defined]
                self.ledger.violated("C7", f"nobody is responsible for {child.path}")

    def _check_registry(self) -> None:
        """Law X5: whoever left while he gave an order, no child is known to one half of the kit only."""
        tree = self.system.snapshot()
        assert tree is not None
        for node in tree.walk():
            known = {child.path for child in node.children}
            for ref in self.system.registry.below(node.path):
                if ref.incarnation is not None and ref.path not in known:
                    self.ledger.violated("X5", f"{ref.path} lives, and its supervisor knows nothing of it")

    async def _stop(self) -> None:
        """In good order, or in a hurry; law S2."""
        root, tree = self.house.cell("root").life, self.system.snapshot()
        assert tree is not None
        if root is None:
            return
        if self.rng.random() < 0.2:
            self.ledger.kinds["hurry"] += 1
            self.system.hurry(130)
            return
        before, most = trio.current_time(), sum(node.kind == "worker" for node in tree.walk())
        self.house.stop()
        await root.done.wait()  # the run itself goes on while a life that was given up does
        if trio.current_time() - before > most * (SHUTDOWN_S + GRACE_S):
            self.ledger.violated("S2", f"the stop took {trio.current_time() - before} s")

    async def _lose_a_letter(self) -> None:
        """A violation on purpose."""
        while not (lanes := [lane for cell in self.ledger.cells if (lane := cell.mailbox._user)]):
            await trio.sleep(0.1)
        lanes[0].popleft()


def simulate(seed: int, *, lossy: bool = False) -> Ledger:
    """Run the simulation of ``seed`` in a Trio of its own, with Trio's scheduler seeded as well."""
    vars(trio._core._run)[DETERMINISTIC] = True
    trio._core._run._r.seed(seed)
    simulation = Simulation(seed, lossy=lossy)
    trio.run(simulation.run, clock=MockClock(autojump_threshold=0))
    return simulation.ledger


def check(seed: int, *, lossy: bool = False) -> Ledger:
    """As ``simulate``; a failure is one line that says how to run it alone."""
    try:
        return simulate(seed, lossy=lossy)
    except Exception as exc:
        what = str(exc) if isinstance(exc, AssertionError) else repr(exc)
        command = f"{REPRO} {seed}{' --lossy' if lossy else ''}"
        raise AssertionError(f"repro: {command}  # {what}".replace("\n", " ")) from exc


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--lossy", action="store_true", help="plant a violation")
    parser.add_argument("--story", action="store_true", help="print everything that happened")
    options = parser.parse_args()
    logging.getLogger("supervisors").setLevel(logging.CRITICAL)
    ledger = check(options.seed, lossy=options.lossy)
    print("\n".join(ledger.story) if options.story else dict(ledger.kinds))
