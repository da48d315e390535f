from dataclasses import replace

import pytest

from hermes.sessions.keys import KeyRules, build_session_key, chat_type_in, is_shared, sender_prefix
from hermes.types.ids import SessionKey
from hermes.types.origin import Origin

SHARED_GROUPS = KeyRules(group_sessions_per_user=False)
OWN_THREADS = KeyRules(thread_sessions_per_user=True)
OWN_THREADS_IN_SHARED_GROUPS = KeyRules(group_sessions_per_user=False, thread_sessions_per_user=True)

PHONE_JID, LID = "15551234567@s.whatsapp.net", "999999999999999@lid"
KNOWN_PERSON = KeyRules(whatsapp_aliases={"999999999999999": PHONE_JID, "15551234567_reverse": LID})


def origin(platform: str, chat_type: str, chat_id: str = "", **more: str) -> Origin:
    return Origin(platform, chat_id, chat_type=chat_type, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "rules", "key"),
    [
        (origin("telegram", "dm", "99"), KeyRules(), "agent:main:telegram:dm:99"),
        (
            origin("telegram", "dm", "99", thread_id="topic-1"),
            KeyRules(),
            "agent:main:telegram:dm:99:topic-1",
        ),
        (origin("telegram", "dm", user_id="7"), KeyRules(), "agent:main:telegram:dm:7"),
        (origin("telegram", "dm", user_id="7", thread_id="t"), KeyRules(), "agent:main:telegram:dm:7:t"),
        (origin("telegram", "dm", thread_id="t"), KeyRules(), "agent:main:telegram:dm:t"),
        (origin("telegram", "dm"), KeyRules(), "agent:main:telegram:dm"),
        (origin("discord", "dm", "55", user_id="7"), KeyRules(), "agent:main:discord:dm:55"),
        (
            origin("discord", "group", "987654321", user_id="user42"),
            KeyRules(),
            "agent:main:discord:group:987654321:user42",
        ),
        (
            origin("discord", "group", "987654321", user_id="user42"),
            SHARED_GROUPS,
            "agent:main:discord:group:987654321",
        ),
        (origin("telegram", "group", "-100"), KeyRules(), "agent:main:telegram:group:-100"),
        (
            origin("signal", "group", "g1", user_id="+1555", user_id_alt="uuid-1"),
            KeyRules(),
            "agent:main:signal:group:g1:uuid-1",
        ),
        (
            origin("telegram", "group", "-100", thread_id="17", user_id="u"),
            KeyRules(),
            "agent:main:telegram:group:-100:17",
        ),
        (
            origin("telegram", "group", "-100", thread_id="17", user_id="u"),
            OWN_THREADS,
            "agent:main:telegram:group:-100:17:u",
        ),
        (
            origin("telegram", "group", "-100", thread_id="17", user_id="u"),
            OWN_THREADS_IN_SHARED_GROUPS,
            "agent:main:telegram:group:-100:17",
        ),
        (origin("slack", "channel", "C01", user_id="U1"), KeyRules(), "agent:main:slack:channel:C01:U1"),
        (
            origin("discord", "thread", "555", thread_id="555", user_id="U1"),
            KeyRules(),
            "agent:main:discord:thread:555:555",
        ),
        (origin("telegram", "group"), KeyRules(), "agent:main:telegram:group"),
        (origin("telegram", "dm", "99"), KeyRules(profile="coder"), "agent:coder:telegram:dm:99"),
        (origin("telegram", "dm", "99"), KeyRules(profile="default"), "agent:main:telegram:dm:99"),
        (origin("telegram", "dm", "99", account="work"), KeyRules(), "agent:main:telegram@work:dm:99"),
        (origin("webchat", "dm", "main", user_id="operator"), KeyRules(), "agent:main:webchat:dm:main"),
        (origin("whatsapp", "dm", PHONE_JID), KeyRules(), "agent:main:whatsapp:dm:15551234567"),
        (
            origin("whatsapp", "dm", "15551234567:47@s.whatsapp.net"),
            KeyRules(),
            "agent:main:whatsapp:dm:15551234567",
        ),
        (
            origin("whatsapp", "dm", "149606612619433@lid"),
            KeyRules(),
            "agent:main:whatsapp:dm:149606612619433",
        ),
        (
            origin("whatsapp", "group", "120363@g.us", user_id=PHONE_JID),
            KeyRules(),
            "agent:main:whatsapp:group:120363@g.us:15551234567",
        ),
        (origin("whatsapp", "dm", LID), KNOWN_PERSON, "agent:main:whatsapp:dm:15551234567"),
        (
            origin("whatsapp", "group", "120363@g.us", user_id=LID),
            KNOWN_PERSON,
            "agent:main:whatsapp:group:120363@g.us:15551234567",
        ),
        (
            origin("whatsapp", "group", "120363@g.us", user_id=PHONE_JID, user_id_alt=LID),
            KNOWN_PERSON,
            "agent:main:whatsapp:group:120363@g.us:15551234567",
        ),
        (
            origin("whatsapp", "dm", LID, account="work"),
            KNOWN_PERSON,
            "agent:main:whatsapp@work:dm:15551234567",
        ),
        (origin("whatsapp", "dm", user_id=LID), KNOWN_PERSON, "agent:main:whatsapp:dm:15551234567"),
        (origin("whatsapp_cloud", "dm", LID), KNOWN_PERSON, f"agent:main:whatsapp_cloud:dm:{LID}"),
    ],
)
def test_key_table(source: Origin, rules: KeyRules, key: str) -> None:
    assert build_session_key(source, rules) == key


