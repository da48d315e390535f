"""Every key of the configuration: its default, its bounds and its meaning, once.

Plain frozen dataclasses, so that the program needs no pydantic to hold a configuration. The metadata of a field are the
arguments of a pydantic field: ``load`` validates with them, and ``docs/generate.py`` writes the schema, the commented
default file and the reference from them.
"""

from dataclasses import dataclass, field
from typing import Any

DAY_S = 86_400.0


def _key(default: Any, description: str, **bounds: float | bool) -> Any:
    return field(default=default, metadata={"description": description, **bounds})


def _seconds(default: float, description: str, most: float = DAY_S) -> Any:
    return _key(default, description, gt=0, le=most, allow_inf_nan=False)


def _section(model: type) -> Any:
    return _key(model(), model.__doc__ or "")


@dataclass(frozen=True, slots=True)
class Web:
    """The one HTTP server: dashboard, web chat, health."""

    host: str = _key(
        "127.0.0.1", "Address to listen on. Anything but a loopback address opens the gateway to the network."
    )
    port: int | None = _key(
        None,
        "Port to listen on, 0 for any. Unset: 8642, or the next free one; the one taken is printed.",
        ge=0,
        le=65_535,
    )


@dataclass(frozen=True, slots=True)
class Agent:
    """How long one answer may take."""

    turn_timeout_s: float = _seconds(1800.0, "A turn that takes longer ends, in words to the user. Seconds.")
    no_progress_s: float = _seconds(
        300.0, "A turn that shows no sign of life for this long ends too. Seconds."
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """How long a message is worth sending."""

    ttl_s: float = _seconds(
        7 * DAY_S, "A message that could not be delivered for this long is given up. Seconds.", 365 * DAY_S
    )


@dataclass(frozen=True, slots=True)
class Logging:
    """The log file, logs/gateway.log."""

    max_size_mb: float = _key(
        5.0, "Size at which the file is set aside and a new one begun. Megabytes.", gt=0, le=1024
    )
    backup_count: int = _key(3, "How many files set aside are kept.", ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class Config:
    """The gateway's settings. Keys we do not know belong to somebody else and are left alone."""

    web: Web = _section(Web)
    agent: Agent = _section(Agent)
    delivery: Delivery = _section(Delivery)
    logging: Logging = _section(Logging)
    drain_timeout_s: float = _seconds(
        15.0, "How long a stop waits for turns and messages under way. Seconds.", 3600.0
    )
