"""Lanes: order, patience, backoff, second copies, drafts, expiry."""

import re
from dataclasses import replace
from itertools import pairwise

import cbor2
import pytest
import trio
from agents import Typist
from wires import Silent
from world import ADAPTER, IDEMPOTENT, PLAIN

from actors.dossiers import is_crash
from actors.ports.outbox_desk import OutboxDesk
from hermes.config import model
from hermes.store import queries
from hermes.store.ops import Enqueue
from hermes.store.outbox import outbox_list
from hermes.testing.fakes import FakeAdapter, FakeAgent, Reply
from hermes.types import texts
from hermes.types.content import Capabilities, Media, Outbound, Rate
from hermes.types.errors import FORBIDDEN, FORMAT_REFUSED, TOO_LONG, UNREACHABLE, Failure, SendError
from hermes.types.ids import DeliveryId


class Phones(FakeAdapter):
    """A platform whose people are away until they are not; remembers when it showed each draft."""

    def __init__(self, capabilities=IDEMPOTENT, away=()):
        super().__init__(capabilities=capabilities)
        self.away = set(away)
        self.drafted_at = []

    async def send(self, chat_id, part, *, reply_to, metadata):
        if chat_id in self.away:
            raise SendError(Failure(UNREACHABLE, scope="chat"), "not_sent")
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)

    async def draft(self, chat_id, draft):
        self.drafted_at.append(trio.current_time())
        await super().draft(chat_id, draft)

    def back(self, chat_id):
        self.away.discard(chat_id)
        self._io.chat_up(chat_id)


def again(code="busy", **kwargs):
    return SendError(Failure(code, **kwargs), "not_sent")


async def test_a_message_that_waits_for_its_retry_goes_when_the_operator_says_so(open_world, autojump_clock):
    world = await open_world()
    world.platform.failures = [again()] * 6
    await world.say("one")
    await world.until(lambda: world.rows("state, attempts", "outbox") == [("retry", 6)], within_s=200)

    ((row_id,),) = world.look(lambda reader: reader.execute("SELECT row_id FROM outbox").fetchall())
    await OutboxDesk(world.services).answer("outbox_retry", {"id": row_id})

    await world.until(lambda: world.heard() == ["one"], within_s=1)


async def test_a_chat_that_cannot_be_reached_costs_no_attempts_and_is_served_when_it_is_up(
    open_world, autojump_clock
):
    world = await open_world(platform=Phones(away="1"))
    for text in ("one", "two"):
        await world.say(text)

    for _ in range(5):
        await trio.sleep(59)
        assert world.rows("state, attempts", "outbox") == [("prepared", 0)] * 2
    world.platform.back("1")
    await world.settle(within_s=1)

    assert world.heard() == ["one", "two"]


async def test_a_chat_that_cannot_be_reached_holds_up_no_other(open_world, autojump_clock):
    world = await open_world(platform=Phones(away="1"))
    await world.say("one", "1")
    await world.say("two", "2")

    await world.until(lambda: world.heard("2") == ["two"], within_s=1)


async def test_a_send_that_is_refused_is_tried_again_later_and_in_order(open_world, autojump_clock):
    world = await open_world()
    world.platform.failures = [again(), again(), again("flood", retry_after=100.0)]
    began = trio.current_time()
    for text in ("one", "two"):
        await world.say(text)

    await world.settle()

    assert world.heard() == ["one", "two"]
    assert world.rows("state, attempts", "outbox") == [("sent", 4), ("sent", 1)]
    assert trio.current_time() - began > 102


async def test_a_message_that_can_never_be_sent_makes_way_for_the_next(open_world, autojump_clock):
    world = await open_world()
    world.platform.failures = [again("forbidden", severity="needs_operator")]
    for text in ("one", "two"):
        await world.say(text)

    await world.settle()

    assert world.heard() == ["two"]
    assert world.rows("state, failure", "outbox") == [("dead", "forbidden"), ("sent", "")]
    assert world.look(queries.outbox_counts)["dead"] == 1


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_send_without_an_answer_is_sent_once_more_with_a_mark(arrives, open_world, autojump_clock):
    world = await open_world(capabilities=PLAIN)
    world.platform.failures = [SendError(Failure("timeout"), "unknown")]
    world.platform.unknown_arrives = arrives

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello"] * arrives + [texts.RESENT_MARK + "hello"]