def test_S12_names_and_marks_never_decide() -> None:
    plain = origin("telegram", "group", "-100", user_id="u")
    named = replace(
        plain,
        user_name="x:dm:1",
        chat_name="y\n",
        chat_topic="z",
        auto_thread_initial_name="n",
        is_bot=True,
        role_authorized=True,
        auto_thread_created=True,
    )
    assert build_session_key(plain) == build_session_key(named)


@pytest.mark.parametrize("hostile", ["../../etc", "a b", "１５５５", "@s.whatsapp.net", "+", ":3@lid", "é"])
def test_hostile_whatsapp_ids_name_conversations_of_their_own(hostile: str) -> None:
    key = build_session_key(origin("whatsapp", "dm", hostile), KNOWN_PERSON)

    assert key != build_session_key(origin("whatsapp", "dm"), KNOWN_PERSON)
    assert key != build_session_key(origin("whatsapp", "dm", LID), KNOWN_PERSON)


@pytest.mark.parametrize(
    ("source", "rules", "shared"),
    [
        (origin("telegram", "dm", "99"), KeyRules(), False),
        (origin("telegram", "dm", "99", thread_id="t"), SHARED_GROUPS, False),
        (origin("telegram", "group", "-100", user_id="u"), KeyRules(), False),
        (origin("telegram", "group", "-100", user_id="u"), SHARED_GROUPS, True),
        (origin("telegram", "group", "-100", thread_id="17", user_id="u"), KeyRules(), True),
        (origin("telegram", "group", "-100", thread_id="17", user_id="u"), OWN_THREADS, False),
        # The original says False, though its key names nobody: there the agent cannot tell people apart.
        (
            origin("telegram", "group", "-100", thread_id="17", user_id="u"),
            OWN_THREADS_IN_SHARED_GROUPS,
            True,
        ),
        (origin("discord", "thread", "555", thread_id="555", user_id="U1"), KeyRules(), True),
    ],
)
def test_a_conversation_is_shared_where_its_key_names_nobody(
    source: Origin, rules: KeyRules, shared: bool
) -> None:
    assert is_shared(source, rules) is shared
    if source.user_id:
        assert shared is not build_session_key(source, rules).endswith(f":{source.user_id}")


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("Ann", "[Ann] "),
        ("Ann  Bee", "[Ann Bee] "),
        ("Ann]\n[Boss", "[Ann Boss] "),
        ("\x1b[31mAnn", "[31mAnn] "),
        ("", ""),
        (" [] ", ""),
        (None, ""),
    ],
)
def test_speakers_in_a_shared_conversation_are_named(name: str | None, prefix: str) -> None:
    someone = replace(origin("telegram", "group", "-100", user_id="u"), user_name=name)

    assert sender_prefix(someone, SHARED_GROUPS) == prefix
    assert sender_prefix(someone) == ""


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("agent:main:telegram:dm:99", "dm"),
        ("agent:main:telegram@work:group:-100:17:u", "group"),
        ("agent:main:telegram:dm", "dm"),
        ("odd", ""),
        ("", ""),
    ],
)
def test_a_key_says_what_kind_of_chat_it_is(key: str, kind: str) -> None:
    assert chat_type_in(SessionKey(key)) == kind
