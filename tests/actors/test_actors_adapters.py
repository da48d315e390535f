"""Adapters fail only by leaving ``connect``: what follows, and that nobody else notices."""

from itertools import pairwise

import pytest
import trio
from wires import Silent
from world import ADAPTER, IDEMPOTENT, PLAIN

from actors.adapter import DISCONNECT_DEADLINE_S
from hermes.testing.fakes import FakeAdapter
from hermes.types import texts
from hermes.types.errors import Failure, GatewayError, SendError
from hermes.types.ports import Request, Response, Route

OTHER = "root/gateway/adapters/other:default"


class Shaky(FakeAdapter):
    """Its first connects go wrong: each of ``fates`` is raised, or returned from if None."""

    def __init__(self, *fates, capabilities=IDEMPOTENT):
        super().__init__(capabilities=capabilities)
        self.fates = list(fates)
        self.tried_at = []

    async def connect(self, io, *, task_status):
        self.tried_at.append(trio.current_time())
        if self.fates:
            await trio.lowlevel.checkpoint()
            if (fate := self.fates.pop(0)) is not None:
                raise fate
            task_status.started()
            return
        await super().connect(io, task_status=task_status)


def failure(severity, **kwargs):
    return GatewayError(Failure("no_luck", severity, "adapter", detail="in words", **kwargs))


async def test_AC_06_a_transient_failure_is_tried_again_for_ever_and_never_sooner_than_asked(
    open_world, autojump_clock
):
    world = await open_world(
        platform=Shaky(*[failure("transient", retry_after=60.0)] * 12),
        others=[FakeAdapter("other")],
        wait=False,
    )
    await world.until(lambda: world.state(ADAPTER) == "backoff", within_s=5)
    assert "no_luck: in words" in world.tree()[ADAPTER].last_error

    await world.until(lambda: world.state(ADAPTER) == "running", within_s=12 * 400, every_s=10)

    times = world.platform.tried_at
    assert len(times) == 13
    assert all(later - earlier >= 60 for earlier, later in pairwise(times))
    assert world.incarnations()[OTHER] == 1


async def test_AC_06_a_failure_that_needs_the_operator_disables_that_adapter_alone(
    open_world, autojump_clock
):
    world = await open_world(
        platform=Shaky(failure("needs_operator")), others=[FakeAdapter("other")], wait=False
    )
    await world.until(lambda: world.state(OTHER) == "running")

    await trio.sleep(1000)

    assert (world.state(ADAPTER), len(world.platform.tried_at)) == ("disabled", 1)
    assert world.incarnations()[OTHER] == 1


async def test_AC_06_a_fatal_failure_ends_the_run_with_the_code_for_giving_up(open_world, autojump_clock):
    world = await open_world(platform=Shaky(failure("fatal")), wait=False)
    await world.until(lambda: bool(world.boots))
    with trio.fail_after(60):
        await world.boot.ended.wait()

    assert world.boot.outcome.code == 70


async def test_AC_06_a_connect_that_returns_is_a_fault(open_world, autojump_clock):
    world = await open_world(platform=Shaky(None, None))

    assert world.incarnations()[ADAPTER] == 3


async def test_AC_05_a_crash_of_connect_is_one_restart_by_the_supervisor(open_world, autojump_clock):
    world = await open_world()

    world.platform.crash(ValueError("a bug"))
    await world.until(lambda: world.incarnations()[ADAPTER] == 2)
    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello"]
    exits = [event for event in world.boot.system.events.newest(1000) if event.kind == "exited"]
    assert [event.detail["decision"] for event in exits if event.path == ADAPTER] == ["restart"]


class Clinging(FakeAdapter):
    """Neither says goodbye nor lets go of ``connect``, the first time, until it is released."""

    def __init__(self):
        super().__init__(capabilities=PLAIN)
        self.released = trio.Event()
        self.old_io = None

    def routes(self):
        return (Route("/x", "own", self._serve),)

    async def _serve(self, request):
        return Response()

    async def connect(self, io, *, task_status):
        if self.connects == 0:
            self.old_io = io
            try:
                await super().connect(io, task_status=task_status)
            finally:
                with trio.move_on_after(3600, shield=True):
                    await self.released.wait()
        await super().connect(io, task_status=task_status)

    async def disconnect(self):
        await trio.sleep_forever()