async def test_a_send_that_is_unknown_twice_is_a_dead_letter(open_world, autojump_clock):
    world = await open_world(capabilities=PLAIN)
    world.platform.failures = [SendError(Failure("timeout"), "unknown")] * 2

    for text in ("one", "two"):
        await world.say(text)
    await world.settle()

    assert world.heard() == ["one", texts.RESENT_MARK + "one", "two"]
    assert world.rows("state", "outbox") == ["dead", "sent"]


async def test_the_second_copy_leaves_after_a_platform_that_was_ill_had_time_to_mend(
    open_world, autojump_clock
):
    class Ill(FakeAdapter):
        well_at = trio.current_time() + 0.9

        async def send(self, chat_id, part, *, reply_to, metadata):
            if trio.current_time() < self.well_at:
                raise SendError(Failure("http_502"), "unknown")
            return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)

    world = await open_world(platform=Ill(capabilities=PLAIN))

    for text in ("one", "two"):
        await world.say(text)
    await world.settle()

    assert world.heard() == [texts.RESENT_MARK + "one", "two"]
    assert world.rows("state", "outbox") == ["sent", "sent"]


async def test_a_send_that_never_returns_is_unknown_after_its_deadline(open_world, autojump_clock):
    world = await open_world(platform=Silent())
    began = trio.current_time()

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello", texts.RESENT_MARK + "hello"]
    assert 31 <= trio.current_time() - began < 33


def records(world):
    """What the adapter's code has raised in somebody else's calls."""
    events = world.boots[-1].system.events.newest(1000)
    return [(event.path, event.detail["reason"]) for event in events if event.kind == "raised"]


async def test_a_send_that_fails_without_a_name_is_unknown_leaves_a_record_and_restarts_nobody(
    open_world, autojump_clock
):
    world = await open_world(capabilities=PLAIN)
    world.platform.failures = [ValueError("a bug")]
    listened = []
    world.boots[-1].system.events.listen(listened.append)

    await world.say("hello")
    await world.settle()

    assert world.heard() == [texts.RESENT_MARK + "hello"]
    assert world.platform.connects == 1
    assert records(world) == [(ADAPTER, "ValueError: a bug")]
    (raised,) = (event for event in listened if event.kind == "raised")
    assert is_crash(raised.cause)


async def test_a_long_message_goes_on_at_the_part_without_a_receipt(open_world, autojump_clock):
    small = Capabilities(max_length=40, authenticated=True, idempotent_send=True)
    text = " ".join(f"word{n}" for n in range(20))
    world = await open_world(FakeAgent(Reply(lambda _: text)), capabilities=small)
    world.crash_at("after_receipt", 2)

    await world.say("hello")
    await world.settle()

    count = len(world.platform.sent)
    assert count > 3
    unnumbered = [one.removesuffix(f"({n}/{count})") for n, one in enumerate(world.heard(), 1)]
    assert " ".join(unnumbered).split() == text.split()
    assert [sent.part.index for sent in world.platform.sent] == list(range(count))


async def test_each_part_has_its_own_second_copy(open_world, autojump_clock):
    room = 40 + len(texts.RESENT_MARK)
    text = " ".join(f"word{n}" for n in range(10))
    world = await open_world(
        FakeAgent(Reply(lambda _: text)), capabilities=Capabilities(max_length=room, authenticated=True)
    )
    lost = SendError(Failure("timeout"), "unknown")
    world.platform.failures = [lost, None, lost]

    await world.say("hello")
    await world.settle()

    first, second = "word0 word1 word2 word3 word4 (1/2)", "word5 word6 word7 word8 word9 (2/2)"
    mark = texts.RESENT_MARK
    assert world.heard() == [first, mark + first, second, mark + second]
    assert world.rows("state", "outbox") == ["sent"]


async def test_drafts_come_newest_first_no_oftener_than_asked_and_never_after_the_answer(
    open_world, autojump_clock
):
    world = await open_world(Typist(100, every_s=0.05), platform=Phones())

    await world.say("hello")
    began = trio.current_time()
    await world.settle()
    shown = [draft.text for _, draft in world.platform.drafts]
    await trio.sleep(10)

    times = world.platform.drafted_at
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 6 <= len(shown) <= 8
    assert min(gaps) >= world.platform.capabilities.draft_interval_s - 1e-6
    written = [(at - began) / 0.05 for at in times]
    assert all(abs(len(text.split()) - n) <= 2 for text, n in zip(shown, written, strict=True))
    assert [draft.text for _, draft in world.platform.drafts] == shown


