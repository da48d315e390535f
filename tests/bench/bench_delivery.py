"""From the inbox's commit to the receipt's: messages per second, latency and CPU, with 1, 100 and 1,000 chats.

    python tests/bench/bench_delivery.py [--seconds 5] [--chats 1,100,1000] [--profile]

A whole gateway in this process, on a database on disk, with a platform that takes no time: each chat writes its next message
when it has the answer to the last, in a conversation of its own. ``--profile`` prints where the loop's thread spends its time.
"""

import argparse
import cProfile
import os
import pstats
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import trio

from hermes import app
from hermes.config.load import Settings
from hermes.config.model import Config, Display
from hermes.ops.lock import prepare_home
from hermes.plugins.builtin import entries
from hermes.registry.entry import PlatformEntry
from hermes.registry.registry import PlatformRegistry
from hermes.types import faults
from hermes.types.agent import Final, Turn
from hermes.types.content import Capabilities, Part, SendResult
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin
from hermes.types.ports import AdapterIO, Mount, TaskStatus

LOOK_S = 0.05
SHOWN = 25


class Terse:
    """Answers at once: what is measured is the way, not the thought."""

    name = "terse"

    async def run(self, turn: Turn, io: object) -> Final:
        """One word."""
        await trio.lowlevel.checkpoint()
        return Final("ok")


class Instant:
    """A platform that is there at once, and people who write again as soon as they are answered."""

    platform = "instant"
    capabilities = Capabilities(authenticated=True, idempotent_send=True)

    def __init__(self, rounds: list[int], seconds: float, *, profile: bool) -> None:
        self._rounds = rounds
        self._seconds = seconds
        self._profile = profile
        self._sent: dict[str, trio.Event] = {}
        self._sender: dict[object, str] = {}
        self._written = 0
        self._talking = 0

    def routes(self) -> tuple[Mount, ...]:
        """None."""
        return ()

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """Measure, then stop the process as an operator would."""
        task_status.started()
        faults.arm(self._received)
        for chats in self._rounds:
            await self._measure(io, chats)
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()

    async def disconnect(self) -> None:
        """Nothing."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """It is there; its receipt is committed by the same task."""
        self._sender[trio.lowlevel.current_task()] = chat_id
        await trio.lowlevel.checkpoint()
        return SendResult("m")

    def _received(self, point: str) -> None:
        if point == "after_receipt" and (chat := self._sender.get(trio.lowlevel.current_task())):
            self._sent[chat].set()

    async def _measure(self, io: AdapterIO, chats: int) -> None:
        took_s: list[float] = []
        self._talking = 0
        async with trio.open_nursery() as people:
            for number in range(chats):
                people.start_soon(self._talk, io, f"{chats}-{number}", took_s)
            while self._talking < chats:  # until then sessions and lanes are being started, once each
                await trio.sleep(LOOK_S)
            took_s.clear()
            profile = cProfile.Profile()
            if self._profile:
                profile.enable()
            began, cpu = time.perf_counter(), time.process_time()
            await trio.sleep(self._seconds)
            if self._profile:
                profile.disable()
            passed, cpu = time.perf_counter() - began, time.process_time() - cpu
            took_s.sort()
            people.cancel_scope.cancel()
        count = len(took_s)
        p50, p95 = (1000 * took_s[min(count - 1, int(count * share))] for share in (0.5, 0.95))
        print(
            f"{chats:,} chats: {count / passed:,.0f} messages/s, inbox to receipt p50 {p50:.1f} ms, p95 {p95:.1f} ms,"
            f" {1000 * cpu / count:.2f} ms of CPU each",
            flush=True,
        )
        if self._profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(SHOWN)

    async def _talk(self, io: AdapterIO, chat: str, took_s: list[float]) -> None:
        first = True
        while True:
            self._written += 1
            name = f"e{self._written}"
            event = InboundEvent(
                event_id=name,
                origin=Origin(self.platform, chat, user_id=f"user-{chat}"),
                text="hello",
                received_at=time.time(),
                trace=TraceId(name),
                message_id=name,
            )
            self._sent[chat] = trio.Event()
            await io.accept([event])
            committed = time.perf_counter()
            await self._sent[chat].wait()
            took_s.append(time.perf_counter() - committed)
            self._talking += first
            first = False


def main() -> int:
    """Run all rounds in one gateway."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--chats", default="1,100,1000")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    rounds = [int(number) for number in options.chats.split(",")]
    config = Config(display=Display(busy_input_mode="queue", busy_ack=False))
    app.BuiltinAgent = lambda *_, **__: Terse()  # type: ignore[assignment, misc]
    registry = PlatformRegistry(entries())
    make = partial(Instant, rounds, options.seconds, profile=options.profile)
    registry.register(
        PlatformEntry(
            Instant.platform,
            "Bench",
            lambda _setup: make(),
            Instant.capabilities,
            always=True,
        )
    )
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as directory:
        home = Path(directory) / "home"
        prepare_home(home)
        settings = Settings(config)
        return app.run(
            home=home,
            settings=settings,
            reread=lambda: settings,
            registry=registry,
            verbosity=-1,
            show=lambda _words: None,
        )


if __name__ == "__main__":
    sys.exit(main())
