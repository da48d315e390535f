"""The menu of commands that Telegram shows beside the line in which people write."""

import logging
import re

from hermes.platforms.telegram.api import Api
from hermes.routing.commands import COMMANDS
from hermes.types.errors import GatewayError

log = logging.getLogger(__name__)

_NAME = re.compile("[a-z0-9_]{1,32}")

MENU = tuple(
    {"command": spec.name, "description": spec.summary}
    for spec in COMMANDS
    if spec.role in ("guest", "user") and _NAME.fullmatch(spec.name)
)
"""What anybody may use who may speak. Quick commands are not among them: /help shows each person theirs."""


async def show(api: Api) -> None:
    """Have Telegram show the menu. One attempt; losing it is harmless."""
    try:
        await api.call("setMyCommands", {"commands": MENU})
    except GatewayError as error:
        log.info("the menu of commands was not set: %s", error)
