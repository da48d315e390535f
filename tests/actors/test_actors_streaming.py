"""Answers that are shown while they are written: by edits, over failures, kills, stops and what comes between."""

from dataclasses import replace
from itertools import pairwise

import pytest
import trio
from agents import Ghost, Typist
from world import QUEUE

from hermes.config.model import Config, Streaming
from hermes.store.stream_ops import KeepStream, OpenStream
from hermes.store.streams import streams
from hermes.testing.fakes import EDITABLE, DeletingAdapter, EditingAdapter
from hermes.types import texts
from hermes.types.agent import ApprovalRequest, Delta, Final
from hermes.types.content import Rate
from hermes.types.errors import RATE_LIMITED, UNREACHABLE, Failure, SendError

CURSOR = "▉"
ON = Config(display=QUEUE, streaming=Streaming(enabled=True, transport="edit"))
PIECES = 80
ANSWER = "".join(f"{n} " for n in range(PIECES))


def typist(pieces=PIECES, every_s=0.5, end=None):
    return Typist(pieces, every_s, end)


class Author:
    """Writes its chunks, one every ``every_s``, and answers with ``final``, or with what it wrote."""

    name = "author"

    def __init__(self, *chunks, every_s=1.0, final=None):
        self._chunks, self._every_s, self._final = chunks, every_s, final

    async def run(self, turn, io):
        for chunk in self._chunks:
            await io.emit(Delta(chunk))
            await trio.sleep(self._every_s)
        return Final("".join(self._chunks) if self._final is None else self._final)


def lost(code="timeout"):
    return SendError(Failure(code), "unknown")


FAILURES = {
    "flood": lambda: SendError(Failure(RATE_LIMITED, scope="chat", retry_after=3.0), "not_sent"),
    "not_found": lambda: SendError(Failure("message_not_found", "needs_operator"), "not_sent"),
    "unknown": lost,
}


async def settle(world, within_s=600.0):
    await world.until(world.quiet, within_s)


def is_one_answer(platform, answer, chat="1"):
    """One complete text, and no trace of how it came about."""
    page = platform.read(chat)
    assert [text.strip() for text in page] == [answer.strip()], page
    assert not any(CURSOR in text for text in page)


