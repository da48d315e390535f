"""``hermes run --console``: the gateway and the chat in one terminal.

    main thread    prompt ─▶ link ─▶ control socket ─▶ gateway (Trio, in a thread of its own)
    either's end is the other's

The prompt has the main thread, because only there does readline hear of Ctrl-C; Trio needs no particular one. The chat is a
client as any other: it knows nothing of the gateway beside it.
"""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType

from hermes.cli.chat import history_file
from hermes.cli.talk import Talk
from hermes.cli.terminal import Terminal, harmless
from hermes.cli.who import Who
from hermes.ops.control import client

FORCED_EXIT = 130
ASK_AGAIN_S = 0.2

LET_GO_S = 5.0

Gateway = Callable[[Callable[[str], None], Callable[[], None]], int]
"""Runs the gateway and returns its exit code. What it is handed shows a few lines to the operator, and ends the chat before the
process becomes another run.
"""


def run(home: Path, who: Who, gateway: Gateway, codes: dict[int, int]) -> int:
    """Run ``gateway`` until the chat is left, or the chat until the gateway ends. Returns the exit code of the process.

    ``codes``: signal numbers → exit codes of the stop they ask for. Raises what the gateway raises.
    """
    wanted, left = 0, threading.Event()

    def let_go() -> None:
        terminal.leave()
        left.wait(LET_GO_S)

    def asked(number: int, _frame: FrameType | None) -> None:
        nonlocal wanted
        wanted = codes.get(number, 0)  # a terminal that is closed says SIGHUP, and has left
        terminal.leave()

    with ThreadPoolExecutor(1, "gateway") as threads, Terminal(history_file(home, who)) as terminal:
        for number in {*codes, signal.SIGHUP} - {signal.SIGINT}:
            signal.signal(number, asked)
        running = threads.submit(gateway, lambda words: terminal.show(harmless(words)), let_go)
        running.add_done_callback(lambda _: terminal.leave())
        try:
            Talk(home, who, terminal, patient=True).run()
        finally:
            for number in codes:
                signal.signal(number, _at_once)
            left.set()
            code = _stopped(home, running)
        return code or wanted


def _stopped(home: Path, gateway: "Future[int]") -> int:
    """Ask the gateway to stop, unless it has; its exit code."""
    while not gateway.done():
        try:
            client.ask(home, "stop")
            break
        except client.ControlError:  # it has not opened its socket yet, or has closed it
            wait([gateway], ASK_AGAIN_S)
    return gateway.result()


def _at_once(_number: int, _frame: FrameType | None) -> None:
    """A signal during the stop: what is on disk is safe at any moment."""
    os._exit(FORCED_EXIT)
