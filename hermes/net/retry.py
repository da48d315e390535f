"""When a server wants to be asked again.

That is all of a retry that is known here: nobody in ``hermes.net`` retries (AC-51). How long an owner of retries waits beside
such a wish is ``hermes.types.backoff``, or a supervisor's own.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds by ``retry-after`` (header names are lower case), or None.

    A date counts from the server's own ``date``, so that no clock of ours need agree with its.
    """
    wish = headers.get("retry-after", "").strip()
    try:
        seconds = float(wish)
    except ValueError:
        then, now = _moment(wish), _moment(headers.get("date", ""))
        if then is None or now is None:
            return None
        seconds = (then - now).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
