"""``hermes trace`` in the whole tree: every message has its one decision and its way, whatever becomes of it (AC-54)."""

import trio
from test_actors_access import OPEN, access, said
from world import SECRET

from actors import tree
from actors.ports import tracing
from hermes.store import ops
from hermes.testing.fakes import Crash, FakeAgent, Hang, Reply
from hermes.types.hooks import Allow, NoHooks, Skip
from supervisors.spec import path_segment


def way(world, name):
    (found,) = world.look(tracing.trace, name, str)["traces"]
    return found


def steps(found):
    return [step["step"] for step in found["steps"]]


async def test_AC_54_a_messages_way_with_times_and_actor_names(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=5.0)))

    await world.say("hello", event_id="e1")
    await world.settle()
    found = way(world, "trace-e1")

    assert steps(found) == [
        "received",
        "decided",
        "routed",
        "turn",
        "answered",
        "prepared",
        "sending",
        "receipt",
        "sent",
    ]
    turn = f"{world.session()}/turn"
    assert [step["actor"] for step in found["steps"]] == [
        "root/gateway/adapters/fake:default",
        tree.INBOUND,
        world.session(),
        turn,
        turn,
        turn,
        world.lane(),
        world.lane(),
        world.lane(),
    ]
    decided, _, began, ended = found["steps"][1:5]
    assert decided["detail"] == "allowed:edge"
    assert (began["boot_id"], began["incarnation"]) == ("boot1", 1)
    assert 5.0 <= ended["at"] - began["at"] < 5.1
    assert "arrived as message m1" in found["steps"][7]["detail"]
    assert (found["state"], found["rule"], found["session_key"]) == ("answered", "answered", world.key())


async def test_AC_54_deaths_on_the_way_are_told_and_redacted(open_world, autojump_clock):
    world = await open_world(FakeAgent(Crash(RuntimeError(f"key {SECRET}"))))
    crashed = []
    world.boot.system.events.listen(crashed.append)

    await world.say("hello", event_id="e1")
    await world.settle()
    offset = world.services.clock.wall() - trio.current_time()
    events = tuple(
        {
            "at": e.at + offset,
            "boot_id": "boot1",
            "path": e.path,
            "incarnation": e.incarnation,
            "kind": e.kind,
            **e.detail,
        }
        for e in crashed
    )
    await world.services.store.write(ops.LogEvents(events))
    found = await world.services.overview.trace("e1")
    (one,) = found["traces"]

    assert [step["step"] for step in one["steps"]].count("turn") == 2
    (death,) = [step for step in one["steps"] if step["step"] == "exited"]
    assert death["actor"] == f"{world.session()}/turn"
    assert "RuntimeError" in death["detail"]
    assert SECRET not in str(found)


async def test_AC_54_no_message_ends_without_a_rule_a_time_and_a_way(open_world, autojump_clock):
    """Every rule that this tree can be brought to, at once."""

    class Picky(NoHooks):
        async def before_dispatch(self, event):
            return Skip() if event.text == "hooked" else Allow()

    world = await open_world(
        FakeAgent(otherwise=Reply()),
        capabilities=OPEN,
        access=access(FAKE_ALLOWED_USERS="u1"),
        hooks=Picky(),
    )
    cases = {
        "answered": said("hello", "1-a"),
        "command:help": said("/help", "1-b"),
        "command:stop": said("/stop", "1-c"),
        "refused:unknown_command": said("/nonsense", "1-d"),
        "refused:too_long": said("x" * 100_001, "1-e"),
        "refused:bad_id": said("hello", "1-f", user="a\nb"),
        "ignored:stale_command": said("/stop", "1-g", sent_at=1.0),
        "ignored:too_old": said("hello", "1-h", sent_at=1.0),
        "ignored:hook": said("hooked", "1-i"),
        "ignored:empty": said(" ", "1-j"),
        "ignored:reaction": said("x", "1-k", kind="reaction"),
        "ignored:unaddressed": said("x", "1-l", chat="g", chat_type="group"),
        "denied:no_user": said("hello", "1-m", user=None),
        "denied:bot": said("hello", "1-n", is_bot=True),
        "denied:default": said("hello", "1-o", user="u2"),
    }
    for event in cases.values():
        await world.platform.hand_in(event)
        await world.settle()
    await (await world.platform.io()).undecodable("1-z", b"?")

    for rule, event in cases.items():
        found = way(world, event.event_id)
        assert found["rule"] == rule
        assert steps(found)[:2] == ["received", "decided"], rule
        assert all(step["at"] > 0 and step["actor"] for step in found["steps"])
    assert steps(way(world, "1-z")) == ["received", "failed"]
    assert world.counts.unaccounted == 0
    assert world.look(tracing.trace, "nobody knows", str)["traces"] == []


async def test_AC_54_an_open_message_shows_where_it_is(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Hang()))

    await world.say("long", event_id="e1")
    await trio.sleep(1)
    await world.kill()
    await trio.sleep(1)
    found = way(world, "e1")

    assert found["state"] == "in_turn"
    assert steps(found) == ["received", "decided", "routed", "turn", "turn"]
    assert [step["boot_id"] for step in found["steps"]][3:] == ["boot1", "boot2"]


async def test_the_actors_on_a_way_are_those_of_the_tree(open_world, autojump_clock):
    """Ids are encoded as the tree encodes them."""
    world = await open_world(FakeAgent(Hang()))
    await world.say("long", "a/b %", event_id="e1")
    await trio.sleep(1)

    actors = {step["actor"] for step in way(world, "e1")["steps"]}

    assert actors <= set(world.tree())
    assert path_segment(world.key("a/b %")) in str(actors)
