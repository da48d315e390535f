"""The composition root: makes every part once, hands each what it needs, runs the tree."""

import logging
import os
import random
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import trio

from actors import root, tree
from actors.control import ControlDoor
from actors.maintenance import EventQueue
from actors.ports.adapters import AdapterTable
from actors.ports.memory import StoreMemory
from actors.ports.overview import TreeOverview
from actors.ports.store import StorePort
from actors.ports.web import WebPort
from hermes.agents.builtin import BuiltinAgent
from hermes.config.model import Config
from hermes.ops.clock import SystemClock, SystemIds
from hermes.ops.lock import HomeLock, prepare_home
from hermes.ops.logging import logging_to
from hermes.ops.redaction import Redaction, secrets_in
from hermes.platforms.webchat.adapter import DEFAULT_CHAT, PLATFORM, WebChat
from hermes.store import ops
from hermes.types import texts
from hermes.types.content import Outbound
from hermes.types.ids import BootId, DeliveryId
from hermes.types.origin import DEFAULT_ACCOUNT
from supervisors.escalation import GIVE_UP
from supervisors.reasons import describe, path_of
from supervisors.system import Outcome, StopRequest, System
from supervisors.watchdog import Watchdog

log = logging.getLogger(__name__)

SIGNALS: dict[int, int] = {
    signal.SIGINT: 0,
    signal.SIGTERM: root.EXIT_FAILED,
    signal.SIGUSR1: root.EXIT_RESTART,
}
STOP_MARGIN_S = 30.0
"""What the structural stop may take after the drain, before the hard exit."""


def run(*, home: Path, config: Config, verbosity: int) -> int:
    """Run the gateway of ``home`` until it is told to stop; returns the exit code of the process.

    Raises ``GatewayError`` (``home_held``, ``home_unusable``) before anything has been opened.
    """
    boot_id = BootId(SystemIds().token(16))
    prepare_home(home)
    with (
        HomeLock.acquire(home, boot_id),
        logging_to(
            home / "logs",
            verbosity=verbosity,
            redaction=Redaction(secrets_in(os.environ)),
            max_bytes=int(config.logging.max_size_mb * 1_000_000),
            backups=config.logging.backup_count,
        ),
    ):
        log.info("hermes %s on %s", version("hermes-trio"), home)
        outcome = trio.run(_main, home, config, boot_id)
        if outcome.code in (GIVE_UP, root.EXIT_CONFIG):
            path = "/".join(path_of(outcome.reason))
            log.error("the gateway gives up%s: %s", f" at {path}" if path else "", describe(outcome.reason))
        log.info("stopped, exit code %d", outcome.code)
        return outcome.code


async def _main(home: Path, config: Config, boot_id: BootId) -> Outcome:
    with Watchdog() as watchdog:
        return await _run(home, config, boot_id, watchdog)


async def _run(home: Path, config: Config, boot_id: BootId, watchdog: Watchdog) -> Outcome:
    clock, ids = SystemClock(), SystemIds()
    store, adapters, events = StorePort(), AdapterTable(), EventQueue()

    async def drain(request: StopRequest) -> None:
        await root.drain(system, services, tree.LANES, request.why)

    system = System(
        rng=random.Random(),  # noqa: S311 - jitter, not secrets
        exits=root.EXITS,
        drain=drain,
        stop_deadline=config.drain_timeout_s + STOP_MARGIN_S,
        watchdog=watchdog,
    )
    system.events.listen(events.waiting.append)
    web = WebPort(store, clock, ids)
    overview = TreeOverview(
        system=system,
        store=store,
        adapters=adapters,
        web=web,
        watchdog=watchdog,
        clock=clock,
        boot_id=boot_id,
        home=home,
        version=version("hermes-trio"),
    )

    def set_aside(database: Path) -> None:
        """Tell the chat that is always there; the operator reads the log."""
        now = clock.wall()
        text = texts.DATABASE_SET_ASIDE.format(name=database.name)
        notice = Outbound(
            delivery_id=DeliveryId(f"{boot_id}:set-aside"),
            platform=PLATFORM,
            account=DEFAULT_ACCOUNT,
            chat_id=DEFAULT_CHAT,
            text=text,
            kind="notice",
            expires_at=now + config.delivery.ttl_s,
        )
        store.post(ops.Enqueue(notice, now))

    services = tree.wire(
        system,
        boot_id=boot_id,
        config=config,
        clock=clock,
        ids=ids,
        store=store,
        agent=BuiltinAgent(StoreMemory(store, clock), overview.status, clock),
        overview=overview,
        adapters=adapters,
    )
    accounts = [tree.Account(PLATFORM, DEFAULT_ACCOUNT, lambda: WebChat(clock, ids))]
    adapters.configure(PLATFORM, WebChat.capabilities)
    parts = tree.Parts(
        services=services,
        store_port=store,
        overview=overview,
        web_port=web,
        control_door=ControlDoor(system, overview, web),
        events=events,
        accounts=accounts,
        announce=_announce,
        set_aside=set_aside,
        home=home,
    )
    try:
        return await system.run(tree.build(parts), signals=SIGNALS)
    finally:
        store.close()


async def _announce(link: str) -> None:
    """Print the one-time link where a person sees it; stdout may be a pipe that nobody reads."""
    with trio.move_on_after(1.0):
        await trio.to_thread.run_sync(
            _print,
            f"\n  Open  {link}\n  (works once, for 10 minutes; `hermes web link` makes another)\n",
            abandon_on_cancel=True,
        )


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:
        sys.stderr.write("the link could not be printed; `hermes web link` makes another\n")
