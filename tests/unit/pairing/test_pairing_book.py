"""The book: every row of the original's table, what differs from it on purpose, and what strangers try."""

import pytest

from hermes.pairing.book import (
    ANSWER_EVERY_S,
    CODE_TTL_S,
    LOCKOUT_S,
    MOST_ASKED,
    MOST_FAILURES,
    MOST_PENDING,
    Approved,
    Asker,
    Grant,
    Issued,
    Known,
    Locked,
    PairingBook,
    Pending,
    Silent,
    TooMany,
    Wrong,
)
from hermes.pairing.codes import fresh_code
from hermes.sessions.whatsapp import canonical
from hermes.testing.fakes import EPOCH_S, FakeIds

NOW = EPOCH_S
BAD = "ZZZZZZZZ"


class Account:
    """A book that changes, with a clock and codes of its own."""

    def __init__(self, book: PairingBook | None = None, seed: int = 0) -> None:
        self.book = book or PairingBook()
        self.now = NOW
        self._ids = FakeIds(seed)
        self._events = 0

    def request(self, user, event=None, name=""):
        self._events += 1
        asker = Asker(user, name, event or f"t{self._events}", f"chat of {user}")
        outcome, self.book = self.book.request(asker, self.now, fresh_code(self._ids))
        return outcome

    def code(self, user):
        outcome = self.request(user)
        assert isinstance(outcome, Issued)
        return outcome.code

    def __getattr__(self, name):
        def step(*args):
            now = (self.now,) if name in ("approve", "grant") else ()
            outcome, self.book = getattr(self.book, name)(*args, *now)
            return outcome

        return step


@pytest.fixture
def account():
    return Account()


def guess(account, times, code=BAD):
    return [account.approve(code) for _ in range(times)]


# --- the table of the original --------------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_original():
    assert (CODE_TTL_S, ANSWER_EVERY_S, LOCKOUT_S, MOST_PENDING, MOST_FAILURES) == (3600, 600, 3600, 3, 5)


def test_generate_then_again_at_once(account):
    assert len(account.code("u1")) == 8
    assert account.request("u1") == Silent()


def test_three_may_wait_and_a_fourth_may_not(account):
    assert [type(account.request(user)) for user in ("u1", "u2", "u3", "u4")] == [
        Issued,
        Issued,
        Issued,
        TooMany,
    ]
    account.now += CODE_TTL_S
    assert account.request("u4") == TooMany()
    account.now += 1
    account.now += ANSWER_EVERY_S
    assert isinstance(account.request("u4"), Issued)


def test_each_platform_and_each_user_has_its_own_limits(account):
    other = Account(seed=1)
    account.code("u1")
    assert isinstance(other.request("u1"), Issued)
    assert isinstance(account.request("u2"), Issued)


def test_approve_is_upper_cased_and_stripped(account):
    code = account.code("u1")
    assert account.approve(f" {code.lower()} ") == Approved("u1", "", "t1", "chat of u1")
    assert account.book.granted() == {"u1"}
    assert account.request("u1") == Known()


def test_the_same_code_again_is_a_failure(account):
    code = account.code("u1")
    account.approve(code)
    assert account.approve(code) == Wrong(1)


def test_S01_S04_five_failures_lock_this_account_for_an_hour_also_for_codes_that_are_right(account):
    code = account.code("u1")
    other = Account(seed=1)

    assert guess(account, 4) == [Wrong(1), Wrong(2), Wrong(3), Wrong(4)]
    until = account.now + LOCKOUT_S
    assert guess(account, 2) == [Locked(until), Locked(until)]
    assert account.approve(code) == Locked(until)
    assert account.request("u2") == Silent()
    assert isinstance(other.request("u2"), Issued)
    assert other.approve(BAD) == Wrong(1)

    account.now = until - 1
    assert account.approve(code) == Locked(until)
    account.now = until
    assert account.approve(BAD) == Wrong(1)
    assert isinstance(account.request("u2"), Issued)


def test_revoke_twice(account):
    account.grant("u1", "Ann")
    assert (account.revoke("u1"), account.revoke("u1")) == (True, False)
    assert account.book.granted() == frozenset()


def test_clear_pending_says_how_many(account):
    for user in ("u1", "u2", "u3"):
        account.code(user)
    assert (account.clear_pending(), account.clear_pending()) == (3, 0)
    account.now += ANSWER_EVERY_S
    assert isinstance(account.request("u4"), Issued)


# --- what differs ----------------------------------------------------------------------------------------------------------


def test_a_success_forgets_the_failures_before_it(account):
    code = account.code("u1")
    guess(account, 4)
    account.approve(code)
    assert guess(account, 4)[-1] == Wrong(4)


def test_S02_every_new_guess_counts_on_the_same_account(account):
    outcomes = [account.approve(f"ABCDEFG{n}") for n in range(2, 7)]
    assert outcomes == [Wrong(1), Wrong(2), Wrong(3), Wrong(4), Locked(account.now + LOCKOUT_S)]


