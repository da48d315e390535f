"""From what goes wrong to its name."""

from collections import Counter
from collections.abc import Callable
from typing import Literal

from hermes.testing.conformance.lives import Lives
from hermes.testing.conformance.scenario import check_wait, each
from hermes.testing.conformance.subject import Fault, Subject


def while_(moment: Literal["connecting", "connected"]) -> Callable[[type[Subject]], list[Fault]]:
    """The faults that can strike at ``moment``."""
    return lambda subject: [fault for fault, verdict in subject.faults.items() if moment in verdict.moments]


class Failing:
    """An adapter makes one attempt and raises; who tries again is its supervisor."""

    @each("fault", while_("connecting"))
    async def test_AC09_while_it_connects(self, fault: Fault, subject: Subject, lives: Lives) -> None:
        """It is never started, and says why; nobody's attempts but its supervisor's (AC-51)."""
        verdict = subject.faults[fault]
        await subject.break_receiving(fault)
        before = len(subject.calls())
        life = lives.start()
        error = await life.failure(subject.patience_s)
        assert life.starts == 0
        assert (error.failure.code, error.failure.severity) == (verdict.code, verdict.severity)
        check_wait(error, verdict.retry_after)
        most = Counter(subject.calls()[before:]).most_common(1)
        assert not most or most[0][1] <= verdict.attempts, f"it tried again by itself: {most}"
        await after(subject, lives)

    @each("fault", while_("connected"))
    async def test_AC01_while_it_receives(self, fault: Fault, subject: Subject, lives: Lives) -> None:
        """It is noticed within the receive deadline, and what is said meanwhile comes to the next life, once."""
        verdict = subject.faults[fault]
        life = await lives.begin()
        await subject.break_receiving(fault)
        error = await life.failure(
            subject.patience_s
            if subject.receive_deadline_s is None
            else subject.receive_deadline_s + subject.slack_s
        )
        assert (error.failure.code, error.failure.severity) == (verdict.code, verdict.severity)
        check_wait(error, verdict.retry_after)
        await subject.say("hello")
        await after(subject, lives)
        await lives.until(lambda: lives.inbox.texts == ["hello"], "what was said meanwhile is accepted")


async def after(subject: Subject, lives: Lives) -> None:
    """All is well again: the next life is none the wiser."""
    await subject.heal()
    await lives.begin()
