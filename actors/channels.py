"""Keeps the channel directory: at its start, when an adapter connects, and every five minutes.

    adapters that can list their chats ─┐
    conversations the store knows ──────┴─▶ directory ─▶ channel_directory.json, 0600

An adapter that is down or cannot be asked keeps what was known of its chats; so does for good one whose platform lists none, such
as Telegram, and what a home that was taken over knew. A file that cannot be read is said once.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import trio

from actors.ports.files import HomeFiles
from actors.ports.services import Services
from hermes.delivery.directory import MOST_CHANNELS, merged
from hermes.delivery.targets import edge
from hermes.ops.channel_files import read_channels, write_directory
from hermes.store import sends
from hermes.types.channels import Channel
from hermes.types.errors import GatewayError
from supervisors.cell import Down, Stop
from supervisors.context import Context

log = logging.getLogger(__name__)

REFRESH_S = 300.0


@dataclass(frozen=True, slots=True)
class Look:
    """There may be other chats than before."""


Message = Look | Stop | Down


async def run(ctx: Context[Message], services: Services, files: HomeFiles) -> None:
    """Ready at once; the files, one of which is the user's, are read after that."""
    ctx.ready()
    keeper = _Keeper(services, files)
    await keeper.read(first=True)
    while True:
        await keeper.refresh()
        match message := await ctx.receive(by=trio.current_time() + REFRESH_S):
            case None | Look():
                await keeper.read()
            case Down():
                pass  # it watches nobody
            case Stop():
                return
            case _:
                assert_never(message)


class _Keeper:
    def __init__(self, services: Services, files: HomeFiles) -> None:
        self._services = services
        self._files = files
        self._told: set[str] = set()

    async def read(self, *, first: bool = False) -> None:
        """What stands in the files: the aliases each time, our own directory where none is in memory."""
        book = self._services.channels
        try:
            found = await self._files.run(read_channels)
        except GatewayError as slow:
            self._tell(slow.failure.detail)
            return
        for words in found.faults:
            self._tell(words)
        book.aliases = book.aliases if found.aliases is None else found.aliases
        if first and not book.directory:
            book.directory = found.directory

    async def refresh(self) -> None:
        """Ask everybody, and write down what is known now."""
        services, book = self._services, self._services.channels
        chats: dict[tuple[str, str], list[Channel]] = {key: [] for key in services.adapters.accounts}
        for platform, account, channel in await services.store.read(sends.known_chats, MOST_CHANNELS):
            if (platform, account) in chats:
                chats[platform, account].append(channel)
        directory = dict(book.directory)
        for (platform, account), spoken_with in chats.items():
            directory[edge(platform, account)] = merged(*await self._sources(platform, account, spoken_with))
        book.directory = {name: channels for name, channels in directory.items() if channels}
        try:
            await self._files.run(write_directory, book.directory, services.clock.wall())
        except (OSError, GatewayError) as error:
            self._tell(f"the channel directory could not be written: {error}")

    async def _sources(
        self, platform: str, account: str, spoken_with: Sequence[Channel]
    ) -> tuple[Sequence[Channel], Sequence[Channel]]:
        """The best names first: the platform's own, then those of the last list, for a conversation knows its chat's alone."""
        services = self._services
        port = services.adapters.find(platform, account)
        listed = None if port is None else await port.channels()
        if listed is not None:
            return listed, spoken_with
        known = [
            replace(one, chat_id=services.moves.now_at(platform, account, one.chat_id))
            for one in services.channels.directory.get(edge(platform, account), ())
        ]
        never_listed = port is not None and not port.lists_chats
        return (spoken_with, known) if never_listed else (known, spoken_with)

    def _tell(self, words: str) -> None:
        if words not in self._told:
            self._told.add(words)
            log.warning("%s", words)