@pytest.mark.parametrize(("history", "end"), [(True, ("sent", "stored")), (False, ("dead", "expired"))])
async def test_a_message_past_its_time_ends(history, end, open_world, autojump_clock):
    phones = Phones(Capabilities(authenticated=True, history=history), away="1")
    world = await open_world(platform=phones, config=model.Config(delivery=model.Delivery(ttl_s=100.0)))
    await world.say("hello")

    await trio.sleep(95)
    assert world.rows("state", "outbox") == ["prepared"]
    await world.settle(within_s=70)

    assert world.rows("state, failure", "outbox") == [end]


async def test_a_send_that_returns_no_receipt_is_unknown_and_leaves_a_record(open_world, autojump_clock):
    class Careless(FakeAdapter):
        async def send(self, chat_id, part, *, reply_to, metadata):
            result = await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
            return result if len(self.sent) > 1 else None

    world = await open_world(platform=Careless(capabilities=PLAIN))

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello", texts.RESENT_MARK + "hello"]
    assert world.platform.connects == 1
    assert [path for path, _ in records(world)] == [ADAPTER]
    assert world.tree()[world.lane()].incarnation == 1


async def test_a_row_that_cannot_be_read_is_a_dead_letter_and_no_trouble_of_its_neighbours(
    open_world, autojump_clock
):
    world = await open_world(capabilities=PLAIN)
    for n in range(3):
        await world.services.store.write(
            Enqueue(Outbound(DeliveryId(f"d{n}"), "fake", "default", "1", f"m{n}"), 0.0)
        )
    world.boots[-1].store._connection.execute(
        "UPDATE outbox SET message = ? WHERE delivery_id = 'd1'", (cbor2.dumps({"of": "a newer one"}),)
    )
    await world.settle()

    assert world.heard() == ["m0", "m2"]
    assert world.rows("state", "outbox") == ["sent", "dead", "sent"]
    assert world.rows("failure", "outbox")[1].startswith("undecodable: TypeError")
    assert world.tree()[world.lane()].incarnation == 1
    (listed,) = world.look(outbox_list, None, None, 10)
    assert (listed["delivery_id"], listed["state"], listed["text"]) == ("d1", "dead", "m1")


class Upgraded(FakeAdapter):
    """Takes parts of another length from the third one on."""

    def __init__(self, before, now, *, phase="not_sent"):
        super().__init__(capabilities=replace(PLAIN, max_length=before))
        self.now, self.phase = now, phase

    async def send(self, chat_id, part, *, reply_to, metadata):
        if len(self.sent) == 2 and self.capabilities.max_length != self.now:
            self.capabilities = replace(self.capabilities, max_length=self.now)
            raise SendError(Failure("busy"), self.phase)
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)


@pytest.mark.parametrize("phase", ["not_sent", "unknown"])
@pytest.mark.parametrize("now", [110, 160, 4000])
async def test_AC22_a_message_that_is_cut_otherwise_halfway_goes_on_where_it_was(
    now, phase, open_world, autojump_clock
):
    text = " ".join(f"word{n}" for n in range(40))
    platform = Upgraded(130, now, phase=phase)
    world = await open_world(FakeAgent(Reply(lambda _: text)), platform=platform)

    await world.say("hello")
    await world.settle()

    said = [re.sub(r" \(\d+/\d+\)$", "", one.removeprefix(texts.RESENT_MARK)) for one in world.heard()]
    assert " ".join(said).split() == text.split()
    assert world.rows("state", "outbox") == ["sent"]
    marked = [one.startswith(texts.RESENT_MARK) for one in world.heard()]
    assert marked == [n == 2 and phase == "unknown" for n in range(len(marked))]


async def test_AC22_a_message_of_which_nothing_is_left_as_it_is_cut_now_has_arrived(
    open_world, autojump_clock
):
    text = " ".join(f"word{n}" for n in range(40))
    platform = Upgraded(130, 4000)
    world = await open_world(FakeAgent(Reply(lambda _: text)), platform=platform)
    world.boots[
        -1
    ].store._connection.execute(  # as a program left them that did not note how much each part was
        "CREATE TRIGGER old AFTER INSERT ON receipts BEGIN UPDATE receipts SET said = 0; END"
    )

    await world.say("hello")
    await world.settle()

    assert world.rows("state", "outbox") == ["sent"]
    assert len(world.heard()) == 2


async def test_law_C5_a_disabled_lane_gets_another_chance_after_ten_minutes(open_world, autojump_clock):
    world = await open_world(platform=Phones(away="1"))
    await world.say("hello")
    while world.state(world.lane()) != "disabled":
        await world.until(lambda: world.state(world.lane()) in {"running", "disabled"})
        if world.state(world.lane()) == "running":
            world.crash(world.lane())
            await trio.sleep(0.01)
    world.platform.back("1")

    await world.settle(within_s=610)

    assert world.heard() == ["hello"]


