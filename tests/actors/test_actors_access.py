"""Who is answered in the whole tree: strangers are met with silence, for each account; lists change without a restart."""

from pathlib import Path

import trio

from hermes.config import load
from hermes.routing.loops import TURNS
from hermes.routing.rate import BURST
from hermes.testing.fakes import EPOCH_S, FakeAdapter
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

OPEN = Capabilities()
"""A platform whose users prove nothing."""


def access(file=None, **environ):
    return load.load(Path("/nonexistent"), environ, file=file).access


def said(text, event_id, *, user="u1", chat="1", platform="fake", account="default", **fields):
    names = {name: fields.pop(name) for name in ("chat_type", "thread_id", "is_bot") if name in fields}
    return InboundEvent(
        event_id=event_id,
        origin=Origin(platform, chat, account=account, user_id=user, **names),
        text=text,
        received_at=EPOCH_S + trio.current_time(),
        trace=TraceId(f"t-{event_id}"),
        message_id=event_id,
        **fields,
    )


async def test_strangers_get_silence_and_the_allowed_an_answer(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u1"))

    await world.platform.hand_in(said("let me in", "e1", user="u2", chat="2"), said("hello", "e2"))
    await world.platform.hand_in(said("/help", "e3", user="u2", chat="2"))
    await world.settle()

    assert world.heard() == ["hello"]
    assert world.heard("2") == []
    assert world.rows("state, rule, text") == [
        ("denied", "denied:default", ""),
        ("answered", "answered", "hello"),
        ("denied", "denied:default", ""),
    ]


async def test_nobody_may_speak_where_nothing_says_so(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)

    await world.say("hello")
    await trio.sleep(10)

    assert ["hermes pairing approve" in text for text in world.heard()] == [True]
    assert world.rows("state, text") == [("denied", "")]


async def test_each_account_has_its_own_list(open_world, autojump_clock, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(
        "platforms:\n  fake:\n    allow_from: [u1]\n    accounts:\n      work:\n        allow_from: [u2]\n"
    )
    work = FakeAdapter(capabilities=OPEN, account="work")
    world = await open_world(capabilities=OPEN, others=[work], access=access(file))

    for user in ("u1", "u2"):
        await world.platform.hand_in(said(user, f"{user} at default", user=user, chat=user))
        await work.hand_in(said(user, f"{user} at work", user=user, chat=user, account="work"))
    await world.settle()

    assert (world.platform.texts, work.texts) == (["u1"], ["u2"])


async def test_a_reload_changes_who_may_speak_without_a_restart(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u2"))
    lives = world.incarnations()
    await world.say("one")
    await trio.sleep(1)

    await world.reload(world.config, access(FAKE_ALLOWED_USERS="u1"))
    await world.say("two")
    await world.until(lambda: world.heard() == ["two"])
    await world.reload(GatewayError(Failure(CONFIG_INVALID, "fatal", "gateway", detail="no")), access())
    await world.say("three")
    await world.settle()

    assert world.heard() == ["two", "three"]
    assert {path: life for path, life in world.incarnations().items() if path in lives} == lives


async def test_S14_without_a_user_id_nothing_is_said_and_nothing_kept(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOW_ALL_USERS="true"))

    await world.platform.hand_in(said("a channel post", "e1", user=None))
    await trio.sleep(10)

    assert world.platform.sent == []
    assert world.rows("state, rule, text") == [("denied", "denied:no_user", "")]


async def test_AC_36_our_own_echo_is_known_also_while_the_adapter_is_down(open_world, autojump_clock):
    platform = FakeAdapter(capabilities=OPEN, bot_id="us")
    world = await open_world(
        platform=platform, access=access(FAKE_ALLOW_ALL_USERS="true", FAKE_ALLOW_BOTS="all")
    )

    await platform.hand_in(said("I said that", "e1", user="us", is_bot=True))
    platform.crash(RuntimeError("gone"))
    await world.until(lambda: world.state("root/gateway/adapters/fake:default") == "backoff")
    assert world.services.adapters.identity("fake", "default").bot_id == "us"
    await trio.sleep(1)

    assert world.rows("state, rule") == [("ignored", "ignored:own")]


async def test_AC_36_two_bots_do_not_talk_for_ever(open_world, autojump_clock):
    world = await open_world(
        capabilities=OPEN, access=access(FAKE_ALLOW_ALL_USERS="true", FAKE_ALLOW_BOTS="all")
    )

    for n in range(TURNS + 3):
        await world.platform.hand_in(said(f"bot {n}", f"e{n}", user="b", is_bot=True))
        await world.settle()

    assert world.heard() == [*(f"bot {n}" for n in range(TURNS)), texts.BOT_LOOP]
    assert world.rows("rule")[TURNS:] == ["refused:bot_loop"] * 3


async def test_AC_36_bots_are_denied_unless_they_are_let_in(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="b"))

    await world.platform.hand_in(said("hello", "e1", user="b", is_bot=True))
    await trio.sleep(10)

    assert world.platform.sent == []
    assert world.rows("rule") == ["denied:bot"]


async def test_one_user_is_limited_over_all_chats_and_told_once(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u1,u2"))

    for chat in ("1", "2"):
        await world.platform.hand_in(
            *(said("/help", f"{chat}-{n}", chat=chat) for n in range(BURST // 2 + 5))
        )
        await world.until(lambda: not world.look(_accepted))
    await world.platform.hand_in(said("hello", "other", user="u2", chat="3"))
    await world.settle()

    assert world.rows("rule").count("refused:rate") == 10
    assert (world.heard("1") + world.heard("2")).count(texts.TOO_FAST) == 1
    assert world.heard("3") == ["hello"]


async def test_a_users_burst_comes_back(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u1"))
    await world.platform.hand_in(*(said("/help", f"burst {n}") for n in range(BURST + 1)))
    await world.settle()

    await trio.sleep(BURST + 10)
    await world.say("hello")
    await world.settle()

    assert world.heard()[-1] == "hello"


async def test_a_thread_with_a_conversation_of_ours_needs_no_mention(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u1"))
    place = {"chat_type": "group", "thread_id": "7"}

    await world.platform.hand_in(said("nobody asked", "e1", **place))
    await world.platform.hand_in(said("hey", "e2", **place, mentions_bot=True))
    await world.settle()
    await world.platform.hand_in(said("and this?", "e3", **place))
    await world.platform.hand_in(said("elsewhere", "e4", **{**place, "thread_id": "8"}))
    await world.settle()

    assert world.heard() == ["hey", "and this?"]
    assert world.rows("rule") == ["ignored:unaddressed", "answered", "answered", "ignored:unaddressed"]


async def test_S16_nothing_on_a_wire_says_where_it_came_from(open_world, autojump_clock):
    """What would make a stranger the owner: an internal event, or one of a platform whose edge proves its users."""
    trusted = FakeAdapter("trusted", Capabilities(authenticated=True))
    world = await open_world(capabilities=OPEN, others=[trusted], access=access(FAKE_ALLOWED_USERS="another"))

    await world.platform.hand_in(said("I am from within", "e1", internal=True))
    await world.platform.hand_in(said("I am from there", "e2", platform="trusted"))
    await world.platform.hand_in(said("I am of another account", "e3", account="work"))
    await trio.sleep(10)

    assert (world.platform.sent, trusted.sent) == ([], [])
    assert world.rows("platform, account, rule") == [("fake", "default", "denied:default")] * 3


async def test_what_cannot_be_decoded_is_kept_counted_and_never_comes_twice(open_world, autojump_clock):
    world = await open_world()
    io = await world.platform.io()

    for _ in range(2):
        await io.undecodable("e1", b"\xff{")

    assert world.rows("state, rule, raw") == [("failed", "undecodable", b"\xff{")]
    assert (world.counts.received, world.counts.failed) == (1, 1)


def _accepted(connection):
    return connection.execute("SELECT 1 FROM inbox WHERE state = 'accepted'").fetchall()
