"""Real processes, really killed."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from hermes.store import queries
from hermes.store.schema import open_writer

KILLS = 10
LOAD = Path(__file__).with_name("store_load.py")


def test_AC_45_kill_9_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    acknowledged: set[str] = set()
    for life in range(KILLS):
        with subprocess.Popen(
            [sys.executable, str(LOAD), str(path), f"life-{life}"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                for _ in range(50 + 137 * life):
                    acknowledged.add(process.stdout.readline())
            finally:
                process.kill()
            acknowledged.update(line for line in process.stdout if line.endswith("\n"))
        assert process.returncode == -signal.SIGKILL
        with closing(open_writer(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            ended = connection.execute(
                "SELECT 'in ' || event_id || char(10) FROM inbox WHERE state = 'answered'"
            )
            put = connection.execute("SELECT 'out ' || delivery_id || char(10) FROM outbox")
            kept = {line for (line,) in (*ended, *put)}
            assert acknowledged <= kept
            assert queries.counts(connection).unaccounted == 0
    assert len(acknowledged) > KILLS * 50