async def test_a_chat_that_is_away_is_not_tried_at_every_sweep(open_world, autojump_clock):
    platform = Phones(away="1")
    world = await open_world(platform=platform)
    await world.say("hello")
    for _ in range(5):
        await trio.sleep(10)
        assert world.incarnations()[world.lane()] == 1
    await trio.sleep(600)
    assert world.rows("state, attempts", "outbox") == [("prepared", 0)]
    world.platform.away.clear()  # and nobody says so
    await world.settle(within_s=70)
    assert world.heard() == ["hello"]


async def test_no_lane_is_awake_for_an_adapter_that_is_paused(open_world, autojump_clock):
    world = await open_world(platform=Phones(away="1"))
    await world.say("hello")
    await trio.sleep(1)
    await world.services.overview.pause("fake")
    await trio.sleep(700)

    assert world.lane() not in world.tree()
    world.platform.away.clear()
    await world.services.overview.resume("fake")
    await world.settle(within_s=5)
    assert world.heard() == ["hello"]


MARKED_UP = Capabilities(authenticated=True, dialect="discord")


def refused(code=FORMAT_REFUSED):
    return SendError(Failure(code, detail="can't parse"), "not_sent")


class Numbered(FakeAdapter):
    """Notes the index and the dialect of every part that it is handed, taken or not."""

    def __init__(self, capabilities=MARKED_UP):
        super().__init__(capabilities=capabilities)
        self.tried = []

    async def send(self, chat_id, part, *, reply_to, metadata):
        self.tried.append((part.index, part.dialect))
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)


async def test_AC23_a_part_whose_markup_is_refused_goes_once_more_at_once_without(open_world, autojump_clock):
    platform = Numbered()
    world = await open_world(FakeAgent(Reply(lambda _: "**hello** you")), platform=platform)
    platform.failures = [refused()]
    began = trio.current_time()
    await world.say("hello")
    await world.settle(within_s=1)

    assert platform.tried == [(0, "discord"), (0, "plain")]
    assert world.heard() == ["hello you"]
    assert world.rows("state, attempts, failure", "outbox") == [("sent", 1, "")]
    assert trio.current_time() - began < 1


async def test_AC23_a_plain_part_that_is_refused_too_is_given_up_in_words(open_world, autojump_clock):
    platform = Numbered()
    world = await open_world(platform=platform)
    platform.failures = [refused(), refused()]
    for text in ("one", "two"):
        await world.say(text)
    await world.settle(within_s=2)

    assert platform.tried == [(0, "discord"), (0, "plain"), (0, "discord")]
    assert world.heard() == ["two"]
    assert world.rows("state, failure", "outbox")[0] == ("dead", "format_refused: can't parse")


async def test_AC23_only_the_refused_part_goes_plain(open_world, autojump_clock):
    platform = Numbered(replace(MARKED_UP, max_length=150))
    answer = " ".join(f"**word{n}**" for n in range(20))
    world = await open_world(FakeAgent(Reply(lambda _: answer)), platform=platform)
    platform.failures = [None, refused(), None]
    await world.say("hello")
    await world.settle(within_s=2)

    assert platform.tried[:4] == [(0, "discord"), (1, "discord"), (1, "plain"), (2, "discord")]
    assert ["**" in text for text in world.heard()][:3] == [True, False, True]
    assert len(world.rows("part AS row_id", "receipts")) == len(world.heard())


async def test_AC23_the_plain_retry_keeps_to_the_rate_and_to_what_it_knows(open_world, autojump_clock):
    """Else a platform that takes one call a second would be asked for ever if it takes markup now."""
    platform = Numbered(replace(MARKED_UP, chat_rate=Rate(1, 10.0)))
    world = await open_world(platform=platform)
    platform.failures = [refused()]
    await world.say("hello")
    await trio.sleep(5)
    assert platform.tried == [(0, "discord")]
    await world.settle(within_s=6)
    assert platform.tried == [(0, "discord"), (0, "plain")]


async def test_AC27_a_marked_copy_that_goes_plain_keeps_its_mark(open_world, autojump_clock):
    platform = Numbered()
    world = await open_world(FakeAgent(Reply(lambda _: "**hello**")), platform=platform)
    platform.failures = [SendError(Failure("timeout"), "unknown"), refused()]
    await world.say("hello")
    await world.settle(within_s=2)

    assert world.heard() == ["**hello**", texts.RESENT_MARK + "hello"]
    assert platform.tried == [(0, "discord"), (0, "discord"), (0, "plain")]


