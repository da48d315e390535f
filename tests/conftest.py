"""What holds for every test."""

import gc
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

# The same examples on every run, and no deadline: two cores that others use too say nothing about the code.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")


def pytest_configure() -> None:
    """Have Ctrl-C reach the processes that tests start: begun in the background of a shell, we would hand down that it is
    ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Ten thousand tests live to the end: no collection of garbage goes through them, neither now nor in the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
