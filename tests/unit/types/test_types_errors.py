from dataclasses import replace

import pytest

from hermes.types.errors import Failure, GatewayError, SendError, SocketClosed, in_words


def test_a_failure_reads_as_code_and_detail() -> None:
    assert str(Failure("timeout")) == "timeout"
    assert str(GatewayError(Failure("timeout", detail="after 5 s"))) == "timeout: after 5 s"


def test_one_base_for_everything_raised_on_purpose() -> None:
    lost = SendError(Failure("timeout"), "unknown")
    assert isinstance(lost, GatewayError)
    assert (lost.failure.code, lost.phase) == ("timeout", "unknown")
    assert SocketClosed("gone").failure == Failure("unreachable", scope="chat", detail="gone")


@pytest.mark.parametrize("said", [float("nan"), float("inf"), -1.0])
def test_AC43_a_time_to_wait_that_is_none_holds_nothing_back_for_ever(said: float) -> None:
    assert Failure("rate_limited", retry_after=said) == Failure("rate_limited")
    assert Failure("rate_limited", retry_after=0.0).retry_after == 0.0
    assert replace(Failure("rate_limited"), retry_after=said).retry_after is None


class Mute(Exception):
    def __str__(self) -> str:
        raise AttributeError


def test_whatever_was_raised_has_words() -> None:
    assert in_words(ValueError("what?")) == "ValueError: what?"
    assert in_words(ValueError()) == "ValueError"
    assert in_words(Mute()) == "Mute: its own words raise AttributeError"
