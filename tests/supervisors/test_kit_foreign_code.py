"""Law A4: what the kit calls and has not written itself may raise, and harms nobody but whom it belongs to."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from kit_house import Book, Fail, deaf, house
from trio.testing import MockClock

from supervisors.reasons import Crash, ExitReason
from supervisors.spec import Backoff, ChildSpec, MailboxSpec

BOOM = ValueError("boom")
SOON = Backoff(0.1, 0.1)


class BrokenHandler(logging.Handler):
    """Raises where most handlers would say what is wrong and go on."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the log is gone")


class BrokenFilter(logging.Filter):
    """Filters are called by no handler's own rescue."""

    def filter(self, record: logging.LogRecord) -> bool:
        raise KeyError("redact")


@pytest.fixture(params=[BrokenHandler, BrokenFilter])
def broken_log(request: pytest.FixtureRequest) -> Iterator[None]:
    handler = logging.Handler() if request.param is BrokenFilter else BrokenHandler()
    if request.param is BrokenFilter:
        handler.addFilter(BrokenFilter())
    logger = logging.getLogger("supervisors")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


@pytest.mark.usefixtures("broken_log")
async def test_law_A4_a_log_that_fails_harms_neither_supervisor_nor_sender(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    def park(_: object) -> None:
        raise BOOM

    book = Book()
    async with house(
        book.spec("a", backoff=SOON, mailbox=MailboxSpec(1, overflow="park", park=park)),
        ChildSpec("stuck", deaf, shutdown=1, grace=1),
    ) as it:
        root = it.life("root")
        it.system.events.listen(lambda _: 1 / 0)  # what a listener raises is logged, too
        it.ref("root/a").tell_nowait(Fail(BOOM))
        it.ref("root/a").tell_nowait("does not fit")
        it.ref("nobody").tell_nowait("a dead letter")
        await it.commands("root").disable_child("stuck", 10)
        await trio.sleep(1)

        assert it.life("root") is root
        assert it.ref("root/a").incarnation == 2
        assert it.state("root/stuck") == "disabled"
    assert it.outcome is not None
    assert it.outcome.code == 0
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("made", [None, "network", BOOM, Crash], ids=repr)
async def test_law_A4_a_classify_that_makes_no_reason_makes_a_crash(
    autojump_clock: MockClock, made: Any
) -> None:
    def classify(_: BaseException) -> ExitReason:
        return made  # type: ignore[no-any-return]

    book = Book()
    async with house(book.spec("a", classify=classify, backoff=SOON), book.spec("b")) as it:
        root = it.life("root")
        it.ref("root/a").tell_nowait(Fail(BOOM))
        await trio.sleep(1)

        [(reason, decision)] = it.exits("root/a")
        assert reason.startswith("TypeError: classify")
        assert decision == "restart"
        assert it.life("root") is root
        last = it.cell("root/a").last_reason
        assert isinstance(last, Crash)
        assert last.exc.__cause__ is BOOM
