"""Not too much from one user, and no endless talk with bots."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.routing.loops import AT_REST, TAG, TURNS, WINDOW_S, bot_turn, is_tagged, tagged
from hermes.routing.pipeline import Command, Context, Decision, Drop, ToSession, decide
from hermes.routing.rate import BURST, PER_S, SENTENCE_S, UNUSED, Bucket, allow
from hermes.routing.throttle import Traffic, throttle
from hermes.sessions.keys import build_session_key
from hermes.types import texts
from hermes.types.access import AccessRules
from hermes.types.content import Capabilities
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TraceId
from hermes.types.origin import Origin

START = 1_000_000.0
HERE = Context(Capabilities(), 0.0, build_session_key, rules=AccessRules(allow_all=True, bots="all"))
DM = Origin("p", "c", user_id="u")
BOT = Origin("p", "g", chat_type="group", user_id="b", is_bot=True)
KEY = SessionKey("k")


def empty(at: float) -> Bucket:
    return Bucket(0.0, at)


# --- rate -------------------------------------------------------------------------------------------------------------


def test_AC17_fifty_messages_in_a_second_are_nobody_s_business() -> None:
    bucket = UNUSED
    for n in range(50):
        bucket, verdict = allow(bucket, START + n / 50)
        assert verdict == "pass"


def test_after_the_burst_one_message_passes_for_each_second() -> None:
    bucket, passed = UNUSED, 0
    for n in range(2_000):  # ten a second
        bucket, verdict = allow(bucket, START + n / 10)
        passed += verdict == "pass"
    assert passed == pytest.approx(BURST + 200 * PER_S, abs=1)


def test_a_refusal_is_put_into_words_once_a_minute() -> None:
    bucket, verdicts = empty(START), []
    for n in range(int(SENTENCE_S * 2)):
        bucket, verdict = allow(replace(bucket, tokens=0.0), START + n)
        bucket = replace(bucket, at=START + n + 1)  # no token comes back
        verdicts.append(verdict)
    assert verdicts.count("refuse") == 2
    assert set(verdicts) == {"refuse", "silence"}


def test_a_time_that_goes_backwards_gives_nothing_and_takes_nothing() -> None:
    bucket, _ = allow(UNUSED, START)
    bucket, verdict = allow(bucket, START - 500)
    assert (verdict, bucket.at, bucket.tokens) == ("pass", START, BURST - 2)


def test_a_bucket_that_is_full_again_need_not_be_kept() -> None:
    bucket, _ = allow(UNUSED, START)
    assert not bucket.full(START)
    assert bucket.full(START + 2 / PER_S)
    refused, _ = allow(empty(START), START)
    assert not refused.full(START + SENTENCE_S), "a new one would say the sentence again"


@given(st.lists(st.floats(0, 1_000), max_size=300))
def test_whatever_the_times_no_more_pass_than_the_burst_and_what_came_back(times: list[float]) -> None:
    bucket, passed = Bucket(at=START), 0
    for at in times:
        bucket, verdict = allow(bucket, START + at)
        passed += verdict == "pass"
    assert passed <= BURST + max(times, default=0) * PER_S + 1
    assert 0 <= bucket.tokens <= BURST


# --- loops ------------------------------------------------------------------------------------------------------------


def turns(*times: float) -> list[str]:
    breaker, verdicts = AT_REST, []
    for at in times:
        breaker, verdict = bot_turn(breaker, START + at)
        verdicts.append(verdict)
    return verdicts


def test_AC36_six_turns_in_ninety_seconds_then_one_notice_then_silence() -> None:
    assert (TURNS, WINDOW_S) == (6, 90.0)
    assert turns(*range(10)) == ["pass"] * 6 + ["refuse"] + ["silence"] * 3


def test_AC36_a_slow_conversation_of_bots_goes_on() -> None:
    assert set(turns(*(15.0 * n for n in range(100)))) == {"pass"}


def test_AC36_a_loop_that_goes_on_unanswered_stays_shut_and_is_not_noticed_again() -> None:
    assert set(turns(*range(7))[7:] + turns(*(10.0 * n for n in range(200)))[7:]) == {"silence"}


def test_AC36_after_a_window_of_quiet_bots_are_heard_again() -> None:
    assert turns(*range(7), 6 + WINDOW_S, 7 + WINDOW_S)[7:] == ["pass", "pass"]


@given(st.lists(st.floats(0.0, 40.0), max_size=100))
def test_AC36_no_window_ever_holds_more_than_six_turns(gaps: list[float]) -> None:
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    passed = [at for at, verdict in zip(times, turns(*times), strict=True) if verdict == "pass"]
    for n, at in enumerate(passed[TURNS:]):
        assert at - passed[n] >= WINDOW_S - 1e-6


def test_AC36_what_a_gateway_says_itself_does_not_wake_another_one() -> None:
    for own in (texts.AGENT_CRASHED, texts.BOT_LOOP, texts.UNKNOWN_COMMAND):
        heard = InboundEvent("1", BOT, tagged(own, BOT), START, TraceId("t"), mentions_bot=True)
        assert is_tagged(heard)
        assert decide(heard, HERE) == Drop("ignored", "ignored:notice", keep_text=False)
        assert isinstance(decide(replace(heard, text="hello"), HERE), ToSession)
    quoted = InboundEvent("1", DM, "you said: " + tagged("no", BOT), START, TraceId("t"))
    assert isinstance(decide(quoted, HERE), ToSession), "a person may quote it"


def test_AC36_the_tag_is_invisible_and_only_where_other_bots_are() -> None:
    assert tagged("no", DM) == "no"
    assert tagged("no", BOT).strip() == "no" + TAG
    assert not any(mark.isspace() or mark.isprintable() for mark in TAG)


# --- both ---------------------------------------------------------------------------------------------------------------

TALK = ToSession(KEY, "allowed:listed")
HELP = Command("help", "", KEY, "info", "user")
STOP = Command("stop", "", KEY, "control", "user")
REFUSAL = Drop("refused", "refused:unknown_command", keep_text=True, reply="no")
STRANGER = Drop("denied", "denied:default", keep_text=False)


def after(
    decision: Decision, traffic: Traffic, origin: Origin = DM, context: Context = HERE, **more: Any
) -> Any:
    event = InboundEvent("1", origin, "x", START, TraceId("t"), **more)
    return throttle(event, decision, context, traffic)


FLOODED = Traffic(user=empty(START))
LOOPED = Traffic(bots=bot_turn(AT_REST, START)[0])


@pytest.mark.parametrize("decision", [TALK, HELP, REFUSAL])
def test_whoever_says_too_much_is_told_once(decision: Decision) -> None:
    refused, traffic = after(decision, FLOODED)
    assert refused == Drop("refused", "refused:rate", keep_text=False, reply=texts.TOO_FAST)
    refused, _ = after(decision, traffic)
    assert refused == Drop("refused", "refused:rate", keep_text=False)


@pytest.mark.parametrize("decision", [TALK, HELP, STOP, REFUSAL])
def test_what_is_within_limits_stays_as_it_is_and_counts(decision: Decision) -> None:
    same, traffic = after(decision, Traffic())
    assert same == decision
    assert traffic.user.tokens == BURST - 1


def test_a_flood_can_be_stopped_by_who_makes_it() -> None:
    assert after(STOP, FLOODED)[0] == STOP


def test_a_stranger_neither_counts_nor_hears() -> None:
    assert after(STRANGER, FLOODED) == (STRANGER, FLOODED)
    assert after(STRANGER, LOOPED, BOT) == (STRANGER, LOOPED)


def test_the_owner_is_never_refused() -> None:
    edge = replace(HERE, capabilities=Capabilities(authenticated=True))
    assert after(TALK, FLOODED, context=edge) == (TALK, FLOODED)
    assert after(TALK, FLOODED, internal=True) == (TALK, FLOODED)


def test_AC36_everything_that_would_answer_a_bot_counts() -> None:
    traffic, said = Traffic(), []
    for decision in (TALK, HELP, STOP, REFUSAL, TALK, HELP, STOP, TALK):
        result, traffic = after(decision, traffic, BOT)
        said.append(result.rule)
    assert said[:6] == [TALK.rule, HELP.rule, STOP.rule, REFUSAL.rule, TALK.rule, HELP.rule]
    assert said[6:] == ["refused:bot_loop"] * 2
    assert traffic.user == UNUSED
