from dataclasses import replace

import pytest

from hermes.config.model import Display, PlatformDisplay
from hermes.routing.busy import is_alone, is_quick, joining, mode_for, mode_of, next_batch
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin
from hermes.types.records import InboxRow

PICTURE = (Attachment("image", "ref"),)
DISPLAY = Display(busy_input_mode="queue", platforms={"p": PlatformDisplay("steer"), "q": PlatformDisplay()})


def row(row_id: int, chat: str = "c", thread: str | None = None, attachments: tuple = ()) -> InboxRow:
    origin = Origin("p", chat, thread_id=thread, user_id="u")
    event = InboundEvent(str(row_id), origin, "hello", 0.0, TraceId("t"), attachments=attachments)
    return InboxRow(row_id, "routed", event, seq=row_id)


@pytest.mark.parametrize(
    ("platform", "own", "mode"),
    [
        ("p", "collect", "collect"),
        ("p", None, "steer"),
        ("q", None, "queue"),
        ("r", None, "queue"),
    ],
    ids=["its own", "its platform's", "a platform without one", "the general one"],
)
def test_a_conversation_has_its_own_mode_or_its_platform_s_or_the_general_one(platform, own, mode):
    assert mode_for(DISPLAY, platform, own) == mode


def test_as_in_the_original_a_message_interrupts_unless_something_is_set():
    assert mode_for(Display(), "telegram", None) == "interrupt"


WAITING = (row(1), row(2), row(3))


@pytest.mark.parametrize(
    ("mode", "batch"),
    [("interrupt", WAITING), ("collect", WAITING), ("queue", WAITING[:1]), ("steer", WAITING[:1])],
)
def test_the_next_turn_answers_all_that_waits_or_the_oldest(mode, batch):
    assert next_batch(mode, WAITING) == batch


@pytest.mark.parametrize("mode", ["queue", "steer"])
def test_the_pictures_of_an_album_are_answered_together(mode):
    album = (row(1, attachments=PICTURE), row(2, attachments=PICTURE))
    after = row(3)

    assert next_batch(mode, (*album, after)) == album
    assert next_batch(mode, (after, *album)) == (after,)


@pytest.mark.parametrize("elsewhere", [row(3, chat="d"), row(3, thread="t")], ids=["chat", "thread"])
def test_AC31_messages_from_different_places_never_share_an_answer(elsewhere):
    waiting = (row(1), row(2), elsewhere, row(4))

    assert joining(row(0), waiting) == waiting[:2]
    assert next_batch("collect", waiting) == waiting[:2]
    assert next_batch("interrupt", waiting) == waiting[:2]
    assert joining(elsewhere, waiting) == ()


def test_a_message_goes_by_the_mode_it_was_sent_with() -> None:
    asked = [
        replace(row(1), rule=rule)
        for rule in ("command:queue", "command:steer", "allowed:listed", "command:retry")
    ]

    assert [mode_of(DISPLAY, one, "collect") for one in asked] == ["queue", "steer", "collect", "collect"]


@pytest.mark.parametrize("mode", ["interrupt", "collect"])
def test_what_was_to_wait_its_turn_does_not_come_with_others(mode):
    queued = replace(row(2), rule="command:queue")

    assert next_batch(mode, (row(1), queued, row(3))) == (row(1),)
    assert next_batch("queue", (queued, row(3))) == (queued,)


@pytest.mark.parametrize("mode", ["interrupt", "collect", "queue", "steer"])
def test_a_program_s_row_shares_no_turn(mode):
    one, two = (
        replace(row(n), rule="command:quick:disk", event=row(n, attachments=PICTURE).event) for n in (1, 2)
    )

    assert next_batch(mode, (one, two, row(3))) == (one,)
    assert joining(one, (two, row(3))) == joining(row(0), (one, row(3))) == ()
    assert next_batch("collect", (row(0), one)) == (row(0),)
    assert is_quick(one)
    assert not is_quick(row(1))


@pytest.mark.parametrize("mode", ["interrupt", "steer", "collect"])
def test_only_in_a_queue_it_is_known_beforehand_that_a_message_is_answered_alone(mode):
    """Elsewhere more may come and be answered with it; and to an album another picture. What was begun goes on as it was."""
    assert is_alone("queue", row(1))
    assert not is_alone(mode, row(1))
    assert not is_alone("queue", row(1, attachments=PICTURE))
    assert not is_alone("queue", replace(row(1), turn_id="t"))
