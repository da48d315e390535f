"""Whose conversation a direct message is, of people who are linked: a table, and what must hold for everybody."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.sessions.keys import DEFAULT_RULES, build_session_key
from hermes.sessions.people import People, guessed_key, own_key, session_key_for, shares_with
from hermes.types.ids import SessionKey
from hermes.types.origin import Origin
from hermes.types.people import Member, Person, UserRef

ANN_T = UserRef("telegram", "default", "1")
ANN_D = UserRef("discord", "default", "2")
ANN_W = UserRef("telegram", "work", "3")
ANN_C = UserRef("console", "default", "ann")
T_KEY = SessionKey("agent:main:telegram:dm:1")
D_KEY = SessionKey("agent:main:discord:dm:77")
W_KEY = SessionKey("agent:main:telegram@work:dm:3")
C_KEY = SessionKey("agent:main:console:dm:ann")


def member(user: UserRef, key: SessionKey, *, every_dm: bool = False) -> Member:
    return Member(user, "p", key, every_dm, 1.0)


ANN = Person(
    "p",
    "",
    T_KEY,
    1.0,
    (member(ANN_T, T_KEY), member(ANN_D, D_KEY), member(ANN_W, W_KEY, every_dm=True), member(ANN_C, C_KEY)),
)
PEOPLE = People.of([ANN], lambda user: user)


def dm(user: UserRef, chat_id: str, **more) -> Origin:
    return Origin(user.platform, chat_id, account=user.account, user_id=user.user_id, **more)


def key_of(origin: Origin, scope="per_person", people=PEOPLE) -> str:
    user = UserRef(origin.platform, origin.account, origin.user_id or "")
    return session_key_for(build_session_key(origin), origin, user, people, scope)


@pytest.mark.parametrize(
    ("origin", "per_person", "per_platform", "per_chat"),
    [
        (dm(ANN_T, "1"), T_KEY, T_KEY, T_KEY),
        (dm(ANN_D, "77"), T_KEY, D_KEY, D_KEY),
        (dm(ANN_W, "3"), T_KEY, T_KEY, W_KEY),
        # Linked in one chat: another one of the same user is another conversation.
        (dm(ANN_D, "78"), *["agent:main:discord:dm:78"] * 3),
        (dm(ANN_C, "ann:work"), *["agent:main:console:dm:ann:work"] * 3),
        (dm(ANN_C, "ann"), T_KEY, C_KEY, C_KEY),
        # Linked by id: every direct chat of that user.
        (dm(ANN_W, "other"), T_KEY, T_KEY, "agent:main:telegram@work:dm:other"),
        # Threads, groups and other people are nobody's but their own.
        (dm(ANN_D, "77", thread_id="t"), *["agent:main:discord:dm:77:t"] * 3),
        (dm(ANN_W, "3", thread_id="t"), *["agent:main:telegram@work:dm:3:t"] * 3),
        (dm(ANN_D, "77", chat_type="group"), *["agent:main:discord:group:77:2"] * 3),
        (dm(ANN_W, "g", chat_type="group"), *["agent:main:telegram@work:group:g:3"] * 3),
        (dm(replace(ANN_D, account="work"), "77"), *["agent:main:discord@work:dm:77"] * 3),
        (dm(replace(ANN_D, user_id="9"), "77"), *[D_KEY] * 3),
    ],
)
def test_a_linked_users_message_goes_where_the_scope_says(origin, per_person, per_platform, per_chat):
    assert key_of(origin, "per_person") == per_person
    assert key_of(origin, "per_platform") == per_platform
    assert key_of(origin, "per_chat") == per_chat


IDS = st.text("ab:@1", min_size=1, max_size=3)
ORIGINS = st.builds(
    Origin,
    platform=st.sampled_from(["telegram", "discord", "console"]),
    chat_id=IDS,
    account=st.sampled_from(["default", "work"]),
    chat_type=st.sampled_from(["dm", "group", "thread"]),
    thread_id=st.none() | IDS,
    user_id=st.none() | IDS,
)
SCOPES = st.sampled_from(["per_person", "per_platform", "per_chat"])


@st.composite
def populations(draw):
    """Persons of two to four users, nobody twice, each person's conversation being one of their own."""
    users = draw(
        st.lists(
            st.builds(UserRef, st.sampled_from(["telegram", "discord"]), st.just("default"), IDS),
            unique=True,
            min_size=2,
            max_size=8,
        )
    )
    persons = []
    while len(users) >= 2:
        mine, users = users[: (size := draw(st.integers(2, 4)))], users[size:]
        members = tuple(
            Member(user, f"p{len(persons)}", guessed_key(user, DEFAULT_RULES), draw(st.booleans()), 1.0)
            for user in mine
        )
        persons.append(Person(f"p{len(persons)}", "", members[0].own_key, 1.0, members))
    return People.of(persons, lambda user: user)


@given(ORIGINS, populations(), SCOPES)
def test_only_a_linked_users_direct_message_without_thread_ever_moves(origin, people, scope):
    own = build_session_key(origin)
    key = key_of(origin, scope, people)
    if key != own:
        assert origin.chat_type == "dm"
        assert not origin.thread_id
        assert scope != "per_chat"
        mine = people.members[UserRef(origin.platform, origin.account, origin.user_id)]
        assert key in {other.own_key for other in people.persons[mine.person_id].members}


@given(populations(), SCOPES)
def test_two_people_never_share_a_conversation_and_one_person_does_as_the_scope_says(people, scope):
    keys = {}
    for user, mine in people.members.items():
        origin = Origin(user.platform, user.user_id, account=user.account, user_id=user.user_id)
        keys.setdefault(mine.person_id, []).append((user.platform, key_of(origin, scope, people)))
    for person_id, found in keys.items():
        others = {key for other, theirs in keys.items() if other != person_id for _, key in theirs}
        assert others.isdisjoint(key for _, key in found)
        conversations = {key for _, key in found}
        match scope:
            case "per_person":
                assert len(conversations) == 1
            case "per_platform":
                assert len(conversations) == len({platform for platform, _ in found})
            case "per_chat":
                assert len(conversations) == len(found)


def test_aliases_of_one_id_are_one_member():
    canonical = lambda user: replace(user, user_id=user.user_id.casefold())  # noqa: E731
    people = People.of([replace(ANN, members=(member(replace(ANN_D, user_id="A@x"), D_KEY),))], canonical)
    assert UserRef("discord", "default", "a@x") in people.members


def test_a_user_who_is_named_by_id_has_the_chat_of_that_id_and_the_web_its_main_one():
    assert guessed_key(ANN_W, DEFAULT_RULES) == W_KEY
    assert (
        guessed_key(UserRef("webchat", "default", "operator"), DEFAULT_RULES) == "agent:main:webchat:dm:main"
    )
    assert guessed_key(ANN_C, DEFAULT_RULES) == C_KEY
    assert own_key(dm(ANN_D, "77", thread_id="t"), DEFAULT_RULES) == D_KEY


@pytest.mark.parametrize(
    ("scope", "there", "here"),
    [("per_person", True, True), ("per_platform", True, False), ("per_chat", False, False)],
)
def test_who_is_linked_leaves_their_conversation_where_it_is_shared(scope, there, here):
    assert shares_with({"telegram"}, "telegram", scope) is there
    assert shares_with({"telegram"}, "discord", scope) is here
