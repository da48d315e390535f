"""What people see while the gateway is restarted and killed: ``python tests/e2e/deliveries.py [--restarts 100] [--kills 30]``.

People on a fake platform write while the gateway stops and starts again, some of the times by kill -9, and while the
platform fails in every way it knows. It is a process of its own (this one), so it has seen what it has seen. Each message
must be answered visibly: once, or with every further copy marked as one, and in the order of its chat. What nobody confirmed
twice is given up, as it should be: a dead letter that the operator is told of. Those are counted.

    --streaming   with answers that are shown by edits while they are written; one whose first send is in doubt leaves a piece
    --points      instead: kill -9 once at every point between "the answer is committed" and "its receipt is committed"
    --plug S      instead: pull the platform's plug for S seconds while web chat flows
"""

import argparse
import random
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import trio
from client import WebChatClient
from harness import Gateway
from harness_fleet import left

from hermes.testing.platform import (
    Delay,
    FakePlatform,
    Fault,
    HalfClose,
    Reset,
    Status,
)
from hermes.types import texts

CHATS = 10
AHEAD = 3
WORDS = 20
CURSOR = "▉"
STREAMING = "streaming: {enabled: true, transport: edit, edit_interval: 0.05, buffer_threshold: 1}\n"
DEADLINE_S = 60.0
POINTS = (
    "before_turn_commit",
    "after_turn_commit",
    "before_send",
    "after_send_before_receipt",
    "after_receipt",
)

FAULTS: Sequence[Fault] = (
    Status(429, retry_after=0.5),
    Status(429, retry_after=0.5, scope="adapter"),
    Status(500),
    Status(502),
    Delay(0.2),
    HalfClose(),
    Reset(acted=False),
    Reset(acted=True),
)

POLL_FAULTS: Sequence[Fault] = (Status(502), Reset(acted=False), Reset(acted=True), HalfClose())


@dataclass
class Report:
    """What a run has seen."""

    messages: int = 0
    seen: int = 0
    marked: int = 0
    pieces: int = 0
    edits: int = 0
    restarts: int = 0
    kills: int = 0
    faults: int = 0
    dead: int = 0
    took_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        verdict = "\n".join(f"  VIOLATION {line}" for line in self.violations) or (
            "  each visible once, or a further copy marked; order kept"
        )
        return (
            f"{self.messages} messages, {self.seen} answers seen, {self.marked} of them marked as second copies,"
            f" {self.pieces} pieces of answers that were in doubt, {self.edits} edits,"
            f" {self.dead} dead letters; {self.restarts} restarts, {self.kills} of them kill -9, {self.faults} faults,"
            f" {self.took_s:.1f} s\n{verdict}"
        )


def chats(count: int) -> list[str]:
    """Names of chats."""
    return [f"c{number}" for number in range(count)]


def home_of(home: Path, streaming: bool) -> Path:
    """A home whose answers are shown while they are written, if ``streaming``."""
    if streaming:
        home.mkdir(mode=0o700)
        (home / "config.yaml").write_text(STREAMING)
    return home


def number(text: str) -> str:
    """Which message an answer answers: it says nothing but its number, once or, so that it can be streamed, ``WORDS`` times."""
    words = text.split()
    return words[0] if words and words in ([words[0]], [words[0]] * WORDS) else text


def read(platform: FakePlatform, chat: str) -> list[str]:
    """The answers that the people of ``chat`` see, as numbers, perhaps marked, without pieces of what is being written."""
    mark = texts.RESENT_MARK
    whole = [text for text in platform.read(chat) if CURSOR not in text]
    return [mark * text.startswith(mark) + number(text.removeprefix(mark)) for text in whole]


