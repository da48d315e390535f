"""Adapters with one fault each, and the scenario that must notice it; collected by test_testing_conformance_notices alone."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import trio
from test_testing_conformance import DEADLINE_S, WireSubject

from hermes.testing.conformance import AdapterConformance
from hermes.testing.wire import WireAdapter
from hermes.types.content import SendResult
from hermes.types.errors import GatewayError, SendError
from hermes.types.events import InboundEvent
from hermes.types.ports import AdapterIO, TaskStatus


class Retries(WireAdapter):
    """test_AC09_while_it_connects[server_error]"""

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        try:
            await super().connect(io, task_status=task_status)
        except GatewayError:
            await super().connect(io, task_status=task_status)


class StartsEarly(WireAdapter):
    """test_AC09_while_it_connects[server_error]"""

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        task_status.started()
        await super().connect(io, task_status=task_status)


class GivesUpQuietly(WireAdapter):
    """test_AC01_while_it_receives[server_error]"""

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        try:
            await super().connect(io, task_status=task_status)
        except GatewayError:
            return


class WaitsForEver(WireAdapter):
    """test_AC01_while_it_receives[half_open]"""

    async def _call(self, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        return await super()._call(request, float("inf"))


class MaySleepForEver(WireAdapter):
    """test_AC01_it_says_how_long_its_silence_may_last"""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.receive_deadline_s = None  # type: ignore[assignment]


class IsSlowToNotice(WireAdapter):
    """test_AC01_while_it_receives[half_open]"""

    async def _call(self, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        return await super()._call(request, 10 * deadline_s)


class ForgetsHowLong(WireAdapter):
    """test_AC09_while_it_connects[limited]"""

    async def _call(self, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        try:
            return await super()._call(request, deadline_s)
        except SendError as error:
            object.__setattr__(error.failure, "retry_after", None)
            raise


class AcknowledgesEarly(WireAdapter):
    """test_AC14_nothing_is_acknowledged_before_it_is_durable"""

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        async with trio.open_nursery() as self._nursery:
            await super().connect(io, task_status=task_status)

    async def _hand_in(self, io: AdapterIO, events: Sequence[Mapping[str, Any]]) -> None:
        self._nursery.start_soon(super()._hand_in, io, events)


class CountsTheStore(WireAdapter):
    """test_a_store_that_is_away_is_no_silence"""

    async def _hand_in(self, io: AdapterIO, events: Sequence[Mapping[str, Any]]) -> None:
        with trio.fail_after(DEADLINE_S):
            await super()._hand_in(io, events)


class ForgetsTheBacklog(WireAdapter):
    """test_AC15_what_was_said_meanwhile_comes_in_order"""

    first = True

    async def _hand_in(self, io: AdapterIO, events: Sequence[Mapping[str, Any]]) -> None:
        await super()._hand_in(io, events[-1:] if self.first else events)
        self.first = False


class TurnsRound(WireAdapter):
    """test_AC15_what_was_said_meanwhile_comes_in_order"""

    async def _hand_in(self, io: AdapterIO, events: Sequence[Mapping[str, Any]]) -> None:
        await super()._hand_in(io, events[::-1])


class SkipsWhatItCannotRead(WireAdapter):
    """test_what_cannot_be_read_is_kept_and_holds_up_nothing"""

    async def _hand_in(self, io: AdapterIO, events: Sequence[Mapping[str, Any]]) -> None:
        await super()._hand_in(io, [event for event in events if "text" in event])


class NamesAnew(WireAdapter):
    """test_a_second_delivery_has_the_first_ones_name"""

    numbers = count()

    def _event(self, event: Mapping[str, Any]) -> InboundEvent:
        return super()._event({**event, "event": f"n{next(self.numbers)}"})


class HoldsOn(WireAdapter):
    """test_cancelling_it_anywhere_leaves_nothing_behind"""

    async def _call(self, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        try:
            return await super()._call(request, deadline_s)
        except trio.Cancelled:
            self._left_open = await self._dial()
            raise

    async def _dial(self) -> trio.SocketStream:
        with trio.CancelScope(shield=True):
            return await trio.open_tcp_stream("127.0.0.1", self._port)


class IgnoresItsEnd(WireAdapter):
    """test_it_says_goodbye_while_it_runs"""

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
            await super().connect(io, task_status=task_status)


class SaysNothingArrived(WireAdapter):
    """test_what_goes_wrong_is_told_as_it_is[reset_after]"""

    async def send(self, *args: Any, **kwargs: Any) -> SendResult:
        try:
            return await super().send(*args, **kwargs)
        except SendError as error:
            raise SendError(error.failure, "not_sent") from error


class SendsTwice(WireAdapter):
    """test_a_text_arrives_once"""

    async def send(self, *args: Any, **kwargs: Any) -> SendResult:
        await super().send(*args, **kwargs)
        return await super().send(*args, **kwargs)


BROKEN = [
    broken
    for broken in list(globals().values())
    if isinstance(broken, type) and issubclass(broken, WireAdapter) and broken is not WireAdapter
]


def _suite(broken: type[WireAdapter]) -> type:
    subject = type(
        f"{broken.__name__}Subject", (WireSubject,), {"adapter": broken, "patience_s": 0.3, "slack_s": 0.3}
    )
    return type(f"Test{broken.__name__}", (AdapterConformance,), {"subject_type": subject})


globals().update({f"Test{broken.__name__}": _suite(broken) for broken in BROKEN})
