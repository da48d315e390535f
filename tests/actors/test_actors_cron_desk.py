"""``hermes cron`` through the running gateway: what is asked for is in the file, and cron looks at once."""

import json

import pytest
import trio
from world import World

from actors.ports.cron_desk import CronDesk
from hermes.types.errors import GatewayError


def desk(world: World) -> CronDesk:
    return CronDesk(world.services)


async def test_a_job_is_made_listed_changed_run_and_removed(open_world, autojump_clock, tmp_path):
    world = await open_world()
    ask = desk(world).answer
    made = await ask(
        "cron_create", {"schedule": "every 1h", "message": "hello", "deliver": "fake:1", "name": "Greeting"}
    )
    name = made["job"]["id"]
    assert (made["job"]["kind"], made["job"]["schedule"]) == ("message", "every 60m")

    assert (await ask("cron_run", {"job": "greeting"}))["run"]["job_id"] == name
    await trio.sleep(10)
    assert world.heard("1") == ["hello"]
    (run,) = (await ask("cron_runs", {"job": name, "limit": 5}))["runs"]
    assert (run["run_state"], run["delivery_state"], run["by_hand"]) == ("ok", "delivered", True)

    await ask("cron_edit", {"job": name, "schedule": "1m", "message": "soon"})
    await trio.sleep(70)
    assert world.heard("1") == ["hello", "soon"]
    (listed,) = (await ask("cron_list", {}))["jobs"]
    assert (listed["state"], listed["last_status"]) == ("completed", "ok")
    status = await ask("cron_status", {})
    assert (status["jobs"], status["enabled"], status["next"], status["runs"]) == (1, 0, None, {"ok": 2})

    await ask("cron_remove", {"job": name})
    assert json.loads((tmp_path / "cron" / "jobs.json").read_text())["jobs"] == []


async def test_paused_means_silent_until_it_is_resumed(open_world, autojump_clock):
    world = await open_world()
    ask = desk(world).answer
    made = await ask("cron_create", {"schedule": "every 1m", "message": "tick", "deliver": "fake:1"})
    await ask("cron_pause", {"job": made["job"]["id"]})
    await trio.sleep(200)
    assert world.heard("1") == []
    await ask("cron_resume", {"job": made["job"]["id"]})
    await trio.sleep(70)
    assert world.heard("1") == ["tick"]


@pytest.mark.parametrize(
    ("verb", "args", "word"),
    [
        ("cron_create", {"schedule": "every 0m", "prompt": "x"}, "never stop"),
        ("cron_create", {"schedule": "2020-01-01", "prompt": "x"}, "is over"),
        ("cron_create", {"schedule": "1h", "prompt": "x", "deliver": "nosuch:1"}, "nosuch"),
        ("cron_create", {"schedule": "1h", "prompt": "x", "deliver": "origin"}, "leads nowhere"),
        ("cron_create", {"schedule": "1h", "prompt": "x", "failure_target": "nosuch"}, "nosuch"),
        ("cron_create", {"schedule": 5, "prompt": "x"}, "schedule is 5"),
        ("cron_create", {"schedule": "1h", "prompt": "x", "times": True}, "times is True"),
        ("cron_create", {"prompt": "x"}, "needs a schedule"),
        ("cron_create", {"schedule": "1h", "script": "disk.sh"}, "there is no script 'disk.sh' below"),
        ("cron_pause", {"job": "nobody"}, "no job 'nobody'"),
        ("cron_run", {"job": "nobody"}, "no job 'nobody'"),
        ("cron_runs", {"job": "nobody", "limit": 5}, "no job 'nobody'"),
        ("cron_pause", {"job": 7}, "no question"),
        ("cron_dance", {"job": "x"}, "no question"),
    ],
)
async def test_AC24_what_cannot_be_is_refused_in_words_and_nothing_is_written(
    open_world, autojump_clock, tmp_path, verb, args, word
):
    world = await open_world()
    with pytest.raises(GatewayError) as refused:
        await desk(world).answer(verb, args)
    assert word in refused.value.failure.detail
    assert not (tmp_path / "cron" / "jobs.json").exists()


async def test_a_job_whose_script_is_gone_may_rest_and_go_and_does_not_run_again(
    open_world, autojump_clock, tmp_path
):
    script = tmp_path / "scripts" / "disk.sh"
    script.parent.mkdir()
    script.touch()
    ask = desk(await open_world()).answer
    job = {"job": (await ask("cron_create", {"schedule": "@daily", "script": "disk.sh"}))["job"]["id"]}
    script.unlink()
    assert (await ask("cron_pause", job))["job"]["state"] == "paused"
    for verb, more in (("cron_resume", {}), ("cron_edit", {"name": "disk"})):
        with pytest.raises(GatewayError, match="no script"):
            await ask(verb, job | more)
    await ask("cron_remove", job)
    assert (await ask("cron_list", {}))["jobs"] == []
