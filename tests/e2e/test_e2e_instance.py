"""One gateway a home, and what is there when it is gone."""

import json

from harness import Gateway

QUICK_S = 2.0


async def test_AC_11_a_second_run_says_who_holds_the_home(gateway: Gateway) -> None:
    await gateway.start()
    before = await gateway.lives()

    second = await gateway.ask("run", "--port", "0")

    assert second.code == 1
    assert str(gateway.home) in second.err
    assert f"process {gateway.pid}" in second.err
    assert "hermes stop" in second.err
    assert await gateway.lives() == before


async def test_AC_40_kill_9_then_start_succeeds_at_once(gateway: Gateway) -> None:
    await gateway.start()
    await gateway.kill9()
    # a pid file of old would now accuse whoever has got that pid since
    (gateway.home / "gateway.lock").write_text(json.dumps({"pid": 1, "boot_id": "another", "argv": ["init"]}))

    await gateway.start()
    assert gateway.starts == 2  # no other try than the one after the kill


async def test_the_tree_of_a_killed_gateway_is_shown_as_the_last_known_one(gateway: Gateway) -> None:
    await gateway.start()
    boot_id = (await gateway.json("status"))["boot_id"]

    async def the_tree_is_on_disk() -> bool:
        return (gateway.home / "run" / "tree.json").exists()

    await gateway.until(the_tree_is_on_disk)
    await gateway.kill9()

    for_programs = await gateway.ask("tree", "--json")
    for_people = await gateway.ask("tree")

    document = json.loads(for_programs.out)
    assert (for_programs.code, document["live"], document["boot_id"]) == (3, False, boot_id)
    assert document["root"]["path"] == "root"
    assert json.loads(for_programs.err)["error"]["type"] == "not_running"
    assert for_people.code == 3
    assert "last known tree" in for_people.err
    assert "webchat:default" in for_people.out


async def test_client_commands_say_that_no_gateway_runs(gateway: Gateway) -> None:
    for command in (["status"], ["stop"], ["restart"], ["web", "link"], ["tree"]):
        done = await gateway.ask(*command)

        assert (done.code, done.out) == (3, ""), command
        assert f"no gateway runs on {gateway.home}" in done.err
        assert "hermes run" in done.err


async def test_a_gateway_whose_home_is_moved_away_ends_and_leaves_the_one_in_its_place_alone(
    gateway: Gateway,
) -> None:
    await gateway.start()
    gateway.home.rename(gateway.home.with_name("moved"))
    gateway.home.mkdir()
    (gateway.home / "gateway.lock").write_text("another's")

    assert await gateway.ended() == 78
    assert "moved, removed or replaced" in gateway.log.read_text()
    assert {one.name for one in gateway.home.iterdir()} == {"gateway.lock", "logs"}  # where it says why
    assert (gateway.home / "gateway.lock").read_text() == "another's"
