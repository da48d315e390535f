"""From a message to what people see. Messages are cut into parts as a lane cuts them."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
import trio

from hermes.delivery import plan
from hermes.delivery.parts import cut
from hermes.testing.conformance.lives import Life, Lives
from hermes.testing.conformance.scenario import check_wait, each, needs, only_if
from hermes.testing.conformance.subject import SendFault, Subject
from hermes.types.content import Media, MediaKind, Outbound, Part
from hermes.types.errors import TOO_LONG, SendError
from hermes.types.ids import DeliveryId

MARKED_UP = (
    "A **bold** word, `code`, a [link](https://example.org/a_(b)) and an 🦉 _in_ italics.\n\n- one\n- two"
)


_QUESTIONS = count()


class Sending:
    """``send``: one part, one attempt, and the truth about how far it came."""

    async def test_a_text_arrives_once(self, subject: Subject, lives: Lives) -> None:
        """And its receipt names it."""
        names = await send(subject, await lives.begin(), "hello")
        await lives.settle()
        assert [(shown.message_id, shown.text) for shown in subject.read()] == [(names[0], "hello")]

    async def test_what_is_marked_up_arrives_as_its_platform_shows_it(
        self, subject: Subject, lives: Lives
    ) -> None:
        """In the platform's own dialect; no word is lost to the markup."""
        await send(subject, await lives.begin(), MARKED_UP)
        (shown,) = subject.read()
        for word in ("bold", "code", "link", "🦉", "italics", "two"):
            assert word in shown.text

    async def test_the_longest_text_is_taken(self, subject: Subject, lives: Lives) -> None:
        """As long as the capabilities say."""
        life = await lives.begin()
        await send_part(subject, life, of_length(life, 0))
        assert [shown.text for shown in subject.read()] == [of_length(life, 0)]

    @only_if(lambda subject: "" if "too_long" in subject.send_faults else "too_long in its send_faults")
    async def test_a_text_that_is_longer_is_refused(self, subject: Subject, lives: Lives) -> None:
        """By the platform: so the capabilities say neither more nor less."""
        life = await lives.begin()
        with pytest.raises(SendError) as caught:
            await send_part(subject, life, of_length(life, 1))
        assert (caught.value.failure.code, caught.value.phase) == (TOO_LONG, "not_sent")
        assert not subject.read()

    async def test_a_long_message_arrives_in_parts(self, subject: Subject, lives: Lives) -> None:
        """In their order, each no longer than the platform takes."""
        life = await lives.begin()
        words = [f"word{n}" for n in range(3 * min(life.adapter.capabilities.max_length, 5000) // 8)]
        await send(subject, life, " ".join(words))
        shown = subject.read()
        assert [word for one in shown for word in one.text.split() if word.startswith("word")] == words

    @needs(Subject.message_id)
    async def test_an_answer_names_what_it_answers(self, subject: Subject, lives: Lives) -> None:
        """Where the platform shows that."""
        life = await lives.begin()
        await subject.say("a question")
        await lives.until(lambda: len(lives.inbox.events) == 1, "it is accepted")
        question = lives.inbox.events[0].message_id
        assert question == subject.message_id()
        await send(subject, life, "an answer", reply_to=question)
        (shown,) = subject.read()
        assert shown.reply_to == question

    @only_if(lambda subject: "a thread" if subject.thread_id is None else "")
    async def test_it_goes_into_its_thread(self, subject: Subject, lives: Lives) -> None:
        """The thread that the metadata name."""
        await send(subject, await lives.begin(), "hello", thread_id=subject.thread_id)
        (shown,) = subject.read()
        assert shown.thread_id == subject.thread_id

    async def test_metadata_that_nobody_knows_do_no_harm(self, subject: Subject, lives: Lives) -> None:
        """They are the escape hatch of some other platform."""
        life = await lives.begin()
        part = Part(DeliveryId("d1"), 0, 1, "hello", "plain")
        metadata = {"colour": "green", "x-y": ""}
        question = await ask(subject, life)
        await life.adapter.send(subject.chat, part, reply_to=question, metadata=metadata)
        assert [shown.text for shown in subject.read()] == ["hello"]

    @each("kind", lambda subject: sorted(subject.capabilities().media))
    async def test_a_file_arrives(
        self, kind: MediaKind, subject: Subject, lives: Lives, tmp_path: Path
    ) -> None:
        """Of each kind that the capabilities name: its very bytes."""
        life = await lives.begin()
        media = media_file(subject, kind, tmp_path)
        life.io.files = (media,)
        await send(subject, life, "", (media,))
        assert subject.media(kind)[1] in [body for shown in subject.read() for body in shown.files]

    @only_if(lambda subject: "albums" if subject.capabilities().album < 2 else "")
    async def test_an_album_arrives(self, subject: Subject, lives: Lives, tmp_path: Path) -> None:
        """Several pictures, none of them twice."""
        life = await lives.begin()
        media = tuple(media_file(subject, "image", tmp_path, n) for n in range(3))
        life.io.files = media
        await send(subject, life, "", media)
        assert sum(len(shown.files) for shown in subject.read()) == len(media)

    async def test_many_go_at_once(self, subject: Subject, lives: Lives) -> None:
        """Lanes of many chats share an adapter."""
        life = await lives.begin()
        async with trio.open_nursery() as nursery:
            for n in range(10):
                nursery.start_soon(send_part, subject, life, f"message {n}")
        assert sorted(shown.text for shown in subject.read()) == [f"message {n}" for n in range(10)]

    async def test_a_send_that_is_cut_off_harms_no_other(self, subject: Subject, lives: Lives) -> None:
        """The lane's deadline, or the end of the life, may cancel it anywhere."""
        life = await lives.begin()
        for deadline_s in (0.0, 0.0005, 0.001, 0.002):
            with trio.move_on_after(deadline_s):
                await send_part(subject, life, "perhaps")
        await send(subject, life, "surely")
        assert "surely" in [shown.text for shown in subject.read()]
        assert not life.over.is_set()

    @each("fault", lambda subject: subject.send_faults)
    async def test_what_goes_wrong_is_told_as_it_is(
        self, fault: SendFault, subject: Subject, lives: Lives
    ) -> None:
        """Why, for whom, until when; and whether it may have arrived. The lane decides on nothing else."""
        refusal = subject.send_faults[fault]
        life = await lives.begin()
        await subject.break_sending(fault)
        with pytest.raises(SendError) as caught:
            await send_part(subject, life, "hello")
        failure = caught.value.failure
        assert (failure.code, failure.scope, failure.severity) == (
            refusal.code,
            refusal.scope,
            refusal.severity,
        )
        assert caught.value.phase == refusal.phase
        check_wait(caught.value, refusal.retry_after)
        assert [shown.text for shown in subject.read()] == ["hello"] * refusal.arrives
        await subject.heal()


async def send(
    subject: Subject,
    life: Life,
    text: str,
    media: Sequence[Media] = (),
    *,
    reply_to: str | None = None,
    thread_id: str | None = None,
) -> list[str]:
    """Send a message part by part; the platform's names for them."""
    message = Outbound(
        DeliveryId("d1"),
        life.adapter.platform,
        subject.account,
        subject.chat,
        text,
        thread_id=thread_id,
        attachments=tuple(media),
    )
    parts, metadata = cut(message, life.adapter.capabilities), plan.metadata(message)
    reply_to = reply_to or await ask(subject, life)
    return [
        (
            await life.adapter.send(subject.chat, parts.part(n), reply_to=reply_to, metadata=metadata)
        ).message_id
        for n in range(parts.total)
    ]


async def send_part(subject: Subject, life: Life, text: str) -> str:
    """Send ``text`` as it is, as one plain part; each text is a delivery of its own."""
    part = Part(DeliveryId(f"d-{text:.20}"), 0, 1, text, "plain")
    question = await ask(subject, life)
    return (await life.adapter.send(subject.chat, part, reply_to=question, metadata={})).message_id


async def ask(subject: Subject, life: Life) -> str | None:
    """Something to answer, by its name, where people see nothing else."""
    if not subject.answers_only:
        return None
    question = f"question {next(_QUESTIONS)}"
    await subject.say(question)
    with trio.fail_after(subject.patience_s):
        while not (asked := [event for event in life.io.events if event.text == question]):  # noqa: ASYNC110 - what it waits for is out of our hands
            await trio.sleep(subject.settle_s / 10)
    return asked[0].message_id


def of_length(life: Life, more: int) -> str:
    """A text as long as the platform takes, and ``more``; a third of it needs two UTF-16 units or four bytes a character."""
    capabilities = life.adapter.capabilities
    owl = {"characters": 1, "utf16": 2, "bytes": 4}[capabilities.length_unit]
    owls = capabilities.max_length // 3 // owl
    return "🦉" * owls + "x" * (capabilities.max_length - owls * owl + more)


def media_file(subject: Subject, kind: MediaKind, folder: Path, number: int = 0) -> Media:
    """A file of ``kind`` on the disk."""
    name, body = subject.media(kind)
    path = folder / f"{number}-{name}"
    path.write_bytes(body)
    return Media(kind, str(path), name, size_bytes=len(body))
