"""What a stranger reads runs: the programs in examples/, and every block of the tutorial with the output it shows."""

import re
import runpy
from collections.abc import Iterator
from itertools import pairwise

import pytest
import trio
from kit_laws import LAWS, PAGE, ROOT, laws_shown, with_table
from trio.testing import MockClock

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SHOWN = {
    "counter": ["life 1 counts 7", "life 2 counts 10"],
    "worker_pool": [
        "ant done, attempt 1",
        "bee done, attempt 1",
        "cat done, attempt 2",
        "dog done, attempt 1",
    ],
    "chat_room": [
        "[chat/ann] chat/ann is here",
        "[chat/ann] chat/bob has left: Crash",
        "[chat/ann] chat/bob is here",
        "[chat/ann] good evening",
        "[chat/ann] good night",
        "[chat/ann] is anybody there?",
        "[chat/bob] chat/bob is here",
        "[chat/bob] good evening",
        "[chat/bob] good night",
    ],
}
"""Sorted: Trio does not say who of several actors prints first."""


@pytest.fixture
def virtual_time(monkeypatch):
    """``trio.run`` on a clock that jumps."""
    run = trio.run

    def jump(*args, **options):
        return run(*args, **{"clock": MockClock(autojump_threshold=0), **options})

    monkeypatch.setattr(trio, "run", jump)


def test_there_is_a_test_of_every_example():
    assert sorted(path.stem for path in (ROOT / "examples").glob("*.py")) == sorted(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_shows_what_it_promises(name, virtual_time, capsys):
    path = ROOT / "examples" / f"{name}.py"
    assert len(path.read_text().splitlines()) <= 60

    runpy.run_path(str(path), run_name="__main__")

    assert sorted(capsys.readouterr().out.splitlines()) == SHOWN[name]


def blocks(page: str) -> Iterator[tuple[int, str, str | None]]:
    """(line, code, the output shown below it) of the Python blocks of ``page``."""
    found = list(BLOCK.finditer(page))
    for block, following in pairwise([*found, None]):
        if block is not None and block[1] == "python":
            shown = following[2] if following is not None and following[1] == "text" else None
            yield page.count("\n", 0, block.start()) + 1, block[2], shown


def test_the_tutorial_runs_and_shows_what_happens(virtual_time, capsys):
    page = PAGE.read_text(encoding="utf-8")
    house = {"__name__": "tutorial"}
    lines = []

    for line, code, shown in blocks(page):
        exec(compile("\n" * line + code, str(PAGE), "exec"), house)
        lines.append(line)

        assert capsys.readouterr().out == (shown or ""), f"the block in line {line}"

    assert len(lines) == page.count("```python"), "a block was passed over"


def test_the_table_of_laws_is_fresh():
    page = PAGE.read_text(encoding="utf-8")

    assert with_table(page) == page, "run python tests/supervisors/kit_laws.py"
    assert {law for law in laws_shown() if not law.startswith("D")} <= LAWS.keys()
