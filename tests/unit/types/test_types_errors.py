from hermes.types.errors import Failure, GatewayError, SendError, SocketClosed


def test_a_failure_reads_as_code_and_detail() -> None:
    assert str(Failure("timeout")) == "timeout"
    assert str(GatewayError(Failure("timeout", detail="after 5 s"))) == "timeout: after 5 s"


def test_one_base_for_everything_raised_on_purpose() -> None:
    lost = SendError(Failure("timeout"), "unknown")
    assert isinstance(lost, GatewayError)
    assert (lost.failure.code, lost.phase) == ("timeout", "unknown")
    assert SocketClosed("gone").failure == Failure("unreachable", scope="chat", detail="gone")
