"""Commands about what was said in a conversation: taken back, answered again, copied, named, taken up, counted."""

from collections.abc import Mapping, Sequence

from actors.commands.reply import Ask, Handler, Prompt, Reply, misused
from hermes.routing import answers
from hermes.routing.commands import parse_command
from hermes.sessions.ids import new_session_id
from hermes.store import command_ops, ops, stretches
from hermes.store.stretches import Exchange, LastSaid
from hermes.types import texts
from hermes.types.ids import SessionId, SessionKey
from hermes.types.quoting import one_line, quoted
from hermes.types.records import Stretch

MOST_UNDONE = 100
MOST_LISTED = 20
BEFORE = "b"
"""What the numbers of stretches from before a link begin with."""


async def _undo(ask: Ask) -> Reply:
    wanted = ask.command.args or "1"
    if not wanted.isdecimal() or not 0 < int(wanted[:9]) <= MOST_UNDONE:
        return misused(ask)
    key = ask.command.session_key
    found = await ask.services.store.read(stretches.exchanges, key, int(wanted))
    if found is None or not found[1]:
        return Reply(texts.NOTHING_SAID)
    session_id, last = found
    words = texts.UNDONE_ONE if len(last) == 1 else texts.UNDONE
    return Reply(words.format(count=len(last), said=quoted(last[0].said)), _taken_back(ask, session_id, last))


async def _retry(ask: Ask) -> Reply | Prompt:
    """The messages themselves are routed again, so what a shared conversation wrote before them is not said twice."""
    store, key = ask.services.store, ask.command.session_key
    last = await store.read(stretches.last_said, key)
    if last is None:
        return Reply(texts.NOTHING_SAID)
    text = "\n\n".join(event.text for event in last.events if event.text)
    if parse_command(text) is not None:  # what a program was run with; its gate stands at its own name
        return Reply(texts.RETRY_COMMAND.format(command=quoted(text)))
    if not text or any(event.attachments for event in last.events):
        return Reply(texts.RETRY_ATTACHMENT)
    return Prompt(text, ask.command.rule, await _without(ask, last))


async def _without(ask: Ask, last: LastSaid) -> command_ops.Undo | None:
    """What takes the exchange back that is to be had again; one that was stopped is none."""
    found = await ask.services.store.read(stretches.exchanges, ask.command.session_key, 1)
    if last.turn_id is None or found is None:
        return None
    return command_ops.Undo(ask.command.session_key, found[0], (last.turn_id,), ask.services.clock.wall())


def _taken_back(ask: Ask, session_id: SessionId, last: Sequence[Exchange]) -> command_ops.Undo:
    turns = tuple(exchange.turn_id for exchange in last)
    return command_ops.Undo(ask.command.session_key, session_id, turns, ask.services.clock.wall())


async def _branch(ask: Ask) -> Reply:
    services, key = ask.services, ask.command.session_key
    known = await services.store.read(stretches.stretches, key)
    present = next((one for one in known if one.present and one.lines), None)
    if present is None:
        return Reply(texts.NOTHING_SAID)
    title = one_line(ask.command.args) or one_line(
        texts.COPY_OF.format(title=present.title or present.number)
    )
    words = texts.BRANCHED.format(title=quoted(title), number=present.number)
    return Reply(words, _copy(ask, key, present, title, "branched"))


def _copy(ask: Ask, source: SessionKey, stretch: Stretch, title: str, reason: str) -> command_ops.Branch:
    now = ask.services.clock.wall()
    fresh = new_session_id(now, ask.services.ids)
    return command_ops.Branch(ask.command.session_key, source, stretch.session_id, fresh, title, reason, now)


async def _title(ask: Ask) -> Reply:
    key, title = ask.command.session_key, one_line(ask.command.args)
    if title:
        words = texts.TITLED.format(title=quoted(title))
        return Reply(words, command_ops.SetTitle(key, title), otherwise=texts.NO_CONVERSATION)
    present = await ask.services.store.read(stretches.title, key)
    return Reply(texts.TITLE.format(title=quoted(present)) if present else texts.NO_TITLE)


async def _sessions(ask: Ask) -> Reply:
    known = await ask.services.store.read(stretches.stretches, ask.command.session_key)
    before = await _from_before(ask)
    if not known and not before:
        return Reply(texts.NO_CONVERSATION)
    lines = answers.stretches_text(known, "", MOST_LISTED)
    if before:
        lines += f"\n\n{texts.FROM_BEFORE}\n{answers.stretches_text(before, BEFORE, MOST_LISTED)}"
    return Reply(lines)


async def _resume(ask: Ask) -> Reply:
    """Without an argument: what a trouble has set aside, else what was before."""
    key, wanted, now = ask.command.session_key, ask.command.args, ask.services.clock.wall()
    rule = ask.command.rule
    if not wanted:
        resumed = ops.Resume(key, None, rule, now)
        return Reply(texts.RESUMED_LAST, resumed, otherwise=texts.NOTHING_BEFORE)
    known = await ask.services.store.read(stretches.stretches, key)
    if (found := _meant(wanted, known, "")) is not None:
        words = texts.RESUMED.format(title=answers.called(found))
        return Reply(words, ops.Resume(key, found.session_id, rule, now), otherwise=texts.NOTHING_BEFORE)
    own_key = _own_key(ask)
    before = await _from_before(ask)
    if own_key is not None and (found := _meant(wanted, before, BEFORE)) is not None:
        words = texts.RESUMED.format(title=answers.called(found))
        return Reply(words, _copy(ask, own_key, found, found.title, "session_switch"))
    return Reply(texts.NO_SUCH_STRETCH.format(wanted=quoted(wanted)))


def _meant(wanted: str, known: Sequence[Stretch], prefix: str) -> Stretch | None:
    """By its number, else by its title, else by the only title that begins so."""
    words = wanted.casefold()
    by_number = [one for one in known if f"{prefix}{one.number}" == words]
    by_title = [one for one in known if one.title.casefold() == words]
    begun = [one for one in known if one.title.casefold().startswith(words)]
    for found in (by_number, by_title[-1:], begun):
        if len(found) == 1:
            return found[0]
    return None


async def _from_before(ask: Ask) -> Sequence[Stretch]:
    """What who asks had said in a conversation of their own, before they were linked into this one."""
    own_key = _own_key(ask)
    if own_key is None:
        return ()
    known = await ask.services.store.read(stretches.stretches, own_key)
    return [one for one in known if one.lines]


def _own_key(ask: Ask) -> SessionKey | None:
    origin, people = ask.row.event.origin, ask.services.people
    member = people.person_of(origin.platform, origin.account, origin.user_id or "")
    if member is None or people.person(member.person_id).session_key != ask.command.session_key:
        return None
    return None if member.own_key == ask.command.session_key else member.own_key


async def _usage(ask: Ask) -> Reply:
    present, whole = await ask.services.store.read(stretches.usage, ask.command.session_key)
    return Reply(answers.usage_text(present, whole))


HANDLERS: Mapping[str, Handler] = {
    "undo": _undo,
    "retry": _retry,
    "branch": _branch,
    "title": _title,
    "sessions": _sessions,
    "resume": _resume,
    "usage": _usage,
}
