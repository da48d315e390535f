"""What ``hermes dump`` and ``hermes top`` are told, and what they are not."""

import json
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from told import Told
from world import ADAPTER, SECRET

from actors import dumper
from actors.ports.inspection import Inspection
from hermes.ops.redaction import Redaction
from hermes.testing.fakes import FakeAgent, Hang, Reply
from hermes.types.errors import Failure, GatewayError

PRIVATE = "what somebody wrote"


@dataclass(frozen=True)
class Letter:
    """A message with a body."""

    body: str


def inspection_of(world):
    return Inspection(world.boot.system, world.services.overview, Redaction((SECRET,)).redact)


def block(world, path, *messages):
    """Have mail wait at ``path``."""
    cell = world.boot.system.registry.cell(path)
    cell.mailbox.suspend()
    for message in messages:
        assert world.boot.system.registry.ref(path).tell_nowait(message) == "accepted"


async def test_a_dump_tells_tree_stacks_events_and_mailboxes_by_type(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    await world.say("hello")
    await trio.sleep(1)
    block(world, world.session(), Letter("a"), Letter("b"))
    wall = world.services.clock.wall()

    document = inspection_of(world).dump("root/gateway/sessions")()

    json.dumps(document)
    assert (document["live"], document["boot_id"], document["as_of"]) == (True, "boot1", wall)
    assert document["node"]["path"] == "root/gateway/sessions"
    assert [child["path"] for child in document["node"]["children"]] == [world.session()]
    assert document["mailboxes"] == {world.session(): {"control": {}, "user": {"Letter": 2}}}
    assert document["stacks"][0]["task"] == "root/gateway/sessions#1"
    assert any("supervisor.py" in line for line in document["stacks"][0]["lines"])
    assert {event["path"] for event in document["events"]} >= {world.session()}
    assert all(wall - 60 < event["at"] <= wall for event in document["events"])
    assert document["bodies"] is None


async def test_the_stacks_of_a_session_show_where_its_turn_waits(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    await world.say("hello")
    await trio.sleep(1)

    stacks = inspection_of(world).dump(world.session())()["stacks"]

    turn = next(stack for stack in stacks if stack["task"].endswith("/turn#1"))
    assert any("fakes.py" in line and line.endswith(" run") for line in turn["lines"])


async def test_S50_a_dump_holds_neither_secrets_nor_bodies(open_world, autojump_clock):
    world = await open_world()
    world.platform.crash(
        GatewayError(Failure("unreachable", "needs_operator", "adapter", detail=f"GET /{SECRET}/me"))
    )
    await world.until(lambda: world.state(ADAPTER) == "disabled")
    block(world, "root/gateway/inbound", Letter(f"{PRIVATE} {SECRET}"))

    plain = str(inspection_of(world).dump("root")())
    bodies = inspection_of(world).dump("root/gateway/inbound", bodies=True)()

    assert "[redacted]" in plain
    assert SECRET not in plain
    assert PRIVATE not in plain
    assert bodies["bodies"]["user"] == [f"Letter(body='{PRIVATE} [redacted]')"]


async def test_S50_a_body_that_is_cut_leaves_no_half_of_a_secret(open_world, autojump_clock):
    world = await open_world()
    start = "x" * (500 - len("Letter(body='") - 5 - len(SECRET) // 2)
    block(world, "root/gateway/inbound", Letter(f"{start} {SECRET} and more"))

    (body,) = inspection_of(world).dump("root/gateway/inbound", bodies=True)()["bodies"]["user"]

    assert body.endswith("x …")
    assert SECRET[:6] not in body


async def test_a_dump_of_nobody_says_so(open_world, autojump_clock):
    world = await open_world()

    with pytest.raises(GatewayError) as caught:
        inspection_of(world).dump("root/nobody")

    assert caught.value.failure.code == "no_such_actor"


async def test_top_measures_who_is_busy_now_and_not_who_ever_was(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=100.0), otherwise=Hang()))

    class Busy:
        """Handled for as long as the test likes."""

    async def look():
        return await inspection_of(world).top("busy", 3, 2.0)

    cell = world.boot.system.registry.cell("root/gateway/inbound")
    cell.busy_before_s = 1e6  # long ago
    lane = world.boot.system.registry.cell(ADAPTER)
    lane.busy_since = trio.current_time()

    document = await look()

    json.dumps(document)
    assert (document["by"], document["over_s"], len(document["actors"])) == ("busy", 2.0, 3)
    assert document["of"] == len(world.tree())
    assert (document["actors"][0]["path"], document["actors"][0]["busy"]) == (ADAPTER, 1.0)
    assert document["actors"][1]["busy"] < 0.1
    assert "children" in document["actors"][0]
    assert document["actors"][0]["children"] == []


async def test_top_by_mailbox_and_by_restarts(open_world, autojump_clock):
    world = await open_world()
    world.platform.crash(ValueError("boom"))
    await world.until(lambda: world.incarnations()[ADAPTER] == 2 and world.state(ADAPTER) == "running")
    block(world, ADAPTER, *[Letter("x")] * 7)
    await world.services.overview.restart("root/gateway/inbound")  # by order, which is not counted

    mailbox = await inspection_of(world).top("mailbox", 1, 0.0)
    restarts = await inspection_of(world).top("restarts", 1, 0.0)

    assert [node["path"] for node in mailbox["actors"]] == [ADAPTER]
    assert mailbox["actors"][0]["mailbox"]["used"] == 7
    assert [(node["path"], node["restarts"]) for node in restarts["actors"]] == [(ADAPTER, 1)]


class Asked(Told):
    """Hands the dumper what the test sends."""

    def __init__(self):
        super().__init__()
        self.send, self._mail = trio.open_memory_channel(10)

    async def receive(self):
        return await self._mail.receive()


class Fixed:
    """An inspection that sees the same every time, a second later."""

    def __init__(self):
        self.at = 1_800_000_000.0

    def dump(self, path):
        self.at += 1
        document = {"as_of": self.at, "path": path}
        return lambda: document


async def test_sigusr2_leaves_private_files_and_keeps_the_newest(tmp_path: Path, nursery):
    asked = Asked()
    nursery.start_soon(dumper.run, asked, Fixed(), tmp_path)
    for _ in range(3):
        asked.send.send_nowait(dumper.Dump())
    for number in range(dumper.KEPT_FILES):
        (tmp_path / f"dump-20200101T000000.{number:03}Z.json").write_text("{}")
    (tmp_path / "gateway.log").write_text("stays")

    def ours() -> list[Path]:
        return sorted(tmp_path.glob("dump-2027*.json"))

    with trio.fail_after(20):
        while len(ours()) < 3 or len(list(tmp_path.glob("dump-*"))) > dumper.KEPT_FILES:
            await trio.sleep(0.01)
    nursery.cancel_scope.cancel()

    assert [json.loads(file.read_text())["path"] for file in ours()] == ["root"] * 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in ours()} == {0o600}
    assert (tmp_path / "gateway.log").read_text() == "stays"


async def test_a_disk_that_takes_no_dump_costs_the_dumper_nothing(tmp_path: Path, nursery, caplog):
    asked = Asked()
    nursery.start_soon(dumper.run, asked, Fixed(), tmp_path / "nowhere")
    asked.send.send_nowait(dumper.Dump())
    asked.send.send_nowait(dumper.Dump())

    with trio.fail_after(20):
        while caplog.text.count("could not be written") < 2:
            await trio.sleep(0.01)
    nursery.cancel_scope.cancel()
