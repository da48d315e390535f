"""200 random histories of an account against a model that was written from the mission's words alone."""

import random

import pytest

from hermes.pairing.book import Approved, Asker, Issued, Known, Locked, PairingBook, Silent, TooMany, Wrong
from hermes.pairing.codes import fresh_code
from hermes.testing.fakes import FakeIds

USERS = ("a", "b", "c", "d", "e")
STEPS = 80


class Model:
    """Plain lists and dictionaries; codes in clear."""

    def __init__(self):
        self.codes = []  # [code, user, made at, event]
        self.approved = set()
        self.answered = {}
        self.failures = 0
        self.locked_until = None

    def locked(self, now):
        return self.locked_until is not None and now < self.locked_until

    def request(self, user, event, now, code):
        if user in self.approved:
            return "known"
        if self.locked(now):
            return "silent"
        unseen = [one for one in self.codes if one[1] == user and one[3] == event and now - one[2] <= 3600]
        if not unseen and user in self.answered and now - self.answered[user] < 600:
            return "silent"
        self.answered[user] = now
        self.codes = [one for one in self.codes if one not in unseen]
        if len([one for one in self.codes if now - one[2] <= 3600]) == 3:
            return "too many"
        self.codes.append([code, user, now, event])
        return "issued"

    def approve(self, code, now):
        if self.locked(now):
            return "locked"
        for one in self.codes:
            if one[0] == code and now - one[2] <= 3600:
                self.approved.add(one[1])
                self.codes = [other for other in self.codes if other[1] != one[1]]
                self.failures = 0
                return f"approved {one[1]}"
        self.failures += 1
        if self.failures == 5:
            self.failures, self.locked_until = 0, now + 3600
            return "locked"
        return f"wrong {self.failures}"


def words(outcome):
    match outcome:
        case Issued():
            return "issued"
        case TooMany():
            return "too many"
        case Silent():
            return "silent"
        case Known():
            return "known"
        case Approved(user_id=user):
            return f"approved {user}"
        case Wrong(failures):
            return f"wrong {failures}"
        case Locked():
            return "locked"


@pytest.mark.parametrize("seed", range(200))
def test_the_book_does_what_the_model_does(seed):
    rng, ids = random.Random(seed), FakeIds(seed)
    book, model, now = PairingBook(), Model(), 1_772_618_400.0
    seen, events = ["ABCDEFGH"], []

    for n in range(STEPS):
        now += rng.choice((0, 1, 59, 599, 600, 601, 1800, 3599, 3600, 3601))
        user = rng.choice(USERS)
        step = rng.choices(("request", "approve", "grant", "revoke", "clear"), (8, 6, 1, 2, 1))[0]
        if step == "request":
            if events and rng.random() < 0.2:
                user, event = rng.choice(events)
            else:
                event = f"e{n}"
                events.append((user, event))
            fresh = fresh_code(ids)
            expected = model.request(user, event, now, fresh.code)
            outcome, book = book.request(Asker(user, user, event, user), now, fresh)
            if isinstance(outcome, Issued):
                seen.append(outcome.code)
        elif step == "approve":
            code = rng.choice(seen[-4:])
            expected = model.approve(code, now)
            outcome, book = book.approve(code, now)
        elif step == "grant":
            model.approved.add(user)
            model.codes = [one for one in model.codes if one[1] != user]
            expected = f"approved {user}"
            outcome, book = book.grant(user, "", now)
        elif step == "revoke":
            expected = user in model.approved
            model.approved.discard(user)
            outcome, book = book.revoke(user)
        else:
            model.codes = []
            expected = True
            outcome, book = True, book.clear_pending()[1]

        assert (outcome if isinstance(outcome, bool) else words(outcome)) == expected, (
            f"seed {seed}, step {n}: {step}"
        )
        assert book.granted() == model.approved, f"seed {seed}, step {n}"
        assert book.locked(now) == model.locked(now)
        alive = {one[0] for one in model.codes if now - one[2] <= 3600}
        assert sum(one.live(now) for one in book.pending.values()) == len(alive) <= 3
