"""The menu of commands that Telegram shows beside the line in which people write."""

import logging
import re
from collections.abc import Iterable

from hermes.platforms.telegram.api import Api
from hermes.types.errors import GatewayError

log = logging.getLogger(__name__)

MOST = 100
DESCRIPTION_CHARACTERS = 256
_NAME = re.compile("[a-z0-9_]{1,32}")


def menu(commands: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """``commands``, as (name, what it does), of which Telegram takes those of such a name alone, and not too many."""
    return [
        {"command": name, "description": summary[:DESCRIPTION_CHARACTERS]}
        for name, summary in commands
        if _NAME.fullmatch(name) and summary
    ][:MOST]


async def show(api: Api, commands: Iterable[tuple[str, str]]) -> None:
    """Have Telegram show the menu. One attempt; losing it is harmless."""
    try:
        await api.call("setMyCommands", {"commands": menu(commands)})
    except GatewayError as error:
        log.info("the menu of commands was not set: %s", error)
