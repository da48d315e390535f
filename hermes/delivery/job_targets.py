"""Where the answer of a job goes: its targets, as the router takes them.

    local                  nobody is sent anything; each answer is kept in a file anyway
    origin                 the chat in which the job was made, else home
    telegram               that chat, if it is on telegram and in no other account, else telegram's home
    all                    every home, and of the platform on which the job was made, its chat

The rest is the router's: what is the same place is written to once, and what leads nowhere is refused in words.
"""

from collections.abc import Sequence

from hermes.delivery.targets import Place
from hermes.types.origin import DEFAULT_ACCOUNT

HOME = "home"


def targets(deliver: Sequence[str], origin: Place | None, homes: Sequence[Place]) -> list[str]:
    """One target each, as it is written; empty if nobody is to be told."""
    found: list[str] = []
    for text in deliver:
        match text.strip().casefold():
            case "" | "local":
                continue
            case "origin":
                found.append(HOME if origin is None else str(origin))
            case "all":
                found += [str(_nearest(home, origin)) for home in homes] or ["all"]
            case name if origin is not None and name == origin.platform and origin.account == DEFAULT_ACCOUNT:
                found.append(str(origin))
            case _:
                found.append(text.strip())
    return list(dict.fromkeys(found))


def asks_for_homes(deliver: Sequence[str]) -> bool:
    """Is it worth having looked where the homes are?"""
    return any(text.strip().casefold() == "all" for text in deliver)


def _nearest(home: Place, origin: Place | None) -> Place:
    if origin is None or (home.platform, home.account) != (origin.platform, origin.account):
        return home
    return origin