async def test_an_answer_grows_in_one_message_and_ends_without_a_cursor(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    is_one_answer(platform, ANSWER)
    (sent,) = platform.sent
    assert (sent.reply_to, CURSOR in sent.part.text) == ("e1", True)
    assert len(platform.edits) > 20
    shown = [part.text for _, _, part, _ in platform.edits]
    assert [CURSOR in text for text in shown] == [True] * (len(shown) - 1) + [False]
    assert [final for *_, final in platform.edits] == [False] * (len(shown) - 1) + [True]
    gaps = [later - earlier for (earlier, *_), (later, *_) in pairwise(platform.edits[:-1])]
    assert min(gaps) >= 0.8 - 1e-6
    assert len(set(shown)) == len(shown)
    assert world.rows("state, parts_sent", "outbox") == [("sent", 1)]
    assert world.rows("message_id, outbox_row_id AS row_id", "receipts") == [("m1", 1)]


async def test_an_edit_that_would_show_the_same_is_never_made(open_world, autojump_clock):
    platform = EditingAdapter(capabilities=replace(EDITABLE, dialect="plain"))
    bare = replace(ON, streaming=replace(ON.streaming, cursor=""))
    agent = Author("Hello there", *["  \n"] * 5, every_s=2.0, final="Hello there")
    world = await open_world(agent, platform=platform, config=bare)
    await world.say("hello")
    await settle(world)

    assert (platform.read(), platform.edits) == (["Hello there"], [])
    assert world.rows("state", "outbox") == ["sent"]


async def test_a_platform_that_has_had_enough_is_asked_half_as_often(open_world, autojump_clock):
    platform = EditingAdapter()
    platform.edit_failures = [None, SendError(Failure(RATE_LIMITED), "not_sent")]
    often = replace(ON, streaming=replace(ON.streaming, buffer_threshold=1))
    world = await open_world(typist(40), platform=platform, config=often)
    await world.say("hello")
    await settle(world)

    is_one_answer(platform, typist_says(40))
    gaps = [later - earlier for (earlier, *_), (later, *_) in pairwise(platform.edits[:-1])]
    assert min(gaps) >= 1.6 - 1e-6


class Failing:
    """In chat k, the k-th edit of the chat fails, as ``failure`` says."""

    def __init__(self, failure):
        self._failure = failure
        self.count = {}
        self.failed = set()

    def of(self, chat_id):
        self.count[chat_id] = self.count.get(chat_id, 0) + 1
        if self.count[chat_id] != int(chat_id):
            return None
        self.failed.add(chat_id)
        return self._failure()


class FailingEditor(EditingAdapter):
    """``script`` says which edit of which chat fails, ``final_failures`` what the last ones do."""

    script = None
    final_failures = ()

    async def edit(self, chat_id, message_id, part, *, metadata, final):
        self.edit_failures = [self.script.of(chat_id)] if self.script else []
        if final and self.final_failures:
            failure, *self.final_failures = self.final_failures
            self.edit_failures = [failure]
        await super().edit(chat_id, message_id, part, metadata=metadata, final=final)


class FailingDeleter(DeletingAdapter, FailingEditor):
    """The same, and messages can be taken back."""


@pytest.mark.parametrize(
    ("kind", "arrives"), [("flood", False), ("not_found", False), ("unknown", False), ("unknown", True)]
)
async def test_AC22_AC56_whichever_edit_of_forty_fails_one_complete_answer_remains(
    kind, arrives, open_world, autojump_clock
):
    platform = FailingDeleter()
    platform.script, platform.unknown_arrives = Failing(FAILURES[kind]), arrives
    often = replace(ON, streaming=replace(ON.streaming, buffer_threshold=1))
    world = await open_world(typist(), platform=platform, config=often)
    chats = [str(k) for k in range(1, 41)]
    for chat in chats:
        await world.say("hello", chat)
    await settle(world)

    assert platform.script.failed == set(chats)
    for chat in chats:
        is_one_answer(platform, ANSWER, chat)
        print(f"edit {chat} fails ({kind}): {len(platform.read(chat)[0])} characters, one complete answer")
    assert len(platform.deletes) == (0 if kind == "flood" else 40)


async def test_AC22_the_last_edit_may_fail_too(open_world, autojump_clock):
    """Not found: in a new message. Unknown: an edit may be made twice. Unknown twice: a copy with a mark."""
    for failures, marked in (
        ([FAILURES["not_found"]()], False),
        ([lost()], False),
        ([lost(), lost()], True),
        ([FAILURES["flood"]()] * 4, False),
    ):
        platform = FailingDeleter()
        platform.final_failures = failures
        world = await open_world(
            Author("One two three", " four", final="Said."), platform=platform, config=ON
        )
        await world.say("hello")
        await settle(world)
        is_one_answer(platform, (texts.RESENT_MARK if marked else "") + "Said.")


async def test_AC56_where_nothing_can_be_deleted_a_note_stands_in_its_place(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(), platform=platform, config=ON)
    platform.edit_failures = [None] * 5 + [FAILURES["not_found"]()]
    await world.say("hello")
    await settle(world)

    assert platform.read() == [texts.STREAM_MOVED, ANSWER]


class Forgetful(DeletingAdapter):
    """Its first delete fails as ``wrong`` says, and takes nothing back."""

    wrong = None

    async def delete(self, chat_id, message_id):
        self.deletes.append(message_id)
        if len(self.deletes) == 1:
            await self.wrong(self)
        await super().delete(chat_id, message_id)


async def hang(_platform):
    await trio.sleep_forever()


async def fall(platform):
    platform.crash(RuntimeError("the connection"))
    await trio.sleep_forever()


async def stumble(_platform):
    raise RuntimeError("no name for it")


@pytest.mark.parametrize(("wrong", "left"), [(hang, []), (fall, []), (stumble, [texts.STREAM_MOVED])])
async def test_AC56_what_may_not_have_been_deleted_is_not_left_as_it_is(
    wrong, left, open_world, autojump_clock
):
    platform = Forgetful()
    platform.wrong = wrong
    platform.edit_failures = [None] * 5 + [FAILURES["not_found"]()]
    world = await open_world(typist(), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    assert platform.read() == [*left, ANSWER]


async def test_AC43_inside_a_window_no_call_is_made_and_three_strikes_end_the_edits(
    open_world, autojump_clock
):
    platform = FailingDeleter()
    calls, windows = [], []

    class Floods(Failing):
        def of(self, chat_id):
            calls.append(trio.current_time())
            if len(calls) in (4, 6, 8):
                windows.append(
                    (trio.current_time(), trio.current_time() + 4.999)
                )  # epoch seconds are not so fine
                return SendError(Failure(RATE_LIMITED, scope="chat", retry_after=5.0), "not_sent")
            return None

    platform.script = Floods(None)
    world = await open_world(typist(), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    is_one_answer(platform, ANSWER)
    assert len(windows) == 3
    assert not [at for at in calls for begin, end in windows if begin < at < end]
    assert max(calls) == windows[-1][0], "edits have ended with the third"
    typed = [at for at, *_ in platform.typed for begin, end in windows if begin < at < end]
    assert typed == []


async def test_the_limits_are_kept_between_edits(open_world, autojump_clock):
    platform = EditingAdapter(capabilities=replace(EDITABLE, chat_rate=Rate(2, 5.0), typing_interval_s=1000))
    world = await open_world(typist(), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    is_one_answer(platform, ANSWER)
    assert 4 <= len(platform.edits) <= 10


@pytest.mark.parametrize("idempotent", [False, True])
async def test_what_is_longer_than_a_message_goes_on_in_the_next_one(idempotent, open_world, autojump_clock):
    capabilities = replace(EDITABLE, max_length=160, idempotent_send=idempotent)
    platform = EditingAdapter(capabilities=capabilities)
    world = await open_world(typist(200, 0.25), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    page = platform.read()
    assert len(page) == len(platform.sent) >= 4
    assert not any(CURSOR in text or len(text) > 160 for text in page)
    assert [text.rpartition(" (")[2] for text in page] == [f"{n + 1}/{len(page)})" for n in range(len(page))]
    said = " ".join(text.rpartition(" (")[0] for text in page)
    assert said.split() == [str(n) for n in range(200)]
    assert len(world.rows("message_id, 1 AS row_id", "receipts")) == len(page)


async def test_a_turn_that_ends_while_one_more_message_is_begun_is_answered_in_the_first(
    open_world, autojump_clock
):
    """Its answer is committed, and its draft still there."""
    platform = DeletingAdapter(capabilities=replace(EDITABLE, max_length=160))
    agent = Author("word " * 20, "word " * 20, every_s=5.0, final="Short.")
    world = await open_world(agent, platform=platform, config=ON)
    commit, write = world.boot.store._commit, world.boot.store.write
    refused = []

    async def late(op):
        if isinstance(op, OpenStream) and op.stream.segments:
            await world.until(lambda: bool(world.rows("state", "outbox")))
        return await write(op)

    def seen(op):
        result = commit(op)
        if isinstance(op, OpenStream) and not result:
            refused.append(op)
        return result

    world.boot.store.write, world.boot.store._commit = late, seen
    await world.say("hello")
    await settle(world)

    assert refused
    is_one_answer(platform, "Short.")
    assert len(platform.sent) == 1


async def test_segments_that_the_answer_does_not_need_are_taken_back(open_world, autojump_clock):
    platform = DeletingAdapter(capabilities=replace(EDITABLE, max_length=160))
    world = await open_world(Author("word " * 60, every_s=5.0, final="Short."), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    is_one_answer(platform, "Short.")
    assert len(platform.sent) > 1


# --- the process dies -----------------------------------------------------------------------------------------------------


class Killer(DeletingAdapter):
    """Kills the process when a call of a kind comes for the nth time, before or after it is done."""

    world = None
    plan = None

    def _reached(self, when, kind):
        if self.plan is not None and self.plan[:2] == (when, kind):
            self.plan = (when, kind, self.plan[2] - 1)
            if self.plan[2] == 0:
                self.plan = None
                self.world.boot.kill()

    async def send(self, chat_id, part, *, reply_to, metadata):
        self._reached("before", "send")
        result = await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
        self._reached("after", "send")
        return result

    async def edit(self, chat_id, message_id, part, *, metadata, final):
        self._reached("before", "final" if final else "edit")
        await super().edit(chat_id, message_id, part, metadata=metadata, final=final)
        self._reached("after", "final" if final else "edit")


def kill_at_commit(world, kind, *, after):
    """Kill at the first commit of ``kind``."""
    store = world.boot.store
    commit = store._commit

    def committing(op):
        if not isinstance(op, kind) or store._fenced:
            return commit(op)
        result = commit(op) if after else None
        world.boot.kill()
        return result if after else commit(op)  # fenced: raises

    store._commit = committing


async def reborn(world, within_s=600.0):
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await world.until(world.quiet, within_s)


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("after", [False, True])
async def test_AC13_killed_at_the_opening_commit(after, idempotent, open_world, autojump_clock):
    capabilities = replace(EDITABLE, idempotent_send=idempotent)
    platform = DeletingAdapter(capabilities=capabilities)
    world = await open_world(typist(10), platform=platform, config=ON)
    kill_at_commit(world, OpenStream, after=after)
    await world.say("hello")
    await reborn(world)

    in_doubt = after and not idempotent
    is_one_answer(platform, (texts.RESENT_MARK if in_doubt else "") + typist_says(10))


def typist_says(pieces):
    return "".join(f"{n} " for n in range(pieces))


@pytest.mark.parametrize("idempotent", [False, True])
async def test_AC27_killed_after_the_first_send_before_its_name_is_known(
    idempotent, open_world, autojump_clock
):
    platform = DeletingAdapter(capabilities=replace(EDITABLE, idempotent_send=idempotent))
    world = await open_world(typist(10), platform=platform, config=ON)
    kill_at_commit(world, KeepStream, after=False)
    await world.say("hello")
    await reborn(world)

    if idempotent:
        is_one_answer(platform, typist_says(10))
    else:  # the first one is there, but nobody knows its name
        _, answer = platform.read()
        assert answer.strip() == (texts.RESENT_MARK + typist_says(10)).strip()


@pytest.mark.parametrize(("kind", "nth"), [("edit", 1), ("edit", 3), ("final", 1)])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_AC13_killed_around_an_edit(when, kind, nth, open_world, autojump_clock):
    platform = Killer()
    platform.world = world = await open_world(typist(20), platform=platform, config=ON)
    platform.plan = (when, kind, nth)
    await world.say("hello")
    await reborn(world)

    is_one_answer(platform, typist_says(20))
    assert len(platform.sent) == 1, "the turn that goes on edits the same message"


@pytest.mark.parametrize(
    "point", ["before_turn_commit", "after_turn_commit", "before_send", "after_send_before_receipt"]
)
async def test_AC13_killed_at_a_point_of_the_answers_way(point, open_world, autojump_clock):
    platform = DeletingAdapter()
    world = await open_world(typist(10), platform=platform, config=ON)
    world.kill_at(point)
    await world.say("hello")
    await reborn(world)

    is_one_answer(platform, typist_says(10))
    assert len(platform.sent) == 1


@pytest.mark.parametrize("point", ["before_send", "after_send_before_receipt", "after_receipt"])
async def test_AC13_killed_while_the_answer_goes_in_new_messages(point, open_world, autojump_clock):
    """Decided is decided: what could not be edited once is not edited after the kill either."""
    platform = FailingDeleter()
    platform.final_failures = [FAILURES["not_found"]()]
    world = await open_world(
        Author("One two three", every_s=3.0, final="Said."), platform=platform, config=ON
    )
    world.kill_at(point, 2 if point == "before_send" else 1)
    await world.say("hello")
    await reborn(world)

    in_doubt = point != "after_receipt"
    page = platform.read()
    assert [text.removeprefix(texts.RESENT_MARK) for text in page] == ["Said."] * len(page)
    assert page
    assert page.count("Said.") <= 1
    assert any(text.startswith(texts.RESENT_MARK) for text in page) == in_doubt


@pytest.mark.parametrize("phase", ["not_sent", "unknown"])
@pytest.mark.parametrize("idempotent", [False, True])
async def test_AC27_the_first_send_fails(phase, idempotent, open_world, autojump_clock):
    platform = DeletingAdapter(capabilities=replace(EDITABLE, idempotent_send=idempotent))
    platform.failures = [SendError(Failure("timeout"), phase)]
    world = await open_world(typist(10), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    if phase == "unknown" and not idempotent:
        _, answer = platform.read()
        assert answer.strip() == (texts.RESENT_MARK + typist_says(10)).strip()
    else:
        is_one_answer(platform, typist_says(10))


async def test_a_lane_that_crashes_takes_its_streams_up_again(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(40), platform=platform, config=ON)
    await world.say("hello")
    await world.until(lambda: len(platform.edits) == 5)
    world.crash(world.lane())
    await settle(world)

    is_one_answer(platform, typist_says(40))
    assert len(platform.sent) == 1


async def test_a_restart_in_good_order_goes_on_in_the_same_message(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(), platform=platform, config=replace(ON, drain_timeout_s=1.0))
    await world.say("hello")
    await world.until(lambda: len(platform.edits) == 3)
    world.restart()
    await reborn(world)

    is_one_answer(platform, ANSWER)
    assert len(platform.sent) == 1


# --- what ends it otherwise -----------------------------------------------------------------------------------------------


async def test_a_stop_leaves_what_was_read_without_its_cursor(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(), platform=platform, config=ON)
    await world.say("hello")
    await world.until(lambda: len(platform.edits) == 3)
    read = platform.read()[0].removesuffix(CURSOR).strip()
    await world.say("/stop")
    await settle(world)

    begun, stopped = platform.read()
    assert begun.strip() == read
    assert stopped.startswith(texts.STOPPED)


async def test_the_words_that_no_more_comes_are_a_message_of_their_own(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(8, end=RuntimeError("boom")), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    begun, words = platform.read()
    assert begun.strip() == "0 1 2 3 4 5 6 7"[: len(begun.strip())]
    assert words == texts.POISONED
    assert CURSOR not in begun


async def test_the_cursor_goes_as_soon_as_such_words_have_arrived(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(8, end=RuntimeError("boom")), platform=platform, config=ON)
    await world.say("hello")
    await world.until(lambda: texts.POISONED in platform.read(), 600.0)
    await trio.sleep(2 * ON.streaming.edit_interval)

    assert CURSOR not in platform.read()[0]


async def test_a_stop_whose_process_dies_takes_the_cursor_away_all_the_same(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(), platform=platform, config=ON)
    await world.say("hello")
    await world.until(lambda: len(platform.edits) == 3)
    world.kill_at("after_decision", 1)
    await world.say("/stop")
    await reborn(world)

    assert [text for text in platform.read() if CURSOR in text] == []
    assert platform.read()[0] == texts.STREAM_CUT_OFF


async def test_an_answer_that_is_given_up_leaves_no_cursor(open_world, autojump_clock):
    platform = FailingEditor()
    platform.final_failures = [SendError(Failure("forbidden", "needs_operator", "chat"), "not_sent")]
    world = await open_world(typist(20), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    (begun,) = platform.read()
    assert world.rows("state", "outbox") == ["dead"]
    assert begun.startswith("0 1 2")
    assert CURSOR not in begun


async def test_a_turn_that_is_over_shows_nothing_more(open_world, autojump_clock):
    agent = Ghost()
    platform = EditingAdapter()
    world = await open_world(agent, platform=platform, config=ON)
    await world.say("hello")
    await trio.sleep(10)
    await world.say("/stop")
    await world.settle()
    before = platform.read()
    agent.released.set()
    await trio.sleep(10)

    assert platform.read() == before
    assert platform.edits == []


async def test_silence_is_never_begun(open_world, autojump_clock):
    platform = EditingAdapter()
    agent = Author("No", " reply", final="No reply, I am afraid.", every_s=5.0)
    world = await open_world(agent, platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    assert platform.read() == ["No reply, I am afraid."]
    assert platform.edits == []


async def test_neither_thoughts_nor_names_of_files_are_shown(open_world, autojump_clock):
    platform = EditingAdapter()
    chunks = ("<thi", "nk>Is it?", " hm</think>It is so.", " MEDIA:/tmp/a", ".png and", " that is all.")
    world = await open_world(Author(*chunks, every_s=3.0, final="It is so."), platform=platform, config=ON)
    await world.say("hello")
    await settle(world)

    shown = [platform.sent[0].part.text, *(part.text for _, _, part, _ in platform.edits)]
    assert len(shown) > 1
    assert not any("hm" in text or "think" in text or "MEDIA" in text or "png" in text for text in shown)


# --- what comes between ---------------------------------------------------------------------------------------------------


class Asking(Author):
    """Asks between its second chunk and its third."""

    async def run(self, turn, io):
        for n, chunk in enumerate(self._chunks):
            if n == 2:
                await io.approve(ApprovalRequest("look", "at all of it"))
            await io.emit(Delta(chunk))
            await trio.sleep(self._every_s)
        return Final("".join(self._chunks))


CHUNKS = ("First I look.\n\n", "So", " I say what", " I have seen.")


@pytest.mark.parametrize("adapter", [EditingAdapter, DeletingAdapter])
async def test_an_approval_comes_between_and_the_answer_goes_on_below_it(adapter, open_world, autojump_clock):
    platform = adapter()
    world = await open_world(Asking(*CHUNKS, every_s=3.0), platform=platform, config=ON)
    await world.say("hello")
    await world.until(lambda: any("look" in text and "/approve" in text for text in platform.read()))
    await world.say("/approve")
    await settle(world)

    first, prompt, *_, rest = platform.read()
    assert (first.strip(), rest.strip()) == ("First I look.", "So I say what I have seen.")
    assert "Approved by you" in prompt
    assert not any(CURSOR in text for text in platform.read())
    assert sum("So I say" in text for text in platform.read()) == 1
    assert all(len(sent.part.text) > len("So ") + len(CURSOR) for sent in platform.sent), (
        "begun with a word or two"
    )


@pytest.mark.parametrize("adapter", [EditingAdapter, DeletingAdapter])
async def test_without_a_whole_paragraph_all_of_it_goes_below(adapter, open_world, autojump_clock):
    platform = adapter()
    world = await open_world(typist(60), platform=platform, config=ON)
    await world.say("hello")
    await world.until(lambda: len(platform.edits) == 5)
    await world.services.router.deliver("a note", "fake:1")
    await settle(world)

    page = platform.read()
    moved = [] if adapter is DeletingAdapter else [texts.STREAM_MOVED]
    assert page == [*moved, "a note", typist_says(60)]


async def test_a_lane_that_waits_for_a_person_beside_a_stream_sleeps(open_world, autojump_clock):
    world = await open_world(Asking(*CHUNKS, every_s=3.0), platform=(platform := EditingAdapter()), config=ON)
    await world.say("hello")
    await world.until(lambda: any("look" in text and "/approve" in text for text in platform.read()))
    read, reads = world.boot.store.read, []

    async def counted(query, *args, **kwargs):
        reads.append(query)
        if query is streams and reads.count(streams) > 100:
            await trio.sleep_forever()  # it spins, and would let no time pass
        return await read(query, *args, **kwargs)

    world.boot.store.read = counted
    await trio.sleep(120)
    assert reads.count(streams) <= 10

    await world.say("/approve")
    await settle(world)
    assert platform.read()[-1].strip() == "So I say what I have seen."


async def test_AC13_killed_after_something_came_between(open_world, autojump_clock):
    platform = DeletingAdapter()
    agent = Author("One.\n\n", "Two three", " four", " five", " six.", every_s=4.0)
    world = await open_world(agent, platform=platform, config=ON)
    await world.say("hello")
    await world.until(lambda: bool(platform.edits))
    await world.services.router.deliver("a note", "fake:1")
    await world.until(lambda: len(platform.read()) == 3)
    world.boot.kill()
    await reborn(world)

    assert [text.strip() for text in platform.read()] == ["One.", "a note", "Two three four five six."]


async def test_an_answer_that_turns_out_otherwise_stands_below_as_a_whole(open_world, autojump_clock):
    platform = DeletingAdapter()
    agent = Author("One.\n\n", "Two", " three", every_s=4.0, final="Something else.")
    world = await open_world(agent, platform=platform, config=ON)
    await world.say("hello")
    await world.until(lambda: bool(platform.edits))
    await world.services.router.deliver("a note", "fake:1")
    await settle(world)

    assert platform.read() == ["a note", "Something else."]


async def test_two_people_of_a_group_do_not_drive_one_another_down(open_world, autojump_clock):
    platform = EditingAdapter()
    world = await open_world(typist(40), platform=platform, config=ON)
    for name in ("one", "two"):
        await platform.receive("hello", event_id=name, chat_type="group")
    await world.say("mine")
    await settle(world)

    assert [text.strip() for text in platform.read()] == [typist_says(40).strip()] * len(platform.read())
    assert len(platform.sent) == len(platform.read()) >= 2


# --- whether and how ------------------------------------------------------------------------------------------------------


async def shown_by(open_world, streaming, capabilities, answer_s=5.0):
    platform = EditingAdapter(capabilities=capabilities)
    agent = typist(int(answer_s / 0.5))
    world = await open_world(agent, platform=platform, config=Config(display=QUEUE, streaming=streaming))
    began = trio.current_time()
    await world.say("hello")
    await settle(world)
    first = min((at for at, *_ in platform.edits), default=began) - began
    return len(platform.drafts), len(platform.edits), first


async def test_nothing_is_shown_unless_it_was_asked_for(open_world, autojump_clock):
    both = replace(EDITABLE, streaming=("edit", "draft"))
    assert (await shown_by(open_world, Streaming(), both))[:2] == (0, 0)


async def test_auto_takes_drafts_where_there_are_any_and_begins_after_a_while(open_world, autojump_clock):
    both, edits = replace(EDITABLE, streaming=("edit", "draft")), EDITABLE
    auto = Streaming(enabled=True)
    drafts, edited, _ = await shown_by(open_world, auto, both)
    assert (drafts > 2, edited) == (True, 0)
    drafts, edited, first = await shown_by(open_world, auto, edits)
    assert (drafts, edited > 0, first > 2.0) == (0, True, True)
    assert (await shown_by(open_world, auto, edits, answer_s=1.5))[:2] == (0, 0)


async def test_a_page_of_our_own_shows_drafts_however_it_is_set(open_world, autojump_clock):
    own = replace(EDITABLE, streaming=("draft",), own_page=True)
    drafts, edited, _ = await shown_by(open_world, Streaming(), own, answer_s=1.0)
    assert (drafts > 0, edited) == (True, 0)


class Away(EditingAdapter):
    """People whom nothing new reaches until they are back, of which nobody says a word."""

    away = False

    async def send(self, chat_id, part, *, reply_to, metadata):
        if self.away:
            raise SendError(Failure(UNREACHABLE, scope="chat"), "not_sent")
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)


async def test_AC27_nothing_of_the_next_answer_is_shown_while_one_waits_for_its_chat(
    open_world, autojump_clock
):
    """The way is open again before anybody has told the lane: its message goes first all the same."""
    platform = Away()
    world = await open_world(typist(8), platform=platform, config=ON)
    platform.away = True
    await world.say("one")
    await world.until(lambda: world.rows("state, failure", "outbox") != [], within_s=30)
    await trio.sleep(1)
    await world.say("two")
    await trio.sleep(1)
    platform.away = False
    await settle(world)

    assert [sent.reply_to for sent in platform.sent] == ["e1", "e2"]


async def test_AC27_an_answer_that_comes_while_the_lane_shows_something_goes_before_what_it_would_show_next(
    open_world, autojump_clock
):
    """The edit of an answer that is over takes long: meanwhile that is committed, and the next one begins to be written."""

    class Slow(EditingAdapter):
        async def edit(self, chat_id, message_id, part, *, metadata, final):
            await trio.sleep(20)
            return await super().edit(chat_id, message_id, part, metadata=metadata, final=final)

    platform = Slow()
    world = await open_world(typist(8), platform=platform, config=ON)
    for text in ("one", "two", "three"):
        await world.say(text)
        await trio.sleep(0.1)
    await settle(world)

    assert [sent.reply_to for sent in platform.sent] == ["e1", "e2", "e3"]


async def test_AC21_a_chat_that_is_away_with_a_stream_in_it_is_tried_again_by_and_by(
    open_world, autojump_clock
):
    """What is left of a stream that is over does not keep the lane from leaving, and from being started anew."""
    platform = Away()
    world = await open_world(typist(8), platform=platform, config=ON)
    await world.say("one")
    await world.until(lambda: len(platform.sent) == 1, within_s=30)
    platform.away = True
    platform.edit_failures = [lost(), lost(), lost(), lost()]
    await world.until(lambda: world.rows("failure", "outbox") != [], within_s=60)
    await trio.sleep(10)
    platform.away = False
    await settle(world, within_s=200)

    assert world.rows("state", "outbox") == ["sent"]
