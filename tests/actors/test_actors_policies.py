"""Restart policies over the tree: who gets which, what is refused, and what a reload does to the living."""

import logging
from dataclasses import replace

import pytest
import trio
from world import ADAPTER, OUTBOX

from actors import handing, tree
from actors.policies import Policies, apply
from hermes.config.model import Config, Web
from hermes.config.supervision import Policy, Rule, read_option
from hermes.types.errors import CONFIG_INVALID, USAGE, Failure, GatewayError
from supervisors.spec import Backoff, ChildSpec, Intensity
from supervisors.spec_tree import walk
from supervisors.supervisor import supervisor


async def idle(ctx: object) -> None:
    """The start of a child that no test here ever runs."""


def rule(glob: str, line: int = 1, **policy: object) -> Rule:
    return Rule(glob, Policy(**policy), f"config.yaml, line {line}")


def config(*rules: Rule, **settings: object) -> Config:
    return Config(supervision=rules, **settings)


SPEC = ChildSpec("a", idle, intensity=Intensity(5, 60.0, "disable", probe=600.0), backoff=Backoff(1.0, 9.0))

# --- applied to one spec --------------------------------------------------------------------------------------------------


def test_a_child_that_no_rule_matches_is_left_as_it_is():
    assert (
        apply([rule("root/b", restart="temporary"), rule("root/a/*", shutdown=1.0)], "root/a", SPEC) is SPEC
    )


def test_every_key_is_applied_and_nothing_else_is_touched():
    everything = rule(
        "root/a",
        restart="transient",
        intensity=(1, 2.0),
        backoff=(3.0, 4.0),
        factor=5.0,
        reset_after=6.0,
        on_exceeded="escalate",
        shutdown=7.0,
        on_stuck="escalate",
    )

    assert apply([everything], "root/a", SPEC) == replace(
        SPEC,
        restart="transient",
        intensity=Intensity(1, 2.0, "escalate", probe=600.0),
        backoff=Backoff(3.0, 4.0, 5.0, 6.0),
        shutdown=7.0,
        on_stuck="escalate",
        overridden=(
            "backoff",
            "factor",
            "intensity",
            "on_exceeded",
            "on_stuck",
            "reset_after",
            "restart",
            "shutdown",
        ),
    )


def test_of_several_rules_the_last_one_that_sets_a_key_wins():
    rules = [
        rule("root/a", restart="transient", shutdown=1.0),
        rule("**", shutdown=2.0, intensity=(1, 9.0)),
        rule("root/*", intensity=(2, 9.0)),
        rule("root/b", intensity=(3, 9.0)),
    ]

    made = apply(rules, "root/a", SPEC)

    assert (made.restart, made.shutdown, made.intensity.restarts) == ("transient", 2.0, 2)
    assert made.policy()["overridden"] == ["intensity", "restart", "shutdown"]


def test_the_root_is_nobody_s_child():
    assert apply([rule("**", restart="temporary")], "root", SPEC) is SPEC


# --- checked against a tree -----------------------------------------------------------------------------------------------

WEB = ChildSpec("web", idle)
STORE = ChildSpec("store", idle, shutdown=5.0)
ROOT = supervisor("root", [supervisor("gateway", [STORE, supervisor("sessions", dynamic=True), WEB])])
IN_ROW = supervisor("root", [supervisor("gateway", [STORE, WEB], strategy="rest_for_one")])
SESSIONS = "root/gateway/sessions"


def policies(*rules: Rule, over: ChildSpec = ROOT) -> Policies:
    made = Policies(rules, {SESSIONS: lambda name: replace(SPEC, id=name)})
    made.cover(over)
    return made


def refusal(*rules: Rule, over: ChildSpec = ROOT) -> Failure:
    with pytest.raises(GatewayError) as refused:
        policies(*rules, over=over)
    return refused.value.failure


def test_a_tree_holds_the_changed_specs_so_that_a_supervisor_starts_them_again():
    made = dict(walk(policies(rule("root/**", shutdown=1.5)).tree(), "root"))

    assert {path: spec.shutdown for path, spec in made.items() if path != "root"} == {
        "root/gateway": 1.5,
        "root/gateway/store": 1.5,
        "root/gateway/sessions": 1.5,
        "root/gateway/web": 1.5,
    }
    assert made["root"].shutdown == ROOT.shutdown


