"""Who may decide what an agent has asked for: the rule as a table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.routing.approvals import (
    CLOCK_SLACK_S,
    Refuse,
    Said,
    Settle,
    Speaker,
    bare_word,
    may_decide,
    prompt,
    read_args,
    settle,
    settles_bare,
)
from hermes.types import texts
from hermes.types.agent import ApprovalRequest
from hermes.types.approvals import Approval
from hermes.types.ids import SessionKey, TurnId

ASKED = 1000.0
ANN = Speaker("telegram", "default", "ann", "user", ASKED + 5)
ROLES = ("owner", "admin", "user", "guest")


def approval(number: int = 1, user: str = "ann", **more) -> Approval:
    return Approval(
        approval_id=f"{number:08x}",
        session_key=SessionKey("s"),
        number=number,
        turn_id=TurnId("t"),
        platform=more.pop("platform", "telegram"),
        account="default",
        chat_id="c",
        user_id=user,
        action="drop the database",
        detail="the secret detail",
        state="pending",
        asked_at=more.pop("asked_at", ASKED),
        expires_at=ASKED + 300,
    )


FIRST, SECOND = approval(1), approval(2)


@pytest.mark.parametrize(
    "word", ["approve", "yes", "ok", "okay", "confirm", "y", "👍", "YES", " Ok. ", "yes!", "y,", "👍🏽"]
)
def test_words_that_approve(word):
    assert bare_word(word) == "approve"


@pytest.mark.parametrize(
    "word", ["deny", "no", "reject", "cancel", "n", "👎", "NO!", "No.", "\nno\n", "👎🏿"]
)
def test_words_that_deny(word):
    assert bare_word(word) == "deny"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yes please",
        "no way",
        "yes?",
        "yess",
        "ye",
        "always",
        "session",
        "/yes",
        "ok ok",
        "👍👍",
        "> yes",
        "`yes`",
        "1",
    ],
)
def test_everything_else_is_text(text):
    assert bare_word(text) is None


@pytest.mark.parametrize(
    ("verdict", "args", "said"),
    [
        ("approve", "", Said("approve")),
        ("approve", "2", Said("approve", "2")),
        ("approve", "#2", Said("approve", "2")),
        ("approve", "007", Said("approve", "7")),
        ("approve", "ALL", Said("approve", "all")),
        ("approve", "00000002", Said("approve", "2")),
        ("approve", "DEADBEEF", Said("approve", "deadbeef")),
        ("approve", "2 please", Said("approve", "2")),
        ("approve", "always", Said("approve", "always")),
        ("approve", "x" * 99, Said("approve", "x" * 32)),
        ("deny", "", Said("deny")),
        ("deny", "2", Said("deny", "2")),
        ("deny", "2  too risky", Said("deny", "2", "too risky")),
        ("deny", "all not now", Said("deny", "all", "not now")),
        ("deny", "too risky", Said("deny", "", "too risky")),
        ("deny", "x" * 2000, Said("deny", "", "x" * 1000)),
    ],
)
def test_arguments(verdict, args, said):
    assert read_args(verdict, args) == said


@pytest.mark.parametrize(
    ("said", "pending", "outcome"),
    [
        (Said("approve"), [FIRST], Settle((FIRST,))),
        (Said("approve", "1"), [FIRST, SECOND], Settle((FIRST,))),
        (Said("deny", "00000002"), [FIRST, SECOND], Settle((SECOND,))),
        (Said("approve", "all"), [FIRST, SECOND], Settle((FIRST, SECOND))),
        (Said("approve", "all"), [FIRST, approval(2, "bob")], Settle((FIRST,))),
        (Said("approve"), [FIRST, approval(2, "bob")], Settle((FIRST,))),
        (
            Said("approve"),
            [FIRST, SECOND],
            Refuse(texts.APPROVAL_WHICH.format(numbers="1, 2", command="approve", first=1)),
        ),
        (Said("approve"), [], Refuse(texts.APPROVAL_NONE)),
        (Said("deny", "all"), [], Refuse(texts.APPROVAL_NONE)),
        (Said("approve", "7"), [], Refuse(texts.APPROVAL_UNKNOWN.format(which="`7`"))),
        (Said("approve", "7"), [FIRST], Refuse(texts.APPROVAL_UNKNOWN.format(which="`7`"))),
        (Said("approve"), [approval(1, "bob")], Refuse(texts.APPROVAL_NOT_YOURS)),
        (Said("approve", "1"), [approval(1, "bob")], Refuse(texts.APPROVAL_NOT_YOURS)),
        (Said("approve", "all"), [approval(1, "bob")], Refuse(texts.APPROVAL_NOT_YOURS)),
    ],
)
def test_what_a_user_s_word_settles(said, pending, outcome):
    assert settle(ANN, said, pending) == outcome


@pytest.mark.parametrize(
    ("speaker", "may"),
    [
        (ANN, True),
        (replace(ANN, role="guest"), True),
        (replace(ANN, user_id="bob"), False),
        (replace(ANN, user_id="bob", role="guest"), False),
        (replace(ANN, user_id="bob", role="admin"), True),
        (replace(ANN, user_id="bob", role="owner"), True),
        (replace(ANN, platform="discord"), False),
        (replace(ANN, account="work"), False),
        (replace(ANN, user_id=""), False),
        (
            replace(ANN, platform="discord", user_id="77", also=frozenset({("telegram", "default", "ann")})),
            True,
        ),
        (replace(ANN, is_person=False), False),
        (replace(ANN, role="owner", is_person=False), False),
    ],
)
def test_S18_only_the_requester_an_admin_or_the_owner_decides(speaker, may):
    assert may_decide(speaker, FIRST) is may
    assert isinstance(settle(speaker, Said("approve"), [FIRST]), Settle) is may
    assert settles_bare(speaker, "approve", [FIRST]) is may


def test_S18_what_was_asked_of_nobody_is_for_admins():
    nobody = replace(FIRST, user_id="")
    assert not may_decide(replace(ANN, user_id=""), nobody)
    assert may_decide(replace(ANN, role="admin"), nobody)


@given(
    st.sampled_from(["", "all", "1", "2", "9", "00000001", "ffffffff", "x"]),
    st.sampled_from(["approve", "deny"]),
    st.lists(st.sampled_from([approval(1, "bob"), approval(2, "eve"), approval(3, "")]), unique=True),
)
def test_S18_a_refusal_reveals_nothing_of_what_was_asked(which, verdict, pending):
    outcome = settle(ANN, Said(verdict, which), pending)
    assert isinstance(outcome, Refuse)
    for one in pending:
        assert one.action not in outcome.text
        assert one.detail not in outcome.text
        assert one.user_id == "" or one.user_id not in outcome.text.split()


def test_a_bare_word_counts_only_while_one_thing_waits():
    assert settles_bare(ANN, "approve", [FIRST])
    assert not settles_bare(ANN, "approve", [])
    assert not settles_bare(ANN, "approve", [FIRST, SECOND])
    assert not settles_bare(ANN, "approve", [FIRST, approval(2, "bob")])


def test_what_was_said_long_before_is_no_answer_to_it():
    early = replace(ANN, at=ASKED - CLOCK_SLACK_S - 1)
    assert not settles_bare(early, "approve", [FIRST])
    assert settle(early, Said("approve"), [FIRST]) == Refuse(texts.APPROVAL_NONE)
    assert settle(early, Said("approve", "all"), [FIRST]) == Refuse(texts.APPROVAL_NONE)
    assert settle(early, Said("approve", "1"), [FIRST]) == Settle((FIRST,)), "it has a name"
    assert settles_bare(replace(ANN, at=ASKED - CLOCK_SLACK_S), "approve", [FIRST])


def test_the_prompt_shows_all_of_it_as_it_is():
    assert prompt(ApprovalRequest("drop\n  it")) == "May I drop it?"
    assert prompt(ApprovalRequest("run", "rm -rf x")) == "May I run?\n\n```\nrm -rf x\n```"
    tricky = "echo ```\n\nMay I do nothing?\n````"
    assert prompt(ApprovalRequest("run", tricky)) == f"May I run?\n\n`````\n{tricky}\n`````"


def test_S23_a_name_of_no_approval_is_quoted_as_data() -> None:
    refused = settle(ANN, read_args("approve", "[y](http://z)"), [FIRST])
    assert isinstance(refused, Refuse)
    assert "`[y](http://z)`" in refused.text


def test_S23_the_prompt_hides_nothing_that_is_decided_on():
    """A right-to-left override turns a command into the look of another one; a carriage return overwrites it."""
    shown = prompt(ApprovalRequest("run\u200b it", "ls\u202e fr- mr\r\n\x1b[2K\tls \ud800é👍"))
    assert shown == "May I run\\u200b it?\n\n```\nls\\u202e fr- mr\\r\n\\x1b[2K\tls \\ud800é👍\n```"
