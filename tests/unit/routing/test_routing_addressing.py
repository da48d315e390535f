"""What is meant for us."""

import re
from dataclasses import replace
from typing import Any

import pytest

from hermes.routing.addressing import addressed
from hermes.types.access import CLOSED, AccessRules
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

DM = Origin("p", "c", user_id="u")
GROUP = replace(DM, chat_type="group")
TOPIC = replace(GROUP, thread_id="17")
THREAD = Origin("p", "t", chat_type="thread", thread_id="t", parent_chat_id="c", user_id="u")


def rule(
    origin: Origin, rules: AccessRules = CLOSED, live: bool = False, text: str = "hi", **more: Any
) -> str | None:
    event = InboundEvent("1", origin, text, 0.0, TraceId("t"), **more)
    return addressed(event, rules, live, "Hermes_bot")


def free(*channels: str) -> AccessRules:
    return AccessRules(free_response_channels=frozenset(channels))


def topics(*topics: str) -> AccessRules:
    return AccessRules(allowed_topics=frozenset(topics))


def meant(*patterns: str) -> AccessRules:
    return AccessRules(mention_patterns=tuple(re.compile(one, re.IGNORECASE) for one in patterns))


def only(*channels: str) -> AccessRules:
    return AccessRules(allowed_channels=frozenset(channels))


@pytest.mark.parametrize(
    ("origin", "rules", "more", "expected"),
    [
        (DM, CLOSED, {}, "direct"),
        (DM, only("x"), {}, "direct"),
        (GROUP, CLOSED, {}, None),
        (GROUP, CLOSED, {"mentions_bot": True}, "mention"),
        (GROUP, CLOSED, {"reply_to_is_own_message": True}, "reply"),
        (GROUP, CLOSED, {"reply_to": "5"}, None),
        (GROUP, AccessRules(require_mention=False), {}, "free_response"),
        (GROUP, free("c"), {}, "free_response"),
        (GROUP, free("x"), {}, None),
        (GROUP, free("*"), {}, "free_response"),
        (TOPIC, free("c:17"), {}, "free_response"),
        (TOPIC, free("c:1", "17"), {}, None),
        (THREAD, free("c"), {}, "free_response"),
        (GROUP, CLOSED, {"live": True}, None),
        (TOPIC, CLOSED, {"live": True}, "live_thread"),
        (TOPIC, CLOSED, {}, None),
        (GROUP, only("x"), {"mentions_bot": True}, None),
        (GROUP, only("c"), {"mentions_bot": True}, "mention"),
        (GROUP, only("c"), {}, None),
        (THREAD, only("c"), {"mentions_bot": True}, "mention"),
        (TOPIC, only("x"), {"live": True}, None),
        (TOPIC, topics("17"), {"mentions_bot": True}, "mention"),
        (TOPIC, topics("c:17"), {"mentions_bot": True}, "mention"),
        (TOPIC, topics("x:17", "1"), {"mentions_bot": True}, None),
        (TOPIC, topics("1"), {"live": True}, None),
        (GROUP, topics("1"), {"mentions_bot": True}, "mention"),
        (GROUP, topics("17"), {"mentions_bot": True}, None),
        (DM, topics("17"), {}, "direct"),
        (GROUP, meant("^hermes,"), {"text": "Hermes, hello"}, "mention"),
        (GROUP, meant("^hermes,", "bot"), {"text": "dear BOT"}, "mention"),
        (GROUP, meant("^hermes,"), {"text": "hello, hermes"}, None),
        (GROUP, CLOSED, {"kind": "command"}, "command"),
        (GROUP, CLOSED, {"text": "/stop"}, None),
        (GROUP, CLOSED, {"text": "/stop@hermes_BOT"}, "command"),
        (GROUP, CLOSED, {"text": "/stop@hermes_bot", "forwarded": True}, None),
        (GROUP, CLOSED, {"text": "/stop@other_bot"}, None),
        (GROUP, CLOSED, {"text": "do not type /stop@hermes_bot"}, None),
    ],
)  # fmt: skip
def test_what_addresses_us(
    origin: Origin, rules: AccessRules, more: dict[str, Any], expected: str | None
) -> None:
    assert rule(origin, rules, **more) == expected


def test_a_command_by_name_needs_a_name() -> None:
    event = InboundEvent("1", GROUP, "/stop@anybody", 0.0, TraceId("t"))
    assert addressed(event, CLOSED, False, None) is None


def test_AC36_a_bot_s_answer_and_its_words_in_our_thread_are_no_mention() -> None:
    bot = replace(TOPIC, is_bot=True)
    assert rule(bot, reply_to_is_own_message=True) is None
    assert rule(bot, live=True) is None
    assert rule(bot, mentions_bot=True) == "mention"


def test_S12_names_of_chats_open_nothing() -> None:
    assert rule(replace(GROUP, chat_name="x", chat_topic="x", user_name="x"), free("x")) is None
