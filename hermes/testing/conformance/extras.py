"""What a platform can do beyond sending and receiving, as far as its adapter does it."""

import pytest

from hermes.testing.conformance.lives import Lives
from hermes.testing.conformance.scenario import needs
from hermes.testing.conformance.sending import send
from hermes.testing.conformance.subject import Subject
from hermes.types.content import Draft, Part
from hermes.types.errors import TOO_LARGE, Failure, GatewayError, SendError
from hermes.types.events import Attachment
from hermes.types.ids import DeliveryId
from hermes.types.ports import Channels, Deletes, Drafts, Edits, Files, Reactions, Typing

FILE = bytes(range(256)) * 1024


class Extras:
    """The optional protocols of ``hermes.types.ports``."""

    @needs(Edits)
    async def test_an_edit_changes_what_was_sent(self, subject: Subject, lives: Lives) -> None:
        """That it says so already is success."""
        life = await lives.begin()
        assert isinstance(adapter := life.adapter, Edits)
        (name,) = await send(subject, life, "first")
        for final in (False, True):
            await adapter.edit(subject.chat, name, plain("second"), metadata={}, final=final)
        assert [(shown.message_id, shown.text) for shown in subject.read()] == [(name, "second")]

    @needs(Edits, Deletes)
    async def test_an_edit_of_what_is_gone_is_not_sent(self, subject: Subject, lives: Lives) -> None:
        """So that the lane sends the text anew."""
        life = await lives.begin()
        assert isinstance(adapter := life.adapter, Edits)
        assert isinstance(adapter, Deletes)
        (name,) = await send(subject, life, "first")
        await adapter.delete(subject.chat, name)
        assert not subject.read()
        with pytest.raises(SendError) as caught:
            await adapter.edit(subject.chat, name, plain("second"), metadata={}, final=True)
        assert caught.value.phase == "not_sent"

    @needs(Drafts, Subject.drafts)
    async def test_a_draft_is_shown(self, subject: Subject, lives: Lives) -> None:
        """While its answer is written; it is no message."""
        life = await lives.begin()
        assert isinstance(adapter := life.adapter, Drafts)
        for text in ("He", "Hello"):
            await adapter.draft(subject.chat, Draft("d1", text))
        await lives.until(lambda: subject.drafts()[-1:] == ["Hello"], "the newest draft is shown")
        assert not subject.read()

    @needs(Typing, Subject.typed)
    async def test_typing_is_shown(self, subject: Subject, lives: Lives) -> None:
        """Once for each time it is asked for."""
        life = await lives.begin()
        assert isinstance(adapter := life.adapter, Typing)
        await adapter.typing(subject.chat, None, True)
        await lives.until(lambda: subject.typed() == 1, "typing is shown")
        await adapter.typing(subject.chat, None, False)

    @needs(Reactions)
    async def test_a_reaction_is_put_to_a_message(self, subject: Subject, lives: Lives) -> None:
        """In place of one of ours."""
        life = await lives.begin()
        assert isinstance(adapter := life.adapter, Reactions)
        (name,) = await send(subject, life, "hello")
        for emoji in ("👀", "👍"):
            await adapter.react(subject.chat, name, emoji)
        assert [shown.reactions for shown in subject.read()] == [("👍",)]

    @needs(Channels)
    async def test_its_chats_are_listed(self, subject: Subject, lives: Lives) -> None:
        """With names that people know."""
        life = await lives.begin()
        assert isinstance(adapter := life.adapter, Channels)
        listed = await adapter.list_channels()
        assert len({(channel.chat_id, channel.thread_id) for channel in listed}) == len(listed)
        assert all(channel.name for channel in listed)

    @needs(Files, Subject.send_file)
    async def test_a_file_is_fetched(self, subject: Subject, lives: Lives) -> None:
        """Its very bytes, in order."""
        adapter, attachment = await incoming(subject, lives)
        sink = Sink(len(FILE))
        await adapter.fetch(attachment, sink)
        assert bytes(sink.body) == FILE

    @needs(Files, Subject.send_file)
    async def test_a_file_that_is_too_large_is_not_fetched_to_its_end(
        self, subject: Subject, lives: Lives
    ) -> None:
        """What the sink raises goes through; and the next file can be fetched."""
        adapter, attachment = await incoming(subject, lives)
        with pytest.raises(GatewayError) as caught:
            await adapter.fetch(attachment, Sink(1000))
        assert caught.value.failure.code == TOO_LARGE
        await adapter.fetch(attachment, Sink(len(FILE)))

    @needs(Files, Subject.send_file)
    async def test_a_file_that_is_not_there_has_its_failure(self, subject: Subject, lives: Lives) -> None:
        """Whatever its reference says."""
        adapter, _ = await incoming(subject, lives)
        for ref in ("nothing-of-this-name", "../../etc/passwd", "http://127.0.0.1:1/", ""):
            with pytest.raises(GatewayError):
                await adapter.fetch(Attachment("document", ref), Sink(1000))


class Sink:
    """Takes ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self.body = bytearray()
        self._most = most

    async def write(self, data: bytes) -> None:
        """See ``ports.FileSink``."""
        if len(self.body) + len(data) > self._most:
            raise GatewayError(Failure(TOO_LARGE))
        self.body += data


async def incoming(subject: Subject, lives: Lives) -> tuple[Files, Attachment]:
    """A file that a person has just sent, and who fetches it."""
    assert isinstance(adapter := (await lives.begin()).adapter, Files)
    await subject.send_file(FILE)
    await lives.until(lambda: any(event.attachments for event in lives.inbox.events), "it is accepted")
    ((attachment, *_),) = [event.attachments for event in lives.inbox.events if event.attachments]
    return adapter, attachment


def plain(text: str) -> Part:
    """A part that says ``text``."""
    return Part(DeliveryId("d1"), 0, 1, text, "plain")
