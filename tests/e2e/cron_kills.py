"""Real kill -9 of a gateway whose jobs are due every other second: each instant once, each message once.

    python tests/e2e/cron_kills.py [--kills 5]

The jobs run what they have missed (``misfire: all``), so afterwards every instant since the first has one run, which is ok, and
one message in the outbox.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

STEP_S = 2
END_S = 60.0


def job(name: str, **more: object) -> dict[str, object]:
    return {
        "id": name,
        "name": name,
        "schedule": {"kind": "cron", "expr": f"* * * * * */{STEP_S}"},
        "next_run_at": datetime.fromtimestamp(
            int(time.time()) // STEP_S * STEP_S + 2 * STEP_S, UTC
        ).isoformat(),
        "misfire": "all",
        "overlap": "queue",
        "tz": "UTC",
        "deliver": f"console:{name}",
    } | more


def start(home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hermes.cli", "run", "--home", str(home), "--port", "0", "-q"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def campaign(home: Path, kills: int, rng: random.Random) -> list[str]:
    """What is wrong afterwards; empty if nothing is."""
    (home / "cron").mkdir(parents=True)
    jobs = [job("words", message="tick"), job("asked", prompt="echo hello", overlap="queue")]
    (home / "cron" / "jobs.json").write_text(json.dumps({"jobs": jobs}))
    for _ in range(kills):
        gateway = start(home)
        time.sleep(rng.uniform(3.0, 8.0))
        os.kill(gateway.pid, signal.SIGKILL)
        gateway.wait()
    gateway = start(home)
    time.sleep(4 * STEP_S)
    document = json.loads((home / "cron" / "jobs.json").read_text())
    for one in document["jobs"]:
        one["enabled"] = False
    (home / "cron" / "jobs.json").write_text(json.dumps(document))
    until = time.monotonic() + END_S
    while open_runs(home) and time.monotonic() < until:
        time.sleep(0.5)
    gateway.send_signal(signal.SIGINT)
    gateway.wait()
    return [words for one in jobs for words in judge(home, str(one["id"]))]


def open_runs(home: Path) -> bool:
    with closing(sqlite3.connect(home / "gateway.db")) as database:
        found = database.execute(
            "SELECT 1 FROM cron_runs WHERE run_state IN ('claimed', 'running') LIMIT 1"
        ).fetchall()
    return bool(found)


def judge(home: Path, name: str) -> list[str]:
    with closing(sqlite3.connect(home / "gateway.db")) as database:
        runs = database.execute(
            "SELECT due_at, run_state, attempts FROM cron_runs WHERE job_id = ? ORDER BY due_at", (name,)
        ).fetchall()
        sent = database.execute(
            "SELECT count(*) FROM outbox WHERE delivery_id GLOB ?", (f"cron:{name}:*",)
        ).fetchall()[0][0]
    print(
        f"{name}: {len(runs)} runs, {sum(one[2] > 1 for one in runs)} gone on with after a kill, {sent} messages"
    )
    wrong = [
        f"{name}: {later - earlier:g} s between two runs"
        for (earlier, *_), (later, *_) in pairwise(runs)
        if later - earlier != STEP_S
    ]
    wrong += [f"{name}: {due} is {state}" for due, state, _ in runs if state != "ok"]
    return wrong + ([f"{name}: {sent} messages of {len(runs)} runs"] if sent != len(runs) else [])


def main() -> int:
    """One campaign."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        wrong = campaign(Path(home), args.kills, random.Random(args.seed))
    for words in wrong:
        print(words)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
