"""Failures, typed once at the border.

    Exception
    └─ GatewayError            carries .failure; everything the gateway raises on purpose
       ├─ SendError            a send that failed; .phase says whether anything may have reached the platform
       └─ SocketClosed         the other end of a web socket is gone

``Failure.severity`` decides what a supervisor does: ``transient`` restarts with backoff for ever, ``needs_operator``
disables that one child until somebody acts, ``fatal`` escalates to the root. Everything else that is raised is a crash.
"""

import math
from dataclasses import dataclass
from typing import Literal

Severity = Literal["transient", "needs_operator", "fatal"]
Scope = Literal["message", "chat", "adapter", "gateway"]

HOME_HELD = "home_held"
HOME_UNUSABLE = "home_unusable"
CONFIG_INVALID = "config_invalid"
USAGE = "usage"
PORT_TAKEN = "port_taken"
STORE_NEWER = "store_newer"
STORE_CORRUPT = "store_corrupt"
STORE_DEGRADED = "store_degraded"
STORE_GONE = "store_gone"
UNREACHABLE = "unreachable"
SEND_UNCONFIRMED = "send_unconfirmed"
RATE_LIMITED = "rate_limited"
FORBIDDEN = "forbidden"
CHAT_NOT_FOUND = "chat_not_found"
TOO_LARGE = "too_large"
TOO_LONG = "too_long"
FORMAT_REFUSED = "format_refused"
NOT_EDITABLE = "not_editable"
TURN_DEADLINE = "turn_deadline"
EMPTY_ANSWER = "empty_answer"
AGENT_CRASHED = "agent_crashed"
MODEL_UNREACHABLE = "model_unreachable"
MODEL_REFUSED_KEY = "model_refused_key"
MODEL_BUSY = "model_busy"
MODEL_NOT_FOUND = "model_not_found"
MODEL_FILTERED = "model_filtered"
MODEL_ERROR = "model_error"
CONTEXT_TOO_LONG = "context_too_long"
POISON = "poison"
APPROVAL_EXPIRED = "approval_expired"
TOO_MANY_PROCESSES = "too_many_processes"
PROGRAM_UNUSABLE = "program_unusable"
MISSING_DEPENDENCY = "missing_dependency"
BAD_CONFIG = "bad_config"
FACTORY_FAILED = "factory_failed"
PLUGIN_UNUSABLE = "plugin_unusable"
URL_REFUSED = "url_refused"
STORED = "stored"
"""Nobody is there to be told, and those who want to know read it from our store: no failure of a message's."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something did not work, as data: what a row, a log line and a status page show.

    ``detail`` is redacted text for people. ``retry_after`` is in seconds and a lower bound; what is no such time (a header may
    say ``nan``, ``inf`` or ``-1``) is none.
    """

    code: str
    severity: Severity = "transient"
    scope: Scope = "message"
    retry_after: float | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        if self.retry_after is not None and not 0 <= self.retry_after < math.inf:
            object.__setattr__(self, "retry_after", None)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class GatewayError(Exception):
    """An expected failure; the only exception an adapter, agent or service raises on purpose."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def in_words(error: BaseException) -> str:
    """What has gone wrong in foreign code: its kind, and what it says of itself, where that does not go wrong as well."""
    try:
        words = str(error)
    except Exception as wrong:
        words = f"its own words raise {type(wrong).__name__}"
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def os_words(error: OSError) -> str:
    """What the system says, behind the file that it is about."""
    words = error.strerror or str(error)
    return f"{error.filename}: {words}" if error.filename else words


SendPhase = Literal["not_sent", "unknown"]


class SendError(GatewayError):
    """A send failed. ``not_sent``: nothing left this process, so trying again is safe. ``unknown``: it may have arrived."""

    def __init__(self, failure: Failure, phase: SendPhase) -> None:
        super().__init__(failure)
        self.phase: SendPhase = phase


class SocketClosed(GatewayError):
    """The peer of a socket is gone; raised by receive and send alike."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(Failure(UNREACHABLE, scope="chat", detail=detail))
