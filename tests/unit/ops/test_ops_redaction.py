"""Redaction: known values in the forms they travel in, and credentials by their place."""

import base64
import json
import re
import string
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.ops.redaction import LONGEST_TOKEN, REDACTED, Redaction

TOKEN = "123456789:AAF-abcdefghijklmnopqrstuvwxyz_0123"
SECRET = "pä/ss+wörd & \"quotes\" 'too'"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key hunter2hunter2!", f"key {REDACTED}"),
        ("?key=hunter2hunter2%21", f"?key={REDACTED}"),
        ("hunter2hunter2!-and-more", REDACTED),
        ("nothing to hide at 12:30", "nothing to hide at 12:30"),
        ("a short one", "a short one"),
    ],
)
def test_known_values_are_replaced(text, shown):
    redaction = Redaction(["hunter2hunter2!", "hunter2hunter2!-and-more", "short"])

    assert redaction.redact(text) == shown


def test_S47_what_is_learnt_later_is_replaced_too_and_nothing_is_forgotten():
    redaction = Redaction(["hunter2hunter2"])
    redaction.learn(["hunter2hunter2-and-more", "short"])

    assert (
        redaction.redact("hunter2hunter2, hunter2hunter2-and-more, short") == f"{REDACTED}, {REDACTED}, short"
    )


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        re.sub("%..", lambda code: code.group().lower(), quote(SECRET, safe="")),
        urlencode({"q": SECRET}),
        json.dumps({"a": SECRET}),
        repr([SECRET]),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_S47_a_known_value_is_found_in_every_form_it_travels_in(form):
    shown = Redaction([SECRET]).redact(f"before {form} after")

    assert REDACTED in shown
    assert "wörd" not in shown
    assert "quotes" not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert len(shown) <= len("before  after") + len(REDACTED) + 15


@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_S47_a_known_value_in_the_base64_of_more_than_itself(before, after):
    value = b"0123456789abcdef"
    encoded = base64.b64encode(before + value + after).decode()

    shown = Redaction([value.decode()]).redact(encoded)

    assert REDACTED in shown
    assert len(shown.replace(REDACTED, "")) <= len(encoded) - 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"GET https://example.org/bot{TOKEN}/getMe", f"GET https://example.org/bot{REDACTED}/getMe"),
        (f"bot{TOKEN.replace(':', '%3A')}", f"bot{REDACTED}"),
        (f"the token {TOKEN}.", f"the token {REDACTED}."),
        ("http://127.0.0.1:1/bot1:test/getUpdates", f"http://127.0.0.1:1/bot{REDACTED}/getUpdates"),
        ("https://me:pass@example.org/x?a=b", f"https://{REDACTED}@example.org/x?a=b"),
        ("https://ghp_0123@example.org", f"https://{REDACTED}@example.org"),
        ("/sync?access_token=abc&since=s1", f"/sync?access_token={REDACTED}&since=s1"),
        ("/hook?token=abc HTTP/1.1", f"/hook?token={REDACTED} HTTP/1.1"),
        (
            "wss://example.org/link/?ticket=abc&app_id=1",
            f"wss://example.org/link/?ticket={REDACTED}&app_id=1",
        ),
        ("/x?a=b&key=abc#d", f"/x?a=b&key={REDACTED}#d"),
        ("client_secret=abc&grant=d", f"client_secret={REDACTED}&grant=d"),
        ("Authorization: Bearer abc", f"Authorization: Bearer {REDACTED}"),
        ("authorization: Bot a.b.c", f"authorization: Bot {REDACTED}"),
        ("{'Authorization': 'Basic dTpw'}", f"{{'Authorization': 'Basic {REDACTED}'}}"),
        ("[(b'authorization', b'Bearer abc')]", f"[(b'authorization', b'Bearer {REDACTED}')]"),
        ("X-Telegram-Bot-Api-Secret-Token: abc", f"X-Telegram-Bot-Api-Secret-Token: {REDACTED}"),
        ("Set-Cookie: hermes=abc; Path=/", f"Set-Cookie: {REDACTED}; Path=/"),
        ("it sent Bearer abc123def456 twice", f"it sent Bearer {REDACTED} twice"),
        ('{"access_token": "a b", "ok": true}', f'{{"access_token": "{REDACTED}", "ok": true}}'),
        (
            "/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwx/slack",
            f"/api/webhooks/{REDACTED}/slack",
        ),
        ("https://hooks.slack.com/services/T0/B0/abc", f"https://hooks.slack.com/{REDACTED}"),
    ],
)
def test_S46_credentials_are_known_by_their_place(text, shown):
    assert Redaction().redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Basic authentication failed, Bearer authentication too",
        "root/gateway/sessions/agent:main:telegram:dm:123456789",
        "key=agent:main:webchat:dm:main tokens=12 max_tokens: 4096",
        "see https://example.org/a@b or mail me@example.org",
        "message 123456: answered after 1.2 s",
        "https://example.org/webhooks/github",
    ],
)
def test_S51_what_is_no_secret_is_left_alone(text):
    assert Redaction().redact(text) == text


@given(st.text(max_size=200))
def test_redacting_again_changes_nothing(text):
    redaction = Redaction(["hunter2hunter2"])
    once = redaction.redact(f"{text} token=a {text}hunter2hunter2")

    assert redaction.redact(once) == once


REPEATED = [*string.punctuation, "a", "1", "A", " ", "token=", "://", "://a", "/bot", "/bot1", "/webhooks/", "bearer ",
            "basic a", "-key:", "authorization", "123456:", "a@", 'token":']  # fmt: skip


@pytest.mark.parametrize("piece", REPEATED)
def test_the_patterns_take_time_in_proportion_to_the_text(piece):
    """Nobody who writes a line may hold up the thread that writes all of them: a quadratic pattern would need minutes."""
    Redaction().redact(piece * (200_000 // len(piece)))


def test_a_long_text_is_cut_and_leaves_no_half_secret():
    secret = "0123456789abcdefghij"
    redaction = Redaction([secret])
    for filler in range(80, 101):
        shown = redaction.shorten("." * filler + secret + "." * 2_000, 100)

        assert set(shown) - set(REDACTED) <= set(". […]")
        assert len(shown) < 100 + LONGEST_TOKEN
        assert shown.endswith(" […]")


def test_a_token_across_the_cut_leaves_no_half_of_it():
    for filler in range(80, 101):
        assert "AAF" not in Redaction().shorten(" " * filler + TOKEN * 100, 100)


def test_a_text_of_the_right_length_is_redacted_whole():
    assert Redaction().shorten("token=abc", 9) == f"token={REDACTED}"
