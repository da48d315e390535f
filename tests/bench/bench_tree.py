"""``hermes tree --json`` with many sessions awake, in a real gateway with real messages: time, size and the loop's lag.

python tests/bench/bench_tree.py [sessions]
"""

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import trio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from harness import Gateway

from hermes.ops.control import client

SESSIONS = 10_000
THREADS = 16
ROUNDS = 5
DEADLINE_S = 60.0


def wake(home: Path, number: int) -> None:
    """Have one more person ask something, and read the answer: what nobody has read is work to be done."""
    stream = client.open_stream(home, "console", {"user": f"user{number}"}, DEADLINE_S)
    try:
        stream.send(json.dumps({"t": "hello", "client": "bench"}))
        stream.send(json.dumps({"t": "send", "id": f"{number}", "text": "echo hi"}))
        while (said := stream.receive(DEADLINE_S)) is not None:
            frame = json.loads(said)
            if frame["t"] == "message":
                stream.send(json.dumps({"t": "ack", "item": frame["item"]["item_id"]}))
                return
    finally:
        stream.close()


def timed(ask: partial[object]) -> tuple[float, object]:
    """How many seconds it took, and what came of it."""
    began = time.perf_counter()
    result = ask()
    return time.perf_counter() - began, result


async def main(sessions: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="bench-tree-") as directory:
        gateway = Gateway(Path(directory) / "home")
        try:
            await gateway.start()
            began = time.perf_counter()
            with ThreadPoolExecutor(THREADS) as threads:
                await trio.to_thread.run_sync(
                    lambda: list(threads.map(partial(wake, gateway.home), range(sessions)))
                )

            status = await gateway.json("status")
            awake, before = status["sessions"]["active"], status["worst_loop_lag_ms"]
            print(f"{awake:,} sessions awake after {time.perf_counter() - began:.0f} s")
            asked = [
                timed(partial(client.ask, gateway.home, "tree", None, DEADLINE_S)) for _ in range(ROUNDS)
            ]
            print(f"the gateway's answer    {median(seconds for seconds, _ in asked) * 1000:6.0f} ms")
            whole = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                printed = await gateway.cli("tree", "--json")
                whole.append(time.perf_counter() - started)
            print(f"hermes tree --json      {median(whole) * 1000:6.0f} ms, {len(printed) / 1e6:.1f} MB")
            after = (await gateway.json("status"))["worst_loop_lag_ms"]
            print(f"worst lag of the loop   {before:6.0f} ms before, {after:.0f} ms after")
        finally:
            gateway.close()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if sys.argv[1:] else SESSIONS)
