"""Every command with what carries it out."""

from collections.abc import Mapping
from dataclasses import replace

from actors.commands import approvals, conversation, gateway, jobs, people, stretches
from actors.commands.reply import Answer, Ask, Handler, Prompt, Reply
from hermes.routing import busy
from hermes.store import queries
from hermes.store.command_ops import IfAtRest
from hermes.types import texts

HANDLERS: Mapping[str, Handler] = {
    **gateway.HANDLERS,
    **conversation.HANDLERS,
    **stretches.HANDLERS,
    **people.HANDLERS,
    **approvals.HANDLERS,
    **jobs.HANDLERS,
}


async def carry_out(ask: Ask) -> Answer:
    """What becomes of the command: nothing has happened yet. Reads the store; raises nothing that was to be expected.

    One that may not run while its conversation is at work is looked at twice: now, for the words, and in its commit.
    """
    services, command = ask.services, ask.command
    spec = services.commands.catalogue.find(command.name)
    if spec is None or spec.busy:
        return await _answer(HANDLERS.get(command.name, _quick), ask)
    at_work = texts.AT_WORK.format(name=command.name)
    if await services.store.read(queries.open_count, command.session_key):
        return Reply(at_work)
    answer = await _answer(HANDLERS[command.name], ask)
    if answer.effect is None:
        return answer
    answer = replace(answer, effect=IfAtRest(command.session_key, answer.effect))
    return replace(answer, otherwise=answer.otherwise or at_work) if isinstance(answer, Reply) else answer


async def _answer(handler: Handler, ask: Ask) -> Answer:
    answer = handler(ask)
    return answer if isinstance(answer, Reply | Prompt) else await answer


def _quick(ask: Ask) -> Prompt:
    """A program runs as a turn, so that /stop, deadlines and restarts find it; all else has a handler."""
    name, args = ask.command.name, ask.command.args
    return Prompt(f"/{name} {args}".rstrip(), f"{busy.QUICK}{name}")
