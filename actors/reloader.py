"""Reads the configuration again when it is told to, and has the living follow the new restart policies and access lists.

SIGHUP ─▶ Reload ─▶ read and check ─┬ refused: in words, and nothing has changed
resume ──────┘                      └ in force ─▶ a new spec to every child whose spec is another now; nothing restarts
                                  the next decision is by the new lists; an adapter that is configured otherwise starts again
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, assert_never

import trio

from actors.ports.services import Services
from hermes.config.load import Settings
from hermes.config.supervision import Policy, Rule
from hermes.registry.accounts import Accounts
from hermes.routing import catalogue
from hermes.types.errors import GatewayError
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.dynamic import SupervisorRef
from supervisors.reply import ActorDownError, Reply
from supervisors.spec import ChildSpec, path_segment
from supervisors.spec_tree import walk
from supervisors.system import System

log = logging.getLogger(__name__)

READ_DEADLINE_S = 10.0
ADJUST_DEADLINE_S = 5.0

Reread = Callable[[], Awaitable[Settings]]
"""Reads the settings as at the start: same file, same environment, same flags."""


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration may have changed; ``reply`` hears once it is read and in force, or refused."""

    reply: Reply[None] | None = None


Message = Reload | Stop | Down


async def run(
    ctx: Context[Message],
    services: Services,
    reread: Reread,
    reloading: Callable[[bool], None],
    accounts: Accounts,
) -> None:
    """Reload whenever asked; ``reloading`` is told when that begins and when it is over. At its own start it makes sure that
    everybody follows the rules in force: an earlier life may have ended between adopting them and handing them out.
    """
    ctx.ready()
    await _hand_out(ctx.system, services)
    while True:
        match message := await ctx.receive():
            case Reload(reply):
                reloading(True)
                try:
                    await _reload(ctx.system, services, reread, accounts)
                finally:
                    reloading(False)
                if reply is not None:
                    reply.send(None)
            case Down():
                pass  # it watches nobody
            case Stop():
                return
            case _:
                assert_never(message)


async def _reload(system: System, services: Services, reread: Reread, accounts: Accounts) -> None:
    try:
        with trio.fail_after(READ_DEADLINE_S):
            settings = await reread()
        before = services.policies.rules
        commands = catalogue.checked(settings.config.quick_commands, settings.access.roles.commands)
        services.policies.adopt(settings.config.supervision)
    except GatewayError as wrong:
        log.error("not reloaded, the settings stay as they were:\n%s", wrong.failure.detail)
        return
    except trio.TooSlowError:
        log.error(
            "not reloaded, the settings stay as they were: the file was not read within %g s", READ_DEADLINE_S
        )
        return
    news = []
    if services.access.adopt(settings.access):
        news.append("who may speak is decided by the new settings")
    if services.router.adopt(settings.homes):
        news.append("home channels are those of the new settings")
    if services.commands.adopt(commands):
        news.append("the quick commands are the new ones")
    changes = accounts.adopt(settings)
    if changes.changed:
        news.append(f"new settings for {_names_of(changes.changed)}")
    for words in services.policies.unmatched():
        log.warning("%s", words)
    if adjusted := await _hand_out(system, services):
        news.append(f"new restart policies for {', '.join(adjusted)}")
    elif _meant(before) != _meant(services.policies.rules):
        news.append("the new restart policies change nothing for those who are there now")
    waiting = list(changed_keys(services.config, settings.config))
    if changes.waiting:
        waiting.append(_names_of(changes.waiting))
    if not (news or waiting):
        news.append("nothing has changed")
    for one in news:
        log.info("reloaded: %s", one)
    if waiting:
        log.warning("%s changed in the file and will hold after a restart of the gateway", ", ".join(waiting))
    for platform, account in changes.changed:
        await services.overview.renew(platform, account)


def _names_of(accounts: Sequence[tuple[str, str]]) -> str:
    return ", ".join(map(":".join, accounts))


def _meant(rules: Sequence[Rule]) -> list[tuple[str, Policy]]:
    """``rules`` without the places where they stand."""
    return [(rule.glob, rule.policy) for rule in rules]


async def _hand_out(system: System, services: Services) -> list[str]:
    """Give everybody the spec that the rules in force make; returns whose own policy is another than before.

    Parents first: one that starts again on the way then starts its children by the new rules.
    """
    policies = services.policies
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


def changed_keys(old: Any, new: Any, above: str = "") -> Iterator[str]:
    """The keys whose values differ, in the model's order, but for those that hold at once."""
    for key in fields(old):
        before, after = getattr(old, key.name), getattr(new, key.name)
        if is_dataclass(before):
            yield from changed_keys(before, after, f"{above}{key.name}.")
        elif before != after and key.name not in ("supervision", "quick_commands"):
            yield f"{above}{key.name}"
