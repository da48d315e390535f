"""How Telegram says no."""

from typing import Any

_WORDS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}


class Refused(Exception):
    """A call is refused, with ``code`` as HTTP status and ``error_code``."""

    def __init__(
        self,
        code: int,
        description: str = "",
        *,
        retry_after: int | None = None,
        migrate_to_chat_id: int | None = None,
    ) -> None:
        if not description:
            description = _WORDS.get(code, "Error")
            description += f": retry after {retry_after}" if retry_after is not None else ""
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = {
            name: value
            for name, value in (("retry_after", retry_after), ("migrate_to_chat_id", migrate_to_chat_id))
            if value is not None
        }

    @property
    def body(self) -> dict[str, Any]:
        """As it is sent."""
        said = {"ok": False, "error_code": self.code, "description": self.description}
        return said | ({"parameters": self.parameters} if self.parameters else {})
