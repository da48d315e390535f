"""What the C library's allocator is told, and where there is nobody to tell."""

import subprocess
import sys
from types import SimpleNamespace

from hermes.ops import arenas


def test_the_allocator_is_told(monkeypatch):
    told = []
    library = SimpleNamespace(mallopt=lambda *args: told.append(args))
    monkeypatch.setattr(arenas.ctypes, "CDLL", lambda _: library)

    arenas.share_arenas()

    assert told == [(-8, arenas.ARENAS)]


def test_where_there_is_none_of_the_kind_nothing_happens(monkeypatch):
    monkeypatch.setattr(arenas.ctypes, "CDLL", lambda _: SimpleNamespace())

    arenas.share_arenas()


def test_a_process_goes_on_after_it():
    code = "from hermes.ops.arenas import share_arenas; share_arenas(); print(len(bytes(10_000_000)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "10000000\n"
