"""Has the living follow the tree that the settings in force make: their restart policies, and which adapters there are."""

import logging
from contextlib import suppress

import trio

from actors.policies import Policies
from supervisors.dynamic import SupervisorRef
from supervisors.reply import ActorDownError
from supervisors.spec import ChildSpec, path_segment
from supervisors.spec_tree import walk
from supervisors.step import State
from supervisors.system import System

log = logging.getLogger(__name__)

ADJUST_DEADLINE_S = 5.0
LEAVE_DEADLINE_S = 15.0
"""Longer than an adapter may take to stop."""


async def hand_out(system: System, policies: Policies) -> list[str]:
    """Give everybody the spec that the rules in force make; returns whose own policy is another than before.

    Parents first: one that starts again on the way then starts its children by the new rules.
    """
    adjusted = []
    for path, spec in walk(policies.tree(), "root"):
        parent = path.rpartition("/")[0]
        if parent and await _adjust(system, parent, spec):
            adjusted.append(path)
    for family in policies.families:
        for name in await _names(system, family):
            if await _adjust(system, family, policies.child(family, name)):
                adjusted.append(f"{family}/{path_segment(name)}")
    return adjusted


async def populate(system: System, policies: Policies, path: str) -> None:
    """Have the supervisor at ``path`` run the children that the tree has for it, and no others; those it has go on.

    One that comes up slowly is not waited for. A supervisor that is not there starts with them anyway.
    """
    if path not in system.supervisors:
        return
    wanted = {spec.id: spec for spec in policies.children(path)}
    supervisor = SupervisorRef(system.registry.ref(path))
    with suppress(ActorDownError, trio.TooSlowError):
        there = {child.id: child.state for child in await supervisor.which_children(ADJUST_DEADLINE_S)}
        for name, state in there.items():
            if name not in wanted and state is not State.STOPPED:
                with suppress(LookupError):
                    await supervisor.terminate_child(name, LEAVE_DEADLINE_S)
        for name, spec in wanted.items():
            if there.get(name, State.STOPPED) is State.STOPPED:
                supervisor.start_child_soon(spec)


async def _names(system: System, supervisor: str) -> list[str]:
    """The children of a dynamic supervisor, those included whose start was asked for before now."""
    if supervisor not in system.supervisors:
        return []
    try:
        children = await SupervisorRef(system.registry.ref(supervisor)).which_children(ADJUST_DEADLINE_S)
    except (ActorDownError, trio.TooSlowError):
        return []
    return [child.id for child in children]


async def _adjust(system: System, parent: str, spec: ChildSpec) -> bool:
    """True if that changed the policy of the child itself. A parent that is down starts by the new rules anyway."""
    supervisor = system.supervisors.get(parent)
    child = None if supervisor is None else supervisor.child(spec.id)
    if child is None or child.spec == spec:
        return False
    before = child.spec.policy()
    try:
        await SupervisorRef(system.registry.ref(parent)).adjust_child(spec, ADJUST_DEADLINE_S)
    except (LookupError, ActorDownError):  # it has just ended
        return False
    except trio.TooSlowError:
        log.warning("%s/%s keeps its restart policy for now: its supervisor did not answer", parent, spec.id)
        return False
    return spec.policy() != before
