import pytest

from hermes.sessions.keys import KeyRules, build_session_key
from hermes.types.origin import Origin

SHARED_GROUPS = KeyRules(group_sessions_per_user=False)
OWN_THREADS = KeyRules(thread_sessions_per_user=True)
OWN_THREADS_IN_SHARED_GROUPS = KeyRules(group_sessions_per_user=False, thread_sessions_per_user=True)


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
    ],
)
def test_key_table(source: Origin, rules: KeyRules, key: str) -> None:
    assert build_session_key(source, rules) == key


def test_names_never_decide() -> None:
    plain = origin("telegram", "group", "-100", user_id="u")
    named = origin("telegram", "group", "-100", user_id="u", user_name="x:dm:1", chat_name="y\n")
    assert build_session_key(plain) == build_session_key(named)
