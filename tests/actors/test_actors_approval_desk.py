"""What the running gateway answers to ``hermes approvals``, and what the trace of a message says about its questions."""

import pytest
from agents import Asker
from test_actors_approvals import ask, asked

from actors.ports import tracing
from actors.ports.approval_desk import ApprovalDesk
from hermes.cli.trace import lines
from hermes.types.errors import GatewayError


def steps(world):
    """The way of the first message as pairs of step and detail, and the document itself."""
    (found,) = world.look(tracing.trace, "trace-first", str)["traces"]
    return [(step["step"], step["detail"]) for step in found["steps"]], found


async def test_the_operator_decides_as_anybody_else_does(open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    desk = ApprovalDesk(world.services)
    await ask(world)
    (one,) = (await desk.answer("approvals_list", {"limit": 9, "bodies": True}))["approvals"]
    assert (one["state"], one["action"], one["detail"]) == ("pending", "do x", "detail of x")
    args = {"id": one["approval_id"], "approved": True, "reason": ""}
    decided = await desk.answer("approvals_decide", args)
    assert (decided["state"], decided["decided_by"]) == ("approved", "operator")
    assert "detail" not in decided
    await world.settle(within_s=2)
    assert agent.done == ["x"]
    with pytest.raises(GatewayError, match="approved already"):
        await desk.answer("approvals_decide", {**args, "approved": False})


@pytest.mark.parametrize(
    ("verb", "args", "code"),
    [
        ("approvals_decide", {"id": "ffffffff", "approved": True, "reason": ""}, "no_such_approval"),
        ("approvals_decide", {"id": "ffffffff"}, "usage"),
        ("approvals_list", {"limit": "9"}, "usage"),
        ("approvals_nonsense", {}, "usage"),
    ],
)
async def test_what_makes_no_sense_is_refused(verb, args, code, open_world, autojump_clock):
    world = await open_world(Asker())
    with pytest.raises(GatewayError) as refused:
        await ApprovalDesk(world.services).answer(verb, args)
    assert refused.value.failure.code == code


async def test_AC_54_the_trace_says_that_a_turn_waits_and_not_for_what(open_world, autojump_clock):
    world = await open_world(Asker())
    await world.say("x", event_id="first")
    await world.until(lambda: len(asked(world)) == 1 and len(world.heard()) == 1)
    way, found = steps(world)
    assert ("asked", "approval 1") in way
    assert found["waits_for_approval_since"] == asked(world)[0].asked_at
    assert any(line.startswith("waits for approval since ") for line in lines(found))
    names = [step for step, _ in way]
    assert names.index("asked") < names.index("sending"), "the prompt is on its way while the turn goes on"

    await world.say("yes")
    await world.settle()
    way, found = steps(world)
    assert ("approved", "approval 1 by fake:u1") in way
    assert found["waits_for_approval_since"] is None
    assert not any("waits for" in line for line in lines(found))
    assert "do x" not in str(found)
    assert "detail of x" not in str(found)
    prompt = next(
        step for step in found["steps"] if ":ask1:" in step["detail"] and step["step"] == "prepared"
    )
    ended = next(step for step in found["steps"] if step["step"] == "answered")
    assert prompt["at"] < ended["at"]
    assert prompt["actor"] == f"{world.session()}/turn"
