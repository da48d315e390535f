"""Telegram under load: ``python tests/e2e/telegram_load.py [--messages 2000] [--chats 200] [--latency 0]``.

Everybody writes at once; each message has an answer of its own, by a model that says it back after ``--latency`` seconds.
Then some write in chats of their own, one message at a time. Durable: an answer counts when its person sees it, and that is
after its commit. Prints figures beside what is aimed at; exits 1 if a message is lost, doubled or out of order.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import trio
from harness_telegram import POLL_S, Account, Stage, connected, stage

TALKERS = 10
EXCHANGES = 11
"""Of one talker; the first, which starts session and lane, does not count. More would meet the rate of a chat."""

SAMPLE_S = 0.1
MEGABYTE = 1_000_000


@dataclass
class Usage:
    """What a stretch of time has cost the gateway, Telegram (with its people) and the model."""

    messages: int
    took_s: float = 0.0
    gateway_s: float = 0.0
    telegram_s: float = 0.0
    model_s: float = 0.0
    rss_bytes: int = 0

    @property
    def cpu_ms(self) -> float:
        """Of the gateway, for each message."""
        return 1000 * self.gateway_s / self.messages

    @property
    def beside(self) -> str:
        """What the others have cost."""
        each = [1000 * cost / self.messages for cost in (self.telegram_s, self.model_s)]
        return "beside it, CPU per message: Telegram {:.2f} ms, the model {:.2f} ms".format(*each)


@dataclass
class Report:
    """What a run has seen; times in milliseconds, sorted."""

    account: Account
    burst: Usage
    burst_ms: list[float]
    single: Usage
    single_ms: list[float]
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        burst, single = self.burst, self.single
        return "\n".join(
            (
                str(self.account),
                f"burst   {burst.messages / burst.took_s:.0f} messages/s durable (aim 400), {burst.took_s:.1f} s; p50 "
                f"{_share(self.burst_ms, 0.5):.0f} ms, p95 {_share(self.burst_ms, 0.95):.0f} ms from the first word on",
                f"        {burst.cpu_ms:.2f} ms of CPU each (aim 2.5), {burst.gateway_s / burst.took_s:.0%} of a core; "
                f"RSS {burst.rss_bytes / MEGABYTE:.0f} MB at most (aim 100)",
                f"        {burst.beside}",
                f"single  p50 {_share(self.single_ms, 0.5):.1f} ms (aim 12), p95 {_share(self.single_ms, 0.95):.1f} ms; "
                f"{single.cpu_ms:.2f} ms of CPU each (aim 10)",
                f"        {single.beside}",
                *(f"  VIOLATION {line}" for line in self.violations),
            )
        )


def _share(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]


@asynccontextmanager
async def measured(on: Stage, messages: int) -> AsyncIterator[Usage]:
    """Filled in when the block has been left."""
    gateway, model = psutil.Process(on.gateway.pid), psutil.Process(on.model.pid)
    ours = psutil.Process(os.getpid())
    usage = Usage(messages)

    async def watch() -> None:
        while True:
            usage.rss_bytes = max(usage.rss_bytes, gateway.memory_info().rss)
            await trio.sleep(SAMPLE_S)

    def spent() -> list[float]:
        return [sum(one.cpu_times()[:2]) for one in (gateway, ours, model)]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        before, began = spent(), trio.current_time()
        yield usage
        usage.took_s = trio.current_time() - began
        costs = (after - earlier for after, earlier in zip(spent(), before, strict=True))
        usage.gateway_s, usage.telegram_s, usage.model_s = costs
        nursery.cancel_scope.cancel()


async def burst(on: Stage, messages: int, chats: int) -> tuple[Usage, list[float]]:
    """Everybody at once."""
    async with measured(on, messages) as usage:
        began = trio.current_time()
        for n in range(messages):
            on.say(n % chats)
        await _all_answered(on, messages)
    return usage, sorted(1000 * (at - began) for at in _answers(on)[:messages])


async def _all_answered(on: Stage, messages: int) -> None:
    """Cheaper than to look at what everybody sees, while it is measured."""
    while len(_answers(on)) < messages:
        await trio.sleep(5 * POLL_S)
    await on.answered()


def _answers(on: Stage) -> list[float]:
    return [call.at for call in on.telegram.calls if call.method == "sendMessage"]


async def single(on: Stage, talkers: Sequence[int]) -> tuple[Usage, list[float]]:
    """One message at a time."""
    took: list[float] = []
    for one in talkers:
        await _exchange(on, one)
    async with measured(on, len(talkers) * (EXCHANGES - 1)) as usage:
        for one in talkers:
            took += [await _exchange(on, one) for _ in range(EXCHANGES - 1)]
    return usage, sorted(1000 * one for one in took)


async def _exchange(on: Stage, person: int) -> float:
    """Say something and wait for the answer; seconds."""
    chat = on.telegram.chat(on.people[person])
    on.say(person)
    known, said_at = len(chat.messages), trio.current_time()
    with trio.fail_after(20):
        while len(chat.messages) == known:
            await trio.sleep(0.0002)
    return trio.current_time() - said_at


async def load(home: Path, *, messages: int, chats: int, latency: float) -> Report:
    """Run once on a fresh home."""
    async with stage(home, chats + TALKERS, latency_s=latency) as on:
        on.gateway.launch(options=())  # as an operator's service runs, without a line for each step
        await on.gateway.ready()
        await connected(on.gateway)
        burst_usage, burst_ms = await burst(on, messages, chats)
        single_usage, single_ms = await single(on, range(chats, chats + TALKERS))
        account = on.account()
        exit_code = await on.gateway.stop()
    violations = account.violations + ([f"hermes stop: exit code {exit_code}"] if exit_code else [])
    return Report(account, burst_usage, burst_ms, single_usage, single_ms, violations)


def main() -> None:
    """Run once as the arguments say, in a temporary home."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--latency", type=float, default=0.0, help="of the model, in seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hermes-telegram-") as directory:
        report = trio.run(lambda: load(Path(directory) / "home", **vars(options)))
    print(report)
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
