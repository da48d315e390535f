"""Reads the settings again when they change or when it is told to, and has the living follow the new ones.

the files change ─┐              ┌ refused: in words, in the log, the status and one notice; nothing has changed
SIGHUP ───────────┼─▶ read, check┴ in force ─▶ the next decision is by the new settings, the next turn by the new model
config reload ────┤                          ─▶ an adapter that is configured otherwise starts again, alone
resume ───────────┘                          ─▶ adapters come and go; specs are handed out; nobody else restarts
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

import trio

from actors import handing
from actors.adapter import Account
from actors.ports.services import Services
from hermes.config import changes
from hermes.config.load import Settings
from hermes.config.model import Config
from hermes.config.supervision import Policy, Rule
from hermes.registry.accounts import Accounts, Changes
from hermes.routing import catalogue
from hermes.types import texts
from hermes.types.errors import GatewayError
from hermes.types.quoting import quoted
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reply import Reply
from supervisors.spec import ChildSpec
from supervisors.system import System

log = logging.getLogger(__name__)

READ_DEADLINE_S = 10.0
TELL_DEADLINE_S = 5.0
ADAPTERS = "root/gateway/adapters"

OWN_NEWS = frozenset({"supervision", "quick_commands"})
"""Keys of which more is said than that they have changed."""

MOST_WORDS = 300
"""Of what is wrong with the settings, how much a notice quotes. Characters."""

LOOK_S = 2.0
SETTLED_S = 0.3
"""For how long the files must have stayed as they are: whoever saves two of them is not read between them."""

Reread = Callable[[], Awaitable[Settings]]
"""Reads the settings as at the start: same file, same environment, same flags."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a reload: why it was ``refused``, empty if it was not; what is ``new``, in words; and what is ``waiting``
    for a restart.
    """

    refused: str = ""
    new: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration may have changed; ``reply`` hears once it is read and in force, or refused."""

    reply: Reply[Outcome] | None = None


Message = Reload | Stop | Down


@dataclass(frozen=True, slots=True)
class Means:
    """What it reloads by. ``look``: what the files look like from outside, None if nobody watches them. ``reloading`` is told
    when a reload begins and when it is over. ``account`` makes one that comes while we run.
    """

    reread: Reread
    look: Callable[[], Awaitable[object]] | None
    reloading: Callable[[bool], None]
    accounts: Accounts
    account: Callable[[str, str], Account]
    use_agent: Callable[[Config], Awaitable[None]]


async def run(
    ctx: Context[Message], services: Services, means: Means, spec_of: Callable[[Account], ChildSpec]
) -> None:
    """Reload whenever asked, and when the files have changed. At its own start it makes sure that everybody follows the settings
    in force: an earlier life may have ended between adopting them and handing them out.
    """
    ctx.ready()
    await handing.populate(ctx.system, services.policies, ADAPTERS)
    await handing.hand_out(ctx.system, services.policies)
    async with trio.open_nursery() as nursery:
        if means.look is not None:
            nursery.start_soon(watch, means.look, lambda: ctx.remind(Reload()))
        await _serve(ctx, services, means, spec_of)
        nursery.cancel_scope.cancel()


async def watch(look: Callable[[], Awaitable[object]], changed: Callable[[], None]) -> None:
    """Call ``changed`` each time the files are other ones than before, once they have stayed so for a moment."""
    known = await _seen(look, None)
    while True:
        await trio.sleep(LOOK_S)
        seen = await _seen(look, known)
        if seen == known:
            continue
        while known != seen:
            await trio.sleep(SETTLED_S)
            known, seen = seen, await _seen(look, seen)
        changed()


async def _seen(look: Callable[[], Awaitable[object]], before: object) -> object:
    """What the files look like; as ``before`` while the disk does not answer."""
    try:
        return await look()
    except GatewayError:
        return before


async def _serve(
    ctx: Context[Message], services: Services, means: Means, spec_of: Callable[[Account], ChildSpec]
) -> None:
    while True:
        match message := await ctx.receive():
            case Reload(reply):
                means.reloading(True)
                try:
                    outcome = await _reload(ctx.system, services, means, spec_of)
                finally:
                    means.reloading(False)
                if reply is not None:
                    reply.send(outcome)
            case Down():
                pass  # it watches nobody
            case Stop():
                return
            case _:
                assert_never(message)


