"""Cron and its file: many jobs of one minute cost one commit and one rewrite, and nothing that others wrote is lost by that."""

import fcntl
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio
from world import World

from actors import jobs_file
from actors.ports.cron_desk import CronDesk
from hermes.ops import cron_files
from hermes.store import cron as reads
from hermes.store.cron_ops import Claims
from hermes.testing.fakes import EPOCH_S, FakeAdapter, FakeAgent, Reply
from hermes.types import texts
from hermes.types.content import Capabilities

MEDIA = Capabilities(authenticated=True, media=frozenset({"document"}))
THEIRS = {
    "skills": ["weather"],
    "skill": None,
    "model": "gpt-9",
    "provider": "somebody",
    "provider_snapshot": {"a": 1},
    "model_snapshot": None,
    "base_url": "http://example.org",
    "workdir": "/srv/x",
    "enabled_toolsets": ["web"],
}


def job(name: str, **more: Any) -> dict[str, Any]:
    entry = {
        "id": name,
        "name": name,
        "schedule": {"kind": "interval", "minutes": 5},
        "next_run_at": datetime.fromtimestamp(EPOCH_S + 60, UTC).isoformat(),
        "deliver": f"fake:{name}",
        "tz": "UTC",
    }
    return entry | ({} if "prompt" in more else {"message": f"this is {name}"}) | more


def put(home: Path, *entries: object) -> Path:
    (home / "cron").mkdir(exist_ok=True)
    path = home / "cron" / "jobs.json"
    path.write_text(json.dumps({"jobs": list(entries)}))
    return path


def entries(home: Path) -> list[dict[str, Any]]:
    return json.loads((home / "cron" / "jobs.json").read_text())["jobs"]


def runs(world: World) -> list[Any]:
    return list(world.look(reads.runs, None, 1_000))


async def test_fifty_jobs_of_one_minute_are_one_commit_and_one_rewrite(
    open_world, autojump_clock, tmp_path, monkeypatch
):
    put(tmp_path, *(job(f"j{n}") for n in range(50)))
    world = await open_world()
    written, claimed, plain = [], [], world.boot.store.write
    write_durable = cron_files.write_durable

    def note(path: Path, data: bytes) -> None:
        written.append(path.name)
        write_durable(path, data)

    async def write(op: Any) -> Any:
        claimed.extend([len(op.claims)] if isinstance(op, Claims) else [])
        return await plain(op)

    monkeypatch.setattr(cron_files, "write_durable", note)
    world.boot.store.write = write
    await trio.sleep(90)
    assert [one["run_state"] for one in runs(world)] == ["ok"] * 50
    assert (claimed, written) == ([50], ["jobs.json"])
    assert {one["last_status"] for one in entries(tmp_path)} == {"ok"}


async def test_what_waits_to_be_written_is_written_before_a_stop(
    open_world, autojump_clock, tmp_path, monkeypatch
):
    monkeypatch.setattr(jobs_file, "WRITE_S", 1_000.0)
    put(tmp_path, job("a"))
    world = await open_world()
    await trio.sleep(70)
    assert "last_status" not in entries(tmp_path)[0]
    await world.stop()
    (entry,) = entries(tmp_path)
    assert (entry["last_status"], entry["repeat"]["completed"]) == ("ok", 1)


async def test_a_job_that_is_changed_before_its_claim_is_written_keeps_the_change_and_the_count(
    open_world, autojump_clock, tmp_path, monkeypatch
):
    monkeypatch.setattr(jobs_file, "WRITE_S", 30.0)
    put(tmp_path, job("a", repeat={"times": 2, "completed": 0}))
    world = await open_world()
    await trio.sleep(62)
    ask = CronDesk(world.services).answer
    await ask("cron_edit", {"job": "a", "message": "other"})
    await ask("cron_pause", {"job": "a"})
    await trio.sleep(60)
    assert (entries(tmp_path)[0]["state"], entries(tmp_path)[0]["repeat"]["completed"]) == ("paused", 1)
    await ask("cron_resume", {"job": "a"})
    await trio.sleep(1_000)
    assert world.heard("a") == ["this is a", "other"]
    assert entries(tmp_path)[0]["repeat"] == {"times": 2, "completed": 2}


