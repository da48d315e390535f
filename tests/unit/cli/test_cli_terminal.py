"""The prompt's signals, without a terminal: a Ctrl-C that comes between two prompts, and one that readline does not notice."""

import os
import signal
import threading

import pytest

from hermes.cli import terminal as terminals
from hermes.cli.terminal import Interrupted, Terminal


@pytest.fixture
def terminal(monkeypatch):
    with Terminal(None) as opened:
        yield opened


def answers(monkeypatch, *lines):
    """``input`` gives these, one after the other; one that can be called is called."""
    left = iter(lines)

    def read(_prompt):
        line = next(left)
        return line() if callable(line) else line

    monkeypatch.setattr("builtins.input", read)


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    signal.pthread_kill(threading.get_ident(), 0)  # a call, after which Python looks at its signals
    return "not interrupted"


def test_a_ctrl_c_at_the_prompt_interrupts_it(terminal, monkeypatch):
    answers(monkeypatch, ctrl_c, "next")

    with pytest.raises(Interrupted):
        terminal.ask()
    assert terminal.ask() == "next"


def test_a_ctrl_c_between_two_prompts_interrupts_the_next_one(terminal, monkeypatch):
    answers(monkeypatch, "one", "two")

    assert terminal.ask() == "one"
    ctrl_c()
    with pytest.raises(Interrupted) as caught:
        terminal.ask()
    assert not caught.value.typed
    assert terminal.ask() == "two"


def test_an_error_of_python_for_two_signals_at_once_is_a_ctrl_c_and_another_is_an_error(
    terminal, monkeypatch
):
    def both():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise SystemError("returned a result with an exception set") from interrupt

    def broken():
        raise SystemError("something else")

    answers(monkeypatch, both, broken)

    with pytest.raises(Interrupted):
        terminal.ask()
    with pytest.raises(SystemError, match="something else"):
        terminal.ask()


def test_who_does_not_notice_a_ctrl_c_is_nudged_until_it_does(monkeypatch):
    monkeypatch.setattr(terminals, "NUDGE_S", 0.001)
    kill, nudges, noticed = signal.pthread_kill, [], threading.Event()

    def late(thread, number):
        nudges.append(number)
        if len(nudges) >= 3:  # the first two find it just before it waits
            kill(thread, number)

    with Terminal(None) as opened:
        monkeypatch.setattr(signal, "pthread_kill", late)
        os.kill(os.getpid(), signal.SIGINT)
        while not opened._heard:
            noticed.wait(0.001)

    assert set(nudges) == {signal.SIGCONT}
    assert len(nudges) >= 3
