"""Secrets stay out of whatever is written down: known values first, because a library that logs a URL knows nothing of
our names for things; then what looks like a credential by its place.
"""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SHORTEST_SECRET = 8
"""Shorter values are too likely to be ordinary words; replacing those would garble every line."""

LONGEST_TOKEN = 512
"""What a pattern may need to see of a credential in order to know it for one."""

_VALUE = r"[^&#\s\"'<>,;]+"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # A Telegram bot's token, wherever it stands; and whatever stands in its place in a path.
        r"()(?<!\d)\d{6,20}(?::|%3A)[a-z0-9_-]{30,}",
        r"(/bot)\d{1,20}(?::|%3A)[a-z0-9_-]+",
        # https://user:password@host
        r"(://)[^/\s@?#'\"]+(?=@)",
        # ?token=…, and the fields of a form
        rf"((?:token|ticket|secret|password|passwd|api_?key|signature|[?&](?:key|sig|auth))=){_VALUE}",
        # Webhooks whose address is their secret: Discord's, Slack's.
        r"(/(?:webhooks|interactions)/)\d{15,20}/[\w-]{20,}",
        r"(hooks\.slack\.com/)[\w/-]+",
        # Headers, as they travel and as Python shows them
        r"((?:authorization|cookie|-key|-token|-secret|-signature)[\"']?\s{0,8}[:,=]\s{0,8}(?:b?[\"'])?"
        rf"(?:(?:bearer|basic|bot|token|digest)[ \t]+)?){_VALUE}",
        r"\b((?:bearer|basic)[ \t]+)(?=[\w.~+/-]{0,256}[\d=])[\w.~+/=-]{8,}",
        # {"access_token": "…"}
        r"((?:token|secret|password|passwd|api_?key)[\"']\s{0,8}:\s{0,8}[\"'])[^\"'\r\n]+",
    )
)
"""Group 1 stays. Each runs in time proportional to the text, also where that is one character a hundred thousand times."""


class Redaction:
    """Replaces known secrets, in the forms they travel in, and everything that looks like a credential.

    Any thread may use it, also while another one has it learn.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: Sequence[str] = ()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Replace these too from now on; none is ever forgotten, because an old one may still be valid, or still be logged."""
        forms = {form for value in secrets if len(value) >= SHORTEST_SECRET for form in _forms(value)}
        # Longest first, so that a secret that contains another one leaves no rest of itself behind.
        self._known = sorted(forms.union(self._known), key=len, reverse=True)
        self._margin = max([LONGEST_TOKEN, *map(len, self._known)])

    def redact(self, text: str) -> str:
        """``text`` without secrets; redacting it again changes nothing."""
        for form in self._known:  # one by one: measured three times as fast as one pattern of them all
            text = text.replace(form, REDACTED)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1{REDACTED}", text)
        return text

    def shorten(self, text: str, most: int) -> str:
        """The first ``most`` characters or so of ``text``, redacted; a secret that lies across the cut is not left in half."""
        if len(text) <= most:
            return self.redact(text)
        return self.redact(text[: most + self._margin])[: -self._margin] + " […]"


def _forms(value: str) -> Iterator[str]:
    yield value
    for escaped in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield escaped
        yield re.sub("%..", lambda code: code.group().lower(), escaped)
    yield json.dumps(value)[1:-1]
    yield repr(value)[1:-1]
    data = value.encode(errors="surrogatepass")
    for before in range(3):
        # Inside a longer text a value has one of three alignments. Only the characters that hold nothing but it are sure.
        first, last = (0, 2, 3)[before], (before + len(data)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            core = encode(b"\0" * before + data).decode()[first:last]
            if len(core) >= SHORTEST_SECRET:
                yield core
