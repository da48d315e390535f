"""Who is owner and who is admin, as people write it. Pure.

roles:
  owner: ["telegram:123"]               # or telegram@work:123
  admin: ["person:5a1be4d2", "discord:456"]   # a person by the id that `hermes identity list` shows
  commands:
    user: [new, stop, undo]             # all that a user may use, besides /help, /whoami and /status
    guest: [stop]
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hermes.config.words import did_you_mean
from hermes.config.written import Written
from hermes.types.access import AccessRules, Members, Role
from hermes.types.people import UserRef, checked_name, parse_person

NAME = "roles"
"""The section's key."""

KEYS: Mapping[str, str] = {
    "owner": "Who may use everything: `platform:user`, `platform@account:user`, or `person:` and the id of a linked person.",
    "admin": "Who may use all but what is for owners; written in the same way.",
    "commands.user": "All commands for those who are neither, besides /help, /whoami and /status. Unset: each command says "
    "itself from which role on it may be used.",
    "commands.guest": "The same for those who are let in without being known. What is for admins is never for them.",
}

_PERSON = "person:"
_INVISIBLE = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Listed:
    """Names of commands, and where they were written."""

    names: frozenset[str]
    place: str


@dataclass(frozen=True, slots=True)
class Roles:
    """What the section says; ``given`` False: there is none."""

    given: bool = False
    owners: frozenset[UserRef | str] = frozenset()
    admins: frozenset[UserRef | str] = frozenset()
    commands: Mapping[Role, Listed] = field(default_factory=dict)

    @property
    def highest(self) -> Role:
        """The highest role that somebody is named for; a section that names nobody still keeps what is for admins."""
        return "owner" if self.owners else "admin" if self.given else "user"

    def over(self, rules: AccessRules, platform: str, account: str) -> AccessRules:
        """``rules`` of an account, with what is said here."""
        return replace(
            rules,
            owners=_on(self.owners, platform, account),
            admins=_on(self.admins, platform, account),
            commands={role: listed.names for role, listed in self.commands.items()},
            highest=self.highest,
        )


def _on(members: Iterable[UserRef | str], platform: str, account: str) -> Members:
    users = {
        one.user_id
        for one in members
        if isinstance(one, UserRef) and (one.platform, one.account) == (platform, account)
    }
    return Members(frozenset(users), frozenset(one for one in members if isinstance(one, str)))


def read_roles(section: Written) -> tuple[Roles, list[tuple[str, str]]]:
    """What ``section`` says, and what is wrong with it: places and reasons."""
    wrong: list[tuple[str, str]] = []
    if section.node is not None and not section.holds_keys:
        wrong.append((section.place, "expected owner, admin and commands, each with a list"))
    members: dict[str, frozenset[UserRef | str]] = {}
    commands: dict[Role, Listed] = {}
    for entry in section.entries:
        match entry.key[-1]:
            case "owner" | "admin" as role:
                members[role] = frozenset(_members(entry, wrong))
            case "commands":
                for listed in entry.entries:
                    match listed.key[-1]:
                        case "user" | "guest" as below:
                            names = frozenset(
                                name.removeprefix("/").lower() for name in _texts(listed, wrong)
                            )
                            commands[below] = Listed(names, listed.place)
                        case other:
                            wrong.append((listed.place, f"unknown role{_near(other, ('user', 'guest'))}"))
            case other:
                wrong.append((entry.place, f"unknown key{_near(other, ('owner', 'admin', 'commands'))}"))
    roles = Roles(
        bool(members or commands),
        members.get("owner", frozenset()),
        members.get("admin", frozenset()),
        commands,
    )
    return roles, wrong


def _members(entry: Written, wrong: list[tuple[str, str]]) -> Iterable[UserRef | str]:
    for text in _texts(entry, wrong):
        try:
            yield _member(text)
        except ValueError as error:
            wrong.append((entry.place, str(error)))


def _member(text: str) -> UserRef | str:
    if text.startswith(_PERSON):
        return checked_name(text.removeprefix(_PERSON))
    found = parse_person(text)
    if isinstance(found, str) or _INVISIBLE.search(found.user_id):
        raise ValueError(
            f"{text!r:.80} is nobody: ids decide, so write platform:user, or person: before a person's id"
        )
    return found


def _texts(entry: Written, wrong: list[tuple[str, str]]) -> list[str]:
    try:
        return [part.strip() for text in entry.texts() for part in text.split(",") if part.strip()]
    except ValueError as error:
        wrong.append((entry.place, str(error)))
        return []


def _near(name: str, names: Sequence[str]) -> str:
    return did_you_mean(name, names) or f"; there are {', '.join(names)}"
