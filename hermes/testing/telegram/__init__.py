"""A Telegram of our own on 127.0.0.1: the Bot API with people behind it, and everything that goes wrong with it.

    fake     it, put together        methods, media  what bots call             server   HTTP, and what breaks below it
    people   what they do and see    updates         polls and webhooks         faults   what can be planned
    world    chats, messages, files  texts, forms    what is taken, and how     control  a process, and orders to it

It refuses what Telegram refuses, in its words, and holds nothing against a client that Telegram does not; what it does not
know it does not have. ``python -m hermes.testing.telegram`` is it as a process.
"""

from hermes.testing.platform import Delay, HalfClose, Hang, Reset
from hermes.testing.telegram.fake import TOKEN, FakeTelegram
from hermes.testing.telegram.faults import CONFLICT, Drop, Fault, Html, Status
from hermes.testing.telegram.people import Seen
from hermes.testing.telegram.world import Chat, Person

__all__ = [
    "CONFLICT",
    "TOKEN",
    "Chat",
    "Delay",
    "Drop",
    "FakeTelegram",
    "Fault",
    "HalfClose",
    "Hang",
    "Html",
    "Person",
    "Reset",
    "Seen",
    "Status",
]
