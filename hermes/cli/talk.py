"""The chat of a person in a terminal: the prompt in the main thread, what arrives in the link's.

ask ─▶ Link.say            Link ─tell─▶ show, above the prompt ─▶ Link.shown
"""

import threading
import time
from pathlib import Path
from typing import assert_never

from hermes.cli import link as links
from hermes.cli.terminal import Interrupted, Terminal, harmless, markdown
from hermes.cli.text import file_lines
from hermes.cli.who import Who, checked
from hermes.net.clientlink import Item
from hermes.ops.control.client import ControlError

HISTORY_ITEMS = 6
AGAIN_S = 5.0
"""A second Ctrl-C within this time leaves; a later one is a first one."""

STOP = "/stop"
LEAVE = frozenset({"/quit", "/exit"})


def talk(home: Path, who: Who, history: Path | None) -> None:
    """Talk until the person leaves. Raises ``ControlError`` if it makes no sense to begin, or to go on."""
    with Terminal(history) as terminal:
        Talk(home, who, terminal).run()


class Talk:
    """One person's chat. ``patient``: the gateway is about to start, and is waited for."""

    def __init__(self, home: Path, who: Who, terminal: Terminal, *, patient: bool = False) -> None:
        self._who = who
        self._terminal = terminal
        self._begun = threading.Event()
        self._ended: ControlError | None = None
        self._link = links.Link(home, who.names, self._arrived, patient=patient, history=HISTORY_ITEMS)
        self._interrupted_at = -AGAIN_S

    def run(self) -> None:
        """Talk until the person leaves, or ``Terminal.leave`` says so."""
        with self._link:
            while not self._begun.wait(0.1):
                if self._terminal.leaving:
                    return
            while self._ended is None and self._turn():
                pass
            self._farewell()
        if self._ended is not None:
            raise self._ended

    def _turn(self) -> bool:
        """Take one message; False at the end."""
        try:
            text = self._terminal.ask()
        except EOFError:
            return False
        except Interrupted as ctrl_c:
            return self._interrupt(ctrl_c)
        self._interrupted_at = -AGAIN_S
        if text.strip() in LEAVE:
            return False
        if text.strip():
            try:
                self._link.say(checked(text))
            except ControlError as refusal:
                self._note(refusal.failure.detail)
        return True

    def _interrupt(self, ctrl_c: Interrupted) -> bool:
        """Stop the answer that is being worked on, else clear the line; the second in a row leaves."""
        now = time.monotonic()
        if now - self._interrupted_at < AGAIN_S:
            return False
        if self._link.waiting:
            self._link.say(STOP)
        elif ctrl_c.typed:
            return True
        self._interrupted_at = now
        self._note("Ctrl-C again, or Ctrl-D, leaves.")
        return True

    def _arrived(self, event: links.LinkEvent) -> None:
        match event:
            case links.Up(history):
                self._welcome(history)
            case links.Away(reason):
                self._note(f"Waiting for the gateway: {reason.failure.detail}.")
                self._begun.set()
            case links.Held(why):
                self._note(f"Not sent yet: {why}. It is sent as soon as it can be.")
            case links.Back():
                self._note("The gateway was away for a moment; the conversation goes on.")
            case links.Came(item):
                self._answer(item)
                self._link.shown(item)
            case links.Said(item):
                self._quote(item)
            case links.Refused(_, words):
                self._note(words)
            case links.Ended(reason):
                self._ended = reason
                self._begun.set()
                self._terminal.leave()
            case _:
                assert_never(event)

    def _welcome(self, history: tuple[Item, ...]) -> None:
        self._note(
            f"Hermes, with you as {self._who.user}. Ctrl-C stops an answer, Ctrl-D leaves, /help lists the commands.\n"
            'A line that ends with \\ goes on; a line of """ begins and ends a block.'
        )
        if history:
            self._note("Before:")
        for item in history:
            (self._quote if item.role == "user" else self._answer)(item)
        self._begun.set()

    def _answer(self, item: Item) -> None:
        if item.text:
            self._terminal.show(markdown(item.text), "")
        for line in file_lines(item):
            self._note(line)

    def _quote(self, item: Item) -> None:
        self._note(f"> {item.text}")

    def _note(self, words: str) -> None:
        self._terminal.show(harmless(words), style="dim")

    def _farewell(self) -> None:
        self._link.settle()
        if self._link.unsafe:
            self._note("The gateway is away, and has not got what you said last.")
        elif self._link.waiting:
            self._note("The answer comes with the next `hermes chat`.")