def test_codes_that_were_kept_in_clear_are_never_approved_and_take_no_place(account):
    clear = {f"FNCJV5E{letter}": Pending("222", "Bob", NOW) for letter in "CDE"}
    account.book = PairingBook(pending=clear)

    assert account.approve("FNCJV5EC") == Wrong(1)
    assert isinstance(account.request("u1"), Issued)
    assert clear.keys() <= account.book.pending.keys()
    account.now += CODE_TTL_S + 1
    account.code("u2")
    assert not clear.keys() & account.book.pending.keys()


def test_the_same_message_decided_again_makes_a_new_code_in_place_of_the_one_that_nobody_saw(account):
    first = account.request("u1", "trace-1")
    account.now += 30
    second = account.request("u1", "trace-1")

    assert isinstance(second, Issued)
    assert second != first
    assert len(account.book.pending) == 1
    assert account.approve(first.code) == Wrong(1)
    assert account.approve(second.code) == Approved("u1", "", "trace-1", "chat of u1")


def test_the_trace_of_another_user_replaces_nothing(account):
    account.request("u1", "trace-1")
    assert isinstance(account.request("u2", "trace-1"), Issued)
    assert len(account.book.pending) == 2


def test_a_rejection_counts_as_the_answer(account):
    for user in ("u1", "u2", "u3"):
        account.code(user)
    assert (account.request("u4"), account.request("u4")) == (TooMany(), Silent())


def test_with_one_approval_go_all_codes_of_that_person(account):
    first = account.code("u1")
    account.now += ANSWER_EVERY_S
    second = account.code("u1")
    assert isinstance(account.approve(first), Approved)
    assert account.book.pending == {}
    assert account.approve(second) == Wrong(1)


# --- what people try -----------------------------------------------------------------------------------------------------


def test_S11_an_expired_code_is_told_apart_and_counts(account):
    code = account.code("u1")
    account.now += CODE_TTL_S
    assert isinstance(Account(account.book).approve(code), Approved)  # to the second
    account.now += 1
    assert account.approve(code) == Wrong(1, expired=True)
    assert account.approve(code) == Wrong(2)  # and is gone by now


@pytest.mark.parametrize(
    "make", [str.lower, lambda code: code + "A", lambda code: code[:-1], lambda code: code * 1250]
)
def test_S11_only_the_code_itself_is_right(account, make):
    code = account.code("u1")
    right = make(code).upper() == code
    assert isinstance(account.approve(make(code)), Approved if right else Wrong)


def test_S11_a_code_of_another_platform_is_wrong(account):
    code = Account(seed=9).code("u1")
    account.code("u1")
    assert account.approve(code) == Wrong(1)


def test_S11_a_thousand_senders_fill_the_places_and_the_owner_lets_a_friend_in(account):
    for n in range(1000):
        account.request(f"s{n}")
    assert len(account.book.pending) == MOST_PENDING
    guess(account, 5)

    assert account.grant("friend", "A friend") == Approved("friend", "A friend")
    assert account.request("friend") == Known()


def test_S11_however_many_strangers_write_only_so_many_are_remembered(account):
    """Each is a row in a file that is read whole, up to a limit, and written whole."""
    account.book = PairingBook(asked={f"s{n}": NOW for n in range(MOST_ASKED - 1)})
    assert isinstance(account.request("last"), Issued)
    assert account.request("late") == Silent()
    assert len(account.book.asked) == MOST_ASKED
    account.now += ANSWER_EVERY_S
    assert isinstance(account.request("late"), Issued)
    assert len(account.book.asked) == 1


def test_who_has_asked_is_granted_with_their_name_and_chat(account):
    account.request("u1", "trace-1", "Ann")
    assert account.grant("u1", "") == Approved("u1", "Ann", "trace-1", "chat of u1")
    assert account.book.pending == {}


def test_a_name_is_not_endless(account):
    account.request("u1", name="x" * 100_000)
    (entry,) = account.book.pending.values()
    assert len(entry.user_name) == 200


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer(account):
    code = account.code("u1")
    guess(account, 5)
    account.now -= 86_400
    assert account.approve(code) == Wrong(1, expired=True)
    assert isinstance(account.request("u1"), Issued)


def test_two_forms_of_one_id_are_one_user():
    aliases = {"999000111222": "15551234567"}
    account = Account(PairingBook(
        approved={"4915@s.whatsapp.net": Grant("Kim", 1.0)}, canonical=lambda user: canonical(user, aliases)
    ))  # fmt: skip
    code = account.code("15551234567@s.whatsapp.net")
    assert account.request("999000111222@lid") == Silent()
    assert account.approve(code).user_id == "15551234567"
    assert account.request("999000111222:3@lid") == Known()
    assert account.request("4915") == Known()
    assert account.revoke("+4915:2@s.whatsapp.net")
    assert account.book.granted() == {"15551234567"}
    assert account.request("@s.whatsapp.net") == Silent()  # nobody's id


def test_who_is_forgotten_stands_nowhere(account):
    code = account.code("u1")
    account.code("u2")
    assert account.forget("u1") is False
    assert account.approve(code) == Wrong(1)
    account.grant("u1", "Ann")
    assert account.forget("u1") is True
    assert "u1" not in repr(account.book)
    assert len(account.book.pending) == 1
