"""The laws of the kit and the tests that are named after them, as a table: ``python tests/supervisors/kit_laws.py`` writes it.

It stands in docs/supervision.md between two markers; ``test_kit_examples`` fails while it is stale.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "supervision.md"
BEGIN, END = "<!-- laws: begin -->\n", "<!-- laws: end -->\n"

LAWS = {
    "A1": "one_for_one: a crash leaves the siblings alone",
    "A2": "one_for_all and rest_for_one restart exactly whom they name",
    "A3": "permanent always comes back, transient after a failure, temporary never",
    "A4": "foreign code that raises (a listener, classify, park, drain, log handler) harms no supervisor",
    "A5": "an actor that blocks the loop is named, with its stack",
    "B1": "sync children start in order, each ready before the next; a failure unwinds in reverse",
    "B2": "a child that fails before it is ready leaves nothing behind",
    "B3": "recovery comes before the first message",
    "B4": "start_child returns when the child is ready, or raises",
    "S1": "stop is reverse start order; dynamic children stop in parallel",
    "S2": "a stop takes at most shutdown and grace, child by child",
    "S3": "stopping twice is stopping once; orders come out one after the other",
    "S4": "a stop does not wait for a start",
    "S5": "the process ends within its deadline, whatever its children do",
    "C1": "the budget itself does not trip, one more does, and escalates once",
    "C2": "a failed restart counts; a crash counts once",
    "C3": "limits that slow restarts would defeat are found before the start",
    "C4": "delays lie within their bounds, grow, and start over after health",
    "C5": "a disabled child is visible, harms no sibling, and comes back by order or probe",
    "C6": "ends in good order and mapped failures cost no budget",
    "C7": "a permanent child that is not disabled is always somebody's responsibility",
    "C8": "a failure changes its own child only, unless the table names a wider scope",
    "C9": "a message that crashes its reader again and again is put aside",
    "C10": "a failure without a name is a crash",
    "X1": "Cancelled is never swallowed, never a crash, never a restart",
    "X2": "every other exception, SystemExit too, is a crash of that child; signals stop in order",
    "X3": "one failure is that failure, several are a group, and the gravest verdict wins",
    "X4": "the first failure reaches the root with its traceback and its path",
    "X5": "a caller that is cancelled leaves no half state",
    "M1": "no message that was accepted is lost unaccounted",
    "M2": "messages of one sender keep their order, across restarts too",
    "M3": "the message in work at a crash follows its declaration",
    "M4": "never more than capacity waits; overflow is as declared",
    "M5": "signals come before messages and pass a full mailbox",
    "M6": "after a stop has begun, senders are told so",
    "M7": "a reader that never waits lets others run",
    "M8": "a message to nobody is a dead letter, not an error",
    "Q1": "the timeout of a question covers all of it",
    "Q2": "an asker that left harms nobody",
    "Q3": "the end of the asked is told at once, and whether it saw the question",
    "Q4": "questions in a circle are found before they wait",
    "Q5": "nested questions keep to the first deadline",
    "N1": "a name has one life at most, and stays valid across them",
    "N2": "n callers at once start one child",
    "N3": "a monitor yields exactly one Down",
    "N4": "a bad end takes the linked actor along, a good one does not",
    "N5": "an actor that rests loses no message that races it",
    "N6": "a life that is over can no longer act",
    "N7": "a limit on children refuses, visibly",
    "E1": "to fail is to end; the end is the notice",
    "O1": "every end has exactly one record",
    "O2": "the tree is one consistent snapshot and awaits nobody",
    "O3": "looking into an actor is bounded and holds it up for a message at most",
    "O4": "rings are bounded and count what they drop",
    "O5": "what looks on costs nothing while it is off, and tells no secrets",
    "K1": "a supervisor waits for nobody without a deadline",
    "K2": "every task is an actor",
    "K3": "no progress within the declared time is a restart",
    "K4": "a failure and a crash take one path",
    "K5": "nobody starves",
    "R1": "one seed, one log of events",
    "R2": "a failing seed prints how to run it again",
}
"""D1 to D4, about durability, are the store's laws."""

NAME = re.compile(r"test_laws?_((?:[A-Z]\d+_(?:and_)?)+)")


def laws_shown() -> dict[str, list[str]]:
    """Law → ``file::test`` of every test whose name begins with it, wherever it stands."""
    found = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (named := NAME.match(node.name)):
                for law in re.findall(r"[A-Z]\d+", named[1]):
                    found[law].append(f"{path.stem}::{node.name}")
    return found


def table() -> str:
    """A row for every law: what it says and its tests; a dash where there is none."""
    found = laws_shown()
    rows = [
        f"| {law} | {says} | {'<br>'.join(f'`{test}`' for test in found[law]) or '–'} |"
        for law, says in LAWS.items()
    ]
    return "\n".join(["| law | says | tests |", "|---|---|---|", *rows, ""])


def with_table(page: str) -> str:
    """``page`` with the present table between its markers."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
