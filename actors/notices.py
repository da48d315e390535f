"""Tells the operator what nobody would see: that we are back, that an adapter stays down, that messages do not get out.

    how the last boot ended ─▶ who asked for it, and the home channels that want to know
    starts that did not last ─▶ all home channels
    adapters, every half minute ─▶ disabled ──┐
    outbox, every half minute ─▶ late, over, ─┴─▶ the log, and the home channel of another platform
                                 given up

What was said stands in the outbox (``actors.ports.notices``), so that neither a crash of this actor nor one of the process
says it twice.
"""

import logging
from typing import assert_never

import trio

from actors.ports.files import HomeFiles
from actors.ports.services import Services
from hermes.config.restart_notices import RestartNotices
from hermes.delivery.backlog import EVERY_S, GivenUp, Late, News, Over, Standing, Told, decide
from hermes.delivery.targets import edge
from hermes.ops.dead_target_file import read_dead_targets
from hermes.store.notice_ops import AdoptDeadTargets, Begin
from hermes.store.notices import standings
from hermes.types import texts
from hermes.types.errors import GatewayError
from supervisors.cell import Down, Stop
from supervisors.context import Context

log = logging.getLogger(__name__)

LOOK_S = 30.0

Message = Stop | Down


async def run(
    ctx: Context[Message], services: Services, files: HomeFiles, restart_notices: RestartNotices
) -> None:
    """Ready at once; looks every half minute."""
    ctx.ready()
    await _adopt_dead_targets(services, files)
    await _say_that_we_are_back(services, restart_notices)
    herald = _Herald(services)
    while True:
        await herald.look()
        with trio.move_on_after(LOOK_S):
            await ctx.stopping()
            return


async def _adopt_dead_targets(services: Services, files: HomeFiles) -> None:
    try:
        targets, faults = await files.run(read_dead_targets)
    except GatewayError as slow:
        targets, faults = (), (slow.failure.detail,)
    for words in faults:
        log.warning("%s", words)
    if targets:
        await services.store.write(AdoptDeadTargets(targets, services.clock.wall()))


async def _say_that_we_are_back(services: Services, restart_notices: RestartNotices) -> None:
    before = await services.store.write(Begin(services.boot_id, services.booted_at))
    storm = services.overview.storm
    if storm.wait_s:
        text = texts.STORM.format(starts=storm.starts, seconds=storm.wait_s)
        await services.notices.tell_homes("storm", text, lambda _: True)
    match before.ended:
        case "":
            text = texts.BACK_AFTER_CRASH
        case "restart":
            text = texts.BACK_AFTER_RESTART
        case "stop" | "none":
            return
        case ended:
            assert_never(ended)
    if before.asked_by is not None:
        await services.notices.tell("back", before.asked_by, text)
    await services.notices.tell_homes(
        "back", text, lambda home: restart_notices.wanted(home.platform, home.account)
    )


class _Herald:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._disabled: dict[str, int] = {}
        self._repeating: dict[str, str] = {}
        self._told: dict[tuple[str, str], Told] = {}

    async def look(self) -> None:
        """Say what is new."""
        await self._look_at_adapters()
        await self._look_at_the_outbox()

    async def _look_at_adapters(self) -> None:
        """Each is told of once for each time it was disabled, and once for what it fails of again and again."""
        disabled = {one.name: one for one in self._services.overview.disabled_adapters()}
        self._disabled = {name: told for name, told in self._disabled.items() if name in disabled}
        for name, one in disabled.items():
            if self._disabled.get(name) == one.incarnation:
                continue
            self._disabled[name] = one.incarnation
            text = texts.ADAPTER_DISABLED.format(name=name, code=one.code)
            await self._services.notices.tell_elsewhere(name.partition(":")[0], f"disabled:{name}", text)

        repeating = {one.name: one for one in self._services.overview.repeating_adapters()}
        told, self._repeating = self._repeating, {name: one.code for name, one in repeating.items()}
        for name, again in repeating.items():
            if told.get(name) == again.code:
                continue
            log.warning("%s has failed %d times in a row: %s", name, again.times, again.code)
            text = texts.ADAPTER_REPEATS.format(name=name, times=again.times, code=again.code)
            await self._services.notices.tell_elsewhere(name.partition(":")[0], f"repeats:{name}", text)

    async def _look_at_the_outbox(self) -> None:
        services, now = self._services, self._services.clock.wall()
        found = {(one.platform, one.account): one for one in await services.store.read(standings, now)}
        for platform, account in self._told.keys() - found.keys():
            found[platform, account] = Standing(platform, account, 0, None, 0, 0)
        for key, standing in found.items():
            if services.adapters.capabilities(standing.platform).history:
                continue  # its people read from our store whenever they come
            self._told[key], news = decide(standing, self._told.get(key), now)
            for one in news:
                await self._tell(standing, one)

    async def _tell(self, standing: Standing, news: News) -> None:
        name = edge(standing.platform, standing.account)
        match news:
            case Late(count, age_s):
                kind = "late"
                many, minutes = _messages(count), int(age_s // 60)
                text = texts.DELIVERY_LATE.format(name=name, count=many, minutes=minutes)
                log.warning("%s: %s not sent yet, the oldest for %d minutes", name, many, minutes)
            case Over():
                kind = "over"
                text = texts.DELIVERY_OVER.format(name=name)
                log.info("%s: nothing waits too long any more", name)
            case GivenUp(count):
                kind = "dead"
                many = _messages(count)
                text = texts.DELIVERY_GIVEN_UP.format(name=name, count=many)
                log.warning("%s: %s given up; `hermes outbox list --state dead`", name, many)
            case _:
                assert_never(news)
        await self._services.notices.tell_elsewhere(standing.platform, f"{kind}:{name}", text, EVERY_S)


def _messages(count: int) -> str:
    return "one message" if count == 1 else f"{count:,} messages"
