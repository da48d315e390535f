"""What a person asks of the built-in agent, read from plain words."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Greeting:
    """A hello, and nothing else."""


@dataclass(frozen=True, slots=True)
class Help:
    """What can you do?"""


@dataclass(frozen=True, slots=True)
class AddNote:
    """Remember this."""

    text: str


@dataclass(frozen=True, slots=True)
class ListNotes:
    """What have you remembered?"""


@dataclass(frozen=True, slots=True)
class ForgetNote:
    """Forget that."""

    note_id: int


@dataclass(frozen=True, slots=True)
class ForgetAll:
    """Forget all of them."""


@dataclass(frozen=True, slots=True)
class Search:
    """Where did we speak of this?"""

    query: str


@dataclass(frozen=True, slots=True)
class Status:
    """How is the gateway doing?"""


@dataclass(frozen=True, slots=True)
class Time:
    """What time is it?"""


@dataclass(frozen=True, slots=True)
class Echo:
    """Say this."""

    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """Anything else; a model would know."""

    text: str


Intent = (
    Greeting | Help | AddNote | ListNotes | ForgetNote | ForgetAll | Search | Status | Time | Echo | Other
)

_GREETING = re.compile(
    r"(hi|hello|hey|good (morning|afternoon|evening)|hallo|salut|hola)( there)?", re.IGNORECASE
)
_HELP = re.compile(r"help( me)?|what can you do", re.IGNORECASE)
_NOTES = re.compile(r"((list|show)( me)? )?(my )?notes", re.IGNORECASE)
_FORGET = re.compile(r"forget (?:note )?#?([0-9]{1,15})", re.IGNORECASE)
_FORGET_ALL = re.compile(
    r"forget (everything|(all )?(my |the )?notes|all( of (it|them|my notes|the notes))?)", re.IGNORECASE
)
_STATUS = re.compile(r"(gateway )?status|how are you( doing)?", re.IGNORECASE)
_TIME = re.compile(r"(the )?time|what time is it|what(’|')?s the time", re.IGNORECASE)
_NOTE = re.compile(r"(?:note|remember)\b[:,]?\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_SEARCH = re.compile(r"(?:search|find)\b(?: for\b)?[:,]?\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_ECHO = re.compile(r"echo\b:?\s+(\S.*)", re.IGNORECASE | re.DOTALL)


def read_intent(text: str) -> Intent:
    """Understand ``text``; never fails, whatever it holds. A question mark or full stop at the end of a short
    request is ignored.
    """
    text = text.strip()
    asked = text.rstrip("?!. ")
    if _GREETING.fullmatch(asked):
        return Greeting()
    if _HELP.fullmatch(asked) or text == "?":
        return Help()
    if _NOTES.fullmatch(asked):
        return ListNotes()
    if _STATUS.fullmatch(asked):
        return Status()
    if _TIME.fullmatch(asked):
        return Time()
    if found := _FORGET.fullmatch(asked):
        return ForgetNote(int(found[1]))
    if _FORGET_ALL.fullmatch(asked):
        return ForgetAll()
    if found := _NOTE.fullmatch(text):
        return AddNote(found[1])
    if found := _SEARCH.fullmatch(text):
        return Search(found[1])
    if found := _ECHO.fullmatch(text):
        return Echo(found[1])
    return Other(text)
