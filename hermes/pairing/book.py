"""Who asked to be let in and who was, on one account of a platform: a frozen state and what may happen to it.

    stranger ─ request ─▶ Issued · TooMany · Silent · Known          (at most one answer a user in ten minutes)
    operator ─ approve ─▶ Approved · Wrong · Locked                  (five wrong codes lock the account for an hour)
             ─ grant · revoke · clear_pending

Deviations from the original, on purpose: a lockout holds for codes that are right too, in both versions of it; what is
counted is counted by account and user, never by code; a success forgets the wrong codes before it; everything a person has
asked for goes with their approval; codes that were kept in clear (version 0.13) are never approved and take no place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hermes.pairing.codes import Fresh, matches, typed_code

CODE_TTL_S = 3600.0
ANSWER_EVERY_S = 600.0
LOCKOUT_S = 3600.0
MOST_PENDING = 3
MOST_ASKED = 10_000
"""Strangers answered in ten minutes; each is a row in a file that is written whole at each answer. Others hear nothing."""

MOST_FAILURES = 5
MOST_NAME_CHARACTERS = 200

Extra = Mapping[str, object]
"""Fields of a row that are not ours; they are written back as they were read."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A code that was given out: its hash and whom it lets in. Without a hash it is of version 0.13, and lets in nobody.

    ``event`` is the trace of the message that asked for it, ``chat_id`` where the person is told what has become of it.
    """

    user_id: str
    user_name: str
    created_at: float
    salt: str = ""
    hash: str = ""
    event: str = ""
    chat_id: str = ""
    thread_id: str = ""
    extra: Extra = field(default_factory=dict)

    def live(self, now: float) -> bool:
        """Can it still be approved, for its age? A clock that was set back makes no code live for longer than it said."""
        return abs(now - self.created_at) <= CODE_TTL_S


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody who was let in."""

    user_name: str
    approved_at: float
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asker:
    """A stranger who writes, and by which message, where."""

    user_id: str
    user_name: str
    event: str
    chat_id: str
    thread_id: str = ""


# --- what comes of it ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Issued:
    """They are to hear this code."""

    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TooMany:
    """They are to hear that others wait already; that counts as an answer."""


@dataclass(frozen=True, slots=True)
class Silent:
    """They are to hear nothing: they have had their answer, or the account is locked."""


@dataclass(frozen=True, slots=True)
class Known:
    """They have been let in already."""


Requested = Issued | TooMany | Silent | Known


@dataclass(frozen=True, slots=True)
class Approved:
    """They are in from now on; ``event`` and the chat are those they asked from, empty if nobody knows."""

    user_id: str
    user_name: str
    event: str = ""
    chat_id: str = ""
    thread_id: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """No code that is pending; ``failures`` so far. ``expired``: it was one, as far as that can still be known."""

    failures: int
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Locked:
    """No code is looked at before ``until``, also none that is right."""

    until: float


