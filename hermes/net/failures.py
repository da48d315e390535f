"""What goes wrong on a network, and whether the other side may have heard of it.

    step        reached when                                  phase of a failure there
    connecting  from the start; also while a pool is full     not_sent
    connected   there is a connection, nothing is written     not_sent
    written     the first byte may have left                  unknown
    answered    the head of the answer is there               unknown

A failure of an adapter or a lane is made of this one by whoever knows what was to be done.
"""

from dataclasses import dataclass
from typing import Literal

from hermes.types.errors import TOO_LARGE, URL_REFUSED, Failure, GatewayError, SendPhase

DNS = "dns"
CONNECT_REFUSED = "connect_refused"
CONNECT_TIMEOUT = "connect_timeout"
TLS = "tls"
POOL_FULL = "pool_full"
TIMEOUT = "timeout"
RESET = "reset"
PROTOCOL = "protocol"
HTTP_STATUS = "http_status"
PROXY_UNUSABLE = "proxy_unusable"
SOCKET_ENDED = "socket_ended"
RECEIVER_SLOW = "receiver_slow"

_LASTING = frozenset({TOO_LARGE, URL_REFUSED, PROXY_UNUSABLE})
"""What would only happen again."""

Step = Literal["connecting", "connected", "written", "answered"]


@dataclass(slots=True)
class Progress:
    """How far a request has come; whoever makes the request may look while it is under way, and after."""

    step: Step = "connecting"

    @property
    def phase(self) -> SendPhase:
        """What a failure at this step would mean."""
        return "not_sent" if self.step in ("connecting", "connected") else "unknown"


class NetError(GatewayError):
    """A call over a network failed. ``not_sent``: nothing left this process; ``unknown``: it may have arrived."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        phase: SendPhase = "not_sent",
        retry_after: float | None = None,
    ) -> None:
        severity: Literal["transient", "needs_operator"] = (
            "needs_operator" if code in _LASTING else "transient"
        )
        super().__init__(Failure(code, severity, retry_after=retry_after, detail=detail))
        self.phase: SendPhase = phase

    @property
    def code(self) -> str:
        """One of the constants of this module, ``too_large`` or ``url_refused``."""
        return self.failure.code
