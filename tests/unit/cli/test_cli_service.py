"""``hermes service`` and its aliases, with a systemctl that notes what it was told."""

import json
import os
import stat
from pathlib import Path

import pytest

from hermes.cli import main, service
from hermes.ops import unit

SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$0.log"
case "$*" in *is-active*) cat "$0.state";; *is-enabled*) echo enabled;; *refuse*) echo no >&2; exit 1;; esac
"""


class Machine:
    def __init__(self, directory: Path) -> None:
        self.home = directory / "my user" / ".hermes"
        self.unit = directory / "config" / "systemd" / "user" / "hermes.service"
        self.systemctl = directory / "bin" / "systemctl"

    @property
    def told(self) -> list[str]:
        log = self.systemctl.with_name("systemctl.log")
        return log.read_text().splitlines() if log.exists() else []

    def state(self, state: str) -> None:
        self.systemctl.with_name("systemctl.state").write_text(state)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    for directory in (made.home, made.systemctl.parent, tmp_path / "runs"):
        directory.mkdir(parents=True)
    made.systemctl.write_text(SYSTEMCTL)
    made.systemctl.chmod(0o755)
    made.state("active")
    monkeypatch.setattr(unit, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(unit, "SYSTEM_UNITS", tmp_path / "system")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{made.systemctl.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(made.home.parent))
    monkeypatch.delenv("HERMES_HOME", raising=False)
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_install_writes_the_unit_for_all_to_read_and_enables_it(machine, capsys):
    (machine.home / "config.yaml").write_text("drain_timeout_s: 100\n")
    before = os.umask(0o077)
    try:
        code, out, _ = run(capsys, "service", "install")
    finally:
        os.umask(before)

    text = machine.unit.read_text()
    assert (code, stat.S_IMODE(machine.unit.stat().st_mode)) == (0, 0o644)
    assert f"hermes gateway start --home '{machine.home}'" in out
    assert f'"--home" "{machine.home}"' in text
    assert "TimeoutStopSec=160" in text
    assert machine.told == ["--user daemon-reload", "--user enable hermes"]
    assert list(machine.unit.parent.iterdir()) == [machine.unit]

    (machine.home / "config.yaml").write_text("drain_timeout_s: 1\n")
    assert run(capsys, "service", "install")[0] == 0
    assert machine.unit.read_text() != text, "with what has changed"


def test_a_dry_run_shows_all_and_does_nothing(machine, capsys, monkeypatch):
    monkeypatch.setattr(unit, "RUNS", Path("/nowhere"))
    code, out, _ = run(capsys, "service", "install", "--dry-run", "--system")

    assert code == 0
    assert "ExecStart=" in out
    assert "WantedBy=multi-user.target" in out
    assert "systemctl daemon-reload" in out
    run(capsys, "service", "uninstall", "--dry-run")
    assert not machine.unit.exists()
    assert machine.told == []


def test_without_systemd_it_is_refused_in_words(machine, capsys, monkeypatch):
    monkeypatch.setattr(unit, "RUNS", Path("/nowhere"))
    code, _, err = run(capsys, "service", "install")

    assert code == 1
    assert "systemd does not run this machine" in err
    assert "hermes run" in err
    assert not machine.unit.exists()


def test_somebody_elses_unit_is_not_touched(machine, capsys):
    machine.unit.parent.mkdir(parents=True)
    machine.unit.write_text("[Service]\n")

    assert run(capsys, "service", "install")[0] == 1
    assert run(capsys, "service", "uninstall")[0] == 1
    assert machine.unit.read_text() == "[Service]\n"
    assert json.loads(run(capsys, "service", "status", "--json")[1]) == {"services": []}


def test_what_is_installed_is_shown_started_stopped_and_removed(machine, capsys):
    run(capsys, "service", "install")
    machine.systemctl.with_name("systemctl.log").unlink()
    shown = {
        "scope": "user",
        "unit": str(machine.unit),
        "home": str(machine.home),
        "state": "active",
        "enabled": "enabled",
    }

    assert json.loads(run(capsys, "service", "status", "--json")[1]) == {"services": [shown]}
    assert run(capsys, "gateway", "start") == (0, "Started.\n", "")
    assert run(capsys, "gateway", "stop") == (0, "Stopped.\n", "")
    assert [line for line in machine.told if " is-" not in line] == [
        "--user start hermes",
        "--user stop hermes",
    ]
    assert run(capsys, "service", "uninstall")[0] == 0
    assert not machine.unit.exists()
    assert machine.told[-2:] == ["--user disable --now hermes", "--user daemon-reload"]


def test_with_no_service_start_says_what_to_run_and_stop_asks_the_gateway(machine, capsys):
    code, _, err = run(capsys, "gateway", "start")
    assert (code, "hermes run --home" in err, "hermes service install" in err) == (1, True, True)

    assert run(capsys, "gateway", "stop")[0] == 3
    run(capsys, "service", "install")
    machine.state("inactive")
    assert run(capsys, "gateway", "stop")[0] == 3, "it does not run, so a gateway started by hand is meant"


def test_what_systemctl_refuses_is_said(machine, capsys):
    machine.systemctl.write_text("#!/bin/sh\necho 'no bus' >&2; exit 1\n")

    code, _, err = run(capsys, "service", "install")
    assert (code, "no bus" in err, "daemon-reload" in err) == (1, True, True)


def test_a_service_of_another_home_is_left_alone(machine, capsys, tmp_path):
    run(capsys, "service", "install")
    (tmp_path / "my home 2").mkdir()
    told = machine.told

    code, _, err = run(capsys, "gateway", "start", "--home", str(tmp_path / "my home 2"))
    assert (code, "no service of" in err) == (1, True)
    assert run(capsys, "gateway", "stop", "--home", str(tmp_path / "my home 2"))[0] == 3
    assert machine.told == told


def test_each_home_has_a_unit_of_its_own(machine, capsys, tmp_path):
    other = tmp_path / "work bot"
    other.mkdir()
    run(capsys, "service", "install")
    mine = machine.unit.read_text()

    assert run(capsys, "service", "install", "--home", str(other))[0] == 0
    assert machine.unit.read_text() == mine
    (second,) = set(machine.unit.parent.iterdir()) - {machine.unit}
    assert second.name.startswith("hermes-work-bot-")
    assert f"systemctl --user edit {second.stem}\n" in second.read_text()
    assert machine.told[-1] == f"--user enable {second.stem}"
    assert run(capsys, "gateway", "start", "--home", str(other))[0] == 0
    assert machine.told[-1] == f"--user start {second.stem}"
    services = json.loads(run(capsys, "service", "status", "--json")[1])["services"]
    assert {one["unit"]: one["home"] for one in services} == {
        str(machine.unit): str(machine.home),
        str(second): str(other),
    }

    assert run(capsys, "service", "uninstall", "--home", str(other))[0] == 0
    assert list(machine.unit.parent.iterdir()) == [machine.unit]
    code, _, err = run(capsys, "service", "uninstall", "--home", str(other))
    assert (code, f"there is {machine.unit} of {machine.home}" in err) == (1, True)


def test_a_unit_from_before_keeps_its_name_and_the_default_home_takes_another(machine, capsys, tmp_path):
    """Until there were names, the unit of any home was called hermes."""
    other = tmp_path / "work"
    other.mkdir()
    run(capsys, "service", "install", "--home", str(other))
    (named,) = machine.unit.parent.iterdir()
    named.rename(machine.unit)

    assert run(capsys, "service", "install", "--home", str(other))[0] == 0
    assert list(machine.unit.parent.iterdir()) == [machine.unit]
    theirs = machine.unit.read_text()
    assert run(capsys, "service", "install")[0] == 0
    assert machine.unit.read_text() == theirs
    services = json.loads(run(capsys, "service", "status", "--json")[1])["services"]
    assert {one["home"] for one in services} == {str(other), str(machine.home)}


def test_a_gateway_that_runs_by_hand_is_no_service_to_start(machine, capsys, monkeypatch):
    run(capsys, "service", "install")
    machine.state("inactive")
    told = len(machine.told)
    monkeypatch.setattr(service.client, "ask", lambda *_: {"ok": True})

    code, _, err = run(capsys, "gateway", "start")
    assert (code, "hermes stop --home" in err) == (1, True)
    assert machine.told[told:] == ["--user is-active hermes"]


def test_a_systemctl_that_does_not_answer_is_said(machine, capsys, monkeypatch):
    monkeypatch.setattr(service, "SYSTEMCTL_TIMEOUT_S", 0.05)
    machine.systemctl.write_text("#!/bin/sh\nexec sleep 5\n")

    code, _, err = run(capsys, "service", "install")
    assert (code, "no answer within 0.05 s" in err) == (1, True)
