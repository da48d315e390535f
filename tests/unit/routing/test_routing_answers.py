from collections.abc import Mapping
from typing import Any

import pytest

from hermes.routing.answers import answer, status_text
from hermes.routing.commands import COMMANDS
from hermes.routing.pipeline import Command
from hermes.types.ids import SessionKey


async def status() -> Mapping[str, Any]:
    return {"state": "running", "version": "0.1.0"}


def typed(name: str) -> Command:
    return Command(name, "", SessionKey("k"), "info")


@pytest.mark.parametrize("name", [spec.name for spec in COMMANDS if spec.kind == "info"])
async def test_every_info_command_has_an_answer(name: str) -> None:
    assert await answer(typed(name), status)


async def test_version_and_status_come_from_the_gateway() -> None:
    assert await answer(typed("version"), status) == "hermes 0.1.0"
    assert "**running**" in await answer(typed("status"), status)


def test_unknown_figures_are_said_to_be_unknown() -> None:
    assert "**unknown**, up for an unknown time" in status_text({})


def test_status() -> None:
    figures = {
        "state": "running",
        "uptime_s": 3723.4,
        "counts": {"received": 3, "answered": 2, "pending": 1, "failed": 0},
        "outbox": {"prepared": 1, "sending": 0, "retry": 0, "unknown": 0, "dead": 0},
        "sessions": {"known": 2, "active": 1, "busy": None},
        "adapters": [{"platform": "webchat", "account": "default", "state": "listening"}],
    }
    assert status_text(figures).splitlines() == [
        "The gateway is **running**, up for 1 h 2 min.",
        "",
        "- Messages: 3 received, 2 answered, 1 pending, 0 failed",
        "- Conversations: 2 known, 1 active, unknown busy",
        "- On the way out: 1 prepared, 0 sending, 0 retry, 0 unknown, 0 dead",
        "- Platforms: webchat:default listening",
    ]
