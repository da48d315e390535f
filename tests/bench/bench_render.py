"""An answer's way into a platform's dialect: parsed, cut into parts of 4,096, rendered; milliseconds of CPU each.

    python tests/bench/bench_render.py [--rounds 20]

Goals: 1 kB in 5 ms, 40 kB in 250 ms, a short plain text in 0.1 ms. Ends with 1 if one is missed.
"""

import argparse
import sys
import time
from typing import get_args

from hermes.render.cut import split
from hermes.render.dialects import body
from hermes.render.ir import Document
from hermes.render.markdown import parse
from hermes.render.measure import length
from hermes.types.content import Dialect

ROOM = 4096
SECTION = """## What I found

The build fails because `pyproject.toml` names **two** packages; see [the guide](https://example.com/a_(b)?x=1&y=2).
It is *probably* harmless, and ~~urgent~~ can wait 😀.

1. Remove the second line:
   ```toml
   [project]
   name = "demo"
   ```
2. Run `just check` again
   - it takes a minute
   - nothing else changes

> You asked for the short version. **This** is it.

| Step | Takes |
|------|------:|
| check | 60 s |
| test | 11 min |

Everything else is as it was: the *tests* pass, the **docs** build, and `main` is clean. Shall I go on with the release?
"""
SHORT = "Yes, the tests pass. I have opened the pull request; have a look when you have time."
GOALS_MS = {"1 kB": 5.0, "40 kB": 250.0, "short": 0.1}


def main() -> int:
    """Print a line for each dialect, and what missed its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    kilobyte = SECTION + "\n"
    texts = {"1 kB": kilobyte, "40 kB": kilobyte * (40_000 // len(kilobyte)), "short": SHORT}
    missed = []
    for dialect in get_args(Dialect):
        took = {name: _took_ms(text, dialect, rounds) for name, text in texts.items()}
        missed += [f"{dialect}, {name}" for name, ms in took.items() if ms > GOALS_MS[name]]
        print(f"{dialect:>9}: " + ", ".join(f"{name} {ms:.3f} ms" for name, ms in took.items()), flush=True)
    print("goals: " + ", ".join(f"{name} {ms} ms" for name, ms in GOALS_MS.items()))
    print(f"missed: {'; '.join(missed)}" if missed else "all met")
    return 1 if missed else 0


def _took_ms(text: str, dialect: Dialect, rounds: int) -> float:
    rounds *= max(1, 2000 // len(text))
    _send(text, dialect)
    began = time.process_time()
    for _ in range(rounds):
        _send(text, dialect)
    return 1000 * (time.process_time() - began) / rounds


def _send(text: str, dialect: Dialect) -> int:
    def size(document: Document) -> int:
        return length(body(document, dialect).text, "utf16")

    document = parse(text)
    parts = (document,) if size(document) <= ROOM else split(document, ROOM, size)
    return sum(len(body(part, dialect).text) for part in parts)


if __name__ == "__main__":
    sys.exit(main())
