"""From the wire to the inbox."""

from hermes.testing.conformance.lives import Lives
from hermes.testing.conformance.scenario import needs, pulls
from hermes.testing.conformance.subject import Subject
from hermes.types.errors import STORE_GONE, Failure, GatewayError
from hermes.types.ports import Receives


class Receiving:
    """What an adapter hands in, and when it tells the platform so."""

    async def test_every_kind_of_event_is_read(self, subject: Subject, lives: Lives) -> None:
        """As what it is, from this account, as an event of a platform."""
        await lives.begin()
        for kind in sorted(subject.kinds):
            before = len(lives.inbox.events)
            expected = await subject.happen(kind)
            await lives.until(lambda n=before: len(lives.inbox.events) > n, f"an event of kind {kind}")  # type: ignore[misc]
            event = lives.inbox.events[before]
            assert {name: getattr(event, name) for name in expected} == expected
            assert (event.kind, event.internal) == (kind, False)
            assert event.event_id
            assert event.origin.chat_id
            assert event.trace
            assert event.received_at > 0

    async def test_events_keep_their_order(self, subject: Subject, lives: Lives) -> None:
        """Of one chat, as they were said; each once."""
        await lives.begin()
        said = [f"message {n}" for n in range(20)]
        for text in said:
            await subject.say(text)
        await lives.until(lambda: len(lives.inbox.events) >= len(said), "everything is accepted")
        assert lives.inbox.texts == said
        assert len({event.event_id for event in lives.inbox.events}) == len(said)

    @needs(Subject.repeat)
    async def test_a_second_delivery_has_the_first_ones_name(self, subject: Subject, lives: Lives) -> None:
        """Only so is it known for a copy; in this life and in the next."""
        life = await lives.begin()
        await subject.say("hello")
        await lives.until(lambda: len(lives.inbox.events) == 1, "it is accepted")
        await lives.until(lambda: subject.unacknowledged() == 0, "it is acknowledged")
        await subject.repeat()
        await lives.until(lambda: lives.inbox.copies == 1, "the copy is handed in")
        await lives.until(lambda: subject.unacknowledged() == 0, "the copy is acknowledged")
        await life.end()
        await lives.begin()
        await subject.repeat()
        await lives.until(lambda: lives.inbox.copies >= 2, "the copy is handed in after a restart")
        assert len(lives.inbox.events) == 1

    @needs(Subject.garble)
    async def test_what_cannot_be_read_is_kept_and_holds_up_nothing(
        self, subject: Subject, lives: Lives
    ) -> None:
        """It is kept as it came, and the cursor moves on."""
        life = await lives.begin()
        await subject.garble()
        await subject.say("hello")
        await lives.until(lambda: "hello" in lives.inbox.texts, "what comes after it is accepted")
        assert [bool(name and raw) for name, raw in lives.inbox.undecodable] == [True], "it is kept, once"
        assert not life.over.is_set()
        await lives.until(lambda: subject.unacknowledged() == 0, "both are acknowledged")

    @needs(Subject.unacknowledged)
    async def test_AC14_nothing_is_acknowledged_before_it_is_durable(
        self, subject: Subject, lives: Lives
    ) -> None:
        """The acknowledgement waits for ``accept``, and follows it."""
        await lives.begin()
        lives.inbox.pause()
        await subject.say("hello")
        await lives.until(lambda: lives.inbox.waiting > 0, "it is handed in")
        await lives.settle()
        assert subject.unacknowledged() == 1
        lives.inbox.resume()
        await lives.until(lambda: subject.unacknowledged() == 0, "it is acknowledged")
        assert lives.inbox.texts == ["hello"]

    @pulls
    async def test_AC14_what_dies_before_it_is_durable_comes_again(
        self, subject: Subject, lives: Lives
    ) -> None:
        """A life that ends inside ``accept`` has acknowledged nothing."""
        life = await lives.begin()
        lives.inbox.pause()
        await subject.say("hello")
        await lives.until(lambda: lives.inbox.waiting > 0, "it is handed in")
        await life.end()
        lives.inbox.resume()
        await lives.begin()
        await lives.until(lambda: lives.inbox.texts == ["hello"], "it is accepted by the next life")

    @pulls
    async def test_AC14_what_the_store_refuses_comes_again(self, subject: Subject, lives: Lives) -> None:
        """What ``accept`` raises ends the life, as it is."""
        life = await lives.begin()
        lives.inbox.refuse(GatewayError(Failure(STORE_GONE)))
        await subject.say("hello")
        assert (await life.failure(subject.patience_s)).failure.code == STORE_GONE
        await lives.begin()
        await lives.until(lambda: lives.inbox.texts == ["hello"], "it is accepted by the next life")

    @pulls
    async def test_a_store_that_is_away_is_no_silence(self, subject: Subject, lives: Lives) -> None:
        """Time inside ``accept`` does not count for the receive deadline."""
        life = await lives.begin()
        lives.inbox.pause()
        await subject.say("hello")
        await lives.until(lambda: lives.inbox.waiting > 0, "it is handed in")
        assert not await life.over_within(1.5 * (subject.receive_deadline_s or 0.0))
        lives.inbox.resume()
        await lives.until(lambda: lives.inbox.texts == ["hello"], "it is accepted")
        assert life.error is None

    async def test_AC01_it_says_how_long_its_silence_may_last(self, subject: Subject, lives: Lives) -> None:
        """As its subject does; by that the gateway shows it as connected or stale, and ends it if it does not end itself."""
        adapter = (await lives.begin()).adapter
        declared = adapter.receive_deadline_s if isinstance(adapter, Receives) else None
        assert declared == subject.receive_deadline_s

    @pulls
    async def test_AC03_a_silent_chat_is_alive(self, subject: Subject, lives: Lives) -> None:
        """A day without a word is beat after beat, in one life."""
        life = await lives.begin()
        await lives.until(lambda: life.io.beats >= subject.beats, "it beats on")
        assert life.error is None
        await subject.say("hello")
        await lives.until(lambda: lives.inbox.texts == ["hello"], "it is accepted")