async def test_AC35_no_two_programs_run_the_jobs_of_one_home(open_world, autojump_clock, tmp_path, caplog):
    """As the original does it: by a lock on .tick.lock."""
    put(tmp_path, job("a", misfire="once"))
    with (tmp_path / "cron" / ".tick.lock").open("w") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        world = await open_world()
        await trio.sleep(200)
        assert runs(world) == []
        assert jobs_file.OTHERS in caplog.text
    await trio.sleep(20)
    assert world.heard("a") == ["this is a"]
    with (tmp_path / "cron" / ".tick.lock").open("w") as theirs:
        try:
            fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise AssertionError("two would run the jobs")
        except BlockingIOError:
            pass
    await world.kill()
    await trio.sleep(400)
    assert len(world.heard("a")) == 2


async def test_others_see_that_somebody_looks_after_the_jobs(open_world, autojump_clock, tmp_path):
    """Epoch seconds as text, as the original writes them; of a file that cannot be read no success is told."""
    path = put(tmp_path, job("a"))
    await open_world()
    await trio.sleep(130)
    beat, success = (
        float((tmp_path / "cron" / name).read_text()) for name in ("ticker_heartbeat", "ticker_last_success")
    )
    assert 0 <= EPOCH_S + trio.current_time() - beat <= 70
    assert success == beat
    path.write_text("{")
    await trio.sleep(130)
    assert float((tmp_path / "cron" / "ticker_heartbeat").read_text()) > beat + 60
    assert float((tmp_path / "cron" / "ticker_last_success").read_text()) < beat + 61


async def test_what_we_do_not_follow_is_kept_through_every_rewrite_and_said(
    open_world, autojump_clock, tmp_path
):
    put(tmp_path, job("a", prompt="echo hi", **THEIRS))
    world = await open_world()
    await trio.sleep(90)
    (entry,) = entries(tmp_path)
    assert entry["last_status"] == "ok"
    assert {key: entry[key] for key in THEIRS} == THEIRS
    answer = await world.services.jobs.change(lambda all_: {"id": all_[0]["id"]}, check=False)
    assert answer["job"] == {"id": "a"}


async def test_files_that_an_answer_names_go_with_it_under_the_rules_of_a_chat(
    open_world, autojump_clock, tmp_path
):
    allowed = tmp_path / "cron" / "output" / "report.pdf"
    put(tmp_path, job("a", prompt="x"), job("b", message=f"MEDIA:{allowed}"))
    allowed.parent.mkdir()
    allowed.write_bytes(b"%PDF-1.4")
    elsewhere = tmp_path / "secret.pdf"
    elsewhere.write_bytes(b"%PDF-1.4")
    platform = FakeAdapter(capabilities=MEDIA)
    world = await open_world(
        FakeAgent(Reply(lambda _: f"Here it is\nMEDIA:{allowed}\nMEDIA:{elsewhere}")), platform=platform
    )
    await trio.sleep(90)
    sent = [one.part for one in platform.sent if one.chat_id == "a"]
    assert [media.name for part in sent for media in part.media] == ["report.pdf"]
    assert "MEDIA" not in "".join(part.text for part in sent)
    assert "Here it is" in sent[0].text
    assert texts.FILE_NOT_SENT in sent[0].text
    assert world.heard("b") == [f"MEDIA:{allowed}"]


async def test_a_job_that_is_attached_to_the_session_is_known_to_its_chat(
    open_world, autojump_clock, tmp_path
):
    put(tmp_path, job("a", attach_to_session=True), job("b"))
    world = await open_world()
    await world.say("hi", "a")
    await world.say("hi", "b")
    await trio.sleep(90)
    said = [(line.role, line.text) for line in world.transcript("a")]
    assert said[-1] == ("user", "this is a")
    assert "this is b" not in [line.text for line in world.transcript("b")]
