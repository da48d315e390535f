"""Commands that decide what an agent has asked for, and the bare words that mean the same."""

from collections.abc import Mapping, Sequence
from functools import partial

from actors.commands.reply import Ask, Handler, Prompt, Reply
from hermes.routing.approvals import Refuse, Said, Settle, Speaker, Verdict, read_args, settle, settles_bare
from hermes.store import approval_ops, approvals
from hermes.types import texts
from hermes.types.approvals import Approval


async def _decide(verdict: Verdict, ask: Ask) -> Reply | Prompt:
    """One commit with the end of the row; then the turn is woken. What waits is read from the table: another word for the
    same may have been first.
    """
    services, command = ask.services, ask.command
    pending = await services.store.read(approvals.pending, command.session_key)
    speaker = _speaker(ask, pending)
    if command.otherwise is None:
        said = read_args(verdict, command.args)
    elif settles_bare(speaker, verdict, pending):
        said = Said(verdict)
    else:
        return Prompt(command.args, command.otherwise.rule)
    match settle(speaker, said, pending):
        case Refuse(text):
            return Reply(text)
        case Settle(those):
            ids = tuple(one.approval_id for one in those)
            effect = approval_ops.Decide(
                approval_ids=ids,
                approved=verdict == "approve",
                by=f"{speaker.platform}:{speaker.user_id}",
                reason=said.reason,
                boot_id=services.boot_id,
                at=services.clock.wall(),
            )
            woken = partial(services.approvals.decided, ids)
            return Reply(_done(verdict, len(ids)), effect, otherwise=texts.APPROVAL_LATE, after=woken)


def _speaker(ask: Ask, pending: Sequence[Approval]) -> Speaker:
    event, origin, access = ask.row.event, ask.row.event.origin, ask.services.access
    rules = access.rules(origin.platform, origin.account)
    user_id = rules.canonical(origin.user_id or "")
    person = rules.person_of(user_id)
    return Speaker(
        platform=origin.platform,
        account=origin.account,
        user_id=user_id,
        role=ask.command.role,
        at=event.sent_at or event.received_at,
        is_person=not (origin.is_bot or event.internal),
        also=frozenset(
            (one.platform, one.account, one.user_id)
            for one in pending
            if person is not None and access.rules(one.platform, one.account).person_of(one.user_id) == person
        ),
    )


def _done(verdict: Verdict, count: int) -> str:
    if count == 1:
        return texts.APPROVED if verdict == "approve" else texts.DENIED
    return (texts.APPROVED_ALL if verdict == "approve" else texts.DENIED_ALL).format(count=count)


HANDLERS: Mapping[str, Handler] = {"approve": partial(_decide, "approve"), "deny": partial(_decide, "deny")}
