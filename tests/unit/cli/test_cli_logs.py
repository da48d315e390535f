"""``hermes logs``: options to questions, output for people and programs, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hermes.cli import logs as cli_logs
from hermes.cli import main
from hermes.ops.logline import Entry, json_line, text_lines

NOW = 1_772_618_400.0
SESSION = "agent:main:webchat:dm:a b"
SESSION_PATH = "root/gateway/sessions/agent:main:webchat:dm:a%20b"

ENTRIES = [
    Entry("begins", NOW - 90_000, "INFO", "hermes.app"),
    Entry("woke", NOW - 7_000, "DEBUG", "actors.session", SESSION_PATH, 1),
    Entry("failed", NOW - 600, "ERROR", "actors.turn", f"{SESSION_PATH}/turn", 3, "Traceback\nValueError"),
    Entry("listening", NOW - 60, "INFO", "actors.web", "root/gateway/web", 2),
]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(cli_logs.time, "time", lambda: NOW)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "gateway.log.1").write_text("".join(f"{text_lines(entry)}\n" for entry in ENTRIES[:2]))
    (logs / "gateway.log").write_text("".join(f"{json_line(entry)}\n" for entry in ENTRIES[2:]))
    return tmp_path


def run(capsys, home, *arguments):
    """Exit code, stdout, stderr."""
    code = main(["logs", "--home", str(home), *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def shown(capsys, home, *arguments):
    code, out, _ = run(capsys, home, "--json", *arguments)
    assert code == 0
    return [entry["message"] for entry in json.loads(out)["entries"]]


def test_without_options_everything_is_shown_in_one_shape(home, capsys):
    assert run(capsys, home) == (0, "".join(f"{text_lines(entry)}\n" for entry in ENTRIES), "")


def test_json_is_one_document_with_every_fact(home, capsys):
    code, out, err = run(capsys, home, "--json")

    assert (code, err) == (0, "")
    assert json.loads(out) == {"entries": [entry.to_json() for entry in ENTRIES]}


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["--level", "info"], ["begins", "failed", "listening"]),
        (["--level", "ERROR"], ["failed"]),
        (["--since", "10m"], ["failed", "listening"]),
        (["--since", "2h"], ["woke", "failed", "listening"]),
        (["--since", "1d"], ["woke", "failed", "listening"]),
        (["--since", "61s"], ["listening"]),
        (["--since", "2026-03-04T09:59:00+00:00"], ["listening"]),
        (["--since", "2026-03-04T09:59:01Z"], []),
        (["--since", "2026-03-02"], ["begins", "woke", "failed", "listening"]),
        (["--session", SESSION], ["woke", "failed"]),
        (["--session", "agent:main:webchat:dm:a"], []),
        (["--actor", "root/gateway/sessions/*"], ["woke", "failed"]),
        (["--actor", "**/turn"], ["failed"]),
        (["--actor", "root/gateway"], ["woke", "failed", "listening"]),
        (["--session", SESSION, "--actor", "**/turn"], ["failed"]),
        (["-n", "1"], ["listening"]),
        (["-n", "1", "--level", "error"], ["failed"]),
        (["-n", "0"], []),
        (["-n", "1", "--since", "2h"], ["listening"]),
    ],
)
def test_options_pick(home, capsys, options, messages):
    assert shown(capsys, home, *options) == messages


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--actor", "nope"], "no entry of nope is in the log"),
        (["--actor", "root/gatewy"], "no entry of root/gatewy is in the log; did you mean root/gateway/web?"),
        (["--actor", "turm"], f"no entry of turm is in the log; did you mean {SESSION_PATH}/turn?"),
        (["--actor", "\x1b"], "no entry of � is in the log"),
        (["--session", SESSION[:-1]], f"no entry of {SESSION[:-1]} is in the log; did you mean {SESSION}?"),
        (
            ["--actor", "**/turn", "--level", "critical"],
            "**/turn is in the log, but not with all that is asked for",
        ),
        (["--level", "critical"], ""),
        (["--actor", "nope", "-n", "0"], ""),
    ],
)
def test_nothing_of_whom_is_asked_for_is_said_to_be_so(home, capsys, options, why):
    assert run(capsys, home, *options) == (0, "", f"{why}\n" if why else "")


def test_a_hundred_are_enough_unless_a_time_is_named(home, capsys):
    lines = [text_lines(Entry(f"{n}", NOW - 1, "INFO", "x")) for n in range(150)]
    (home / "logs" / "gateway.log").write_text("".join(f"{line}\n" for line in lines))

    assert shown(capsys, home) == [f"{n}" for n in range(50, 150)]
    assert len(shown(capsys, home, "--since", "10m")) == 150
    assert len(shown(capsys, home, "-n", "120")) == 120


@pytest.mark.parametrize(
    "options",
    [["--since", "soon"], ["--since", ""], ["--since", "-5m"], ["--since", "0001-01-01"], ["--level", "loud"],
     ["-n", "-1"], ["-n", "x"], ["gateway"]],
)  # fmt: skip
def test_wrong_usage_is_2(home, capsys, options):
    code, out, err = run(capsys, home, *options)

    assert (code, out) == (2, "")
    assert err
    code, _, err = run(capsys, home, "--json", *options)
    assert (code, json.loads(err)["error"]["type"]) == (2, "usage")


def test_no_log_is_1_with_a_hint(tmp_path, capsys):
    code, out, err = run(capsys, tmp_path)

    assert (code, out) == (1, "")
    assert err == f"hermes: there is no log at {tmp_path}/logs/gateway.log\n  `hermes run` writes one\n"
    code, _, err = run(capsys, tmp_path, "--json")
    assert (code, json.loads(err)["error"]["type"]) == (1, "no_log")


def test_a_log_that_may_not_be_read_is_1_and_names_it(tmp_path, capsys):
    (tmp_path / "logs" / "gateway.log").mkdir(parents=True)

    code, _, err = run(capsys, tmp_path, "--json")
    assert code == 1
    assert json.loads(err)["error"]["message"] == f"{tmp_path}/logs/gateway.log: Is a directory"


def test_what_a_terminal_would_act_on_is_not_let_through(home, capsys):
    (home / "logs" / "gateway.log").write_text(
        f"\x1b[31mred\n{json_line(Entry('a', NOW, 'INFO', 'x' + chr(27)))}\n"
    )
    code, out, _ = run(capsys, home, "-n", "2")

    assert code == 0
    assert "\x1b" not in out


def test_following_shows_the_old_and_the_new_until_it_is_told_to_stop(home, capsys, monkeypatch):
    def passing(_seconds):
        if len(passed) == 3:
            raise KeyboardInterrupt
        passed.append(1)
        with (home / "logs" / "gateway.log").open("a") as file:
            file.write(json_line(Entry(f"new {len(passed)}", NOW, "INFO", "x")) + "\n")
            file.write(json_line(Entry("not wanted", NOW, "DEBUG", "x")) + "\n")

    passed: list[int] = []
    monkeypatch.setattr(cli_logs.time, "sleep", passing)
    code, out, err = run(capsys, home, "-f", "-n", "1", "--level", "info", "--json")

    assert (code, err) == (0, "")
    assert [json.loads(line)["message"] for line in out.splitlines()] == [
        "listening",
        "new 1",
        "new 2",
        "new 3",
    ]


def started(home, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "hermes.cli", "logs", "--home", str(home), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_following_as_a_process_begins_before_the_first_log_and_ends_with_ctrl_c(tmp_path):
    process = started(tmp_path, "-f")
    try:
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "gateway.log").write_text(text_lines(ENTRIES[3]) + "\n")
        assert process.stdout.readline() == text_lines(ENTRIES[3]) + "\n"
        (tmp_path / "logs" / "gateway.log").rename(tmp_path / "logs" / "gateway.log.1")
        (tmp_path / "logs" / "gateway.log").write_text(text_lines(ENTRIES[0]) + "\n")
        assert process.stdout.readline() == text_lines(ENTRIES[0]) + "\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_a_reader_that_has_seen_enough_gets_no_traceback(home):
    with (home / "logs" / "gateway.log").open("a") as file:
        file.writelines(f"{text_lines(Entry('x' * 1_000, NOW, 'INFO', 'x'))}\n" for _ in range(1_000))
    process = started(home, "-n", "1000")
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(30)


def test_logs_need_no_trio(home):
    """It is the command for when nothing else works; and it is quick."""
    report = "import sys; from hermes.cli import main; main(sys.argv[1:]); print('trio' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", report, "logs", "--home", str(home)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TZ": "UTC"},
    )

    assert done.stdout.splitlines()[-1] == "False"
    assert len(done.stdout.splitlines()) == 7


def test_the_clock_is_the_one_of_the_wall():
    assert cli_logs._since(None, None, "1m") == pytest.approx(time.time() - 60, abs=5)
