"""From a crash in a live tree to a file: what is taken down, what a storm costs, what a failing disk or writer loses."""

import logging
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from told import Told

from actors import dossiers
from actors.dossiers import CrashQueue, is_crash, related
from hermes.ops import dossiers as files
from hermes.ops.dossiers import Dossier
from hermes.ops.redaction import Redaction
from hermes.testing.fakes import FakeIds, TrioClock
from hermes.types.ids import BootId
from supervisors.context import Context
from supervisors.events import SupervisionEvent
from supervisors.reasons import (
    Cancelled,
    Crash,
    ExitReason,
    Failed,
    IntensityExceeded,
    Normal,
    Shutdown,
    StartFailed,
    Stuck,
    describe,
)
from supervisors.spec import Backoff, ChildSpec, Intensity, MailboxSpec
from supervisors.supervisor import supervisor
from supervisors.system import StopRequest, System
from supervisors.watchdog import Watchdog

SECRET = "a-password-of-ours"
TOKEN = "123456789:" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
PRIVATE = "what somebody wrote to us"


@dataclass(frozen=True)
class Say:
    """A user's message."""

    text: str


class Office:
    """A queue of crashes over a system of its own, and the files it writes."""

    def __init__(self, directory: Path, system: System | None = None) -> None:
        self.system = system or System(rng=random.Random(1))
        self.directory = directory / "crashes"
        self.queue = CrashQueue(
            self.system,
            self.directory,
            redact=Redaction([SECRET]).redact,
            watchdog=Watchdog(),
            clock=TrioClock(),
            ids=FakeIds(),
            boot_id=BootId("b1"),
            version="0.1.0",
        )
        self.system.events.listen(self.queue.note)

    @property
    def waiting(self) -> list[Dossier]:
        """What is not on disk yet, oldest first."""
        return list(self.queue.waiting.values())

    @property
    def kept(self) -> list[Dossier]:
        """What is on disk, oldest first."""
        found, unreadable = files.read_all(self.directory)
        assert not unreadable
        return found[::-1]

    def crash(
        self, cause: ExitReason, path: str = "root/worker", at: float = 0.0, decision: str = "restart"
    ) -> None:
        """Publish the end of an actor that is in no tree."""
        detail = {"reason": describe(cause), "decision": decision, "delay_s": 0.5, "budget_left": 3}
        self.system.events.publish(SupervisionEvent(at, "exited", path, 1, detail, cause))


