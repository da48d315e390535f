"""What holds for every test."""

import signal

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