def check(platform: FakePlatform, expected: dict[str, int], report: Report, home: Path) -> None:
    """Compare what the people of each chat see with what they wrote: message n of a chat is answered with n."""
    mark, dead = texts.RESENT_MARK, dead_letters(home)
    report.dead += len(dead)
    report.edits += sum(call.kind == "edit" for call in platform.calls)
    for chat, count in expected.items():
        seen = read(platform, chat)
        report.seen += len(seen)
        pieces = [text.removesuffix(CURSOR).split() for text in platform.read(chat) if CURSOR in text]
        report.pieces += len(pieces)
        if platform.idempotent and pieces:
            report.violations.append(f"{chat}: {len(pieces)} pieces of answers are left")
        marked = [text for text in seen if text.startswith(mark)]
        report.marked += len(marked)
        if len(pieces) > len(marked) + len(dead):
            report.violations.append(
                f"{chat}: {len(pieces)} pieces of answers, but {len(marked)} marked answers"
            )
        plain = [text.removeprefix(mark) for text in seen]
        for n in range(count):
            copies = plain.count(str(n))
            unmarked = seen.count(str(n))
            if not copies and (chat, str(n)) not in dead:
                report.violations.append(f"{chat}: message {n} was never answered")
            if unmarked > 1:
                report.violations.append(f"{chat}: message {n} was answered {unmarked} times without a mark")
        firsts = list(dict.fromkeys(plain))
        if firsts != sorted(firsts, key=lambda text: int(text) if text.isdigit() else -1):
            report.violations.append(f"{chat}: out of order: {' '.join(firsts)}")
        for text in firsts:
            if not text.isdigit():
                report.violations.append(f"{chat}: says {text!r:.100}")


def dead_letters(home: Path) -> set[tuple[str, str]]:
    """Chat and text of the answers that were given up because two sends of them in a row were not confirmed."""
    query = "SELECT chat_id, text FROM outbox WHERE state = 'dead' AND failure LIKE 'send_unconfirmed%'"
    with closing(sqlite3.connect(f"file:{home / 'gateway.db'}?mode=ro", uri=True)) as database:
        return {(chat, number(text)) for chat, text in database.execute(query)}


async def _write(platform: FakePlatform, chat: str, count: int, streaming: bool) -> None:
    """Write ``count`` messages, up to ``AHEAD`` ahead of their answers."""
    for n in range(count):
        while len(set(read(platform, chat))) < n - AHEAD:
            await trio.sleep(0.01)
        platform.write(chat, f"echo{f' {n}' * (WORDS if streaming else 1)}")
        await trio.sleep(0.02)


def _whole(platform: FakePlatform, expected: dict[str, int]) -> int:
    return sum(len(read(platform, chat)) for chat in expected)


async def _answered(platform: FakePlatform, expected: dict[str, int], gateway: Gateway) -> None:
    def missing() -> int:
        mark = texts.RESENT_MARK
        seen = {(chat, text.removeprefix(mark)) for chat in expected for text in read(platform, chat)}
        return sum(expected.values()) - len(seen | dead_letters(gateway.home))

    with trio.move_on_after(DEADLINE_S):
        while missing() > 0:
            await trio.sleep(0.05)
        return
    raise gateway.failed(f"left {missing()} messages without an answer: {left(gateway.home)}")


