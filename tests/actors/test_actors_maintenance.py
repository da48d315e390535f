"""Upkeep that goes on when the disk does not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from told import Told
from trio.testing import MockClock

from actors import maintenance
from hermes.store import queries
from hermes.store.memory import MemoryStore
from hermes.testing.fakes import TrioClock
from supervisors.events import SupervisionEvent


async def test_AC_45_a_journal_whose_disk_takes_no_tree_lives_and_writes_events(
    tmp_path: Path, caplog: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(maintenance, "JOURNAL_S", 0.01)
    store, events, told = MemoryStore(), maintenance.EventQueue(), Told()
    services = cast("Any", SimpleNamespace(store=store, clock=TrioClock(), boot_id="b1"))
    overview = cast("Any", SimpleNamespace(seen=lambda: lambda: {"live": True}))
    tree_file = tmp_path / "not there" / "tree.json"

    def happen(kind: str) -> None:
        events.waiting.append(SupervisionEvent(0.0, kind, "root", 1, {}))

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            happen("started")
            nursery.start_soon(maintenance.journal, cast("Any", told), services, events, overview, tree_file)
            while "could not be kept" not in caplog.text:
                await trio.lowlevel.checkpoint()
            tree_file.parent.mkdir()
            happen("exited")
            while not tree_file.exists():
                await trio.lowlevel.checkpoint()
            told.stop.set()
    assert [event["kind"] for event in await store.read(queries.last_events, 10)] == ["started", "exited"]
    store.close()


async def test_a_tree_that_takes_long_to_keep_is_kept_less_often_and_once_more_at_the_end(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[float] = []

    async def slow(*_: object) -> None:
        await trio.sleep(1.0)
        kept.append(trio.current_time())

    monkeypatch.setattr(maintenance, "_keep_tree", slow)
    store, events, told = MemoryStore(), maintenance.EventQueue(), Told()
    services = cast("Any", SimpleNamespace(store=store, clock=TrioClock(), boot_id="b1"))
    overview, begun = cast("Any", None), trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(maintenance.journal, cast("Any", told), services, events, overview, Path("unused"))
        for _ in range(50):
            events.waiting.append(SupervisionEvent(0.0, "started", "root", 1, {}))
            await trio.sleep(1.0)
        told.stop.set()
    assert [round(at - begun) for at in kept] == [2, 22, 42, 51]
    store.close()
