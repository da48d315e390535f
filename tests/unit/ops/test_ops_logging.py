"""Logs: readable, private, off the loop, without secrets."""

import io
import logging
import os
import re
import resource
import stat
import threading

import pytest

from hermes.ops import logging as ops_logging
from hermes.ops.logging import LOG_NAME, logging_to
from hermes.ops.redaction import REDACTED, Redaction
from hermes.types.errors import GatewayError

OURS = logging.getLogger("hermes.test")
FOREIGN = logging.getLogger("foreign")


def run(tmp_path, log, *, verbosity=0, redaction=None, max_bytes=1 << 20):
    """What ``log()`` leaves on the console and in the file."""
    console = io.StringIO()
    with logging_to(
        tmp_path,
        verbosity=verbosity,
        redaction=redaction or Redaction(),
        max_bytes=max_bytes,
        backups=2,
        console=console,
    ):
        log()
    return console.getvalue(), (tmp_path / LOG_NAME).read_text()


def test_a_line_has_time_level_actor_and_message(tmp_path):
    console, file = run(
        tmp_path, lambda: OURS.info("listening on %d", 8642, extra={"actor": "root/gateway/web"})
    )

    assert console[8:] == " INFO    root/gateway/web  listening on 8642\n"
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO    root/gateway/web  listening on 8642\n", file
    )


def test_without_an_actor_the_logger_is_named(tmp_path):
    console, _ = run(tmp_path, lambda: OURS.warning("hm"))

    assert console.endswith(" WARNING hermes.test  hm\n")


@pytest.mark.parametrize(
    ("verbosity", "seen"),
    [
        (-1, ""),
        (0, "our info, their warning"),
        (1, "our info, our debug, their info, their warning"),
        (2, "our info, our debug, their info, their debug, their warning"),
    ],
)
def test_verbosity_chooses_what_the_console_shows(tmp_path, verbosity, seen):
    def log():
        OURS.info("our info")
        OURS.debug("our debug")
        FOREIGN.info("their info")
        FOREIGN.debug("their debug")
        FOREIGN.warning("their warning")

    console, file = run(tmp_path, log, verbosity=verbosity)

    assert ", ".join(line.split("  ")[-1] for line in console.splitlines()) == seen
    assert "our info" in file


def test_handlers_run_in_a_thread_of_their_own(tmp_path):
    threads = []

    class Spy(io.StringIO):
        def write(self, text):
            threads.append(threading.current_thread())
            return len(text)

    with logging_to(tmp_path, redaction=Redaction(), max_bytes=1 << 20, backups=1, console=Spy()):
        OURS.info("hello")

    assert threads
    assert threading.current_thread() not in threads


def test_a_console_that_blocks_does_not_keep_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(ops_logging, "FLUSH_S", 0.01)
    release = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text):
            release.wait(30)
            return len(text)

    with logging_to(tmp_path, redaction=Redaction(), max_bytes=1 << 20, backups=1, console=Stuck()):
        OURS.info("hello")
    release.set()
    for thread in threading.enumerate():
        if thread.name == "log-flush":
            thread.join(30)


def test_lines_beyond_the_queue_are_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(ops_logging, "QUEUE_LINES", 2)
    release, blocked = threading.Event(), threading.Event()
    console = io.StringIO()

    class Slow(logging.Filter):
        def filter(self, record):
            blocked.set()
            release.wait(30)
            return True

    with logging_to(tmp_path, redaction=Slow(), max_bytes=1 << 20, backups=1, console=console):
        OURS.info("first")
        blocked.wait(30)
        for number in range(5):
            OURS.info("line %d", number)
        monkeypatch.setattr(ops_logging, "QUEUE_LINES", 100)
        OURS.info("last")
        release.set()

    assert [line.split("  ")[-1] for line in console.getvalue().splitlines()] == [
        "first",
        "line 0",
        "line 1",
        "last [3 lines before this one were dropped]",
    ]


def test_S41_the_file_is_private_under_umask_000_also_after_rotation(tmp_path):
    before = os.umask(0)
    try:
        run(tmp_path, lambda: [OURS.info("x" * 100) for _ in range(10)], max_bytes=300)
    finally:
        os.umask(before)
    files = sorted(tmp_path.iterdir())

    assert [file.name for file in files] == [LOG_NAME, f"{LOG_NAME}.1", f"{LOG_NAME}.2"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_S44_a_symlink_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / LOG_NAME).symlink_to(tmp_path / "victim")

    with pytest.raises(GatewayError, match="symbolic links"):
        run(tmp_path, lambda: None)
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_full_disk_is_said_once_and_the_console_goes_on(tmp_path, capsys):
    """The limit on the size of files stands in for the disk: both make the write fail."""
    console = io.StringIO()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with logging_to(tmp_path, redaction=Redaction(), max_bytes=1 << 20, backups=1, console=console):
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
            OURS.info("one")
            OURS.info("two")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    assert capsys.readouterr().err.count("cannot be written") == 1
    assert [line.split("  ")[-1] for line in console.getvalue().splitlines()] == ["one", "two"]


def test_leaving_restores_what_was_there(tmp_path):
    before = (logging.getLogger().handlers[:], logging.getLogger().level, logging.getLogger("hermes").level)
    run(tmp_path, lambda: None, verbosity=2)

    assert (
        logging.getLogger().handlers,
        logging.getLogger().level,
        logging.getLogger("hermes").level,
    ) == before


def test_secrets_do_not_reach_console_or_file_not_even_in_a_traceback(tmp_path):
    def log():
        try:
            raise ValueError("wrong password: correct-horse-battery")
        except ValueError:
            OURS.exception("login with %s failed", "correct-horse-battery")

    console, file = run(tmp_path, log, redaction=Redaction(["correct-horse-battery"]))

    for text in (console, file):
        assert "battery" not in text
        assert f"login with {REDACTED} failed\n" in text
        assert text.endswith(f"ValueError: wrong password: {REDACTED}\n")
        assert "Traceback" in text
        assert all(line.startswith("    ") for line in text.splitlines()[1:])
