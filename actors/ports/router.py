"""How anybody sends on their own: cron, ``hermes send``, notices. Everything leaves by the outbox and its lanes.

    deliver ─▶ plan (hermes.delivery.router) ─▶ files ─▶ one commit for each target ─▶ its lane looks
    receipts ─▶ what became of them, until all have an end or the deadline is over

A platform that is configured and not up is no error: what it is to get waits in the outbox (AC-25). That a target has
taken on a message says nothing of its arrival; only a receipt does (AC-24).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import trio

from actors.ports.adapters import AdapterTable
from actors.ports.channels import ChannelDirectory
from actors.ports.delivery import Delivery
from actors.ports.files import HomeFiles
from actors.ports.outgoing import Outgoing
from hermes.config.homes import HomeChannel, Homes, written_home
from hermes.delivery import endings, media_tags
from hermes.delivery.results import Prepared, Result, accepted
from hermes.delivery.router import Known, Order, Refused, homes_in_order, plan
from hermes.delivery.targets import Place
from hermes.ops.channel_files import read_aliases_of
from hermes.ops.outputs import prepare
from hermes.ops.settings_files import write_variables
from hermes.store import sends
from hermes.store.notices import dead_targets
from hermes.store.port import Store
from hermes.store.send_ops import Mirror, Send
from hermes.types.content import Outbound
from hermes.types.errors import GatewayError
from hermes.types.ids import Clock, IdSource
from hermes.types.origin import DEFAULT_ACCOUNT

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""How often a receipt is looked for. Asking the store, and not the lane, answers also across its crash."""


class Router:
    """Resolves targets and hands what is to be sent to the outbox; may be called by anybody, at once."""

    def __init__(
        self,
        *,
        store: Store,
        delivery: Delivery,
        adapters: AdapterTable,
        channels: ChannelDirectory,
        homes: Homes,
        files: HomeFiles,
        outgoing: Outgoing,
        clock: Clock,
        ids: IdSource,
        ttl_s: float,
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._adapters = adapters
        self._channels = channels
        self._homes = homes
        self._files = files
        self._outgoing = outgoing
        self._clock = clock
        self._ids = ids
        self._ttl_s = ttl_s

    def adopt(self, homes: Homes) -> bool:
        """Use the home channels of ``homes`` from now on; False if they are the same."""
        changed = homes != self._homes
        self._homes = homes
        return changed

    async def keep_home(self, platform: str, account: str, home: HomeChannel) -> None:
        """Have ``.env`` name the home of ``platform``, for whoever reads that file; there is a variable for the default account
        alone. What cannot be written is in the log: the database has it, too.
        """
        if account == DEFAULT_ACCOUNT:
            try:
                await self._files.run(write_variables, written_home(platform, home))
            except (OSError, ValueError, GatewayError) as wrong:
                log.warning("the home channel of %s is not in .env: %s", platform, wrong)

    async def deliver(
        self,
        content: str,
        targets: str | Sequence[str],
        *,
        name: str | None = None,
        job_id: str | None = None,
        job_name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        mirror: Literal["assistant", "user"] | None = None,
        user_id: str | None = None,
        origin: Place | None = None,
        by_person: bool = False,
        with_files: bool = False,
    ) -> list[Result]:
        """Hand ``content`` to every target; one result for each, and one that fails stops no other.

        Ordered again under the same ``name``, it goes to nobody twice; without a name it is a new one. ``mirror``: the role
        of the line that the chat's conversation keeps (``user_id``: whose, if the chat has several). ``origin`` is where
        ``origin`` leads. ``by_person``: somebody's own words, said whatever they are. ``with_files``: files that they name go
        with them, as with an agent's answer. Does not return while the store is away; cancelled, what was handed over still
        goes.
        """
        now = self._clock.wall()
        order = Order(
            name or f"send:{self._ids.token(16)}",
            content,
            now,
            now + self._ttl_s,
            job_id,
            job_name,
            metadata or {},
            mirror,
            user_id,
            by_person=by_person,
        )
        steps = plan(targets, order, await self._known(), origin=origin)
        ready = await self._files.run(prepare, order, steps)
        return [await self._post(order, one, with_files=with_files) for one in ready]

    async def refused(self, targets: Sequence[str], origin: Place | None = None) -> list[str]:
        """Why these targets lead nowhere, in words; empty if each leads somewhere."""
        order = Order("check", "?", self._clock.wall(), by_person=True)
        steps = plan(targets, order, await self._known(), origin=origin)
        return [step.words for step in steps if isinstance(step, Refused)]

    async def receipts(self, delivery_ids: Sequence[str], within_s: float) -> Sequence[sends.DeliveryStatus]:
        """What has become of these deliveries: at once if all have ended, else after ``within_s`` at the latest."""
        found: Sequence[sends.DeliveryStatus] = ()
        with trio.move_on_after(within_s):
            while True:
                found = await self._store.read(sends.delivery_statuses, delivery_ids)
                if all(one.ended for one in found):
                    break
                await trio.sleep(LOOK_S)
        return found

    async def _known(self) -> Known:
        channels = self._channels
        channels.aliases = await self._files.run(read_aliases_of, channels.aliases)
        return Known(
            self._adapters.platforms,
            self._adapters.accounts,
            await self._all_homes(),
            channels.directory,
            channels.aliases,
            await self._store.read(dead_targets),
        )

    async def homes(self) -> Sequence[Place]:
        """Where the operator and the people of each platform can be told something, in their order; no dead chat."""
        dead = await self._store.read(dead_targets)
        return [
            home
            for home in await self._all_homes()
            if (home.platform, home.account) in self._adapters.accounts
            and (home.platform, home.account, home.chat_id) not in dead
        ]

    async def _all_homes(self) -> Sequence[Place]:
        set_in_chat = await self._store.read(sends.set_homes)
        places = [Place(one.platform, one.account, one.chat_id, one.thread_id) for one in set_in_chat]
        return homes_in_order(places, self._homes)

    async def _post(self, order: Order, ready: Prepared | Result, *, with_files: bool) -> Result:
        if isinstance(ready, Result):
            return ready
        if with_files and media_tags.names_files(ready.message.text):
            ready = replace(ready, message=await self._with_files(ready.message))
        line = None if order.mirror is None else Mirror(order.mirror, order.content, order.user_id)
        await self._store.write(Send(ready.message, order.at, line))
        self._delivery.wake(ready.message.lane)
        return accepted(ready)

    async def _with_files(self, message: Outbound) -> Outbound:
        capabilities = self._adapters.capabilities(message.platform)
        found = await self._outgoing.gather(message.delivery_id, message.text, (), capabilities)
        text = endings.with_refusals(found.text, found.refused, capabilities.max_media_bytes)
        return replace(message, text=text, attachments=found.media)
