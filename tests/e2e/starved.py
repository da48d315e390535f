"""Follow-ups on a starved machine: ``python tests/e2e/starved.py [--chats 10] [--followups 5] [--busy 3]``.

The gateway has one core, and shares it with busy loops. In each chat a first message is sent and, before it is answered,
all follow-ups. None may be lost, doubled or out of order. Exits 1 and says which message is concerned otherwise.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import trio
from harness import Gateway
from harness_chats import Chat, connected, quiet, violations


def pin(pid: int, core: int) -> None:
    """Keep the process, with every thread it has and will have, on ``core``."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


@contextmanager
def busy_loops(count: int, core: int) -> Iterator[None]:
    """So many processes that do nothing but use ``core`` up; each is ended by its own pid."""
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            loops.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            pin(loops[-1].pid, core)
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


async def starve(home: Path, *, chats: int, followups: int, busy: int) -> tuple[str, Sequence[str]]:
    """Figures for a person, and what went wrong."""
    core = min(os.sched_getaffinity(0))
    gateway = Gateway(home)
    try:
        await gateway.start()
        cookie = await gateway.log_in()
        talk = [Chat(gateway, cookie, f"c{number}") for number in range(chats)]
        pin(gateway.pid, core)
        with busy_loops(busy, core):
            began = time.monotonic()
            async with connected(talk):
                for chat in talk:
                    for _ in range(1 + followups):
                        chat.say()
                found = await quiet(gateway, chats * (1 + followups))
                took_s = time.monotonic() - began
                found += await violations(talk, home)
                status = await gateway.status()
        exit_code = await gateway.stop()
        found += [f"hermes stop: exit code {exit_code}"] if exit_code else []
    finally:
        gateway.close()
    messages, counts = chats * (1 + followups), status["counts"]
    figures = (
        f"{messages} messages in {chats} chats, {counts['answered']} answered, core {core} shared with {busy} busy loops\n"
        f"  at rest after {took_s:.1f} s, {messages / took_s:.1f} messages/s; "
        f"worst loop lag {status['worst_loop_lag_ms']:.1f} ms"
    )
    return figures, found


def main() -> None:
    """Run once as the arguments say, in a temporary home."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chats", type=int, default=10)
    parser.add_argument("--followups", type=int, default=5)
    parser.add_argument("--busy", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hermes-starved-") as directory:
        figures, found = trio.run(lambda: starve(Path(directory) / "home", **vars(options)))
    print(figures)
    print("\n".join(f"  VIOLATION {line}" for line in found) or "  0 lost, 0 doubled, order kept")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