def test_without_rules_the_tree_is_as_it_was_built():
    assert policies().tree() == ROOT


def test_law_C3_a_policy_whose_window_can_never_be_exceeded_is_refused_with_its_place():
    failure = refusal(
        rule("root/gateway/web", 3, intensity=(5, 60.0)), rule("root/gateway/web", 5, backoff=(12.0, 30.0))
    )

    assert (failure.code, failure.severity) == (CONFIG_INVALID, "fatal")
    assert failure.detail == (
        "config.yaml, line 5: below root/gateway, web can never exceed its own limit of 5 ends in 60 s: "
        "each takes 12 s or more"
    )


def test_law_C3_the_stop_of_a_sibling_counts_too_and_is_the_fault_of_who_made_it_slow():
    rules = [rule("root/gateway/store", 1, shutdown=1.0), rule("root/gateway/web", 2, shutdown=20.0)]

    assert refusal(*rules, over=IN_ROW).detail == (
        "config.yaml, line 2: below root/gateway, store can never exceed its own limit of 5 ends in 60 s: "
        "each takes 22.1 s or more"
    )


def test_law_C3_holds_for_children_that_are_still_to_come():
    glob = f"{SESSIONS}/*:telegram:*"

    assert refusal(
        rule(f"{SESSIONS}/*", 1, intensity=(10, 20.0)), rule(glob, 2, backoff=(3.0, 4.0))
    ).detail == (
        f"config.yaml, line 2: below {SESSIONS}, *:telegram:* can never exceed its own limit of 10 ends in 20 s: "
        "each takes 3 s or more"
    )


@pytest.mark.parametrize("glob", ["**", "root/**", f"{SESSIONS}/**"])
def test_law_C3_holds_for_them_under_a_glob_that_reaches_deeper_than_the_tree_yet(glob):
    assert refusal(rule(glob, intensity=(5, 4.0))).detail == (
        f"config.yaml, line 1: below {SESSIONS}, ** can never exceed its own limit of 5 ends in 4 s: "
        "each takes 1 s or more"
    )


def test_law_C3_a_later_rule_may_put_an_earlier_one_right():
    made = policies(rule("**", backoff=(12.0, 30.0)), rule("**", intensity=(1, 60.0)))

    assert dict(walk(made.tree(), "root"))["root/gateway/web"].backoff == Backoff(12.0, 30.0)


def test_a_refused_reload_leaves_the_rules_as_they_were():
    made = policies(rule("root/gateway/web", shutdown=1.0))
    before = made.tree()

    with pytest.raises(GatewayError):
        made.adopt([rule("root/gateway/web", intensity=(60, 1.0))])

    assert made.tree() == before


@pytest.mark.parametrize(
    ("glob", "hint"),
    [
        ("root/gateway/wbe", "did you mean root/gateway/web?"),
        ("root/gatway/*", "did you mean root/gateway/*?"),
        ("root/gateway/session/*", "did you mean root/gateway/sessions/*?"),
        ("root/qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", "`hermes tree` shows all paths"),
        (f"{SESSIONS}/*/turn", f"did you mean {SESSIONS}/*?"),
    ],
)
def test_a_glob_that_matches_nobody_is_told_of_in_the_file_and_refused_on_the_command_line(glob, hint):
    words = f"{glob!r} matches no actor; {hint}"

    assert policies(rule(glob, 7, shutdown=1.0)).unmatched() == [f"config.yaml, line 7: {words}"]

    option = f"{glob}=permanent"
    failure = refusal(read_option(option))
    assert (failure.code, failure.detail) == (USAGE, f"--restart {option!r}: {words}")


@pytest.mark.parametrize(
    "glob",
    ["root/gateway", "root/gateway/*", "root/**", f"{SESSIONS}/*", f"{SESSIONS}/k:1", "root/*/*/*", "**"],
)
def test_a_glob_that_matches_an_actor_or_one_that_may_come_is_no_stranger(glob):
    assert policies(rule(glob, shutdown=1.0)).unmatched() == []
    assert policies(read_option(f"{glob}=transient")).unmatched() == []


def test_a_fault_of_the_file_is_one_of_configuration_whatever_the_command_line_says():
    bad = rule("root/gateway/web", 2, intensity=(60, 1.0))

    assert refusal(bad, read_option("root/nobody=permanent")).code == CONFIG_INVALID


