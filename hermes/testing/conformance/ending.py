"""How a life ends: at once, and leaving nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from hermes.testing.conformance.lives import Life, Lives
from hermes.testing.conformance.scenario import needs, only_if, pulls
from hermes.testing.conformance.subject import Subject

SAMPLES = 25
"""At how many places a life is cancelled; all of them, where there are fewer."""

DISCONNECT_S = 5.0


class Ending:
    """``disconnect`` and cancellation."""

    async def test_it_says_goodbye_while_it_runs(self, subject: Subject, lives: Lives) -> None:
        """``disconnect`` comes to an end beside ``connect``, which then can be cancelled as ever."""
        life = await lives.begin()
        with trio.fail_after(DISCONNECT_S):
            await life.adapter.disconnect()
        if life.over.is_set():
            assert life.error is None
        await life.end()

    @only_if(lambda subject: "" if "mute" in subject.faults else "mute in its faults")
    async def test_AC07_a_goodbye_that_nobody_hears_is_cut_short(
        self, subject: Subject, lives: Lives
    ) -> None:
        """The caller's deadline ends ``disconnect``, and cancelling ``connect``, though the platform is mute."""
        life = await lives.begin()
        await subject.break_receiving("mute")
        began = trio.current_time()
        with trio.move_on_after(subject.settle_s):
            await life.adapter.disconnect()
        life.scope.cancel()
        assert await life.over_within(subject.patience_s), (
            "a mute platform holds it up: is something shielded?"
        )
        assert trio.current_time() - began < subject.settle_s + subject.slack_s
        await subject.heal()

    @pulls
    @needs(Subject.connections)
    async def test_cancelling_it_anywhere_leaves_nothing_behind(self, subject: Subject, lives: Lives) -> None:
        """No task and no connection; and no event is lost or accepted twice."""
        await subject.say("first")
        with steps_of(life := lives.start()) as steps:
            await lives.until(lambda: lives.inbox.texts == ["first"], "it is accepted")
            await lives.settle()
        await life.end()
        await lives.until(lambda: subject.connections() == 0, "its connections are closed")
        tasks = trio.lowlevel.current_statistics().tasks_living
        places = range(1, steps.taken + 1, max(1, steps.taken // SAMPLES))
        for place in places:
            await subject.say(f"cancelled at step {place}")
            with steps_of(life := lives.start(), place):
                await life.over_within(subject.settle_s)
                await life.end()
            await lives.until(lambda: subject.connections() == 0, f"no connection is left: step {place}")
        await lives.until(
            lambda: trio.lowlevel.current_statistics().tasks_living <= tasks, "no task of its own is left"
        )
        await lives.begin()
        said = ["first", *(f"cancelled at step {place}" for place in places)]
        await lives.until(lambda: len(lives.inbox.events) >= len(said), "everything is accepted")
        assert lives.inbox.texts == said


class Steps(trio.abc.Instrument):
    """Counts the steps of one life's tasks, and cancels it before the step ``cancel_at``."""

    def __init__(self, life: Life, cancel_at: int | None) -> None:
        self.taken = 0
        self._life = life
        self._cancel_at = cancel_at

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """See ``trio.abc.Instrument``."""
        above: trio.lowlevel.Task | None = task
        while above is not None and above is not self._life.task:
            above = above.parent_nursery.parent_task if above.parent_nursery else None
        if above is not None:
            self.taken += 1
            if self.taken == self._cancel_at:
                self._life.scope.cancel()


@contextmanager
def steps_of(life: Life, cancel_at: int | None = None) -> Iterator[Steps]:
    """Count the steps of a life that has just been started."""
    steps = Steps(life, cancel_at)
    trio.lowlevel.add_instrument(steps)
    try:
        yield steps
    finally:
        trio.lowlevel.remove_instrument(steps)
