"""What is drawn on a terminal: a bar for long work, and no colour for who wants none."""

import os
import pty
import re
import sys
from contextlib import contextmanager, suppress

import pytest
from gateway_double import gateway_on
from test_cli_commands import TREE, node

from hermes.cli import main
from hermes.cli.progress import progress

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")


@contextmanager
def on_a_terminal(monkeypatch, stream):
    """What is written to ``stream`` meanwhile goes to a terminal, and into the list that is yielded."""
    master, screen = pty.openpty()
    seen, parts = [], []
    with monkeypatch.context() as patched, open(screen, "w") as file:
        patched.setattr(sys, stream, file)
        yield seen
        file.flush()
        os.set_blocking(master, False)
        with suppress(BlockingIOError):
            while True:
                parts.append(os.read(master, 1 << 16))
    seen.append(b"".join(parts).decode())
    os.close(master)


def test_a_bar_comes_to_its_end(monkeypatch):
    with on_a_terminal(monkeypatch, "stderr") as seen, progress("Saving", 10) as advance:
        advance(4)
        advance(6)

    assert "Saving" in seen[0]
    assert "100%" in seen[0]


def test_nothing_is_drawn_in_a_pipe(capsys):
    with progress("Saving", 10) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("wanted", [True, False])
def test_no_color_is_kept_to(tmp_path, monkeypatch, wanted):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not wanted:
        monkeypatch.setenv("NO_COLOR", "1")
    broken = TREE | {"root": node("root", node("root/x", state="stuck"))}
    with gateway_on(tmp_path, {"tree": broken}), on_a_terminal(monkeypatch, "stdout") as seen:
        assert main(["tree", "--home", str(tmp_path)]) == 0

    assert "stuck" in seen[0]
    assert bool(COLOUR.search(seen[0])) is wanted
