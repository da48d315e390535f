"""Commands about the gateway itself."""

from collections.abc import Mapping
from functools import partial

import trio

from actors.commands.reply import Ask, Handler, Reply, misused
from hermes.config.homes import HomeChannel
from hermes.delivery.targets import Place
from hermes.routing import answers
from hermes.routing.commands import described, listing
from hermes.store import command_ops, people_ops, queries
from hermes.types import texts
from hermes.types.errors import GatewayError
from hermes.types.origin import DEFAULT_ACCOUNT
from hermes.types.quoting import quoted

PLATFORM_DEADLINE_S = 10.0
"""How long the chat waits for an adapter that goes down or comes up; longer, and it is shown as it is then."""

LAST_EVENTS = 1_000
LAST_FAILURES = 5


def _help(ask: Ask) -> Reply:
    """Of one command, or all that its reader may use."""
    catalogue, name = ask.services.commands.catalogue, ask.command.args.removeprefix("/").lower()
    if not name:
        return Reply(f"{texts.HELP}\n\n{listing(catalogue.shown(ask.may))}")
    spec = catalogue.find(name) if ask.may(name) else None
    return Reply(described(spec) if spec else catalogue.unknown(name, ask.may))


def _commands(ask: Ask) -> Reply:
    return Reply(listing(ask.services.commands.catalogue.shown(ask.may)))


async def _status(ask: Ask) -> Reply:
    return Reply(answers.status_text(await ask.services.overview.status()))


def _version(ask: Ask) -> Reply:
    return Reply(f"hermes {ask.services.overview.version}")


def _model(ask: Ask) -> Reply:
    agent = ask.services.agent
    if agent.model:
        return Reply(texts.MODEL.format(model=quoted(agent.model)))
    return Reply(texts.MODEL_NONE.format(agent=agent.name))


def _voice(_ask: Ask) -> Reply:
    return Reply(texts.VOICE)


async def _sethome(ask: Ask) -> Reply:
    """The file first: killed between, the message comes again and says the same."""
    origin = ask.row.event.origin
    home = command_ops.SetHome(
        platform=origin.platform,
        account=origin.account,
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        name=origin.chat_name or origin.user_name or "",
        at=ask.services.clock.wall(),
    )
    kept = HomeChannel(home.chat_id, home.thread_id, home.name)
    await ask.services.router.keep_home(home.platform, home.account, kept)
    return Reply(texts.SET_HOME.format(platform=origin.platform), home)


async def _platform(ask: Ask) -> Reply:
    """Pausing and resuming twice is once, so it is done before the words are: they say what has come of it."""
    overview, origin = ask.services.overview, ask.row.event.origin
    match ask.command.args.split():
        case [] | ["list"]:
            return Reply(answers.platforms_text((await overview.status())["adapters"]))
        case ["pause" | "resume" as verb, name]:
            platform, _, account = name.partition(":")
            here = (platform, account or DEFAULT_ACCOUNT) == (origin.platform, origin.account)
            if verb == "pause" and here:
                return Reply(texts.PLATFORM_OWN)
            try:
                with trio.move_on_after(PLATFORM_DEADLINE_S):
                    await (overview.pause(name) if verb == "pause" else overview.resume(name))
            except GatewayError as refused:
                return Reply(refused.failure.detail)
            done = _audit(ask, f"platform {verb}", name)
            return Reply(answers.platforms_text((await overview.status())["adapters"]), done)
        case _:
            return misused(ask)


def _restart(ask: Ask) -> Reply:
    """First the words are committed, with the end of the row, so that nobody asks for it again; then it is done."""
    overview = ask.services.overview
    if not overview.supervised:
        return Reply(texts.RESTART_BY_HAND)
    origin = ask.row.event.origin
    place = Place(origin.platform, origin.account, origin.chat_id, origin.thread_id)
    after = partial(overview.restart_process, "/restart", place)
    return Reply(texts.RESTARTING, _audit(ask, "restart", ""), after=after)


async def _debug(ask: Ask) -> Reply:
    services = ask.services
    figures = await services.overview.status()
    failures = answers.last_failures(
        await services.store.read(queries.last_events, LAST_EVENTS), LAST_FAILURES
    )
    return Reply(answers.debug_text(figures, failures, ask.command.session_key))


def _update(ask: Ask) -> Reply:
    services, platform = ask.services, ask.row.event.origin.platform
    if not services.adapters.capabilities(platform).update_command:
        return Reply(texts.UPDATE_NOT_HERE.format(platform=platform))
    return Reply(texts.UPDATE.format(version=services.overview.version))


def _audit(ask: Ask, action: str, subject: str) -> people_ops.Audit:
    who = ask.services.people.side(ask.row.event.origin).user
    return people_ops.Audit(str(who), action, subject, "", ask.services.clock.wall())


HANDLERS: Mapping[str, Handler] = {
    "help": _help,
    "commands": _commands,
    "status": _status,
    "version": _version,
    "model": _model,
    "voice": _voice,
    "sethome": _sethome,
    "platform": _platform,
    "restart": _restart,
    "debug": _debug,
    "update": _update,
}