async def test_AC27_a_kill_between_the_refused_and_the_plain_part_makes_one_marked_copy_at_most(
    open_world, autojump_clock
):
    platform = Numbered()
    world = await open_world(FakeAgent(Reply(lambda _: "**hello**")), platform=platform)
    platform.failures = [refused()]
    world.kill_at("before_send", 2)
    await world.say("hello")
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await world.settle()

    assert world.heard() == [texts.RESENT_MARK + "**hello**"]
    assert platform.tried == [(0, "discord"), (0, "discord")]


@pytest.mark.parametrize("code", [TOO_LONG, FORMAT_REFUSED])
async def test_AC22_a_message_that_ends_halfway_says_so_to_its_chat_and_to_the_operator(
    code, open_world, autojump_clock
):
    capabilities = Capabilities(authenticated=True, idempotent_send=True, dialect="plain", max_length=40)
    world = await open_world(FakeAgent(Reply(lambda _: "word " * 20)), capabilities=capabilities)
    world.platform.failures = [None, refused(code)]
    await world.say("hello")
    await world.settle(within_s=2)

    ended, told = world.rows("state, failure", "outbox")
    assert ended == ("dead", f"{code}: can't parse (part 2 of 3)")
    assert told == ("sent", "")
    first, *rest = world.heard()
    assert first.endswith("(1/3)")
    assert " ".join(one.rsplit(" ", 1)[0] for one in rest) == texts.REST_MISSING


async def test_a_chat_that_shuts_us_out_halfway_is_told_nothing(open_world, autojump_clock):
    capabilities = Capabilities(authenticated=True, idempotent_send=True, dialect="plain", max_length=40)
    world = await open_world(FakeAgent(Reply(lambda _: "word " * 20)), capabilities=capabilities)
    world.platform.failures = [None, again(FORBIDDEN, severity="needs_operator", scope="chat")]
    await world.say("hello")
    await world.settle(within_s=2)

    assert world.rows("state", "outbox") == ["dead"]


async def test_a_text_is_cut_beside_the_loop_once_if_it_is_long(open_world, autojump_clock):
    calls = []

    async def in_thread(call):
        calls.append(call)
        await trio.lowlevel.checkpoint()
        return call()

    capabilities = Capabilities(authenticated=True, dialect="discord", max_length=500)
    answers = FakeAgent(Reply(lambda _: "word " * 160), Reply(lambda _: "word " * 240))
    world = await open_world(answers, capabilities=capabilities)
    object.__setattr__(world.services, "in_thread", in_thread)
    await world.say("short")
    await world.settle()
    assert (calls, len(world.heard())) == ([], 2)
    await world.say("long")
    await world.settle()
    assert len(world.heard()) == 2 + 3
    assert len(calls) == 2 + 1 + 3, "what it says and which files it names; cut; each part"


async def test_numbers_can_be_switched_off(open_world, autojump_clock):
    capabilities = Capabilities(authenticated=True, idempotent_send=True, max_length=60)
    settings = model.Config(delivery=model.Delivery(part_numbers=False))
    world = await open_world(
        FakeAgent(Reply(lambda _: "word " * 20)), capabilities=capabilities, config=settings
    )
    await world.say("hello")
    await world.settle()
    assert len(world.heard()) == 2
    assert " ".join(world.heard()).split() == ["word"] * 20


async def test_files_leave_after_the_text_each_with_its_receipt(open_world, autojump_clock):
    capabilities = Capabilities(authenticated=True, dialect="plain", media=frozenset({"image"}), album=2)
    world = await open_world(capabilities=capabilities)
    pictures = tuple(Media("image", f"/tmp/{name}.png") for name in "abc")
    files = (*pictures, Media("voice", "/tmp/voice.ogg"))
    message = Outbound(DeliveryId("d"), "fake", "default", "1", "look", attachments=files)
    world.platform.failures = [None, None, SendError(Failure("timeout"), "unknown")]
    await world.services.store.write(Enqueue(message, 0.0))
    world.services.delivery.wake(message.lane)
    await world.settle()

    sent = [sent.part for sent in world.platform.sent]
    assert [part.text for part in sent] == [
        f"look\n\n{texts.FILE_NOT_HERE.format(name='voice.ogg')}",
        "",
        "",
        "",
    ]
    assert [part.media for part in sent[:3]] == [(), pictures[:2], pictures[2:]]
    assert sent[3].media[0].caption == texts.RESENT_MARK.strip()
    assert len(world.rows("part AS row_id", "receipts")) == 3