# --- the state ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PairingBook:
    """One account's. ``canonical`` gives the one form of an id: everything about a user is kept and compared in it.

    ``asked``: when each user was answered last. Every method returns what comes of it and the state after it; the same
    object if nothing has changed. ``now`` is in epoch seconds.
    """

    pending: Mapping[str, Pending] = field(default_factory=dict)
    approved: Mapping[str, Grant] = field(default_factory=dict)
    asked: Mapping[str, float] = field(default_factory=dict)
    failures: int = 0
    locked_until: float = 0.0
    canonical: Callable[[str], str] = str

    def request(self, asker: Asker, now: float, fresh: Fresh) -> tuple[Requested, "PairingBook"]:
        """A stranger writes, and ``fresh`` is the code they get if they get one.

        The same message again is one that was decided before and never ended, because the process died: nobody has seen
        that code, so this one takes its place.
        """
        user = self.canonical(asker.user_id)
        if user in self.granted():
            return Known(), self
        if not user or self.locked(now):
            return Silent(), self
        book = self._pruned(now)
        unseen = {
            name
            for name, one in book.pending.items()
            if asker.event and one.event == asker.event and self.canonical(one.user_id) == user
        }
        if not unseen and (user in book.asked or len(book.asked) >= MOST_ASKED):
            return Silent(), self
        pending = {name: one for name, one in book.pending.items() if name not in unseen}
        book = replace(book, asked={**book.asked, user: now})
        if sum(bool(one.hash) for one in pending.values()) >= MOST_PENDING:
            return TooMany(), book
        name = asker.user_name[:MOST_NAME_CHARACTERS]
        entry = Pending(user, name, now, fresh.salt, fresh.hash, asker.event, asker.chat_id, asker.thread_id)
        return Issued(fresh.code), replace(book, pending={**pending, fresh.entry_id: entry})

    def approve(self, code: str, now: float) -> tuple[Approved | Wrong | Locked, "PairingBook"]:
        """The operator types ``code``, as they like. It is compared with every one there is, found or not."""
        if self.locked(now):
            return Locked(self.locked_until), self
        typed = typed_code(code)
        found = [
            one for one in self.pending.values() if typed and one.hash and matches(typed, one.salt, one.hash)
        ]
        book = self._pruned(now)
        live = next((one for one in found if one.live(now)), None)
        if live is None:
            failures = book.failures + 1
            if failures >= MOST_FAILURES:
                until = now + LOCKOUT_S
                return Locked(until), replace(book, failures=0, locked_until=until)
            return Wrong(failures, expired=bool(found)), replace(book, failures=failures)
        book = book._let_in(live.user_id, live.user_name, now)
        approved = Approved(
            self.canonical(live.user_id), live.user_name, live.event, live.chat_id, live.thread_id
        )
        return approved, replace(book, failures=0)

    def grant(self, user_id: str, user_name: str, now: float) -> tuple[Approved, "PairingBook"]:
        """The operator lets ``user_id`` in without a code: whatever strangers have done to the places, this works."""
        user = self.canonical(user_id)
        asked = [one for one in self.pending.values() if self.canonical(one.user_id) == user]
        last = max(asked, key=lambda one: one.created_at, default=Pending(user, "", now))
        name = user_name or last.user_name
        approved = Approved(user, name, last.event, last.chat_id, last.thread_id)
        return approved, self._let_in(user, name, now)

    def revoke(self, user_id: str) -> tuple[bool, "PairingBook"]:
        """Let ``user_id`` in no more, in whichever form the id stands; False if they were not let in."""
        user = self.canonical(user_id)
        approved = {name: grant for name, grant in self.approved.items() if self.canonical(name) != user}
        if len(approved) == len(self.approved):
            return False, self
        return True, replace(self, approved=approved)

    def forget(self, user_id: str) -> tuple[bool, "PairingBook"]:
        """Keep nothing of ``user_id``; True if they were let in."""
        user = self.canonical(user_id)
        was_in, book = self.revoke(user_id)
        pending = {name: one for name, one in self.pending.items() if self.canonical(one.user_id) != user}
        asked = {name: at for name, at in self.asked.items() if name != user}
        return was_in, replace(book, pending=pending, asked=asked)

    def clear_pending(self) -> tuple[int, "PairingBook"]:
        """Forget every code that was given out; how many those were."""
        return len(self.pending), replace(self, pending={}) if self.pending else self

    def granted(self) -> frozenset[str]:
        """Whom this lets in, in canonical form; an id that has none is nobody's."""
        return frozenset(map(self.canonical, self.approved)) - {""}

    def locked(self, now: float) -> bool:
        """Is the account locked? Not for longer than a lockout lasts, whatever was done to the clock."""
        return now < self.locked_until <= now + LOCKOUT_S

    def _let_in(self, user_id: str, user_name: str, now: float) -> "PairingBook":
        user = self.canonical(user_id)
        extra: Extra = {}
        for name, grant in self.approved.items():
            if self.canonical(name) == user:
                extra = {**extra, **grant.extra}
        others = {name: grant for name, grant in self.approved.items() if self.canonical(name) != user}
        pending = {name: one for name, one in self.pending.items() if self.canonical(one.user_id) != user}
        return replace(self, approved={**others, user: Grant(user_name, now, extra)}, pending=pending)

    def _pruned(self, now: float) -> "PairingBook":
        """Without what means nothing any more."""
        return replace(
            self,
            pending={name: one for name, one in self.pending.items() if one.live(now)},
            asked={user: at for user, at in self.asked.items() if abs(now - at) < ANSWER_EVERY_S},
            locked_until=self.locked_until if self.locked(now) else 0.0,
        )
