"""The one table of dialects: who renders what."""

from collections.abc import Callable, Mapping

from hermes.render import discord, email, irc, markup, matrix, plain, signal, slack, telegram, whatsapp
from hermes.render.ir import Body, Document
from hermes.types.content import Dialect

RENDERERS: Mapping[Dialect, Callable[[Document], Body]] = {
    "markdown": markup.render,
    "plain": plain.render,
    "telegram": telegram.render,
    "slack": slack.render,
    "discord": discord.render,
    "whatsapp": whatsapp.render,
    "signal": signal.render,
    "matrix": matrix.render,
    "irc": irc.render,
    "email": email.render,
}


def body(document: Document, dialect: Dialect) -> Body:
    """``document`` as a platform of this dialect takes it; pure and total."""
    return RENDERERS[dialect](document)
