"""Many sessions under crashes: ``python tests/e2e/load_sessions.py [--sessions 50] [--messages 10] [--crashes 10] …``.

Senders talk in web chats, each burst in a chat drawn by lot, while an operator's thread restarts sessions at work, the inbound
router and the store at moments drawn by lot (``--seed``), too. Each message must be answered once, or come to another end,
in its chat's order, and ``received = terminal + pending`` must hold. The defaults are a quick run. Exits 1 and says
which message is concerned otherwise.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio
from harness import Gateway
from harness_chats import Chat, connected, ends, quiet, violations

from hermes.ops.control import client

INBOUND = "root/gateway/inbound"
STORE = "root/store"
SESSIONS = "root/gateway/sessions"
PARTS_EVERY = 4
"""One restart in so many is of the router or the store, the others are of sessions: there are more of those."""

IN_FLIGHT_EACH = 16
"""Messages without an answer that a sender may have: so the load lasts, and nobody waits half a minute for a turn."""

BURST = 4
"""Messages that are sent in one chat without a pause: so there is always one that waits behind another."""

SAMPLE_S = 0.2
WATCH_S = 0.01
STALLED_S = 120.0


@dataclass(frozen=True)
class Report:
    """What a campaign has seen."""

    sessions: int
    messages: int
    ends: Counter[str]
    restarts: Counter[str]
    lag_p99_ms: float
    worst_lag_ms: float
    took_s: float
    violations: tuple[str, ...]

    def __str__(self) -> str:
        verdict = (
            "\n".join(f"  VIOLATION {line}" for line in self.violations)
            or "  0 lost, 0 doubled, order kept, received = terminal + pending"
        )
        ended = ", ".join(f"{count:,} {end}" for end, count in self.ends.most_common())
        restarted = ", ".join(f"{count} {what}" for what, count in self.restarts.most_common())
        return (
            f"{self.messages:,} messages in {self.sessions:,} sessions: {ended}\n"
            f"  restarts: {restarted or 'none'}\n"
            f"  {self.messages / self.took_s:.0f} messages/s over {self.took_s:.0f} s; "
            f"loop lag p99 {self.lag_p99_ms:.1f} ms, worst {self.worst_lag_ms:.1f} ms\n{verdict}"
        )


@dataclass
class Operator:
    """Restarts parts of the tree from a thread of its own: when ``sent`` comes to each of ``moments``, until ``over``."""

    home: Path
    chats: Sequence[Chat]
    moments: Sequence[int]
    sent: Callable[[], int]
    lots: random.Random
    restarts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """The verb behind ``hermes restart PATH``; a session may not have begun yet, nothing else may refuse."""
        for number, moment in enumerate(sorted(self.moments)):
            while self.sent() < moment:
                if self.over.wait(WATCH_S):
                    return
            path, what = self._victim(number)
            try:
                client.ask(self.home, "restart", {"path": path})
                self.restarts[what] += 1
            except client.ControlError as refused:
                if what == "session" and refused.failure.code == "no_such_actor":
                    self.restarts["session that was not there"] += 1
                else:
                    self.problems.append(f"restart of {path}: {refused}")

    def _victim(self, number: int) -> tuple[str, str]:
        if number % PARTS_EVERY == 0:
            return self.lots.choice([(INBOUND, "inbound"), (STORE, "store")])
        at_work = [chat for chat in self.chats if len(chat.sent) > len(chat.client.answers)]
        chat = self.lots.choice(at_work or self.chats)
        return f"{SESSIONS}/agent:main:webchat:dm:{chat.name}", "session"


class Senders:
    """``senders`` tasks that send ``messages`` messages in each of ``chats``, burst by burst in an order drawn by lot."""

    def __init__(self, chats: Sequence[Chat], *, messages: int, senders: int, lots: random.Random) -> None:
        self._bursts = [
            (chat, min(BURST, messages - first)) for chat in chats for first in range(0, messages, BURST)
        ]
        lots.shuffle(self._bursts)
        self._senders = senders
        self._room = trio.Semaphore(senders * IN_FLIGHT_EACH)

    async def talk(self, nursery: trio.Nursery) -> None:
        """Return when everything is sent; the answers are on their way."""
        for chat in {chat for chat, _ in self._bursts}:
            nursery.start_soon(self._watch, chat)
        async with trio.open_nursery() as senders:
            for number in range(self._senders):
                senders.start_soon(self._send, self._bursts[number :: self._senders])

    async def _send(self, bursts: Sequence[tuple[Chat, int]]) -> None:
        for chat, messages in bursts:
            with trio.fail_after(STALLED_S):
                for _ in range(messages):
                    await self._room.acquire()
            for _ in range(messages):
                chat.say()

    async def _watch(self, chat: Chat) -> None:
        """Each message that has its first answer makes room for another."""
        released = 0

        def another() -> bool:
            return len(chat.replied) > released

        while True:
            await chat.client.until(another)
            self._room.release()
            released += 1


async def _sample(home: Path, lags_ms: list[float]) -> None:
    """The loop's lag as ``hermes status`` shows it, again and again."""
    ask = partial(client.ask, home, "status")
    while True:
        status = await trio.to_thread.run_sync(ask)
        lags_ms.append(status["loop_lag_ms"])
        await trio.sleep(SAMPLE_S)


async def campaign(
    home: Path, *, sessions: int, messages: int, senders: int, crashes: int, seed: int
) -> Report:
    """Run one campaign on a fresh home."""
    gateway, total, lags_ms = Gateway(home), sessions * messages, list[float]()
    try:
        await gateway.start()
        cookie = await gateway.log_in()
        chats = [Chat(gateway, cookie, f"c{number}") for number in range(sessions)]
        lots = random.Random(seed)
        operator = Operator(
            home,
            chats=chats,
            moments=[lots.randrange(total) for _ in range(crashes)],
            sent=lambda: sum(len(chat.sent) for chat in chats),
            lots=lots,
        )
        found: list[str] = []
        async with connected(chats) as nursery:
            began = time.monotonic()
            nursery.start_soon(_sample, home, lags_ms)
            async with trio.open_nursery() as beside:
                beside.start_soon(trio.to_thread.run_sync, operator.work)
                try:
                    talk = Senders(chats, messages=messages, senders=senders, lots=random.Random(seed + 1))
                    await talk.talk(nursery)
                except* trio.TooSlowError:
                    found.append(f"for {STALLED_S:.0f} s there was no answer at all")
                finally:
                    operator.over.set()
            found += await quiet(gateway, sum(len(chat.sent) for chat in chats))
            took_s = time.monotonic() - began
            found += operator.problems + await violations(chats, home)
            status = await gateway.status()
        exit_code = await gateway.stop()
        found += [f"hermes stop: exit code {exit_code}"] if exit_code else []
    finally:
        gateway.close()
    return Report(
        sessions=sessions,
        messages=total,
        ends=Counter(ends(home).values()),
        restarts=operator.restarts,
        lag_p99_ms=sorted(lags_ms)[int(len(lags_ms) * 0.99)],
        worst_lag_ms=status["worst_loop_lag_ms"],
        took_s=took_s,
        violations=tuple(found),
    )


def main() -> None:
    """Run a campaign as the arguments say, in a temporary home."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--messages", type=int, default=10, help="in each session")
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--crashes", type=int, default=10, help="restarts, while it is sent")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hermes-sessions-") as directory:
        report = trio.run(lambda: campaign(Path(directory) / "home", **vars(options)))
    print(report)
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
