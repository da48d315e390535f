"""Logs: readable, private, off the loop, without secrets, each entry with its actor."""

import contextvars
import io
import json
import logging
import os
import re
import resource
import shutil
import threading
import time

import pytest
import trio

from hermes.ops import logging as ops_logging
from hermes.ops.logging import AGENT_LOG, ERRORS_LOG, GATEWAY_LOG, logging_to
from hermes.ops.logline import parse
from hermes.ops.redaction import REDACTED, Redaction
from hermes.types.errors import HOME_UNUSABLE, GatewayError

OURS = logging.getLogger("hermes.test")
FOREIGN = logging.getLogger("foreign")
FILES = (GATEWAY_LOG, AGENT_LOG, ERRORS_LOG)
SECRET = "correct-horse-battery"


def to(logs, console=None, **options):
    settings = {"redaction": Redaction(), "max_bytes": 1 << 20, "backups": 2} | options
    return logging_to(logs, console=console or io.StringIO(), **settings)


def run(logs, log, **options):
    """What ``log()`` leaves on the console and in gateway.log."""
    console = io.StringIO()
    with to(logs, console, **options):
        log()
    return console.getvalue(), (logs / GATEWAY_LOG).read_text()


def messages(text):
    return [line.split("  ")[-1] for line in text.splitlines()]


def test_a_line_has_time_level_actor_and_message(tmp_path):
    console, file = run(
        tmp_path,
        lambda: OURS.info("listening on %d", 8642),
        who_runs=lambda: ("root/gateway/web", 2),
    )

    assert console[8:] == " INFO    root/gateway/web  listening on 8642\n"
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d INFO    root/gateway/web#2 hermes.test  listening on 8642\n",
        file,
    )


def test_without_an_actor_the_logger_is_named(tmp_path):
    console, file = run(tmp_path, lambda: OURS.warning("hm"))

    assert console.endswith(" WARNING hermes.test  hm\n")
    assert file.endswith(" WARNING - hermes.test  hm\n")


def test_a_record_about_another_actor_belongs_to_that_one(tmp_path):
    about = {"actor": "root/child", "incarnation": 3}
    _, file = run(tmp_path, lambda: OURS.info("crashed", extra=about), who_runs=lambda: ("root", 1))

    assert " root/child#3 hermes.test  crashed" in file


@pytest.mark.parametrize("form", ["text", "json"])
def test_attributes_of_that_name_that_a_library_has_are_its_own(tmp_path, form):
    odd = {"actor": object(), "incarnation": object()}
    _, file = run(tmp_path, lambda: [OURS.info("odd", extra=odd), OURS.info("even")], format=form)

    assert [parse([line]).message for line in file.splitlines()] == ["odd", "even"]


def test_who_logs_is_asked_where_it_logs(tmp_path):
    """The writer's thread has a context of its own."""
    who = contextvars.ContextVar("who", default=None)

    def log():
        who.set(("root/x", 1))
        OURS.info("hello")

    _, file = run(tmp_path, lambda: contextvars.copy_context().run(log), who_runs=who.get)

    assert " root/x#1 " in file


def test_json_is_one_object_a_line(tmp_path):
    def log():
        try:
            raise ValueError("no\nway")
        except ValueError:
            OURS.exception("it %s\nwrong", "went")

    _, file = run(tmp_path, log, format="json", who_runs=lambda: ("root/x", 1))

    (line,) = file.splitlines()
    entry = json.loads(line)
    assert list(entry) == ["at", "level", "actor", "incarnation", "logger", "message", "exc"]
    assert entry | {"at": "", "exc": ""} == {
        "at": "",
        "level": "ERROR",
        "actor": "root/x",
        "incarnation": 1,
        "logger": "hermes.test",
        "message": "it went\nwrong",
        "exc": "",
    }
    assert entry["exc"].startswith("Traceback (most recent call last):\n")
    assert entry["exc"].endswith("ValueError: no\nway")


def test_each_file_has_its_share(tmp_path):
    def log():
        OURS.info("ours")
        OURS.warning("our warning")
        FOREIGN.info("theirs")
        FOREIGN.error("their error")
        logging.getLogger("actors.turn").info("a turn")
        logging.getLogger("actors.turnips").info("no turn")
        logging.getLogger("hermes.agents.builtin").error("an agent's error")

    run(tmp_path, log)

    assert {name: messages((tmp_path / name).read_text()) for name in FILES} == {
        GATEWAY_LOG: ["ours", "our warning", "their error", "a turn", "no turn", "an agent's error"],
        AGENT_LOG: ["a turn", "an agent's error"],
        ERRORS_LOG: ["our warning", "their error", "an agent's error"],
    }


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("DEBUG", "our debug, our info, our error, their warning"),
        ("INFO", "our info, our error, their warning"),
        ("ERROR", "our error"),
    ],
)
@pytest.mark.parametrize("verbosity", [-1, 0, 2])
def test_the_level_is_the_files_whatever_the_console_shows(tmp_path, level, seen, verbosity):
    def log():
        OURS.debug("our debug")
        OURS.info("our info")
        OURS.error("our error")
        FOREIGN.info("their info")
        FOREIGN.warning("their warning")

    _, file = run(tmp_path, log, level=level, verbosity=verbosity)

    assert ", ".join(messages(file)) == seen
    assert messages((tmp_path / ERRORS_LOG).read_text()) == ["our error", "their warning"]


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

    assert ", ".join(messages(console)) == seen
    assert messages(file) == ["our info", "their warning"]


