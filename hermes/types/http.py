"""The one shape of an error over HTTP, as clients of the OpenAI API read it too."""

from collections.abc import Mapping

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_body(
    status: int, code: str, message: str, param: str | None = None
) -> Mapping[str, Mapping[str, str | None]]:
    """``code`` for programs, ``message`` for people; ``param`` is the field of the request that is at fault."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"code": code, "message": message, "type": kind, "param": param}}
