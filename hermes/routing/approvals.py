"""Who may decide what an agent has asked for, and what they have said. Pure; ids decide, never names.

bare word ─┐
/approve ──┴─▶ Said ─▶ settle(speaker, said, pending) ─▶ Settle | Choose | Refuse
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hermes.types import texts
from hermes.types.access import Role
from hermes.types.agent import ApprovalRequest
from hermes.types.approvals import OPERATOR, Approval
from hermes.types.content import Outbound
from hermes.types.quoting import quoted, spelled_out

Verdict = Literal["approve", "deny"]

_WORDS: dict[str, Verdict] = {
    **dict.fromkeys(("approve", "yes", "ok", "okay", "confirm", "y", "👍"), "approve"),
    **dict.fromkeys(("deny", "no", "reject", "cancel", "n", "👎"), "deny"),
}
_AROUND = " \t\r\n.!,;…"
_SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")
_NUMBER = re.compile(r"#?0*([1-9][0-9]{0,8})")
_ID = re.compile(r"[0-9a-f]{8}")
_SHOWN_CHARACTERS = 32
REASON_CHARACTERS = 1_000

CLOCK_SLACK_S = 60.0
"""How much a platform's clock may be behind ours. A word that was written earlier than this before something was asked was
not an answer to it: it lay there while the gateway was away.
"""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who says something about an approval. ``user_id`` is canonical; ``at`` is when they wrote it, in epoch seconds."""

    platform: str
    account: str
    user_id: str
    role: Role
    at: float
    is_person: bool = True
    also: frozenset[tuple[str, str, str]] = frozenset()
    """The same person's other users, as (platform, account, canonical user)."""


@dataclass(frozen=True, slots=True)
class Said:
    """``which``: a number, an id, ``all``, or "" for the only one there is."""

    verdict: Verdict
    which: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Settle:
    """These are decided."""

    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing is decided, and this is said."""

    text: str


def bare_word(text: str) -> Verdict | None:
    """What a message says that is nothing but one of the words for it; in any case, with or without a full stop."""
    return _WORDS.get(_SKIN_TONES.sub("", text.strip(_AROUND)).casefold())


def read_args(verdict: Verdict, args: str) -> Said:
    """What stands behind ``/approve`` or ``/deny``. What names no approval is the reason of a denial, or an unknown name."""
    first, _, rest = args.strip().partition(" ")
    name = first.casefold()
    if number := _NUMBER.fullmatch(name):
        which = number[1]
    elif name in ("", "all") or _ID.fullmatch(name):
        which = name
    elif verdict == "approve":
        which = first[:_SHOWN_CHARACTERS]
    else:
        which, rest = "", args
    return Said(verdict, which, rest.strip()[:REASON_CHARACTERS] if verdict == "deny" else "")


def settle(speaker: Speaker, said: Said, pending: Sequence[Approval]) -> Settle | Refuse:
    """What ``said`` decides, of what waits in the very session that it was said in.

    A name that is not among ``pending`` is unknown, whatever it may be elsewhere: nobody learns what was asked in another
    conversation, nor that anything was. Internal events and bots decide nothing.
    """
    if not pending:
        unnamed = said.which in ("", "all")
        return Refuse(
            texts.APPROVAL_NONE if unnamed else texts.APPROVAL_UNKNOWN.format(which=quoted(said.which))
        )
    if said.which not in ("", "all"):
        named = [one for one in pending if said.which in (str(one.number), one.approval_id)]
        if not named:
            return Refuse(texts.APPROVAL_UNKNOWN.format(which=quoted(said.which)))
        return Settle(tuple(named)) if may_decide(speaker, named[0]) else Refuse(texts.APPROVAL_NOT_YOURS)
    mine = tuple(one for one in pending if may_decide(speaker, one))
    if not mine:
        return Refuse(texts.APPROVAL_NOT_YOURS)
    known = tuple(one for one in mine if speaker.at >= one.asked_at - CLOCK_SLACK_S)
    if not known:
        return Refuse(texts.APPROVAL_NONE)
    if len(known) > 1 and said.which != "all":
        numbers = ", ".join(str(one.number) for one in known)
        return Refuse(
            texts.APPROVAL_WHICH.format(numbers=numbers, command=said.verdict, first=known[0].number)
        )
    return Settle(known)


def settles_bare(speaker: Speaker, verdict: Verdict, pending: Sequence[Approval]) -> bool:
    """Is a bare word a decision? Only while exactly one thing waits in the session, and the speaker may decide it."""
    return len(pending) == 1 and isinstance(settle(speaker, Said(verdict), pending), Settle)


def may_decide(speaker: Speaker, approval: Approval) -> bool:
    """The person it was asked of, an admin or the owner; and nobody who is no person."""
    if not speaker.is_person:
        return False
    user = (approval.platform, approval.account, approval.user_id)
    mine = (speaker.platform, speaker.account, speaker.user_id)
    return speaker.role in ("owner", "admin") or (
        bool(approval.user_id) and (user == mine or user in speaker.also)
    )


def closed(shown: Outbound, asked: Approval, *, alone: bool, direct: bool) -> Outbound:
    """``shown`` once ``asked`` waits no more: what it asked for, and who has decided what. Not ``alone``: it is the last of
    several messages, and the others still say what it asked for. ``direct``: nobody else reads it.
    """
    mine = direct and asked.decided_by == f"{asked.platform}:{asked.user_id}"
    by = {OPERATOR: texts.APPROVAL_BY_OPERATOR}.get(asked.decided_by, asked.decided_by)
    said = texts.APPROVAL_CLOSED[asked.state].format(who=texts.APPROVAL_BY_YOU if mine else by)
    question, _, _how = shown.text.rpartition("\n\n")
    return replace(shown, text=f"{question}\n\n{said}" if alone else said)


def prompt(request: ApprovalRequest, *, for_admins: bool = False) -> str:
    """What the person is shown, in Markdown: all of it, the detail as it is, and what would not be seen in it spelled out: a
    command that runs must not read like another one.
    """
    said = texts.APPROVAL_ASK.format(action=spelled_out(" ".join(request.action.split())))
    if for_admins:
        said = f"{said} {texts.APPROVAL_FOR_ADMINS}"
    if not request.detail:
        return said
    detail = spelled_out(request.detail)
    # A block ends at a run of backticks as long as the one that opened it.
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", detail)), default=0))
    return f"{said}\n\n{fence}\n{detail}\n{fence}"