# --- over the whole gateway -----------------------------------------------------------------------------------------------

INBOUND = tree.INBOUND


def policy(world, path: str) -> dict:
    return world.tree()[path].spec.policy()


def lives(world) -> dict[str, tuple[int, float | None]]:
    """Incarnation and beginning of every life."""
    now = trio.current_time()
    return {
        path: (node.incarnation, None if node.uptime_s is None else round(now - node.uptime_s, 3))
        for path, node in world.tree().items()
    }


async def test_policies_hold_for_every_actor_from_its_first_start(open_world, autojump_clock):
    world = await open_world(
        config=config(
            rule(ADAPTER, backoff=(5.0, 6.0)),
            rule("root/gateway/sessions/*", intensity=(2, 30.0)),
            rule("root/gateway/delivery/lanes/fake:*", shutdown=3.0),
            rule("root/gateway/delivery", intensity=(4, 50.0)),
        )
    )
    await world.say("hello")
    await world.until(lambda: world.lane() in world.tree())

    assert policy(world, ADAPTER)["backoff"] == "5..6"
    assert policy(world, world.session())["intensity"] == "2/30"
    assert policy(world, world.lane())["shutdown"] == 3.0
    assert policy(world, "root/gateway/delivery")["intensity"] == "4/50"
    assert policy(world, OUTBOX)["overridden"] == []
    assert world.tree()[world.session()].spec.intensity.probe is not None


async def test_a_policy_decides_what_a_crash_leads_to(open_world, autojump_clock):
    world = await open_world(config=config(rule(ADAPTER, intensity=(0, 60.0), on_exceeded="disable")))

    world.platform.crash(RuntimeError("boom"))
    await world.until(lambda: world.state(ADAPTER) == "disabled")


async def test_a_reload_reaches_the_living_and_restarts_nobody(open_world, autojump_clock):
    world = await open_world()
    await world.say("hello")
    await world.settle()
    before = lives(world)

    await world.reload(
        config(
            rule(ADAPTER, restart="temporary"),
            rule("root/gateway", intensity=(7, 70.0)),
            rule("**/sessions/*", backoff=(5.0, 6.0)),
            rule("**/lanes/*", on_stuck="escalate"),
        )
    )

    assert policy(world, ADAPTER)["restart"] == "temporary"
    assert policy(world, "root/gateway")["intensity"] == "7/70"
    assert policy(world, world.session())["backoff"] == "5..6"
    assert policy(world, world.lane())["on_stuck"] == "escalate"
    assert lives(world) == before

    await world.say("to somebody new", "2")
    await world.settle()
    assert policy(world, world.session("2"))["backoff"] == "5..6"

    world.platform.crash(RuntimeError("boom"))
    await world.until(lambda: world.state(ADAPTER) == "stopped")


async def test_a_rule_that_is_gone_gives_back_what_is_built_in(open_world, autojump_clock):
    world = await open_world(config=config(rule("**", shutdown=1.0)))
    await world.say("hello")
    await world.settle()
    assert {node.spec.shutdown for path, node in world.tree().items() if "/" in path} == {1.0}

    await world.reload(config())

    built_in = {path: policy(world, path) for path in world.tree()}
    assert built_in[ADAPTER]["shutdown"] == 10.0
    assert built_in[world.session()]["shutdown"] == 5.0
    assert all(made["overridden"] == [] for made in built_in.values())


async def test_what_a_supervisor_starts_again_follows_the_new_rules(open_world, autojump_clock):
    world = await open_world()
    await world.reload(config(rule(INBOUND, shutdown=1.0)))

    await world.boot.services.overview.restart("root/gateway")
    await world.up()

    assert world.incarnations()[INBOUND] == 2
    assert policy(world, INBOUND)["shutdown"] == 1.0


async def test_an_adapter_that_waits_five_minutes_waits_no_longer_than_the_new_maximum(
    open_world, autojump_clock
):
    world = await open_world(config=config(rule(ADAPTER, backoff=(50.0, 300.0))))
    world.platform.crash(RuntimeError("boom"))
    await world.until(lambda: world.state(ADAPTER) == "backoff", every_s=0.01)

    await world.reload(config(rule(ADAPTER, backoff=(1.0, 2.0))))

    assert world.tree()[ADAPTER].next_start_in_s <= 2.0
    await world.until(lambda: world.state(ADAPTER) == "running", within_s=3.0)


