"""Every command with what carries it out."""

from collections.abc import Mapping

from actors.commands import approvals, conversation, gateway, people
from actors.commands.reply import Ask, Handler, Prompt, Reply

HANDLERS: Mapping[str, Handler] = {
    **gateway.HANDLERS,
    **conversation.HANDLERS,
    **people.HANDLERS,
    **approvals.HANDLERS,
}


async def carry_out(ask: Ask) -> Reply | Prompt:
    """What becomes of the command: nothing has happened yet. Reads the store; raises nothing that was to be expected."""
    return await HANDLERS[ask.command.name](ask)
