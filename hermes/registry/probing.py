"""Asks platforms whether an account is any good, each once and by a client of its own: no adapter notices (AC-02)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

import trio

from hermes.registry.accounts import Accounts, Key
from hermes.registry.entry import AdapterSetup, Proof
from hermes.types.errors import UNREACHABLE, Failure, GatewayError, in_words

PROBE_S = 10.0
FAILED = "probe_failed"

Answers = Mapping[Key, Proof | GatewayError]
T = TypeVar("T")


async def probed(accounts: Accounts, wanted: Iterable[Key] | None = None) -> Answers:
    """What came of asking all ``accounts``, or those that are ``wanted``, at once; those that nobody can ask are left out."""
    answers: dict[Key, Proof | GatewayError] = {}

    async def ask(key: Key, probe: Callable[[AdapterSetup], Awaitable[Proof]], setup: AdapterSetup) -> None:
        try:
            answers[key] = await within(partial(probe, setup))
        except GatewayError as wrong:
            answers[key] = wrong

    async with trio.open_nursery() as nursery:
        for key in accounts if wanted is None else wanted:
            entry, setup = accounts.registry.get(key[0]), accounts.setup(*key)
            if entry is not None and entry.probe is not None and setup is not None:
                nursery.start_soon(ask, key, entry.probe, setup)
    return answers


async def within(ask: Callable[[], Awaitable[T]]) -> T:
    """What ``ask`` brings, be it somebody else's code. Raises ``GatewayError`` and nothing else."""
    with trio.move_on_after(PROBE_S):
        try:
            return await ask()
        except GatewayError:
            raise
        except Exception as error:
            raise GatewayError(Failure(FAILED, detail=in_words(error))) from error
    raise GatewayError(Failure(UNREACHABLE, detail=f"no answer within {PROBE_S:g} s"))
