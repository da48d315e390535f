"""The plug-in on the page about plug-ins, as it stands there."""

import re
from pathlib import Path

from hermes.plugins.discover import discover
from hermes.registry.registry import PlatformRegistry
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionId, SessionKey, TraceId, TurnId
from hermes.types.memory import Asked, Ended
from hermes.types.origin import Origin
from hermes.types.tools import Call, ToolContext

PAGE = Path(__file__).resolve().parents[3] / "docs" / "plugins.md"
ORIGIN = Origin("fake", "1", user_id="u1")


def documented(language: str, nth: int) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)[nth]


async def test_the_plug_in_of_the_page_does_what_it_says(tmp_path):
    path = tmp_path / "plugins" / "dice"
    path.mkdir(parents=True, mode=0o700)
    (path / "plugin.yaml").write_text(documented("yaml", 1))
    (path / "__init__.py").write_text(documented("python", 1))
    brought = discover(tmp_path, PlatformRegistry())
    (row,), (roll,), ((spec, command),), (memory,) = (
        brought.plugins,
        brought.tools,
        brought.commands,
        brought.memories,
    )
    event = InboundEvent("1", ORIGIN, "x", 0.0, TraceId("t"))
    context = ToolContext(event, "user", SessionKey("k"), TurnId("t"))
    asked = Asked(SessionKey("k"), ORIGIN, "and?")

    assert row.brings == ("tool roll", "command /roll", "memory dice")
    assert (spec.name, spec.usage) == ("roll", "[sides]")
    assert await memory.recall(asked) == ""
    assert await roll.run(Call("c", "roll", {"sides": 2}), context) in {"1", "2"}
    assert (await command.run(Call("c", "roll", {"args": "2"}), context)).startswith("You have thrown a ")
    assert (await memory.recall(asked)).startswith("thrown here so far: [")
    await memory.flush(Ended(SessionKey("k"), SessionId("s"), "idle", ()))
    assert await memory.recall(asked) == ""
