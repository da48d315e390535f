"""Cron in the real tree, in virtual time: claims, gaps, overlaps, deadlines, receipts, and the file shared with the original."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import soak_cron
import trio
from world import IDEMPOTENT, World

from actors import cron
from hermes.config.model import Config
from hermes.cron.job import BadJob
from hermes.ops.processes import Finished
from hermes.store import cron as reads
from hermes.store.cron_ops import Claim, ReleaseClaims
from hermes.testing import fakes
from hermes.testing.fakes import EPOCH_S, Crash, FakeAdapter, FakeAgent, Hang, Reply
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import Failure, SendError
from hermes.types.ids import BootId

CRON = "root/gateway/cron"
GOLDEN = Path(__file__).parents[2].parent / "shared" / "reference"
PLAIN = Capabilities(authenticated=True)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(EPOCH_S + seconds, UTC).isoformat()


def job(name: str = "a", *, first: float = 60.0, minutes: int = 5, **more: Any) -> dict[str, Any]:
    entry = {
        "id": name,
        "name": name,
        "schedule": {"kind": "interval", "minutes": minutes},
        "next_run_at": at(first),
        "deliver": f"fake:{name}",
        "enabled": True,
        "state": "scheduled",
        "tz": "UTC",
    }
    said = {} if {"prompt", "script"} & more.keys() else {"message": f"this is {name}"}
    return entry | said | more


def put(home: Path, *entries: object) -> Path:
    (home / "cron").mkdir(exist_ok=True)
    path = home / "cron" / "jobs.json"
    path.write_text(json.dumps({"jobs": list(entries)}))
    return path


def entry(home: Path, place: int = 0) -> dict[str, Any]:
    return json.loads((home / "cron" / "jobs.json").read_text())["jobs"][place]


def runs(world: World, name: str | None = None) -> list[Any]:
    return list(reversed(world.look(reads.runs, name, 1_000)))


def states(world: World, name: str | None = None) -> list[str]:
    return [f"{one['run_state']}/{one['delivery_state']}" for one in runs(world, name)]


@pytest.mark.parametrize(
    ("start", "days", "lives"),
    [
        pytest.param(datetime(2026, 10, 31, 12, tzinfo=UTC), 2.0, 9, id="autumn"),
        pytest.param(datetime(2026, 3, 7, 22, tzinfo=UTC), 1.0, 5, id="spring"),
    ],
)
async def test_AC35_two_days_with_kills_and_a_night_are_as_the_oracle_says(
    tmp_path, autojump_clock, start, days, lives
):
    with soak_cron.paced():
        outcome = await soak_cron.soak(tmp_path, start, days, 10, 5, 4)
    assert outcome.good, outcome
    assert outcome.fired > 50
    assert outcome.lives == lives


async def test_a_message_is_delivered_when_it_is_due_and_the_file_says_so(
    open_world, autojump_clock, tmp_path
):
    put(tmp_path, job())
    world = await open_world()
    await trio.sleep(55)
    assert world.heard("a") == []
    await trio.sleep(20)
    assert world.heard("a") == ["this is a"]
    (run,) = runs(world)
    assert (run["due_at"], run["run_state"], run["delivery_state"]) == (EPOCH_S + 60, "ok", "delivered")
    assert Path(run["output"]).read_text().endswith("---\n\nthis is a\n")
    found = entry(tmp_path)
    assert (found["next_run_at"], found["last_status"], found["repeat"]["completed"]) == (at(360), "ok", 1)


async def test_S16_an_agent_is_asked_by_an_internal_event_in_a_conversation_of_the_job_alone(
    open_world, autojump_clock, tmp_path
):
    put(tmp_path, job(prompt="how are things?"))
    agent = FakeAgent(otherwise=Reply(lambda turn: f"fine, {len(turn.history)} before"))
    world = await open_world(agent)
    await trio.sleep(400)
    assert [one.partition("\n")[0] for one in world.heard("a")] == ["fine, 0 before"] * 2
    assert "hermes cron pause a" in world.heard("a")[0]
    asked = [turn.events[-1] for turn in agent.turns]
    assert all(event.internal and event.origin.platform == "cron" for event in asked)
    assert world.heard("1") == []


async def test_without_a_wrapper_the_answer_stands_alone(open_world, autojump_clock, tmp_path):
    from dataclasses import replace

    from world import QUEUE

    from hermes.config.model import Cron

    put(tmp_path, job(prompt="x"))
    world = await open_world(
        FakeAgent(otherwise=Reply(lambda _: "y")), config=replace(Config(display=QUEUE), cron=Cron(False))
    )
    await trio.sleep(100)
    assert world.heard("a") == ["y"]


@pytest.mark.parametrize(
    ("act", "state", "word"),
    [
        (Reply(lambda _: "[SILENT] nothing"), "silent/none", None),
        (Reply(lambda _: "NO_REPLY"), "silent/none", None),
        (Crash(RuntimeError("boom")), "error/delivered", "has failed"),
    ],
)
async def test_silence_is_kept_and_not_sent_and_a_failure_is_one_line(
    open_world, autojump_clock, tmp_path, act, state, word
):
    put(tmp_path, job(prompt="x", minutes=500))
    world = await open_world(FakeAgent(otherwise=act))
    await trio.sleep(300)
    assert states(world) == [state]
    assert [word in one for one in world.heard("a")] == ([True] if word else [])


async def test_AC24_delivered_needs_a_receipt_and_what_is_lost_goes_to_the_failure_target(
    open_world, autojump_clock, tmp_path
):
    class Deaf(FakeAdapter):
        async def send(self, chat_id, part, *, reply_to, metadata):
            if chat_id == "a":
                raise SendError(Failure("forbidden", "needs_operator", "chat"), "not_sent")
            return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)

    put(tmp_path, job(failure_target="fake:ops", minutes=500), job("b", minutes=500))
    world = await open_world(platform=Deaf(capabilities=IDEMPOTENT))
    await trio.sleep(90)
    assert states(world, "a") == ["ok/failed"]
    assert states(world, "b") == ["ok/delivered"]
    assert world.heard("ops") == [texts.CRON_NOT_DELIVERED.format(name="a", error="forbidden")]
    assert entry(tmp_path)["last_delivery_error"] == "forbidden"
    assert entry(tmp_path)["last_status"] == "ok"


async def test_AC24_while_the_platform_is_away_it_is_pending(open_world, autojump_clock, tmp_path):
    put(tmp_path, job(minutes=500))
    world = await open_world()
    away = SendError(Failure("unreachable", scope="chat"), "not_sent")
    world.platform.failures += [away] * 5
    await trio.sleep(62)
    assert states(world) == ["ok/pending"]
    await trio.sleep(600)
    assert states(world) == ["ok/delivered"]


async def test_a_target_that_leads_nowhere_is_a_failed_delivery_in_words(
    open_world, autojump_clock, tmp_path
):
    put(tmp_path, job(deliver="nosuch:1", failure_target="fake:ops", minutes=500))
    world = await open_world()
    await trio.sleep(90)
    assert states(world) == ["ok/failed"]
    assert "nosuch" in runs(world)[0]["delivery_error"]
    assert ["nosuch" in text for text in world.heard("ops")] == [True]


async def test_AC35_a_job_that_hangs_delays_no_other_and_ends_by_its_deadline(
    open_world, autojump_clock, tmp_path
):
    put(tmp_path, job("slow", prompt="x", minutes=500, deadline_s=200), job("quick"))
    world = await open_world(FakeAgent(otherwise=Hang()))
    await trio.sleep(1_000)
    assert [one["started_at"] - one["due_at"] < 1 for one in runs(world, "quick")] == [True] * 4
    await trio.sleep(1_000)
    (slow,) = runs(world, "slow")
    assert (slow["run_state"], slow["error"]) == ("error", texts.CRON_DEADLINE.format(seconds=200))
    assert world.heard("slow")[0].startswith("⚠️")
    await trio.sleep(60)
    assert world.counts.pending == 0


async def test_a_firing_that_is_deaf_to_its_end_is_given_up(open_world, autojump_clock, tmp_path):
    put(tmp_path, job("deaf", minutes=1, deadline_s=10), job("quick", minutes=1))
    world = await open_world()
    deaf = trio.Event()
    plain = world.services.router.deliver

    async def deliver(*args: Any, **more: Any) -> Any:
        if more.get("job_id") == "deaf" and not deaf.is_set():
            deaf.set()
            with trio.CancelScope(shield=True):
                await trio.sleep(500)
        return await plain(*args, **more)

    world.services.router.deliver = deliver  # type: ignore[method-assign]
    await trio.sleep(290)
    assert len(world.heard("quick")) == 4
    assert states(world, "deaf")[0] == "error/none"
    assert len(world.heard("deaf")) >= 2
    await trio.sleep(600)


@pytest.mark.parametrize(("shielded_s", "waits_s"), [(5.0, 5.0), (500.0, cron.GRACE_S)])
async def test_halt_returns_when_nothing_of_its_jobs_does_any_more_or_is_given_up(
    open_world, autojump_clock, tmp_path, shielded_s, waits_s
):
    put(tmp_path, job("deaf", minutes=1, overlap="queue", deadline_s=3600), job("quick", minutes=1))
    world = await open_world()
    done = []

    async def deliver(*args: Any, **more: Any) -> Any:
        if more.get("job_id") == "deaf":
            with trio.CancelScope(shield=True):
                await trio.sleep(shielded_s)
            done.append(trio.current_time())
        return []

    world.services.router.deliver = deliver  # type: ignore[method-assign]
    await trio.sleep(60)
    began = trio.current_time()
    await world.services.jobs.halt(lambda one: one["id"] == "deaf", ["deaf"])
    assert waits_s - 1 <= trio.current_time() - began <= waits_s + 0.1
    assert len(done) == (shielded_s == waits_s)
    assert entry(tmp_path)["state"] == "paused"
    assert entry(tmp_path, 1)["state"] == "scheduled"
    await trio.sleep(600)
    assert len(runs(world, "deaf")) == 1


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ("skip", ["ok", "skipped", "ok", "skipped"]),
        ("queue", ["ok", "ok", "ok", "running"]),
        ("cancel", ["cancelled", "cancelled", "cancelled", "running"]),
    ],
)
async def test_overlap(open_world, autojump_clock, tmp_path, overlap, expected):
    put(tmp_path, job(prompt="x", minutes=1, overlap=overlap))
    world = await open_world(FakeAgent(otherwise=Reply(lambda _: "y", 80.0)))
    await trio.sleep(329 if overlap == "queue" else 290)
    assert [one["run_state"] for one in runs(world)][:4] == expected
    if overlap == "cancel":
        assert world.heard("a") == []


async def test_jitter_delays_and_never_hastens(open_world, autojump_clock, tmp_path):
    put(tmp_path, *(job(f"j{n}", minutes=500, jitter_s=600) for n in range(5)))
    world = await open_world()
    await trio.sleep(700)
    waited = [one["started_at"] - one["due_at"] for one in runs(world)]
    assert len(waited) == 5
    assert all(0 <= one <= 601 for one in waited)
    assert max(waited) > 60


async def test_repeat_ends_a_job_also_across_kills(open_world, autojump_clock, tmp_path):
    put(tmp_path, job(minutes=1, repeat={"times": 3, "completed": 0}))
    world = await open_world()
    for _ in range(4):
        await trio.sleep(65)
        await world.kill()
    assert len(world.heard("a")) == 3
    found = entry(tmp_path)
    assert (found["state"], found["enabled"], found["repeat"]["completed"]) == ("completed", False, 3)


@pytest.mark.parametrize(
    "point", ["after_inbox_commit", "after_take", "before_turn_commit", "after_turn_commit", "before_send"]
)
async def test_AC35_a_kill_in_mid_firing_is_gone_on_with_and_told_once(
    open_world, autojump_clock, tmp_path, point
):
    put(tmp_path, job(prompt="x", minutes=500))
    agent = FakeAgent(otherwise=Reply(lambda _: "y"))
    world = await open_world(agent)
    boot = world.boot
    world.kill_at(point)
    await trio.sleep(62)
    if point == "after_inbox_commit":  # an adapter's alone
        boot.kill()
    await boot.ended.wait()
    await trio.sleep(60)
    assert len(world.boots) == 2
    assert [one.partition("\n")[0] for one in world.heard("a")] == ["y"]
    assert states(world) == ["ok/delivered"]


async def test_AC35_claims_of_a_dead_boot_are_interrupted_and_a_script_is_not_run_again(
    open_world, autojump_clock, tmp_path
):
    put(tmp_path, job("s", script="x.sh", no_agent=True, minutes=500))
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "x.sh").write_text("echo hi")
    world = await open_world()
    begun = []

    async def hang(*args: Any, **more: Any) -> Any:
        begun.append(args)
        await trio.sleep_forever()

    for _ in range(2):
        world.services.processes.run = hang  # type: ignore[method-assign]
        await trio.sleep(70)
        await world.kill()
    await trio.sleep(30)
    assert len(begun) == 1
    assert states(world) == ["interrupted/none"]
    assert entry(tmp_path)["last_error"] == texts.CRON_INTERRUPTED


async def test_a_crash_of_cron_alone_loses_and_doubles_nothing(open_world, autojump_clock, tmp_path):
    put(tmp_path, job(minutes=1), job("b", prompt="x", minutes=1))
    world = await open_world(FakeAgent(otherwise=Reply(lambda _: "y", 5.0)))
    for n in range(1, 6):
        await trio.sleep(60 * n + 2 - trio.current_time())
        world.crash(CRON)
    await trio.sleep(50)
    assert len(world.heard("a")) == 5
    assert len(world.heard("b")) == 5
    assert len(world.boots) == 1


@pytest.mark.parametrize(("misfire", "heard"), [("once", 1), ("all", 12), ("skip", 0)])
async def test_AC49_after_a_long_sleep_the_policy_is_applied_once(
    open_world, autojump_clock, tmp_path, misfire, heard
):
    put(tmp_path, job(minutes=10, misfire=misfire, first=600))
    world = await open_world()
    jump = 7_500.0
    world.services.clock.wall = lambda: EPOCH_S + trio.current_time() + jump  # type: ignore[method-assign]
    await trio.sleep(60)
    assert len(world.heard("a")) == heard


async def test_a_clock_that_is_set_back_fires_nothing_again(open_world, autojump_clock, tmp_path):
    put(tmp_path, job(minutes=1))
    world = await open_world()
    await trio.sleep(130)
    assert len(world.heard("a")) == 2
    world.services.clock.wall = lambda: EPOCH_S + trio.current_time() - 120  # type: ignore[method-assign]
    await trio.sleep(100)
    assert len(world.heard("a")) == 2
    await trio.sleep(135)
    assert len(world.heard("a")) == 4


async def test_the_file_may_be_changed_by_others_at_any_time(open_world, autojump_clock, tmp_path):
    put(tmp_path, job())
    world = await open_world()
    await trio.sleep(1)
    put(tmp_path, job(enabled=False), job("new", first=30))
    await trio.sleep(80)
    assert (world.heard("a"), world.heard("new")) == ([], ["this is new"])


async def test_a_damaged_file_stops_no_job_and_is_not_written_over(
    open_world, autojump_clock, tmp_path, caplog
):
    path = put(tmp_path, job(minutes=1))
    world = await open_world()
    await trio.sleep(1)
    path.write_text("{")
    await trio.sleep(200)
    assert path.read_text() == "{"
    assert len(world.heard("a")) == 3
    assert sum("jobs.json" in one.message for one in caplog.records) < 6
    put(tmp_path, job(minutes=1))
    await trio.sleep(60)
    assert len(world.heard("a")) == 4


async def test_run_now_is_beside_the_schedule(open_world, autojump_clock, tmp_path):
    put(tmp_path, job(minutes=5))
    world = await open_world()
    await trio.sleep(5)
    ref = world.boot.system.registry.ref(CRON)
    run = await ref.ask(lambda reply: cron.RunNow("a", reply), 5.0)
    await trio.sleep(10)
    assert (run.by_hand, world.heard("a")) == (True, ["this is a"])
    assert entry(tmp_path)["next_run_at"] == at(60)
    with pytest.raises(BadJob, match="no job"):
        await ref.ask(lambda reply: cron.RunNow("x", reply), 5.0)


async def test_AC35_a_claim_is_made_once_whoever_asks(open_world, autojump_clock, tmp_path):
    world = await open_world()
    store = world.services.store
    claim = Claim("a", "a", 0.0, (1.0, 2.0), None, BootId("x"), 5.0)
    assert [one.due_at for one in (await store.write(claim)).runs] == [1.0, 2.0]
    again = await store.write(claim)
    assert (again.runs, again.total) == ((), 2)
    assert [one.due_at for one in await store.write(ReleaseClaims(6.0))] == [1.0, 2.0]


async def test_what_a_job_has_said_is_context_for_another(open_world, autojump_clock, tmp_path):
    put(tmp_path, job("a", first=60), job("b", first=120, prompt="sum up", context_from="a"))
    agent = FakeAgent(otherwise=Reply(lambda _: "y"))
    world = await open_world(agent)
    await trio.sleep(150)
    assert "this is a" in agent.turns[0].events[-1].text
    assert world.heard("b")


@pytest.mark.parametrize(
    ("fields", "finished", "heard", "state"),
    [
        ({"no_agent": True}, (0, "disk is full\n"), ["disk is full"], "ok/delivered"),
        ({"no_agent": True}, (0, " \n"), [], "silent/none"),
        (
            {"no_agent": True},
            (3, "so\nno disk"),
            ["⚠️ The job “a” has failed: its script ended with 3: no disk"],
            "error/delivered",
        ),
        ({"prompt": "look"}, (0, "42 files"), ["look"], "ok/delivered"),
        ({"prompt": "look"}, (0, 'x\n{"wakeAgent": false}'), [], "silent/none"),
    ],
)
async def test_scripts(open_world, autojump_clock, tmp_path, fields, finished, heard, state):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "x.sh").write_text("")
    put(tmp_path, job(script="x.sh", minutes=500, **fields))
    agent = FakeAgent()
    world = await open_world(agent)
    started = []

    async def run(command: Any, **more: Any) -> Finished:
        started.append(command)
        return Finished(*finished, timed_out=False)

    world.services.processes.run = run  # type: ignore[method-assign]
    await trio.sleep(90)
    assert started == [["bash", str(tmp_path / "scripts" / "x.sh")]]
    assert [one.partition("\n")[0] for one in world.heard("a")] == heard
    assert states(world) == [state]
    assert all("42 files" in turn.events[-1].text for turn in agent.turns)


@pytest.mark.parametrize("script", ["../cron/jobs.json", "/bin/sh", "nothing.sh", "."])
async def test_a_script_lies_below_scripts(open_world, autojump_clock, tmp_path, script):
    (tmp_path / "scripts").mkdir()
    put(tmp_path, job(script=script, no_agent=True, minutes=500))
    world = await open_world()
    await trio.sleep(90)
    assert "there is no script" in runs(world)[0]["error"]


async def test_AC42_while_the_process_stops_nothing_new_begins(open_world, autojump_clock, tmp_path):
    put(tmp_path, job(first=30, prompt="x", minutes=500), job("b", first=60))
    world = await open_world(FakeAgent(otherwise=Reply(lambda _: "y", 35.0)))
    await trio.sleep(55)
    world.restart()
    boot = world.boot
    await boot.ended.wait()
    await trio.sleep(60)
    assert [one.partition("\n")[0] for one in world.heard("a")] == ["y"]
    assert world.heard("b") == ["this is b"]
    assert set(states(world)) == {"ok/delivered"}


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden homes are not here")
@pytest.mark.parametrize("version", ["golden_home_0_13", "golden_home_0_19"])
async def test_the_jobs_of_an_original_home_are_kept_and_run(
    open_world, autojump_clock, tmp_path, monkeypatch, version
):
    written = json.loads((GOLDEN / version / "cron" / "jobs.json").read_text("utf-8-sig"))
    entries = written["jobs"] if isinstance(written, dict) else written
    (tmp_path / "cron").mkdir()
    (tmp_path / "cron" / "jobs.json").write_text(json.dumps(written))
    monkeypatch.setattr(fakes, "EPOCH_S", datetime(2026, 11, 25, tzinfo=UTC).timestamp())
    world = await open_world(FakeAgent(otherwise=Reply(lambda _: "y")))
    await trio.sleep(120)
    found = json.loads((tmp_path / "cron" / "jobs.json").read_text())["jobs"]
    assert [one["id"] for one in found] == [one["id"] for one in entries]
    assert all(one.keys() >= before.keys() for one, before in zip(found, entries, strict=True))
    ran = {one["id"] for one in found if one["last_run_at"]}
    assert ran == {one["id"] for one in entries if one["enabled"] and one["next_run_at"] < "2026-11-25"}
    assert len(runs(world)) == len(ran) > 0
    assert all(
        one["next_run_at"] is None or one["next_run_at"] > "2026-11-25" for one in found if one["enabled"]
    )
