"""Signatures of webhooks: only what is right passes, however it is dressed up (S24 to S26, S28)."""

import hmac
from hashlib import sha256

import pytest

from hermes.net.signing import WINDOW_S, signed, signed_at, weakness

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODY = b'{"text":"hello"}'
NOW = 1_700_000_000.0


def digest(data, secret=SECRET):
    return hmac.new(secret.encode(), data, sha256).hexdigest()


def test_a_right_signature_passes():
    assert signed(SECRET, BODY, "sha256=" + digest(BODY))
    assert signed(SECRET, BODY, digest(BODY), prefix="")


GOOD = "sha256=" + digest(BODY)


@pytest.mark.parametrize(
    "given",
    [
        None, "", "sha256=", digest(BODY), GOOD[:-1], GOOD + "0", GOOD.upper(), " " + GOOD, f"{GOOD}, {GOOD}",
        f"{GOOD},sha256=00", "sha1=" + digest(BODY), "sha256=" + digest(BODY, "another secret"), "sha256=" + "é" * 64,
        "sha256=\ud800", "sha256=" + digest(BODY + b" "),
    ],
)  # fmt: skip
def test_S24_any_other_signature_does_not(given):
    assert not signed(SECRET, BODY, given)


def test_S24_a_body_changed_by_one_byte_does_not():
    for at in range(len(BODY)):
        assert not signed(SECRET, BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :], GOOD)


def test_S25_nothing_is_signed_with_an_empty_secret():
    assert not signed("", BODY, "sha256=" + digest(BODY, ""))


def slack(timestamp, body=BODY, version="v0"):
    return f"{version}=" + digest(f"{version}:{timestamp}:".encode() + body)


@pytest.mark.parametrize(
    ("signature", "timestamp", "verdict"),
    [
        (slack("1700000000"), "1700000000", "good"),
        (slack("1699999700"), "1699999700", "good"),
        (slack("1699999699"), "1699999699", "stale"),
        (slack("1700000301"), "1700000301", "stale"),
        (slack("0"), "0", "stale"),
        (slack("1700000000"), "1700000001", "bad"),
        (slack("1700000000", b"other"), "1700000000", "bad"),
        (slack("1700000000", version="v1"), "1700000000", "bad"),
        (slack("1700000000"), None, "bad"),
        (None, "1700000000", "bad"),
        (slack(""), "", "bad"),
        (slack("1e9"), "1e9", "bad"),
        (slack("-5"), "-5", "bad"),
        (slack("١٧"), "١٧", "bad"),
        (slack("9" * 5000), "9" * 5000, "bad"),
        (slack("1700000000, 1700000000"), "1700000000, 1700000000", "bad"),
    ],
)
def test_S26_a_signature_over_the_time_is_good_for_a_while(signature, timestamp, verdict):
    assert signed_at(SECRET, BODY, signature, timestamp, now=NOW) == verdict
    assert WINDOW_S == 300


def test_the_form_is_slacks_own():
    """The example of Slack's documentation for signed requests, computed by hand here."""
    base = b"v0:123456789:command=/weather&text=94070"
    signature = "v0=" + hmac.new(SECRET.encode(), base, "sha256").hexdigest()

    assert (
        signed_at(SECRET, b"command=/weather&text=94070", signature, "123456789", now=123456789.0) == "good"
    )


@pytest.mark.parametrize(
    "secret",
    ["", " ", "***", "secret", "INSECURE_NO_AUTH", "insecure_no_auth", "*" * 40, "abababababababababab", "short-secret",
     "<your-signing-secret>", " 8f742231b10e8888abcd99yyyzzz85a5", "changemechangeme"],
)  # fmt: skip
def test_S25_a_secret_that_is_none_is_named(secret):
    assert weakness(secret)


def test_S28_one_secret_opens_one_door():
    assert weakness(SECRET) is None
    assert weakness(SECRET, {"another"}) is None
    assert weakness(SECRET, {SECRET})