def test_a_level_that_only_a_library_has_is_the_next_one_below(tmp_path):
    _, file = run(tmp_path, lambda: [OURS.log(25, "notice"), OURS.log(99, "worse")])

    assert [parse([line]).level for line in file.splitlines()] == ["INFO", "CRITICAL"]


# --- off the loop (AC-12) ------------------------------------------------------------------------------------------------


def full_pipe():
    """A pipe that nobody reads and that takes nothing more: its two ends."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"." * 65_536)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def test_AC12_a_writer_that_is_held_up_does_not_hold_up_the_loop(tmp_path):
    """The writer sticks in a real write. The loop logs a thousand times and another task of it runs, before it is let go."""
    reading, writing = full_pipe()
    ticks = 0

    async def main():
        nonlocal ticks

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            for n in range(1_000):
                OURS.info("line %d", n)
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    with os.fdopen(reading, "rb") as end, os.fdopen(writing, "w") as console:
        with to(tmp_path, console):
            OURS.info("the line it sticks in")
            while not (tmp_path / GATEWAY_LOG).read_text():
                pass
            trio.run(main)
            stuck = (tmp_path / GATEWAY_LOG).read_text()
            drain = threading.Thread(target=lambda: [None for _ in iter(lambda: end.read(1), b"")])
            drain.start()
        console.close()
        drain.join(30)

    assert ticks > 900
    assert len(stuck.splitlines()) <= 1
    assert messages((tmp_path / GATEWAY_LOG).read_text())[1:] == [f"line {n}" for n in range(1_000)]


def test_AC12_there_is_no_lock_of_a_handler_that_somebody_could_hold(tmp_path):
    held, release = threading.Event(), threading.Event()
    before = logging.getLogger().handlers[:]

    def hold(handlers):
        for handler in handlers:
            handler.acquire()
        held.set()
        release.wait(30)
        for handler in handlers:
            handler.release()

    with to(tmp_path):
        handlers = [handler for handler in logging.getLogger().handlers if handler not in before]
        holder = threading.Thread(target=hold, args=(handlers,))
        holder.start()
        held.wait(30)
        OURS.info("while all locks are held")
        release.set()
        holder.join(30)

    assert len(handlers) == 1
    assert messages((tmp_path / GATEWAY_LOG).read_text()) == ["while all locks are held"]


def test_AC12_the_files_have_a_line_before_the_console_can_stick_in_it(tmp_path):
    reached, release = threading.Event(), threading.Event()

    class Stuck(io.StringIO):
        def write(self, text):
            reached.set()
            release.wait(30)
            return len(text)

    with to(tmp_path, Stuck()):
        OURS.error("hello")
        reached.wait(30)
        files = {name: (tmp_path / name).read_text() for name in (GATEWAY_LOG, ERRORS_LOG)}
        release.set()

    assert all(text.endswith("hello\n") for text in files.values())


def test_a_console_that_blocks_does_not_keep_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(ops_logging, "FLUSH_S", 0.01)
    release = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text):
            release.wait(30)
            return len(text)

    with to(tmp_path, Stuck()):
        OURS.info("hello")
    release.set()
    for thread in threading.enumerate():
        if thread.name == "log-writer":
            thread.join(30)


def test_lines_beyond_the_queue_are_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(ops_logging, "QUEUE_LINES", 2)
    release, blocked = threading.Event(), threading.Event()
    console = io.StringIO()

    class Slow(Redaction):
        def shorten(self, text, most):
            blocked.set()
            release.wait(30)
            return text

    with to(tmp_path, console, redaction=Slow()):
        OURS.info("first")
        blocked.wait(30)
        for number in range(5):
            OURS.info("line %d", number)
        monkeypatch.setattr(ops_logging, "QUEUE_LINES", 100)
        OURS.info("last")
        release.set()

    assert messages(console.getvalue()) == [
        "first",
        "line 0",
        "line 1",
        "last [3 lines before this one were dropped]",
    ]


# --- whatever happens, the gateway goes on ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_S44_a_symlink_in_place_of_a_file_is_refused(tmp_path, name):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / name).symlink_to(tmp_path / "victim")

    with pytest.raises(GatewayError, match="symbolic links") as refused:
        run(tmp_path, lambda: None)
    assert refused.value.failure.code == HOME_UNUSABLE
    assert name in refused.value.failure.detail
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_full_disk_is_said_once_and_the_console_goes_on(tmp_path, capsys):
    """The limit on the size of files stands in for the disk: both make the write fail."""
    console = io.StringIO()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with to(tmp_path, console):
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
            OURS.info("one")
            OURS.info("two")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    assert capsys.readouterr().err.count("cannot be written") == 1
    assert messages(console.getvalue()) == ["one", "two"]


def test_logs_that_are_deleted_meanwhile_begin_anew_and_stderr_says_so_once(tmp_path, capsys):
    logs = tmp_path / "logs"
    with to(logs):
        shutil.rmtree(logs)
        OURS.info("one")
        OURS.info("two")

    assert messages((logs / GATEWAY_LOG).read_text()) == ["one", "two"]
    assert capsys.readouterr().err == f"log file {logs / GATEWAY_LOG} was taken away; a new one begins\n"


def test_a_console_that_is_closed_costs_no_line_in_the_files(tmp_path):
    console = io.StringIO()
    with to(tmp_path, console):
        console.close()
        OURS.info("one")
        OURS.info("two")

    assert messages((tmp_path / GATEWAY_LOG).read_text()) == ["one", "two"]


class Broken:
    def __str__(self):
        raise RuntimeError(SECRET)


def test_what_cannot_be_shown_is_named_by_its_place_and_nothing_else_happens(tmp_path, capsys):
    def record(text, argument):
        return logging.LogRecord("hermes.test", logging.INFO, "some/file.py", 7, text, (argument,), None)

    def log():
        inlet = logging.getLogger().handlers[-1]  # by itself, because pytest's own handler would raise
        inlet.handle(record("%d apples", SECRET))
        inlet.handle(record("%s", Broken()))
        OURS.info("fine")

    _, file = run(tmp_path, log)

    first, second, third = messages(file)
    assert first == "what some/file.py:7 logs cannot be shown: TypeError"
    assert second == "what some/file.py:7 logs cannot be shown: RuntimeError"
    assert third == "fine"
    assert (capsys.readouterr().err, SECRET in file) == ("", False)


def test_the_writer_outlives_a_line_it_cannot_write(tmp_path):
    class Odd(Redaction):
        def shorten(self, text, most):
            if text == "odd":
                raise ValueError
            return text

    _, file = run(tmp_path, lambda: [OURS.info("odd"), OURS.info("even")], redaction=Odd())

    assert messages(file) == ["[a line that could not be shown: ValueError]", "even"]


def test_arguments_are_taken_as_they_are_when_they_are_logged(tmp_path):
    def log():
        changing = ["before"]
        OURS.info("%s", changing)
        changing[0] = "after"

    _, file = run(tmp_path, log)

    assert messages(file) == ["['before']"]


def test_leaving_restores_what_was_there(tmp_path):
    before = (logging.getLogger().handlers[:], logging.getLogger().level, logging.getLogger("hermes").level)
    run(tmp_path, lambda: None, verbosity=2)

    assert before == (
        logging.getLogger().handlers,
        logging.getLogger().level,
        logging.getLogger("hermes").level,
    )


# --- secrets ----------------------------------------------------------------------------------------------------------------


def leaky():
    def fail():
        try:
            raise ValueError(f"wrong password: {SECRET}")
        except ValueError as inner:
            raise ExceptionGroup(f"group of {SECRET}", [OSError(SECRET), inner]) from inner

    try:
        fail()
    except ExceptionGroup as error:
        error.add_note(f"try {SECRET}")
        OURS.exception("login with %s failed", SECRET, stack_info=True)
    OURS.info("GET https://user:%s@example.org/x?access_token=unknown-one", SECRET)
    OURS.info({"headers": {"Authorization": f"Bearer {SECRET}"}})
    OURS.error("%s", SECRET, extra={"actor": "root/x"})


@pytest.mark.parametrize("form", ["text", "json"])
def test_S46_S47_secrets_reach_no_console_and_no_file_not_even_in_a_traceback(tmp_path, form):
    console, file = run(tmp_path, leaky, redaction=Redaction([SECRET]), format=form)

    for text in (console, file, (tmp_path / ERRORS_LOG).read_text()):
        assert "battery" not in text
        assert "unknown-one" not in text
        assert f"login with {REDACTED} failed" in text
        assert f"ValueError: wrong password: {REDACTED}" in text
        assert f"try {REDACTED}" in text
        assert "Traceback" in text
        assert "Stack (most recent call last)" in text


def test_a_line_without_end_is_cut(tmp_path):
    _, file = run(tmp_path, lambda: OURS.info("x" * 10_000_000))

    assert len(file) < ops_logging.LINE_CHARS + 1_000


def test_the_clock_of_an_entry_is_the_time_of_the_call(tmp_path):
    before = time.time()
    _, file = run(tmp_path, lambda: OURS.info("now"))

    assert before - 0.001 <= parse([file.rstrip("\n")]).at <= time.time() + 0.001
