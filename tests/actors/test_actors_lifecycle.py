"""How the process begins and ends: planned or not, one start of too many, and what others are shown of it."""

import json
import logging
import os
import random
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from actors import exits, health, root
from actors.ports.arrival import Arrival
from actors.ports.making import Maker
from hermes.ops import starts, takeover
from hermes.ops.health_file import NAME, Health
from hermes.ops.instance import instance
from hermes.ops.neighbours import neighbours
from hermes.ops.proc import process
from hermes.ops.starts import STABLE_S, Storm
from hermes.registry.entry import PlatformEntry
from hermes.registry.registry import PlatformRegistry
from hermes.types.errors import GatewayError
from hermes.types.ids import BootId
from supervisors.reasons import Crash, ExitReason, Normal
from supervisors.spec import ChildSpec
from supervisors.system import Outcome, StopRequest, System

TERM = StopRequest(exits.FAILED, "SIGTERM")


def system() -> System:
    return System(rng=random.Random(0))


# --- planned or not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"), [(takeover.TAKEOVER, root.TAKEN_OVER), (takeover.PLANNED_STOP, "a planned stop")]
)
async def test_a_sigterm_with_a_note_is_planned(tmp_path: Path, name: str, why: str) -> None:
    we, it = process(), system()
    assert we is not None
    note = {
        "target_pid": we.pid,
        "target_start_time": we.start_time,
        "written_at": datetime.now(UTC).isoformat(),
    }
    (tmp_path / name).write_text(json.dumps(note))
    it.request_stop(TERM)

    assert await root.judge(it, tmp_path, TERM) == it.stopping == StopRequest(0, why)


async def test_a_sigterm_without_one_is_not_and_other_stops_ask_for_none(tmp_path: Path) -> None:
    it = system()
    it.request_stop(TERM)
    assert await root.judge(it, tmp_path, TERM) == TERM

    (tmp_path / takeover.TAKEOVER).mkdir()  # would be read, if it were asked
    assert await root.judge(it, tmp_path, StopRequest(0, "SIGINT")) == StopRequest(0, "SIGINT")


async def test_of_an_unplanned_one_the_log_says_who_is_here(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await root.say_who_is_here(TERM)

    assert "SIGTERM came unplanned" in caplog.text
    assert f"our parent is {os.getppid()}" in caplog.text


def test_neighbours_are_those_that_are_called_so() -> None:
    assert str(os.getpid()) not in neighbours().partition("others:")[2]


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "reason", "code", "state", "remembered", "again"),
    [
        (StopRequest(0, "SIGINT"), Normal(), 0, "stopped", False, False),
        (StopRequest(75, "/restart"), Normal(), 75, "stopped", False, True),
        (StopRequest(0, root.TAKEN_OVER), Normal(), 0, "startup_failed", True, False),
        (TERM, Normal(), 1, "startup_failed", True, False),
        (None, Crash(ValueError("secret")), 70, "startup_failed", True, False),
    ],
    ids=["asked to stop", "asked to restart", "taken over", "ended by a stranger", "gave up"],
)
def test_the_end_is_left_for_whoever_comes_after(
    tmp_path: Path,
    request_: StopRequest | None,
    reason: ExitReason,
    code: int,
    state: str,
    remembered: bool,
    again: bool,
) -> None:
    hide = {"asked_to_restart": True, "redact": lambda words: words.replace("secret", "***")}
    it, overview = system(), cast("Any", SimpleNamespace(**hide))
    if request_ is not None:
        it.request_stop(request_)
    with instance(tmp_path, BootId("b"), ()) as held:
        end = root.ended(it, overview, held, Outcome(code, reason))

    document = json.loads((tmp_path / NAME).read_text())
    assert (end.code, end.again) == (code, again)
    assert document["gateway_state"] == state
    assert document["exit_reason"] == ("ValueError: ***" if request_ is None else request_.why)
    assert document["restart_requested"] is (code == exits.RESTART)
    assert bool(json.loads((tmp_path / "run" / starts.NAME).read_text())["starts"]) is remembered


# --- one start of too many --------------------------------------------------------------------------------------------


class Overview:
    held_for_s = 12.0
    storm = Storm(7, 20.0)


def maker(overview: object) -> tuple[Maker, list[str]]:
    made: list[str] = []
    accounts = SimpleNamespace(create=lambda platform, _account: made.append(platform) or "an adapter")
    entries = [
        PlatformEntry(name, name, cast("Any", lambda _setup: None), always=name == "webchat")
        for name in ("webchat", "telegram")
    ]
    return Maker(cast("Any", accounts), PlatformRegistry(entries), cast("Any", overview), Arrival()), made


async def test_AC_10_in_a_storm_platforms_wait_and_web_chat_does_not() -> None:
    held, made = maker(Overview())

    with pytest.raises(GatewayError) as waits:
        await held.make("telegram", "default")
    failure = waits.value.failure
    assert (failure.code, failure.severity, failure.retry_after) == ("respawn_storm", "transient", 12.0)
    assert "7 starts in a row" in failure.detail
    assert await held.make("webchat", "default") == "an adapter"
    assert made == ["webchat"]


async def test_with_the_storm_over_they_are_made() -> None:
    held, made = maker(SimpleNamespace(held_for_s=0.0, storm=Storm(7, 20.0)))

    await held.make("telegram", "default")
    assert made == ["telegram"]


# --- the health file --------------------------------------------------------------------------------------------------


class Looks:
    """An overview that is another one at each look."""

    held_for_s = 0.0

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.looks = 0

    def health(self) -> tuple[str, list[Any]]:
        self.looks += 1
        return (self.states.pop(0) if len(self.states) > 1 else self.states[0]), []


async def test_the_observer_writes_what_changes_and_notes_that_the_start_has_lasted(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    async def inline(call: Any, *args: Any) -> Any:  # a thread would let virtual time run away
        return call(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", inline)
    looks, written, lasted = Looks("starting", "running"), [], []
    services = SimpleNamespace(
        overview=looks, turns=SimpleNamespace(borrowed_tokens=2), clock=SimpleNamespace(wall=lambda: 0.0)
    )
    file = SimpleNamespace(write=lambda now, _at: written.append(now))
    spec = ChildSpec("health", health.run, (services, file, lambda: lasted.append(trio.current_time())))
    it, began = system(), trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.run, spec)
        await trio.sleep(STABLE_S + 10.0)
        it.request_stop(StopRequest(0, "the test"))

    assert written[:2] == [Health("starting", 2), Health("running", 2)]
    assert looks.looks <= STABLE_S + 12, "at most one a second"
    assert [round(at - began) for at in lasted] == [round(STABLE_S)]
