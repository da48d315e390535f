"""One life after the other."""

from hermes.testing.conformance.lives import Lives
from hermes.testing.conformance.scenario import needs, only_if, pulls
from hermes.testing.conformance.subject import Subject
from hermes.types.ports import Drafts, Edits


class Connecting:
    """How an adapter comes up."""

    async def test_it_says_once_that_it_is_started(self, subject: Subject, lives: Lives) -> None:
        """And stays."""
        life = await lives.begin()
        await lives.settle()
        assert (life.starts, life.over.is_set()) == (1, False)

    async def test_what_it_says_it_can_do_is_there(self, subject: Subject, lives: Lives) -> None:
        """A way of streaming that is declared has its method."""
        adapter = (await lives.begin()).adapter
        streaming = adapter.capabilities.streaming
        assert "edit" not in streaming or isinstance(adapter, Edits)
        assert "draft" not in streaming or isinstance(adapter, Drafts)

    @pulls
    async def test_AC15_what_was_said_meanwhile_comes_in_order(self, subject: Subject, lives: Lives) -> None:
        """What the platform keeps while nobody is connected is no backlog to be thrown away."""
        said = [f"message {n}" for n in range(6)]
        for text in said:
            await subject.say(text)
        await lives.begin()
        await lives.until(lambda: len(lives.inbox.events) >= len(said), "everything is accepted")
        assert lives.inbox.texts == said

    @needs(Subject.calls)
    async def test_AC52_a_restart_is_a_first_start(self, subject: Subject, lives: Lives) -> None:
        """A second life calls what the first has called, and receives as it did."""
        ways = []
        for text in ("one", "two"):
            before = len(subject.calls())
            life = await lives.begin()
            ways.append(list(dict.fromkeys(subject.calls()[before:])))
            await subject.say(text)
            await lives.until(lambda text=text: text in lives.inbox.texts, "it is accepted")  # type: ignore[misc]
            await life.end()
        assert ways[0] == ways[1]
        assert lives.inbox.texts == ["one", "two"]

    @needs(Subject.connections, Subject.connections_ever)
    async def test_AC50_a_second_life_shares_no_connection(self, subject: Subject, lives: Lives) -> None:
        """All connections of the first are closed with it; the second opens its own."""
        await (await lives.begin()).end()
        await lives.until(lambda: subject.connections() == 0, "the connections of the first life are closed")
        before = subject.connections_ever()
        await lives.begin()
        assert subject.connections_ever() > before

    @needs(Subject.receivers)
    async def test_AC28_restarts_never_receive_twice_at_once(self, subject: Subject, lives: Lives) -> None:
        """However fast one life follows the other."""
        for _ in range(10):
            await (await lives.begin()).end()
        assert subject.receivers() <= 1

    @only_if(lambda subject: "" if "conflict" in subject.faults else "conflict in its faults")
    async def test_of_two_instances_one_gives_way(self, subject: Subject, lives: Lives) -> None:
        """Where the platform allows one: it says so, nothing is lost, and nothing is accepted as two events."""
        one, two = await lives.begin(), lives.start()
        await lives.until(lambda: one.over.is_set() or two.over.is_set(), "one of the two gives way")
        loser, winner = (one, two) if one.over.is_set() else (two, one)
        assert (await loser.failure(subject.patience_s)).failure.code == subject.faults["conflict"].code
        await subject.say("hello")
        await lives.until(lambda: lives.inbox.texts == ["hello"], "the other receives")
        assert not winner.over.is_set()
