"""The conversations of the original, taken over beside a gateway that starts: once, in steps, and in nobody's way for ever."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from old_kit import ANN, FIRST, entry, message, mirror, prints, session, state
from told import Told
from trio.testing import MockClock

from actors import importing
from actors.ports.arrival import WAIT_S, Arrival
from actors.ports.making import Maker
from hermes.registry.entry import PlatformEntry
from hermes.registry.registry import PlatformRegistry
from hermes.store import imports, queries
from hermes.store.memory import MemoryStore
from hermes.store.original import OriginalDatabase
from hermes.store.upkeep import upkeep
from hermes.testing.fakes import TrioClock
from hermes.types.errors import GatewayError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    said = [message(FIRST, "user", f"word {number}") for number in range(300)]
    state(tmp_path, [session(FIRST, session_key=ANN)], said, routes=[("", ANN, entry(FIRST))])
    return tmp_path


async def over(home: Path, store: Any, arrival: Arrival) -> None:
    """The actor, until nobody has to wait for it any more."""
    told, services = Told(), cast("Any", SimpleNamespace(store=store, clock=TrioClock()))
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(importing.run, cast("Any", told), services, home, arrival)
            await arrival.here()
            told.stop.set()


async def test_once_and_never_again(home: Path) -> None:
    store, before = MemoryStore(), prints(home)

    await over(home, store, Arrival(expected=True))
    assert len(await store.read(queries.history, cast("Any", ANN), cast("Any", FIRST), 1_000)) == 300
    (noted,) = await store.read(upkeep)
    assert (noted["task"], noted["done"]) == (imports.TASK, {"stretches": 1, "lines": 300})
    assert len([*(home / "backups").iterdir()]) == 1

    state(home, messages=[message(FIRST, "user", "since then")])
    await over(home, store, Arrival(expected=True))
    assert len(await store.read(queries.history, cast("Any", ANN), cast("Any", FIRST), 1_000)) == 300
    assert len([*(home / "backups").iterdir()]) == 1
    assert prints(home).keys() == before.keys()
    store.close()


async def test_a_stop_in_between_is_no_loss_and_leaves_no_copies(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path_factory.mktemp("copies")
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    store, left = MemoryStore(), 2

    async def write(op: Any) -> Any:
        nonlocal left
        if left == 0:
            assert [*copies.iterdir()]
            told.stop.set()
            await trio.sleep_forever()
        left -= 1
        return await store.write(op)

    told, arrival = Told(), Arrival(expected=True)
    services = cast(
        "Any", SimpleNamespace(store=SimpleNamespace(read=store.read, write=write), clock=TrioClock())
    )
    with trio.fail_after(20):
        await importing.run(cast("Any", told), services, home, arrival)
    assert [*copies.iterdir()] == []
    assert await store.read(imports.is_due)
    assert 0 < (await store.read(imports.taken))[FIRST] < 300

    await over(home, store, Arrival(expected=True))
    assert len(await store.read(queries.history, cast("Any", ANN), cast("Any", FIRST), 1_000)) == 300
    assert len([*(home / "backups").iterdir()]) == 1  # not one for each start that is broken off
    store.close()


async def test_what_cannot_be_read_or_saved_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state.db").write_bytes(b"garbage" * 100)
    mirror(tmp_path, {ANN: entry(FIRST)})
    (tmp_path / "backups").write_text("no directory")
    store = MemoryStore()

    await over(tmp_path, store, Arrival(expected=True))

    assert f"{tmp_path / 'state.db'}: file is not a database" in caplog.text
    assert "the home could not be saved" in caplog.text
    assert await store.read(imports.taken) == {FIRST: 0}
    assert await store.read(imports.is_due)  # perhaps it can be read the next time
    store.close()


async def test_damage_that_shows_late_is_no_harm_to_the_gateway(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pages = OriginalDatabase.pages

    def damaged(self: OriginalDatabase) -> Iterator[Any]:
        yield next(pages(self))
        self._all("SELECT * FROM there_is_none")

    monkeypatch.setattr(OriginalDatabase, "pages", damaged)
    store = MemoryStore()

    await over(home, store, Arrival(expected=True))

    assert f"{home / 'state.db'}: no such table" in caplog.text
    assert (await store.read(imports.taken))[FIRST] == 200
    assert await store.read(imports.is_due)
    store.close()


async def test_whatever_becomes_of_it_nobody_waits_any_more(tmp_path: Path) -> None:
    async def read(*_: object) -> None:
        raise RuntimeError("the store is ill")

    arrival, services = Arrival(expected=True), cast("Any", SimpleNamespace(store=SimpleNamespace(read=read)))
    with pytest.RaisesGroup(RuntimeError):
        await importing.run(cast("Any", Told()), services, tmp_path, arrival)

    await arrival.here()


def maker(arrival: Arrival) -> Maker:
    entries = [
        PlatformEntry(name, name, cast("Any", lambda _setup: None), always=name == "webchat")
        for name in ("webchat", "telegram")
    ]
    accounts = cast("Any", SimpleNamespace(create=lambda platform, _account: platform))
    return Maker(accounts, PlatformRegistry(entries), cast("Any", SimpleNamespace(held_for_s=0.0)), arrival)


async def test_platforms_wait_for_it(autojump_clock: MockClock) -> None:
    arrival = Arrival(expected=True)

    with pytest.raises(GatewayError) as waits:
        await maker(arrival).make("telegram", "default")

    assert trio.current_time() == pytest.approx(WAIT_S, abs=1)
    assert (waits.value.failure.code, waits.value.failure.severity) == ("taking_over", "transient")


async def test_web_chat_does_not_wait_and_with_everything_here_nobody_does() -> None:
    arrival = Arrival(expected=True)
    assert await maker(arrival).make("webchat", "default") == "webchat"
    arrival.arrived()
    assert await maker(arrival).make("telegram", "default") == "telegram"


async def test_it_holds_nobody_up_for_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LONGEST_S", 0.01)
    store, told, arrival = MemoryStore(), Told(), Arrival(expected=True)

    async def write(_op: Any) -> None:
        await trio.sleep_forever()

    slow = SimpleNamespace(read=store.read, write=write)
    services = cast("Any", SimpleNamespace(store=slow, clock=TrioClock()))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(importing.run, cast("Any", told), services, home, arrival)
            await arrival.here()
            told.stop.set()
    assert await store.read(imports.is_due)
    store.close()
