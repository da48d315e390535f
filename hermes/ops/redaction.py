"""Secrets stay out of the logs: by value, because a library that logs a URL knows nothing of our names for
things.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

REDACTED = "[redacted]"
SHORTEST_SECRET = 8
"""Shorter values are too likely to be ordinary words; replacing those would garble every line."""

_SECRET_NAME = re.compile(r"(TOKEN|KEY|SECRET|PASSWORD)$")
_BOT_TOKEN = re.compile(r"\d{6,}(?::|%3A)[A-Za-z0-9_-]{30,}")


def secrets_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of all variables whose names say that they are secret."""
    return tuple(value for name, value in environ.items() if _SECRET_NAME.search(name))


class Redaction(logging.Filter):
    """Replaces known secrets and everything that looks like a bot token, in messages and tracebacks.

    Belongs on handlers: a filter on a logger does not see what its children log.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        values = {
            form
            for value in secrets
            if len(value) >= SHORTEST_SECRET
            for form in (value, quote(value, safe=""))
        }
        # Longest first, so that a secret that contains another one leaves no rest of itself behind.
        self._values = (
            re.compile("|".join(map(re.escape, sorted(values, key=len, reverse=True)))) if values else None
        )

    def redact(self, text: str) -> str:
        """``text`` without secrets."""
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        return _BOT_TOKEN.sub(REDACTED, text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, redacted in place."""
        record.msg, record.args = self.redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text, record.exc_info = self.redact(record.exc_text), None
        return True
