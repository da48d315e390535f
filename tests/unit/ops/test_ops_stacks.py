"""The file with the stacks of all threads."""

import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from hermes.ops import stacks
from hermes.ops.stacks import on_signal, stacks_in
from hermes.types.errors import HOME_UNUSABLE, GatewayError


def test_a_signal_writes_the_stacks_of_all_threads_and_then_calls(tmp_path: Path) -> None:
    called, halt = [], threading.Event()

    def somewhere_else() -> None:
        halt.wait(20)

    other = threading.Thread(target=somewhere_else)
    other.start()
    before = signal.getsignal(signal.SIGUSR2)
    try:
        with stacks_in(tmp_path) as file, on_signal(signal.SIGUSR2, file, lambda: called.append(1)):
            os.kill(os.getpid(), signal.SIGUSR2)
    finally:
        halt.set()
        other.join()

    written = (tmp_path / stacks.NAME).read_text()
    assert "somewhere_else" in written
    assert "test_a_signal_writes_the_stacks" in written
    assert written.endswith("asked for the stacks above\n")
    assert called == [1]
    assert signal.getsignal(signal.SIGUSR2) == before


def test_from_within_the_signal_nobody_else_is_read(tmp_path: Path) -> None:
    halt = threading.Event()

    def runs_on() -> None:
        halt.wait(20)

    def interrupted() -> None:  # not the main thread: no bytecode follows the signal
        with stacks_in(tmp_path) as file, on_signal(signal.SIGUSR2, file, lambda: None):
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)

    threads = [threading.Thread(target=runs_on), threading.Thread(target=interrupted)]
    for thread in threads:
        thread.start()
    threads[1].join()
    halt.set()
    threads[0].join()

    written = (tmp_path / stacks.NAME).read_text()
    assert "interrupted" in written
    assert "runs_on" not in written


def test_in_another_thread_the_signal_ends_nobody(tmp_path: Path) -> None:
    def gateway() -> None:
        with stacks_in(tmp_path) as file, on_signal(signal.SIGUSR2, file, lambda: None):
            # To this very thread: sent to the process, it might arrive after all is put back.
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)

    thread = threading.Thread(target=gateway)
    thread.start()
    thread.join()

    assert "most recent call first" in (tmp_path / stacks.NAME).read_text()


def test_S41_the_file_is_private_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / stacks.NAME).write_text("from before\n")
    (tmp_path / stacks.NAME).chmod(0o644)

    with stacks_in(tmp_path) as file:
        os.write(file.fileno(), b"now\n")

    assert stat.S_IMODE((tmp_path / stacks.NAME).stat().st_mode) == 0o600
    assert (tmp_path / stacks.NAME).read_text() == "from before\nnow\n"


def test_one_that_has_grown_too_long_begins_anew(tmp_path: Path) -> None:
    (tmp_path / stacks.NAME).write_bytes(b"x" * (stacks.MOST_BYTES + 1))

    with stacks_in(tmp_path):
        assert (tmp_path / stacks.NAME).stat().st_size == 0


def test_S44_a_symbolic_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / stacks.NAME).symlink_to(tmp_path / "precious")

    with pytest.raises(GatewayError) as caught, stacks_in(tmp_path):
        pass

    assert caught.value.failure.code == HOME_UNUSABLE
    assert str(tmp_path / stacks.NAME) in caught.value.failure.detail
    assert (tmp_path / "precious").read_text() == "mine"