async def test_a_bad_reload_is_refused_in_words_and_changes_nothing(open_world, autojump_clock, caplog):
    world = await open_world(config=config(rule(ADAPTER, shutdown=3.0)))
    await world.say("hello")
    await world.settle()
    before, specs = lives(world), {path: node.spec for path, node in world.tree().items()}
    detail = "config.yaml, line 2: supervision: 'root/x': restart: 'never' is none of permanent"

    await world.reload(GatewayError(Failure(CONFIG_INVALID, "fatal", "gateway", detail=detail)))
    await world.reload(
        config(rule("root/gateway/sessions/*", shutdown=1.0), rule(ADAPTER, 9, intensity=(60, 1.0)))
    )

    assert [record.levelname for record in caplog.records if "not reloaded" in record.message] == [
        "ERROR"
    ] * 2
    assert detail in caplog.text
    assert "config.yaml, line 9: below root/gateway/adapters, fake:default can never exceed" in caplog.text
    assert {path: node.spec for path, node in world.tree().items()} == specs
    assert lives(world) == before
    await world.say("to somebody new", "2")
    await world.settle()
    assert policy(world, world.session("2"))["shutdown"] == 5.0

    await world.reload(config(rule(ADAPTER, shutdown=4.0)))
    assert policy(world, ADAPTER)["shutdown"] == 4.0


async def test_a_file_that_cannot_be_read_in_time_is_given_up(open_world, autojump_clock, caplog):
    world = await open_world()
    world.reread = trio.sleep_forever  # a FIFO, or a share that is gone
    before = lives(world)

    world.boot.system.registry.ref(tree.RELOADER).tell_nowait(tree.reloader.Reload())
    await trio.sleep(20.0)

    assert "not reloaded, the settings stay as they were: the file was not read within 10 s" in caplog.text
    assert lives(world) == before


async def test_the_log_says_who_has_a_new_policy_and_what_needs_a_restart(open_world, autojump_clock, caplog):
    caplog.set_level(logging.INFO)
    world = await open_world(config=config())

    await world.reload(
        config(rule(ADAPTER, shutdown=3.0), rule("root/gateway/nobody", 4, shutdown=1.0), web=Web(port=1))
    )

    words = [record.message for record in caplog.records if record.name == "actors.reloader"]
    assert words == [
        "config.yaml, line 4: 'root/gateway/nobody' matches no actor; did you mean root/gateway/inbound?",
        f"reloaded: new restart policies for {ADAPTER}",
        "web.port changed in the file and will hold after a restart of the gateway",
    ]

    await world.say("hello")
    await world.settle()
    caplog.clear()
    spec = world.tree()[world.session()].spec
    await world.reload(config(rule(ADAPTER, shutdown=3.0)))
    assert world.tree()[world.session()].spec is spec
    await world.reload(config(rule(ADAPTER, line=9, shutdown=3.0)))
    assert [record.message for record in caplog.records] == [
        "reloaded: the new restart policies change nothing for those who are there now",
        "reloaded: nothing has changed",
    ]


async def test_a_reloader_that_ended_halfway_is_made_good_by_its_next_life(open_world, autojump_clock):
    world = await open_world()
    world.boot.services.policies.adopt([rule(ADAPTER, shutdown=3.0)])  # and there it ended
    assert policy(world, ADAPTER)["shutdown"] == 10.0

    world.crash(tree.RELOADER)
    await world.until(lambda: world.incarnations()[tree.RELOADER] == 2)
    await trio.testing.wait_all_tasks_blocked()

    assert policy(world, ADAPTER)["shutdown"] == 3.0


async def test_a_session_whose_start_was_asked_for_before_the_reload_is_not_missed(
    open_world, autojump_clock
):
    world = await open_world()
    services = world.boot.services
    key = world.key("7")
    services.conversations.wake(key)  # the old spec is on its way
    services.policies.adopt([rule("root/gateway/sessions/*", shutdown=3.0)])

    await handing.hand_out(world.boot.system, services.policies)

    assert policy(world, world.session("7"))["shutdown"] == 3.0
