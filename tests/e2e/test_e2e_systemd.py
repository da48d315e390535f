"""The unit that we ship, as systemd reads it and as a real systemd runs it."""

import configparser
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trio
from harness import Gateway
from harness_systemd import Manager, manager, rendered, why_not

from hermes.ops.unit import SCOPES, Scope

LOOSE = {"user": 7.6, "system": 3.7}
"""How exposed systemd finds the unit at most, of 10: it runs what its user may run, so not all can be taken away."""

needs_analyze = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)
needs_systemd = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


@pytest.fixture(params=SCOPES)
def scope(request: pytest.FixtureRequest) -> Scope:
    found: Scope = request.param
    return found


@pytest.fixture
def unit(tmp_path: Path, scope: Scope) -> Path:
    """The unit, as it is installed."""
    written = tmp_path / "hermes.service"
    written.write_text(rendered(scope, tmp_path / 'a "home" of 100 % $HOME'))
    return written


def analyze(tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        ["systemd-analyze", *arguments], env=environ, capture_output=True, text=True, timeout=30, check=False
    )


@needs_analyze
def test_the_unit_has_no_fault_that_systemd_knows_of(tmp_path: Path, unit: Path, scope: Scope) -> None:
    verify = ["verify", f"--{scope}", "--man=no", "--recursive-errors=no", str(unit)]
    done = analyze(tmp_path, *verify)

    assert (done.returncode, done.stderr) == (0, "")

    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=on-failur"))
    assert "restart specifier" in analyze(tmp_path, *verify).stderr


@needs_analyze
def test_the_unit_is_no_more_exposed_than_it_was(tmp_path: Path, unit: Path, scope: Scope) -> None:
    done = analyze(
        tmp_path,
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={LOOSE[scope] * 10:.0f}",
        str(unit),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def test_no_key_of_the_unit_stands_twice(unit: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text())

    assert parser["Service"]["KillSignal"] == "SIGINT"


# --- run by systemd ---------------------------------------------------------------------------------------------------

QUICK = "RestartSec=0.1\nWatchdogSec=3\n"


@pytest.fixture
def systemd(gateway: Gateway) -> Iterator[Manager]:
    gateway.home.mkdir(mode=0o700)
    with manager(gateway.home, gateway.port, QUICK) as made:
        yield made


def logged(gateway: Gateway) -> str:
    return (gateway.home / "logs" / "gateway.log").read_text()


@needs_systemd
async def test_a_start_ends_with_ready_a_reload_reloads_and_a_stop_is_no_failure(
    gateway: Gateway, systemd: Manager
) -> None:
    await systemd.ctl("start", "hermes")
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{gateway.url}/ready")).status_code == httpx.codes.OK, "no sooner than ready"
    assert (await systemd.shown("ActiveState", "SubState")) == {
        "ActiveState": "active",
        "SubState": "running",
    }
    assert int((await systemd.shown("WatchdogUSec"))["WatchdogUSec"].removesuffix("s")) == 3

    await systemd.ctl("reload", "hermes")
    with trio.fail_after(20):
        while "reloaded" not in logged(gateway):
            await trio.sleep(0.05)

    await trio.sleep(4)  # longer than the watchdog has patience
    assert (await systemd.shown("NRestarts", "ActiveState")) == {"NRestarts": "0", "ActiveState": "active"}
    await systemd.ctl("stop", "hermes")
    assert await systemd.shown("ActiveState", "Result", "ExecMainStatus", "NRestarts") == {
        "ActiveState": "inactive",
        "Result": "success",
        "ExecMainStatus": "0",
        "NRestarts": "0",
    }


@needs_systemd
@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, signal.SIGUSR1, signal.SIGTERM, signal.SIGSTOP],
    ids=["killed", "asked to restart: 75", "ended by a stranger: 1", "hangs: the watchdog"],
)
async def test_it_is_started_again(gateway: Gateway, systemd: Manager, number: signal.Signals) -> None:
    await systemd.ctl("start", "hermes")
    first = await systemd.shown("MainPID")

    await systemd.signal(number)
    await systemd.until(NRestarts="1", ActiveState="active", SubState="running")

    assert await systemd.shown("MainPID") != first
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{gateway.url}/ready")).status_code == httpx.codes.OK
    await systemd.ctl("stop", "hermes")


@needs_systemd
async def test_AC_11_a_wrong_configuration_78_is_not_tried_again(gateway: Gateway, systemd: Manager) -> None:
    (gateway.home / "config.yaml").write_text("limits: {sessions: two}\n")

    await systemd.ctl("start", "hermes", check=False)
    await systemd.until(ActiveState="failed", ExecMainStatus="78", NRestarts="0")

    await trio.sleep(1)  # ten times what it waits before it tries again
    assert await systemd.shown("ActiveState", "NRestarts") == {"ActiveState": "failed", "NRestarts": "0"}
