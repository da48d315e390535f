"""Keeping house: when it is due, what it comes to, and that it disturbs nobody."""

import os
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from told import Told
from trio.testing import MockClock
from world import QUEUE, World, _inline

from actors import database, retention, upkeep
from actors.ports.files import HomeFiles
from hermes.config.model import Config
from hermes.config.retention import Retention
from hermes.ops import disk, inbound_files
from hermes.ops.disk import MB, Space
from hermes.store import upkeep as store_upkeep
from hermes.store.memory import MemoryStore
from hermes.store.ops import LogEvents
from hermes.store.schema import open_writer
from hermes.store.upkeep_ops import NoteUpkeep, Prune
from hermes.testing.fakes import FakeAgent, FakeClock, Hang, Reply, TrioClock
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

DAY_S = 86_400.0
PATH = "root/gateway/maintenance/retention"
SHORT = Config(display=QUEUE, retention=Retention(messages=8, deliveries=8))


def shown(world: World) -> dict[str, Any]:
    return {row["task"]: row["done"] for row in world.look(store_upkeep.upkeep)}


def age(world: World, days: float) -> None:
    """Everything there is has been there for longer."""
    by = days * DAY_S
    world._store._connection.executescript(
        f"UPDATE inbox SET received_at = received_at - {by}; UPDATE journey SET at = at - {by};"
        f"UPDATE outbox SET created_at = created_at - {by}, changed_at = changed_at - {by};"
        f"UPDATE dedupe SET at = at - {by}"
    )


# --- when -----------------------------------------------------------------------------------------------------------------


async def test_a_task_is_done_when_it_is_due_also_after_a_restart(autojump_clock: MockClock) -> None:
    store, at = MemoryStore(TrioClock().wall), []
    services = cast("Any", SimpleNamespace(store=store, clock=TrioClock()))

    async def work() -> dict[str, int]:
        at.append(round(trio.current_time() - begun))
        await trio.sleep(5.0)
        return {"n": len(at)}

    async def live(for_s: float) -> None:
        told = Told()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upkeep.run, told, services, upkeep.Task("t", 1_000.0, 100.0, work))
            await trio.sleep(for_s)
            told.stop.set()

    begun = trio.current_time()
    await live(1_200.0)
    assert at == [100, 1_105]
    await live(300.0)
    assert at == [100, 1_105]
    await live(700.0)
    assert at == [100, 1_105, 2_110]
    (row,) = await store.read(store_upkeep.upkeep)
    assert (row["took_s"], row["done"]) == (5.0, {"n": 3})


async def test_a_last_time_in_the_future_was_a_clocks_mistake(autojump_clock: MockClock) -> None:
    store, done = MemoryStore(), trio.Event()
    services = cast("Any", SimpleNamespace(store=store, clock=TrioClock()))
    await store.write(NoteUpkeep("t", TrioClock().wall() + 10 * DAY_S, 0.0, {}))

    async def work() -> dict[str, int]:
        done.set()
        return {}

    told = Told()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upkeep.run, told, services, upkeep.Task("t", DAY_S, 60.0, work))
        with trio.fail_after(61.0):
            await done.wait()
        told.stop.set()


# --- retention ------------------------------------------------------------------------------------------------------------


async def test_what_is_old_goes_and_what_is_open_stays(open_world, autojump_clock: MockClock) -> None:
    world: World = await open_world(FakeAgent(Reply(), otherwise=Hang()), config=SHORT)
    await world.say("one")
    await world.settle()
    await world.say("two", "other")
    await world.until(lambda: world.rows("state")[-1] == "in_turn")
    age(world, 9.0)
    before = world.counts
    await trio.sleep(retention.START_S + 10.0)
    assert world.rows("text, emptied, state") == [("", 1, "answered"), ("two", 0, "in_turn")]
    assert shown(world)["retention"] == {"journey": 3, "words": 1, "dedupe": 2}
    assert world.counts == before
    assert [line.text for line in world.transcript()] == ["one", "one"]


