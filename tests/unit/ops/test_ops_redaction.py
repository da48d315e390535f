"""Redaction by value."""

import logging
import sys

import pytest

from hermes.ops.redaction import REDACTED, Redaction, secrets_in

TOKEN = "123456789:AAF-abcdefghijklmnopqrstuvwxyz_0123"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key hunter2hunter2!", f"key {REDACTED}"),
        ("?key=hunter2hunter2%21", f"?key={REDACTED}"),
        ("hunter2hunter2!-and-more", REDACTED),
        (f"GET https://example.org/bot{TOKEN}/getMe", f"GET https://example.org/bot{REDACTED}/getMe"),
        (f"bot{TOKEN.replace(':', '%3A')}", f"bot{REDACTED}"),
        ("nothing to hide at 12:30", "nothing to hide at 12:30"),
        ("a short one", "a short one"),
    ],
)
def test_secrets_are_replaced(text, shown):
    redaction = Redaction(["hunter2hunter2!", "hunter2hunter2!-and-more", "short"])

    assert redaction.redact(text) == shown


def test_without_known_secrets_only_patterns_are_replaced():
    assert Redaction().redact(f"hunter2 {TOKEN}") == f"hunter2 {REDACTED}"


def test_a_record_is_redacted_with_its_arguments_and_traceback():
    try:
        raise ValueError("tell hunter2hunter2")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "see %s", ("hunter2hunter2",), sys.exc_info())
    redaction = Redaction(["hunter2hunter2"])

    assert redaction.filter(record)
    shown = logging.Formatter().format(record)
    assert "hunter2" not in shown
    assert f"see {REDACTED}\n" in shown
    assert shown.endswith(f"ValueError: tell {REDACTED}")


def test_variables_that_say_they_are_secret_are_taken():
    environ = {
        "TELEGRAM_BOT_TOKEN": "a",
        "API_SERVER_KEY": "b",
        "MATRIX_PASSWORD": "c",
        "APP_SECRET": "d",
        "KEYBOARD": "us",
    }

    assert secrets_in(environ) == ("a", "b", "c", "d")
