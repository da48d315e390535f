"""What one look at a busy home costs: ``/metrics`` and ``hermes status`` with 1,000 conversations awake and 10,000 messages that
have not arrived.

    python tests/bench/bench_scrape.py [sessions] [messages]

The gateway runs in this process (``hermes.app.embedded``), so that every step of the loop can be timed, in its CPU time. Exit 1
if a look holds the loop for more than ``GOAL_S``; collecting garbage now and then does, whoever makes it.
"""

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import httpx
import trio
from bench_tree import wake

from hermes.app import embedded
from hermes.config.load import load
from hermes.ops.control import client
from hermes.plugins.builtin import entries
from hermes.registry.registry import PlatformRegistry

GOAL_S = 0.020
SESSIONS, MESSAGES, CHATS = 1_000, 10_000, 100
THREADS = 16
ROUNDS = 20
DEADLINE_S = 60.0


class Steps(trio.abc.Instrument):
    """The longest time that one task has held the loop, and which."""

    def __init__(self) -> None:
        self.longest_s, self.task = 0.0, ""
        self._began = time.thread_time()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """It begins."""
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """It is over."""
        took_s = time.thread_time() - self._began
        if took_s > self.longest_s:
            self.longest_s, self.task = took_s, task.name


def fill(home: Path, messages: int) -> None:
    """Half of ``messages`` on their way to a platform that is not there, half given up."""
    now = time.time()
    rows = [
        (
            f"b:{n}",
            f"chat-{n % CHATS}",
            "prepared" if n % 2 else "dead",
            "" if n % 2 else "http_400",
            now,
            now,
        )
        for n in range(messages)
    ]
    with closing(sqlite3.connect(home / "gateway.db", timeout=DEADLINE_S)) as db, db:
        db.executemany(
            "INSERT INTO outbox (delivery_id, platform, account, chat_id, trace, state, failure, created_at,"
            " changed_at, secret, text, message) VALUES (?, 'gone', 'default', ?, '', ?, ?, ?, ?, 0, '', x'')",
            rows,
        )


async def looked(name: str, look: Callable[[], object]) -> float:
    """The longest step of all rounds; prints what they took."""
    steps, took = Steps(), []
    trio.lowlevel.add_instrument(steps)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await trio.to_thread.run_sync(look)
        took.append(time.perf_counter() - began)
    trio.lowlevel.remove_instrument(steps)
    print(
        f"{name:14} {median(took) * 1000:6.1f} ms, the loop held for {steps.longest_s * 1000:.1f} ms ({steps.task})"
    )
    return steps.longest_s


async def main(sessions: int, messages: int) -> int:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="bench-scrape-") as directory:
        home = Path(directory)
        read = partial(load, home, os.environ)
        gateway = partial(
            embedded, home=home, settings=read(), reread=read, registry=PlatformRegistry(entries())
        )
        async with trio.open_nursery() as nursery:
            stop = await nursery.start(gateway)
            ask = partial(client.ask, home, "status", None, DEADLINE_S)
            while "starting" in {one["state"] for one in (await trio.to_thread.run_sync(ask))["adapters"]}:
                await trio.sleep(0.05)
            with ThreadPoolExecutor(THREADS) as threads:
                await trio.to_thread.run_sync(lambda: list(threads.map(partial(wake, home), range(sessions))))
            await trio.to_thread.run_sync(fill, home, messages)
            status = await trio.to_thread.run_sync(ask)
            url = f"http://127.0.0.1:{status['port']}/metrics"
            print(
                f"{status['sessions']['active']:,} sessions awake, {sum(status['outbox'].values()):,} messages not arrived"
            )
            with httpx.Client(trust_env=False) as http:
                nothing = await looked("nobody looks", partial(time.sleep, 0.05))
                longest = [
                    await looked("/metrics", partial(http.get, url)),
                    await looked("hermes status", ask),
                ]
            stop()
    print(f"goal: at most {GOAL_S * 1000:.0f} ms, or what it is held for when nobody looks")
    return int(max(longest) > max(GOAL_S, nothing))


if __name__ == "__main__":
    counts = [int(text) for text in sys.argv[1:]] + [SESSIONS, MESSAGES][len(sys.argv) - 1 :]
    sys.exit(trio.run(main, *counts))
