"""Of every event and all rules: a stranger gets nothing, and no name decides anything."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hermes.routing.pipeline import Command, Context, Drop, ToSession, admit, decide
from hermes.sessions.keys import build_session_key
from hermes.types.access import AccessRules, Scope
from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

KNOWN = st.frozensets(st.sampled_from(["u1", "u2", "g1", "+1", "*"]))
SCOPES = st.builds(
    Scope,
    policy=st.sampled_from([None, "open", "allowlist", "pairing", "disabled"]),
    admins=st.none() | KNOWN | st.just(frozenset({"x1"})),
    commands=st.frozensets(st.sampled_from(["help", "stop", "new"])),
)
RULES = st.builds(
    AccessRules,
    allowed=KNOWN,
    group_allowed=KNOWN,
    group_chats=KNOWN,
    bots=st.sampled_from(["none", "mentions", "all"]),
    unauthorized_dm=st.sampled_from(["pair", "ignore"]),
    dm=SCOPES,
    group=SCOPES,
    require_mention=st.booleans(),
    free_response_channels=KNOWN | st.just(frozenset({"*"})),
    allowed_channels=KNOWN | st.just(frozenset({"*"})),
    granted=KNOWN.map(lambda ids: ids.__contains__),
)
NAMES = st.none() | st.text() | st.sampled_from(["u1", "u2", "g1", "*", "operator"])
STRANGERS = st.builds(
    Origin,
    platform=st.sampled_from(["p", "whatsapp", "email"]),
    chat_id=st.sampled_from(["x1", "x2", "g1 "]),
    chat_type=st.sampled_from(["dm", "group", "channel", "thread", "forum"]),
    thread_id=st.none() | st.sampled_from(["u1", "t"]),
    user_id=st.none() | st.sampled_from(["x1", "x2", "", " ", "u1 ", "U1", "0"]),
    user_id_alt=st.none() | st.sampled_from(["x1", "u"]),
    chat_name=NAMES,
    user_name=NAMES,
    chat_topic=NAMES,
    role_authorized=st.booleans(),
)
WORDS = st.text() | st.sampled_from(
    ["/help", "/stop", "/new@us", "／status", "/nothing", "hello", "[SILENT]"]
)
CLAIMS = st.dictionaries(
    st.sampled_from(["internal", "role", "user_id"]), st.sampled_from(["true", "u1", "owner"])
)
EVENTS = st.builds(
    InboundEvent,
    event_id=st.just("1"),
    origin=STRANGERS,
    text=WORDS,
    received_at=st.just(200.0),
    trace=st.just(TraceId("t")),
    kind=st.sampled_from(["message", "command", "edit", "reaction", "callback", "system"]),
    mentions_bot=st.booleans(),
    reply_to_is_own_message=st.booleans(),
    forwarded=st.booleans(),
    extra=CLAIMS,
)
CONTEXTS = st.builds(
    Context,
    capabilities=st.just(Capabilities()),
    booted_at=st.just(100.0),
    session_key_of=st.just(build_session_key),
    bot_name=st.none() | st.just("us"),
    bot_id=st.none() | st.just("x2"),
    rules=RULES,
    live_thread=st.booleans(),
)


@given(EVENTS, CONTEXTS)
def test_a_stranger_gets_nothing_but_denied_or_ignored(said: InboundEvent, here: Context) -> None:
    decision = decide(said, here)
    assert isinstance(decision, Drop)
    assert decision.state in ("denied", "ignored")
    assert (decision.reply, decision.keep_text) == (None, False)


@given(EVENTS, CONTEXTS, WORDS)
def test_S17_nor_after_a_hook_whatever_it_makes_of_the_text(
    said: InboundEvent, here: Context, text: str
) -> None:
    decision = admit(replace(said, text=text), here)
    assert isinstance(decision, Drop)
    assert (decision.state, decision.reply) == ("denied", None)


@given(EVENTS, CONTEXTS, KNOWN, st.booleans(), NAMES, NAMES, NAMES)
def test_S12_no_decision_depends_on_a_name(
    said: InboundEvent,
    here: Context,
    known: frozenset[str],
    allow_all: bool,
    user: str | None,
    chat: str | None,
    topic: str | None,
) -> None:
    rules = replace(here.rules, allow_all=allow_all, allowed=known | {"x1"})
    renamed = replace(said, origin=replace(said.origin, user_name=user, chat_name=chat, chat_topic=topic))
    assert decide(said, replace(here, rules=rules)) == decide(renamed, replace(here, rules=rules))


@given(EVENTS, CONTEXTS, st.booleans(), st.booleans())
def test_whoever_it_is_there_is_a_decision(
    said: InboundEvent, here: Context, allow_all: bool, bot: bool
) -> None:
    said = replace(said, origin=replace(said.origin, is_bot=bot))
    here = replace(here, rules=replace(here.rules, allow_all=allow_all, allowed=here.rules.allowed | {"x1"}))
    assert isinstance(decide(said, here), ToSession | Command | Drop)