async def _reload(
    system: System, services: Services, means: Means, spec_of: Callable[[Account], ChildSpec]
) -> Outcome:
    policies, rules = services.policies, services.policies.rules
    try:
        with trio.fail_after(READ_DEADLINE_S):
            settings = await means.reread()
        commands = catalogue.checked(
            settings.config.quick_commands,
            settings.access.roles.commands,
            services.commands.catalogue.extra,
        )
        accounts = means.accounts.changes(settings)
        gone = {":".join(key) for key in accounts.removed}
        adapters = [spec for spec in policies.built_in(ADAPTERS) if spec.id not in gone]
        adapters += (spec_of(means.account(*key)) for key in accounts.added)
        policies.adopt(settings.config.supervision, {ADAPTERS: adapters})
    except GatewayError as wrong:
        return await _refuse(services, wrong.failure.detail)
    except trio.TooSlowError:
        return await _refuse(services, f"the file was not read within {READ_DEADLINE_S:g} s")
    running = services.config
    new = list(_adopt(services, settings, commands))
    if means_another_agent(running, services.config):
        await means.use_agent(services.config)
        new.append(f"turns that begin from now on are answered by {services.agent.name}")
    means.accounts.adopt(settings)
    for key, capabilities in means.accounts.capabilities.items():
        services.adapters.configure(key[0], capabilities, key[1])
    for key in accounts.removed:
        services.adapters.forget(*key)
    await handing.populate(system, policies, ADAPTERS)
    for words in policies.unmatched():
        log.warning("%s", words)
    if adjusted := await handing.hand_out(system, policies):
        new.append(f"new restart policies for {', '.join(adjusted)}")
    elif _meant(rules) != _meant(policies.rules):
        new.append("the new restart policies change nothing for those who are there now")
    new += _movements(accounts)
    outcome = Outcome("", tuple(new), services.in_force.waiting)
    for one in new or (() if outcome.waiting else ("nothing has changed",)):
        log.info("reloaded: %s", one)
    if outcome.waiting:
        names = ", ".join(outcome.waiting)
        log.warning("%s changed in the file and will hold after a restart of the gateway", names)
    async with trio.open_nursery() as nursery:
        for platform, account in accounts.changed:
            nursery.start_soon(services.overview.renew, platform, account)
    return outcome


async def _refuse(services: Services, why: str) -> Outcome:
    """Say it in the log, the status and, once for each fault, to the operator."""
    log.error("not reloaded, the settings stay as they were: %s", why)
    known, services.in_force.problem = services.in_force.problem, services.overview.redact(why)
    if known != services.in_force.problem:
        first = services.in_force.problem.partition("\n")[0].replace(f"{services.overview.home}/", "")
        with trio.move_on_after(TELL_DEADLINE_S):
            text = texts.SETTINGS_REFUSED.format(why=quoted(first[:MOST_WORDS]))
            await services.notices.tell_homes("settings", text, lambda _: True)
    return Outcome(services.in_force.problem)


def _adopt(services: Services, settings: Settings, commands: catalogue.Catalogue) -> Iterator[str]:
    """Put in force what the next decisions ask for; yields what is new in words."""
    running, in_force = services.config, services.in_force
    in_force.problem = ""
    in_force.waiting = tuple(changes.waiting(running, settings.config))
    in_force.config = changes.in_force(running, settings.config)
    services.turns.total_tokens = in_force.config.limits.turns
    if changed := [key for key in changes.differing(running, in_force.config) if key not in OWN_NEWS]:
        yield f"new values of {', '.join(changed)}"
    if services.access.adopt(settings.access):
        yield "who may speak is decided by the new settings"
    if services.router.adopt(settings.homes):
        yield "home channels are those of the new settings"
    if services.commands.adopt(commands):
        yield "the quick commands are the new ones"


def means_another_agent(running: Config, wanted: Config) -> bool:
    """Whether turns are to be answered by an agent that is made anew."""
    made_of = (
        (one.model, one.agent.name, one.agent.max_tool_rounds, one.limits.turns) for one in (running, wanted)
    )
    return len(set(made_of)) > 1


def _movements(accounts: Changes) -> Iterator[str]:
    parts = {
        "new settings for": accounts.changed,
        "these adapters have come:": accounts.added,
        "these adapters have gone:": accounts.removed,
    }
    for what, keys in parts.items():
        if keys:
            yield f"{what} {', '.join(map(':'.join, keys))}"


def _meant(rules: Sequence[Rule]) -> list[tuple[str, Policy]]:
    """``rules`` without the places where they stand."""
    return [(rule.glob, rule.policy) for rule in rules]
