"""One user of a token on this machine, by the kernel."""

import hashlib
import json
import os
import signal
import subprocess
import sys

import pytest

from hermes.ops.scoped_lock import TOKEN_IN_USE, lock_directory, scoped_lock
from hermes.types.errors import GatewayError

TOKEN = "123456:SECRET"


@pytest.fixture(autouse=True)
def directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(tmp_path / "locks"))
    return tmp_path / "locks"


def held(tmp_path):
    return scoped_lock("telegram-bot-token", TOKEN, home=tmp_path, account="default", at=5.0)


def test_AC40_the_record_is_the_originals_and_holds_no_token(directory, tmp_path):
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    with held(tmp_path):
        (path,) = directory.iterdir()
        record = json.loads(path.read_text())

        assert path.name == f"telegram-bot-token-{digest}.lock"
        assert path.stat().st_mode & 0o777 == 0o600
        assert TOKEN not in path.read_text()
        assert (record["pid"], record["kind"], record["identity_hash"]) == (
            os.getpid(),
            "hermes-gateway",
            digest,
        )
        assert record["metadata"] == {"home": str(tmp_path), "account": "default"}


def test_nobody_is_named_once_it_is_let_go(directory, tmp_path):
    with held(tmp_path):
        pass

    (path,) = directory.iterdir()
    assert path.read_bytes() == b"", "the doctor would warn after every stop, and the original believe it"


def test_AC40_whoever_holds_it_is_named(tmp_path):
    with held(tmp_path), pytest.raises(GatewayError) as caught, held(tmp_path):
        pass
    failure = caught.value.failure
    assert (failure.code, failure.severity, failure.scope) == (TOKEN_IN_USE, "transient", "adapter")
    assert f"process {os.getpid()} (home {tmp_path})" in failure.detail
    assert TOKEN not in failure.detail
    with held(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "metadata": []}', "[" * 5000])
def test_AC40_what_is_written_in_it_decides_nothing(directory, tmp_path, text):
    with held(tmp_path):
        (path,) = directory.iterdir()
    path.write_text(text)
    with held(tmp_path):
        path.write_text(text)
        with pytest.raises(GatewayError) as caught, held(tmp_path):
            pass
        assert "process" in caught.value.failure.detail


def test_AC40_a_holder_that_is_killed_holds_nothing(tmp_path):
    code = f"""
import time
from pathlib import Path
from hermes.ops.scoped_lock import scoped_lock
with scoped_lock("telegram-bot-token", {TOKEN!r}, home=Path("/elsewhere"), account="default", at=0.0):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(GatewayError) as caught, held(tmp_path):
            pass
        assert f"process {other.pid} (home /elsewhere)" in caught.value.failure.detail
        other.send_signal(signal.SIGKILL)
        other.wait()
    with held(tmp_path):
        pass


def test_S44_a_link_that_somebody_planted_is_not_followed(directory, tmp_path, caplog):
    with held(tmp_path):
        (path,) = directory.iterdir()
    path.unlink()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    with held(tmp_path):
        pass
    assert victim.read_text() == "precious"
    assert "nobody is kept" in caplog.text


def test_where_the_locks_lie():
    assert str(lock_directory({"HERMES_GATEWAY_LOCK_DIR": "/l"})) == "/l"
    assert str(lock_directory({"XDG_STATE_HOME": "/s", "HOME": "/h"})) == "/s/hermes/gateway-locks"
    assert str(lock_directory({"HOME": "/h"})) == "/h/.local/state/hermes/gateway-locks"
