"""The root's policy: severities become verdicts, failures become exit codes."""

import pytest

from actors.root import EXITS, classify
from hermes.types.errors import (
    CONFIG_INVALID,
    HOME_HELD,
    HOME_UNUSABLE,
    STORE_CORRUPT,
    STORE_NEWER,
    Failure,
    GatewayError,
)
from supervisors.reasons import Crash, Failed


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [("transient", "backoff"), ("needs_operator", "disable"), ("fatal", "escalate")],
)
def test_a_severity_is_a_verdict(severity, verdict):
    error = GatewayError(Failure("code", severity, retry_after=3.0, detail="in words"))

    assert classify(error) == Failed("code", verdict, 3.0, "in words", error)


def test_law_C10_what_has_no_name_is_a_crash_and_logged_as_unmapped(caplog):
    error = ValueError("a secret, perhaps")

    assert classify(error) == Crash(error)
    assert "unmapped failure ValueError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [(HOME_HELD, 1), (HOME_UNUSABLE, 78), (CONFIG_INVALID, 78), (STORE_NEWER, 78), (STORE_CORRUPT, 70)],
)
def test_a_failure_that_reaches_the_root_has_an_exit_code(code, exit_code):
    assert EXITS.code(Failed(code, "escalate")) == exit_code