async def test_a_pass_that_fails_is_a_crash_of_its_own_and_is_tried_again(
    open_world, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world: World = await open_world(config=SHORT)
    await world.say("one")
    await world.settle()
    age(world, 9.0)
    before, write, failed = world.incarnations(), world.services.store.write, []

    async def failing(op):
        if isinstance(op, Prune) and len(failed) < 3:
            failed.append(op)
            raise RuntimeError("a bug")
        return await write(op)

    monkeypatch.setattr(world.services.store, "write", failing)
    await trio.sleep(retention.START_S + 1.0)
    assert world.state(PATH) in ("backoff", "starting", "running")
    assert "retention" not in shown(world)
    await trio.sleep(4 * retention.START_S)
    assert shown(world)["retention"]["words"] == 1
    after = world.incarnations()
    assert after[PATH] == before[PATH] + 3
    assert {p: n for p, n in after.items() if p in before and p != PATH} == {
        p: n for p, n in before.items() if p in after and p != PATH
    }


async def test_other_writes_come_between_two_slices(open_world, autojump_clock: MockClock) -> None:
    world: World = await open_world(config=SHORT)
    db = world._store._connection
    db.executemany("INSERT INTO dedupe VALUES ('p', 'a', ?, 1, 1.0)", [(f"old{n}",) for n in range(500)])
    await trio.sleep(retention.START_S - 1.0)
    left = []
    for _ in range(2_000):
        await trio.sleep(0.001)
        ((count,),) = db.execute("SELECT count(*) FROM dedupe WHERE platform = 'p'").fetchall()
        left.append(count)
    steps = sorted(set(left), reverse=True)
    assert steps == [*range(500, -1, -50)]


# --- the cache ------------------------------------------------------------------------------------------------------------


async def test_old_files_go_and_what_an_open_message_brings_stays(
    open_world, autojump_clock: MockClock, tmp_path: Path
) -> None:
    world: World = await open_world(FakeAgent(otherwise=Hang()))
    picture = Attachment("image", "ref", "cat.png")

    def event(name: str) -> InboundEvent:
        now = world.services.clock.wall()
        return InboundEvent(
            name, Origin("fake", "1", user_id="u1"), "look", now, TraceId(name), attachments=(picture,)
        )

    def put(name: str) -> Path:
        key = inbound_files.file_key(event(name), 0)
        part = inbound_files.begin(tmp_path, key, "01234567", picture)
        kept = Path(inbound_files.keep(tmp_path, part, key, picture).path)
        os.utime(kept, (1.0, 1.0))
        return kept

    open_one, old = put("open"), put("old")
    await world.platform._io.accept([event("open")])
    await world.until(lambda: bool(world.agent.turns))
    os.utime(open_one, (1.0, 1.0))  # long since
    await trio.sleep(200.0)
    assert (open_one.exists(), old.exists()) == (True, False)
    assert shown(world)["cache"]["files"] == 1


# --- the database ---------------------------------------------------------------------------------------------------------


class Notices:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    async def tell_homes(self, kind: str, text: str, _wanted: object, _every_s: float) -> None:
        self.told.append((kind, text))


def keeper(path: Path, store: Any = None, turns: int = 0) -> tuple[database._Keeper, Notices]:
    notices = Notices()
    services = SimpleNamespace(
        store=store, notices=notices, turns=SimpleNamespace(borrowed_tokens=turns), clock=FakeClock()
    )
    return database._Keeper(cast("Any", services), HomeFiles(path.parent, _inline), path), notices


async def test_the_operator_hears_of_a_full_disk_once_for_each_line_that_is_crossed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gateway.db"
    open_writer(path).close()
    one, notices = keeper(path)
    free = iter([5_000, 900, 950, 1_100, 150, 190, 240, 260, 900, 5_000, 800])
    monkeypatch.setattr(disk, "read", lambda _: Space(next(free) * MB, 100_000 * MB))
    for _ in range(11):
        await one.watch()
    assert [kind for kind, _ in notices.told] == ["disk:low", "disk:critical", "disk:low"]
    assert "900 MB" in notices.told[0][1]


@pytest.mark.parametrize("turns", [0, 1])
async def test_a_long_log_is_cut_when_nothing_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    monkeypatch.setattr(database, "LONG_LOG_BYTES", 500_000)
    path = tmp_path / "gateway.db"
    with closing(open_writer(path)) as db:
        db.execute("INSERT INTO events (body) VALUES (zeroblob(1000000))")
        one, _ = keeper(path, turns=turns)
        came_to = await one.watch()
        assert came_to.get("log_cut") == (None if turns else 1)
        assert (store_upkeep.sizes(path).log > 0) is bool(turns)


async def test_AC45_damage_is_told_and_the_next_start_looks_closer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "gateway.db"
    (tmp_path / "run").mkdir()
    with closing(open_writer(path)) as db:
        db.executemany("INSERT INTO events (body) VALUES (?)", [(bytes(500),)] * 500)
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    one, notices = keeper(path)
    assert await one.check() == {"found": "sound"}
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 2048)
    found = await one.check()
    assert found["found"] not in ("", "sound")
    assert [kind for kind, _ in notices.told] == ["damaged"]
    assert (tmp_path / "run" / "store-corrupt").exists()


async def test_a_check_waits_until_nothing_is_answered_but_not_for_ever(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "gateway.db"
    open_writer(path).close()
    one, _ = keeper(path, turns=1)
    begun = trio.current_time()
    await one.check()
    assert trio.current_time() - begun == database.PATIENCE_S


async def test_free_pages_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WORTH_BYTES", 1)
    path = tmp_path / "gateway.db"
    with closing(open_writer(path)) as db:
        from hermes.store.apply import apply

        class Store:
            async def write(self, op: Any) -> Any:
                await trio.lowlevel.checkpoint()
                db.execute("BEGIN")
                (result,) = apply(db, [op])
                db.execute("COMMIT")
                return result

        store = Store()
        await store.write(LogEvents(tuple({"at": 1.0, "x": "y" * 4_000} for _ in range(300))))
        db.execute("DELETE FROM events")
        one, _ = keeper(path, store)
        came_to = await one.give_back()
        assert came_to["free_mb"] == 0
        assert int(came_to["given_back_mb"]) >= 1
        assert store_upkeep.sizes(path).free == 0