@asynccontextmanager
async def running(office: Office, *children: ChildSpec) -> AsyncIterator[None]:
    """A tree ``root/<children>``; whatever it does, it has ended afterwards."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.system.run, supervisor("root", children))
        yield
        office.system.request_stop(StopRequest(0, "the test is over"))


async def until(holds: Callable[[], object]) -> None:
    with trio.fail_after(20):
        while not holds():
            await trio.sleep(0.001)


def raised(error: BaseException) -> Crash:
    """A crash by ``error``, raised here."""
    try:
        raise error
    except BaseException as caught:
        return Crash(caught)


# --- what is taken down --------------------------------------------------------------------------------------------------


async def worker(ctx: Context[Say]) -> None:
    """Crashes over what it is told."""
    ctx.ready()
    if isinstance(await ctx.receive(), Say):
        try:
            raise KeyError("deep")
        except KeyError as cause:
            raise ValueError(f"no, {SECRET}, at https://api.telegram.org/bot{TOKEN}/send") from cause


async def test_S46_a_crash_is_taken_down_with_all_that_was_known_but_no_secret_and_no_message(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path)
    fast = Backoff(min=0.0, max=0.0)
    spec = ChildSpec("worker", worker, backoff=fast, mailbox=MailboxSpec(8, in_flight="redeliver:2"))
    other = ChildSpec("other", worker, backoff=fast)
    async with running(office, spec, other):
        await until(lambda: office.system.ready)
        office.system.registry.ref("root/worker").tell_nowait(Say(PRIVATE))
        await until(lambda: sum(dossier.count for dossier in office.waiting) == 2)
    (taken,) = office.waiting

    await office.queue.write()

    (dossier,) = office.kept
    assert (dossier.path, dossier.incarnation, dossier.boot_id, dossier.version) == (
        "root/worker",
        1,
        "b1",
        "0.1.0",
    )
    assert (dossier.id, dossier.at, dossier.count) == (taken.id, taken.at, 2)
    assert dossier.last_at >= dossier.at
    assert dossier.reason.startswith("ValueError: no, [redacted]")
    assert (dossier.decision, dossier.through) == ("restart", ())
    assert dossier.delay_s is not None
    assert (dossier.message, dossier.attempt) == ("Say", 1)
    assert dossier.traceback.index("KeyError: 'deep'") < dossier.traceback.index("ValueError: no")
    assert "in worker" in dossier.traceback
    happened = [(event["kind"], event["path"]) for event in dossier.events]
    assert happened[-1] == ("exited", "root/worker")
    assert ("started", "root") in happened
    assert ("started", "root/other") in happened
    assert dossier.tree is not None
    assert (dossier.tree["path"], dossier.tree["state"], dossier.tree["incarnation"]) == (
        "root/worker",
        "backoff",
        1,
    )
    (file,) = office.directory.iterdir()
    text = file.read_text()
    assert not [word for word in (SECRET, TOKEN.partition(":")[2], PRIVATE) if word in text]


async def test_a_supervisor_that_gave_up_names_the_whole_path_and_the_first_cause(tmp_path: Path) -> None:
    office = Office(tmp_path)
    once = Intensity(0, per=60.0, on_exceeded="escalate")

    async def broken(ctx: Context[None]) -> None:
        ctx.ready()
        raise ValueError("the first cause")

    inner = supervisor("inner", [ChildSpec("broken", broken, intensity=once)], intensity=once)
    async with running(office, supervisor("outer", [inner], intensity=once)):
        await until(lambda: len(office.waiting) == 4)

    assert [(dossier.path, dossier.through, dossier.decision) for dossier in office.waiting] == [
        ("root/outer/inner/broken", (), "escalate"),
        ("root/outer/inner", ("broken",), "escalate"),
        ("root/outer", ("inner", "broken"), "escalate"),
        ("root", ("outer", "inner", "broken"), "stop"),
    ]
    assert all("ValueError: the first cause" in dossier.traceback for dossier in office.waiting)
    assert "root/outer/inner/broken" in [event["path"] for event in office.waiting[-1].events]


async def test_an_actor_that_was_given_up_shows_where_it_still_is(
    tmp_path: Path, autojump_clock: Any
) -> None:
    office = Office(tmp_path)

    async def deaf(ctx: Context[None]) -> None:
        ctx.ready()
        with trio.CancelScope(shield=True):
            await trio.sleep(3600)

    async with running(office, ChildSpec("deaf", deaf, shutdown=1.0, grace=1.0)):
        await until(lambda: office.system.ready)

    (dossier,) = office.waiting
    assert dossier.reason == "stuck"
    assert f"{__file__}:" in dossier.traceback
    assert dossier.traceback.splitlines()[2].endswith(" deaf")


CRASHES: list[tuple[ExitReason, bool]] = [
    (Crash(ValueError()), True),
    (StartFailed("child", Crash(ValueError())), True),
    (IntensityExceeded("child", (Crash(ValueError()),)), True),
    (Stuck(), True),
    (Failed("unauthorized", "disable"), True),
    (Failed("store_newer", "escalate"), True),
    (Failed("unreachable", "backoff"), False),
    (Normal(), False),
    (Shutdown(), False),
    (Cancelled("scope"), False),
]


@pytest.mark.parametrize(("cause", "counts"), CRASHES)
async def test_what_is_a_crash_and_what_passes_by_itself(
    tmp_path: Path, cause: ExitReason, counts: bool
) -> None:
    office = Office(tmp_path)

    office.crash(cause)

    assert is_crash(cause) is counts
    assert len(office.waiting) == counts


async def test_events_without_a_cause_are_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path)

    for kind in ("started", "ready", "stuck", "disabled"):
        office.system.events.publish(SupervisionEvent(0.0, kind, "root/worker", 1))

    assert office.waiting == []


def test_relatives_are_those_above_and_below_and_the_siblings() -> None:
    tree = ["root", "root/a", "root/a/b", "root/a/b/c", "root/a/bc", "root/x", "root/x/y"]

    assert [path for path in tree if related("root/a/b", path)] == tree[:5]


async def test_no_more_than_the_last_events_are_kept(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for n in range(100):
        office.system.events.publish(SupervisionEvent(float(n), "ready", "root/worker", n))
        office.system.events.publish(SupervisionEvent(float(n), "ready", "root/x/nobody", n))

    office.crash(Stuck())

    events = office.waiting[0].events
    assert [event["incarnation"] for event in events[:-1]] == [*range(100 - dossiers.EVENTS + 1, 100)]
    assert (len(events), events[-1]["kind"]) == (dossiers.EVENTS, "exited")


# --- storms ------------------------------------------------------------------------------------------------------------


async def test_a_storm_of_identical_crashes_is_one_file_with_the_first_one_s_details(
    tmp_path: Path, monkeypatch: Any
) -> None:
    office, looks = Office(tmp_path), []
    monkeypatch.setattr(office.system, "snapshot", looks.append)

    for n in range(2_000):
        office.crash(raised(ValueError(f"row {n}")), at=n / 1_000)
        if n == 1_000:
            await office.queue.write()
    await office.queue.write()

    (dossier,) = office.kept
    assert (dossier.count, dossier.reason) == (2_000, "ValueError: row 0")
    assert "row 0" in dossier.traceback
    assert looks == ["root/worker"], "a crash that is only counted costs next to nothing"
    assert office.queue.missing == 0


async def test_a_storm_of_many_actors_keeps_the_first_ones_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    office, looks = Office(tmp_path), []
    monkeypatch.setattr(office.system, "snapshot", looks.append)

    for n in range(2_000):
        office.crash(raised(ValueError("no")), f"root/sessions/{n}")

    assert len(office.waiting) == len(looks) == dossiers.WAITING
    await office.queue.write()
    await office.queue.write()
    assert [dossier.path for dossier in office.waiting] == []
    assert {dossier.path for dossier in office.kept} == {
        f"root/sessions/{n}" for n in range(dossiers.WAITING)
    }
    office.crash(raised(ValueError("no")), "root/calm")
    await office.queue.write()
    assert [record.message for record in caplog.records] == [
        "not every crash gets its dossier: they come faster than they can be written",
        "crash dossiers are written again; so far 1900 are missing",
    ]


async def test_only_what_is_alike_and_close_in_time_is_counted_together(tmp_path: Path) -> None:
    office = Office(tmp_path)

    def bug(n: int) -> Crash:
        if n == 1:
            return raised(ValueError("no"))
        return Crash(ValueError("never raised"))

    office.crash(bug(1))
    office.crash(bug(1), at=dossiers.ALIKE_S)
    office.crash(bug(1), at=2 * dossiers.ALIKE_S + 1)  # too late
    office.crash(bug(1), at=130.0, decision="disable")
    office.crash(bug(1), "root/other", at=130.0)
    office.crash(bug(2), at=130.0)
    office.crash(raised(KeyError("no")), at=130.0)
    office.crash(Failed("unauthorized", "disable"), at=130.0)
    office.crash(Failed("forbidden", "disable"), at=130.0)
    office.crash(StartFailed("a", bug(1)), at=130.0)
    office.crash(StartFailed("b", bug(1)), at=130.0)

    assert [dossier.count for dossier in office.waiting] == [2, 1, 1, 1, 1, 1, 1, 1, 1, 1]


async def test_two_crashes_that_came_the_same_way_and_fell_elsewhere_are_two(tmp_path: Path) -> None:
    office = Office(tmp_path)

    def step(n: int) -> None:
        if n == 1:
            raise ValueError("no")
        raise ValueError("no")

    for n in (1, 2, 1):
        try:
            step(n)
        except ValueError as error:
            office.crash(Crash(error))

    assert sorted(dossier.count for dossier in office.waiting) == [1, 2]


async def test_a_tree_of_any_size_is_a_bounded_part_of_a_dossier(tmp_path: Path, monkeypatch: Any) -> None:
    office = Office(tmp_path)
    leaves = [{"name": f"{n}", "children": []} for n in range(10_000)]
    root = {"name": "root", "children": [{"name": "a", "children": leaves}, {"name": "b", "children": []}]}
    monkeypatch.setattr(office.system, "snapshot", lambda _path: SimpleNamespace(to_json=lambda: root))

    office.crash(Stuck())

    tree = office.waiting[0].tree
    assert tree is not None
    (a,) = tree["children"]
    assert [node["name"] for node in a["children"]] == [f"{n}" for n in range(dossiers.NODES - 2)]
    assert (tree["left_out"], a["left_out"]) == (1, 10_000 - dossiers.NODES + 2)


async def test_what_is_remembered_of_crashes_is_bounded(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for n in range(3):
        for actor in range(dossiers.ALIKE + 1):
            office.crash(Stuck(), f"root/{actor}", at=float(n))
            await office.queue.write()

    assert len(office.queue._alike) == dossiers.ALIKE
    assert {dossier.count for dossier in office.kept} == {1}


async def test_a_text_that_cannot_be_made_harms_nobody(tmp_path: Path, caplog: Any) -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    office = Office(tmp_path)

    office.crash(raised(Hostile()))
    await office.queue.write()

    (dossier,) = office.kept
    assert "Hostile" in dossier.reason
    assert "Hostile" in dossier.traceback
    assert caplog.records == []


# --- writing -----------------------------------------------------------------------------------------------------------


async def test_the_writer_writes_every_while_and_once_at_the_end(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(dossiers, "WRITE_S", 0.01)
    office, told = Office(tmp_path), Told()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dossiers.run, cast("Any", told), office.queue)
        office.crash(Stuck(), "root/a")
        await until(lambda: office.kept)
        monkeypatch.setattr(dossiers, "WRITE_S", 3600.0)
        await until(lambda: not office.waiting)
        await trio.sleep(0.05)  # into the long wait
        office.crash(Stuck(), "root/b")
        told.stop.set()

    assert [dossier.path for dossier in office.kept] == ["root/a", "root/b"]


async def test_a_crash_of_the_writer_loses_no_dossier(tmp_path: Path, monkeypatch: Any) -> None:
    office = Office(tmp_path)
    monkeypatch.setattr(dossiers, "WRITE_S", 0.01)
    keep, broken = files.keep, [RuntimeError("a bug"), RuntimeError("the same")]

    def keep_or_crash(*args: Any) -> list[OSError]:
        if broken:
            raise broken.pop()
        return keep(*args)

    monkeypatch.setattr(files, "keep", keep_or_crash)
    office.crash(Stuck(), "root/worker")
    spec = ChildSpec("dossiers", dossiers.run, (office.queue,), backoff=Backoff(min=0.0, max=0.0))
    async with running(office, spec):
        await until(lambda: len(office.kept) == 2)

    assert [(dossier.path, dossier.count) for dossier in office.kept] == [
        ("root/worker", 1),
        ("root/dossiers", 2),
    ]


async def test_a_full_disk_is_said_once_and_costs_the_dossiers_of_that_time_alone(
    tmp_path: Path, caplog: Any, monkeypatch: Any
) -> None:
    office = Office(tmp_path)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_private", full)
        for n in range(5):
            office.crash(Stuck(), f"root/{n}")
            await office.queue.write()
    assert (office.waiting, office.queue.missing) == ([], 5)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left on device" in caplog.text

    office.crash(Stuck(), "root/after")
    await office.queue.write()

    assert [dossier.path for dossier in office.kept] == ["root/after"]
    assert caplog.records[-1].message == "crash dossiers are written again; so far 5 are missing"
    assert len(caplog.records) == 2


async def test_a_disk_that_hangs_holds_one_thread_and_the_writer_no_longer_than_its_deadline(
    tmp_path: Path, caplog: Any, monkeypatch: Any
) -> None:
    office, answers, threads = Office(tmp_path), threading.Event(), []
    keep = files.keep

    def hang(*args: Any) -> list[OSError]:
        threads.append(threading.get_ident())
        assert answers.wait(20)
        return keep(*args)

    monkeypatch.setattr(files, "keep", hang)
    monkeypatch.setattr(dossiers, "WRITE_DEADLINE_S", 0.02)
    try:
        for n in range(3):
            office.crash(Stuck(), f"root/{n}")
            await office.queue.write()
        assert (len(threads), office.queue.missing, office.waiting) == (1, 3, [])
        assert "has not answered for 0.02 s" in caplog.text
    finally:
        answers.set()
    monkeypatch.setattr(dossiers, "WRITE_DEADLINE_S", 20.0)
    office.crash(Stuck(), "root/after")
    await office.queue.write()

    assert "root/after" in [dossier.path for dossier in office.kept]


async def test_what_is_counted_up_while_it_is_written_is_written_again(
    tmp_path: Path, monkeypatch: Any
) -> None:
    office = Office(tmp_path)
    keep = files.keep

    def keep_and_crash(*args: Any) -> list[OSError]:
        trio.from_thread.run_sync(office.crash, Stuck())
        return keep(*args)

    office.crash(Stuck())
    with monkeypatch.context() as patch:
        patch.setattr(files, "keep", keep_and_crash)
        await office.queue.write()
    assert [dossier.count for dossier in office.kept] == [1]
    await office.queue.write()

    assert [dossier.count for dossier in office.kept] == [2]
    assert office.waiting == []
