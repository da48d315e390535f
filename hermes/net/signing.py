"""Proof that a webhook's request comes from who shares our secret: an HMAC over the body as it came, before anybody reads it.

    signed       one header, the HMAC of the body            hex, perhaps after a prefix such as ``sha256=``
    signed_at    two headers, the HMAC of time and body      Slack's v0; an old one is ``stale``: somebody kept it

A header that came twice stands joined by a comma in ``ports.Request``, and is no signature then. A public-key signature
(Discord's Ed25519) would need a dependency that the gateway does not have.
"""

import hmac
from collections.abc import Collection
from hashlib import sha256
from typing import Literal

Verdict = Literal["good", "bad", "stale"]
"""To be answered with what was asked for, with 401, and with 409."""

WINDOW_S = 300.0
SHORTEST_SECRET = 16
FEWEST_CHARACTERS = 6
_MOST_DIGITS = 12

_PLACEHOLDERS = frozenset(
    {"insecure_no_auth", "your-secret-here", "your_secret_here", "replace-this-secret", "changemechangeme"}
)


def signed(secret: str, body: bytes, signature: str | None, *, prefix: str = "sha256=") -> bool:
    """True if ``signature`` is the HMAC-SHA256 of ``body``; takes as long whatever it is."""
    return _fits(secret, body, signature, prefix)


def signed_at(
    secret: str, body: bytes, signature: str | None, timestamp: str | None, *, now: float, version: str = "v0"
) -> Verdict:
    """Slack's form: the HMAC-SHA256 of ``version:timestamp:body``. ``now`` is in epoch seconds.

    ``stale``: more than ``WINDOW_S`` off, in either direction. What is newer may still come twice: its event's id tells.
    """
    if (
        timestamp is None
        or not (timestamp.isascii() and timestamp.isdigit())
        or len(timestamp) > _MOST_DIGITS
    ):
        return "bad"
    if not _fits(secret, f"{version}:{timestamp}:".encode() + body, signature, f"{version}="):
        return "bad"
    return "good" if abs(now - int(timestamp)) <= WINDOW_S else "stale"


def weakness(secret: str, others: Collection[str] = ()) -> str | None:
    """Why ``secret`` protects nothing, in words that follow its name; None: it will do. ``others``: secrets of other doors."""
    if not secret:
        return "is empty"
    if secret.strip() != secret:
        return "begins or ends with a blank"
    if secret.lower() in _PLACEHOLDERS or (secret[0], secret[-1]) == ("<", ">"):
        return "is a placeholder, not a secret"
    if len(secret) < SHORTEST_SECRET:
        return f"has fewer than {SHORTEST_SECRET} characters"
    if len(set(secret)) < FEWEST_CHARACTERS:
        return "is one character over and over, or nearly so"
    if secret in others:
        return "is in use for something else, too"
    return None


def _fits(secret: str, data: bytes, signature: str | None, prefix: str) -> bool:
    if not secret:
        return False  # an HMAC under the empty key is one that anybody can make
    expected = prefix + hmac.new(secret.encode(), data, sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (signature or "").encode(errors="replace"))