async def test_AC_07_a_close_that_hangs_makes_the_adapter_stuck_and_its_replacement_starts(
    open_world, autojump_clock
):
    world = await open_world(platform=Clinging())
    before = {path: n for path, n in world.incarnations().items() if path != ADAPTER}
    began = trio.current_time()

    await world.services.overview.restart(ADAPTER)

    assert trio.current_time() - began < 15
    assert [life.cell.path for life in world.boot.system.zombies] == [ADAPTER]
    await world.say("hello")
    await world.settle()
    assert world.heard() == ["hello"]
    assert {path: world.incarnations()[path] for path in before} == before
    with pytest.raises(SendError):
        await world.platform.old_io.accept(())
    world.platform.released.set()
    await trio.sleep(1)
    assert world.services.adapters.find("fake", "default").up
    assert (await world.services.routes.find("GET", "/x").call(Request("GET", "/x"))).status == 200


async def test_AC_07_a_goodbye_that_hangs_has_a_deadline(open_world, autojump_clock):
    class Talkative(FakeAdapter):
        """Never finishes saying goodbye."""

        async def disconnect(self):
            await trio.sleep_forever()

    world = await open_world(platform=Talkative())
    began = trio.current_time()

    await world.services.overview.restart(ADAPTER)

    assert trio.current_time() - began == pytest.approx(DISCONNECT_DEADLINE_S, abs=0.5)
    assert world.boot.system.zombies == set()


async def test_AC_06_an_adapter_over_its_budget_is_disabled_and_touches_nobody(open_world, autojump_clock):
    world = await open_world(
        platform=Shaky(*[ValueError("a bug")] * 100), others=[FakeAdapter("other")], wait=False
    )

    await trio.sleep(1000)

    assert (world.state(ADAPTER), len(world.platform.tried_at)) == ("disabled", 6)
    assert {n for path, n in world.incarnations().items() if path != ADAPTER} == {1}


async def test_a_send_that_the_end_of_its_adapter_cuts_off_is_unknown(open_world, autojump_clock):
    world = await open_world(platform=Silent())
    await world.say("hello")
    await trio.sleep(1)

    world.platform.crash(ValueError("a bug"))
    await world.until(lambda: world.rows("state", "outbox") == ["unknown"], within_s=1)
    await world.settle()

    assert world.heard() == ["hello", texts.RESENT_MARK + "hello"]


async def test_answers_wait_for_an_adapter_that_is_down_without_attempts(open_world, autojump_clock):
    world = await open_world(platform=Shaky())
    world.platform.fates = [failure("transient", retry_after=100.0)]
    await world.say("hello")
    world.platform.crash(ValueError("a bug"))

    await trio.sleep(90)
    assert world.rows("state, attempts", "outbox") == [("prepared", 0)]
    await world.up()
    await world.settle(within_s=1)

    assert world.heard() == ["hello"]
    assert world.rows("attempts", "outbox") == [1]


async def test_a_failure_of_the_whole_adapter_during_a_send_restarts_it(open_world, autojump_clock):
    world = await open_world()
    world.platform.failures = [
        SendError(Failure("revoked_for_now", scope="adapter", retry_after=20.0), "not_sent")
    ]
    began = trio.current_time()

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello"]
    assert world.platform.connects == 2
    assert trio.current_time() - began >= 20


async def test_a_failure_out_of_a_nursery_of_the_adapters_has_its_name(open_world, autojump_clock):
    class Parallel(FakeAdapter):
        """Sends in a task of its own."""

        async def send(self, chat_id, part, *, reply_to, metadata):
            async with trio.open_nursery():
                return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)

    world = await open_world(platform=Parallel(capabilities=PLAIN))
    world.platform.failures = [SendError(Failure("busy", scope="chat", retry_after=20.0), "not_sent")]
    began = trio.current_time()

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello"]  # and not with the mark of a second copy
    assert trio.current_time() - began >= 20
    assert world.incarnations()[ADAPTER] == 1


async def test_an_adapter_whose_incarnation_has_ended_can_do_nothing_more(open_world, autojump_clock):
    world = await open_world()
    old = world.platform._io

    world.platform.crash(ValueError("a bug"))
    await world.until(lambda: world.incarnations()[ADAPTER] == 2)

    with pytest.raises(SendError):
        await old.accept(())


async def test_an_adapter_hears_of_its_fault_while_the_store_cannot_be_read(open_world, autojump_clock):
    world = await open_world()
    real = world.services.store.read

    async def never(*args, **kwargs):
        await trio.sleep_forever()

    world.services.store.read = never
    world.platform.crash(ValueError("a bug"))
    await world.until(lambda: world.incarnations()[ADAPTER] == 2 and world.state(ADAPTER) == "running")

    world.services.adapters.find("fake", "default").report(ValueError("another"))

    await world.until(lambda: world.incarnations()[ADAPTER] == 3, within_s=60)
    world.services.store.read = real