async def restarts(
    home: Path, *, count: int, kills: int, messages: int, seed: int, streaming: bool = False
) -> Report:
    """Restart under load, with faults."""
    rng, report, began = random.Random(seed), Report(), trio.current_time()
    expected = dict.fromkeys(chats(CHATS), messages // CHATS)
    killed = set(rng.sample(range(count), kills))
    async with FakePlatform().listening() as platform, trio.open_nursery() as nursery:
        address = f"{platform.port}{',edits' if streaming else ''}"
        gateway = Gateway(home_of(home, streaming), platform=address)
        try:
            await gateway.start()
            for chat, number_of in expected.items():
                nursery.start_soon(_write, platform, chat, number_of, streaming)
            for restart in range(count):
                fault = rng.choice(FAULTS)
                platform.plan("edit" if streaming and rng.random() < 0.5 else "send", fault)
                if rng.random() < 0.3:
                    platform.plan("poll", rng.choice(POLL_FAULTS))
                before = _whole(platform, expected)
                # What takes longer to write than a life lasts would be set aside.
                with trio.move_on_after(rng.uniform(0.05, 1.0) + streaming):
                    while _whole(platform, expected) < before + messages // (count + 1):
                        await trio.sleep(0.005)
                if restart in killed:
                    await gateway.kill9()
                    report.kills += 1
                else:
                    await gateway.stop()
                report.restarts += 1
                await gateway.start()
            await _answered(platform, expected, gateway)
            report.faults = report.restarts - platform.planned
            await gateway.stop()
        finally:
            gateway.close()
        report.messages = sum(expected.values())
        check(platform, expected, report, gateway.home)
        if platform.most_polls > 1:
            report.violations.append(f"{platform.most_polls} polls at once: two lives of one adapter")
        nursery.cancel_scope.cancel()
    report.took_s = trio.current_time() - began
    return report


async def points(
    home: Path,
    *,
    where: Sequence[str] = POINTS,
    kinds: Sequence[bool] = (False, True),
    streaming: bool = False,
) -> Report:
    """Kill -9 once at each point of an answer's way out: never zero copies. ``kinds``: whether the platform drops copies."""
    report, began = Report(), trio.current_time()
    for idempotent in kinds:
        for point in where:
            async with FakePlatform(idempotent=idempotent).listening() as platform:
                words = ",idempotent" * idempotent + ",edits" * streaming
                one = home_of(home.with_name(f"{home.name}-{point}-{idempotent}"), streaming)
                gateway = Gateway(one, platform=f"{platform.port}{words}")
                expected = dict.fromkeys(chats(2), 4)
                try:
                    await gateway.start(f"{point}:kill9:3")
                    async with trio.open_nursery() as nursery:
                        for chat, count in expected.items():
                            nursery.start_soon(_write, platform, chat, count, streaming)
                        await gateway.ended(30.0)
                        await gateway.start()
                        await _answered(platform, expected, gateway)
                    await gateway.stop()
                finally:
                    gateway.close()
                before = report.marked
                check(platform, expected, report, gateway.home)
                report.messages += sum(expected.values())
                report.kills += 1
                report.restarts += 1
                kind = "idempotent" if idempotent else "plain"
                print(f"  {point:28} {kind:10} {report.marked - before} marked")
    report.took_s = trio.current_time() - began
    return report


async def plug(home: Path, *, seconds: float) -> Report:
    """Pull the platform's plug while web chat flows."""
    report, began = Report(), trio.current_time()
    expected = {"c0": 10}
    waits: list[float] = []
    async with FakePlatform().listening() as platform:
        gateway = Gateway(home, platform=str(platform.port))
        try:
            await gateway.start()
            client = WebChatClient(gateway.url, await gateway.log_in())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.run)
                for _ in range(5):
                    platform.write("c0", f"echo {len(platform._events)}")
                while len(platform.seen) < 2:
                    await trio.sleep(0.01)
                platform.cut_off(reachable=False)
                for n in range(5):
                    platform.write("c0", f"echo {5 + n}")
                until = trio.current_time() + seconds
                n = 0
                while trio.current_time() < until:
                    asked = trio.current_time()
                    with trio.fail_after(10):
                        if await client.ask(f"echo web {n}") != f"web {n}":
                            report.violations.append(f"web chat: message {n} was answered wrong")
                    waits.append(trio.current_time() - asked)
                    n += 1
                    await trio.sleep(0.1)
                back = trio.current_time()
                platform.cut_off(reachable=True)
                await _answered(platform, expected, gateway)
                print(f"  all there {trio.current_time() - back:.1f} s after the plug was back")
                print(f"  web chat meanwhile: {n} answers, the slowest after {max(waits):.2f} s")
                nursery.cancel_scope.cancel()
            await gateway.stop()
        finally:
            gateway.close()
        report.messages = sum(expected.values())
        check(platform, expected, report, gateway.home)
    report.took_s = trio.current_time() - began
    return report


def main() -> None:
    """Run what the arguments say, in a temporary home."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--messages", type=int, default=600)
    parser.add_argument("--streaming", action="store_true")
    parser.add_argument("--points", action="store_true")
    parser.add_argument("--plug", type=float, metavar="S")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(
        prefix="hermes-deliveries-",
    ) as directory:
        home = Path(directory) / "home"
        if options.points:
            report = trio.run(lambda: points(home, streaming=options.streaming))
        elif options.plug is not None:
            report = trio.run(lambda: plug(home, seconds=options.plug))
        else:
            report = trio.run(
                lambda: restarts(
                    home,
                    count=options.restarts,
                    kills=options.kills,
                    messages=options.messages,
                    seed=options.seed,
                    streaming=options.streaming,
                )
            )
    print(report)
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
