"""Logging, for code that must not fail: handlers and filters are foreign, and they run inside whoever logs (law A4)."""

import logging
import traceback
from typing import Any


class GuardedLogger(logging.LoggerAdapter[logging.Logger]):
    """What a handler or a filter raises goes to stderr, where ``logging`` puts what a handler has caught itself."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As ``logging.Logger.log``; the other methods come here."""
        try:
            self.logger.log(level, msg, *args, **{"stacklevel": 2, **kwargs})
        except Exception:
            traceback.print_exc()


def guarded(name: str) -> GuardedLogger:
    """The logger ``name``."""
    return GuardedLogger(logging.getLogger(name))
