"""What keeps the gateway from its work, in words for whoever waits for it."""

from pathlib import Path

from hermes.ops.control.client import ControlError, ask

LOOK_S = 5.0


def store_words(store: str) -> str:
    """What it means that the store is degraded; ``store`` is what the status says of it."""
    return f"the gateway's disk takes no writes ({store})"


def trouble(home: Path, platform: str) -> str | None:
    """Why nothing comes by way of ``platform``, as far as the gateway of ``home`` can tell; None if it knows of nothing."""
    try:
        status = ask(home, "status", timeout_s=LOOK_S)
    except ControlError as error:
        return error.failure.detail
    if status["store"]:
        return store_words(status["store"])
    if status["state"] == "draining":
        return "the gateway is stopping"
    for one in status["adapters"]:
        if one["platform"] == platform and one["state"] not in {"listening", "connected"}:
            return f"{platform}:{one['account']} is {one['state']}"
    return None
