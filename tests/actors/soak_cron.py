"""Jobs in virtual time, with kills and restarts, against an oracle that knows the rules and none of the program.

    python tests/actors/soak_cron.py [--days 30] [--jobs 200] [--seed 1]

Each life of the process ends at a moment of its own: killed at a quarter of a second past a minute, killed in the middle of
a send or of an accept, or stopped in good order. The tree, the store's statements and the files are the real ones.
"""

import argparse
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import trio
import world as worlds
from trio.testing import MockClock
from world import IDEMPOTENT, Boot, World

from actors import channels, clock_watch, delivery, inbound, jobs_file, notices, pairing, receipts
from hermes.ops import cron_ticker
from hermes.store.cron_ops import Claims, EndRun, StartRun
from hermes.store.send_ops import Send
from hermes.testing import fakes
from hermes.testing.fakes import FakeAdapter
from hermes.types import faults

DAY_S = 86_400.0
ZONES = {"America/New_York": 0, "Europe/Berlin": 0, "UTC": 0}
SPRING = datetime(2026, 3, 4, 10, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 10, 10, tzinfo=UTC)
NIGHTS = {"spring": SPRING, "autumn": AUTUMN}
POINTS = (
    "before_send",
    "after_send_before_receipt",
    "after_receipt",
    "before_turn_commit",
    "after_turn_commit",
)
WRITES = (Claims, StartRun, Send, EndRun)
MEMORY = Path("/dev/shm")
"""What a disk costs is not looked at here."""

STRUCK_S = 0.5
"""A kill in the middle of a firing may have struck before its claim."""

SETTLE_S = 200.0
"""By then the receipt of the last message is written down."""

AWAY_S = (7_000.0, 1.0, 600.0, 1.0)


# --- the oracle: from the rules, by looking at every minute or every day ---------------------------------------------------


@dataclass
class Planned:
    """A job of the soak: every ``minutes`` from ``start``, or at the wall-clock times (hours, minutes, weekdays)."""

    id: str
    zone: tzinfo
    misfire: str
    start: float
    minutes: int = 0
    expression: str = ""
    hours: frozenset[int] = frozenset()
    at: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset(range(7))
    agent: bool = False

    def instants(self, until: float) -> list[float]:
        """All there are, had the process never been away."""
        if self.minutes:
            period = 60.0 * self.minutes
            return [self.start + period * n for n in range(1, int((until - self.start) // period) + 1)]
        found = set(self._by_minute(until) if self.expression.split()[1] == "*" else self._by_day(until))
        return sorted(at for at in found if self.start < at <= until)

    def _by_minute(self, until: float) -> Iterator[float]:
        """``*`` for the hour: whenever a minute begins whose local time fits, twice or not at all as the night has it."""
        at = self.start - self.start % 60
        while (at := at + 60) <= until:
            local = datetime.fromtimestamp(at, self.zone)
            if local.minute in self.at and local.weekday() in self.weekdays:
                yield at

    def _by_day(self, until: float) -> Iterator[float]:
        """A time of day: once a day, in the first pass, and where it does not exist when the clock goes on."""
        day = datetime.fromtimestamp(self.start, self.zone).date()
        while day <= datetime.fromtimestamp(until, self.zone).date():
            if day.weekday() in self.weekdays:
                for hour in self.hours:
                    for minute in self.at:
                        yield self._first(day, hour, minute)
            day += timedelta(days=1)

    def _first(self, day: date, hour: int, minute: int) -> float:
        naive = datetime(day.year, day.month, day.day, hour, minute)
        while True:
            at = naive.replace(tzinfo=self.zone).timestamp()
            if datetime.fromtimestamp(at, self.zone).replace(tzinfo=None) == naive:
                return at
            naive += timedelta(minutes=1)

    def grace(self, instants: list[float], at: float, later: float) -> bool:
        """May ``at`` be run at ``later`` by one that skips?"""
        after = next(one for one in instants if one > at)
        return later - at <= min(max((after - at) / 2, 120.0), 7_200.0)


def expected(job: Planned, gaps: list[tuple[float, float]], until: float) -> set[float]:
    """What is run, with the process away during ``gaps`` (from, until)."""
    everything = job.instants(until + 8 * DAY_S)
    run = {at for at in everything if at <= until}
    for begun, over in gaps:
        missed = [at for at in everything if begun < at <= over]
        if not missed or job.misfire == "all":
            continue
        last = missed[-1]
        keep = job.misfire == "once" or job.grace(everything, last, over)
        run -= set(missed if not keep else missed[:-1])
    return run


# --- the world ---------------------------------------------------------------------------------------------------------------


class Platform(FakeAdapter):
    """Remembers when each delivery was first seen."""

    def __init__(self) -> None:
        super().__init__(capabilities=IDEMPOTENT)
        self.seen: dict[str, float] = {}
        self.again = 0
        self.in_mid_send: set[str] = set()

    async def send(self, chat_id, part, *, reply_to, metadata):
        name = part.delivery_id
        if name.startswith("cron:"):
            if name in self.seen:
                self.again += 1
            self.seen.setdefault(name, fakes.EPOCH_S + trio.current_time())
        result = await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
        self.sent.clear()
        return result


@dataclass
class Outcome:
    """What the soak has found."""

    fired: int = 0
    expected: int = 0
    missed: list[tuple[str, float]] = field(default_factory=list)
    extra: list[tuple[str, float]] = field(default_factory=list)
    early: list[tuple[str, float]] = field(default_factory=list)
    lives: int = 0
    copies: int = 0
    states: Counter[str] = field(default_factory=Counter)
    undelivered: int = 0

    @property
    def good(self) -> bool:
        return not (self.missed or self.extra or self.early or self.undelivered)


def draw(count: int, start: float, rng: random.Random) -> list[Planned]:
    """Jobs of all kinds; 200 of them fire about 50,000 times in 30 days."""
    jobs = []
    for number in range(count):
        zone_name = rng.choices(list(ZONES), [3, 2, 1])[0]
        zone = UTC if zone_name == "UTC" else ZoneInfo(zone_name)
        misfire = rng.choice(["once", "once", "once", "all", "skip"])
        one = Planned(f"j{number:03}", zone, misfire, start, agent=number % 20 in (0, 7))
        match number % 10:
            case 0:
                one.minutes = 30
            case 1 | 2:
                one.minutes = rng.choice([90, 120, 180])
            case 3:
                minute = rng.randrange(60)
                one.expression, one.at = f"{minute} * * * *", frozenset([minute])
            case 4:
                minute = rng.randrange(60)
                one.hours, one.at, one.weekdays = (
                    frozenset(range(9, 18)),
                    frozenset([minute]),
                    frozenset(range(5)),
                )
                one.expression = f"{minute} 9-17 * * MON-FRI"
            case 5 | 6 | 7:
                hour, minute = rng.choice([0, 1, 2, 3]), rng.choice([0, 15, 30, 59])
                one.hours, one.at = frozenset([hour]), frozenset([minute])
                one.expression = f"{minute} {hour} * * *"
            case 8:
                one.hours, one.at, one.expression = (
                    frozenset([1, 2, 3]),
                    frozenset([15, 45]),
                    "15,45 1-3 * * *",
                )
            case 9:
                hour = rng.randrange(24)
                one.hours, one.at, one.expression = frozenset([hour]), frozenset([0]), f"0 {hour} * * *"
        jobs.append(one)
    return jobs


def written(one: Planned) -> dict:
    """As it stands in the file: with a key that nobody knows."""
    kind = (
        {"kind": "interval", "minutes": one.minutes}
        if one.minutes
        else {"kind": "cron", "expr": one.expression}
    )
    at = one.instants(one.start + 9 * DAY_S)[0]
    said = {"prompt": f"say {one.id}"} if one.agent else {"message": f"this is {one.id}"}
    return {
        "id": one.id,
        "name": one.id,
        **said,
        "schedule": kind,
        "enabled": True,
        "state": "scheduled",
        "next_run_at": datetime.fromtimestamp(at, one.zone).isoformat(),
        "deliver": f"fake:{one.id}",
        "tz": getattr(one.zone, "key", "UTC"),
        "misfire": one.misfire,
        "somebody_elses": [1, {"a": None}],
    }


def kill_at_write(boot: Boot, kind: type, *, after: bool) -> None:
    """Kill it right before or after the next write of that kind."""
    plain = boot.store.write

    async def write(op: Any) -> Any:
        if not isinstance(op, kind):
            return await plain(op)
        if not after:
            boot.kill()
        result = await plain(op)
        boot.kill()
        return result

    boot.store.write = write


PACE = (
    (inbound, "SWEEP_S", 60.0),
    (delivery, "SWEEP_S", 60.0),
    (notices, "LOOK_S", 600.0),
    (channels, "REFRESH_S", 7_200.0),
    (pairing, "LOOK_EVERY_S", 600.0),
    (jobs_file, "LOOK_S", 60.0),
    (receipts, "LOOK_S", 60.0),
    (worlds, "_late", lambda read: read),
    (clock_watch, "LOOK_S", 60.0),
    (cron_ticker, "BEAT_S", 3_600.0),
)
"""Sweeps that find nothing cost most of a virtual month; what they look for in vain may be looked for less often. And what is
read may be as fresh as it is.
"""


@contextmanager
def paced() -> Iterator[None]:
    """Time goes faster; nothing is waited for that only a power cut would show."""
    before = [(module, name, getattr(module, name)) for module, name, _ in PACE]
    epoch, fsync = fakes.EPOCH_S, os.fsync
    for module, name, value in PACE:
        setattr(module, name, value)
    os.fsync = lambda _descriptor: None
    try:
        yield
    finally:
        fakes.EPOCH_S, os.fsync = epoch, fsync
        for module, name, value in before:
            setattr(module, name, value)


async def soak(
    home: Path, start: datetime, days: float, count: int, seed: int, ends_a_day: float = 1.0
) -> Outcome:
    """Run it, under a virtual clock that has only just begun."""
    rng = random.Random(seed)
    fakes.EPOCH_S = start.timestamp()
    jobs = draw(count, fakes.EPOCH_S, rng)
    (home / "cron").mkdir()
    file = home / "cron" / "jobs.json"
    file.write_text(json.dumps({"jobs": [written(one) for one in jobs], "theirs": True}))
    platform = Platform()
    world = World(platform=platform, home=home)
    gaps: list[tuple[float, float]] = []
    until = fakes.EPOCH_S + days * DAY_S + 1_800.25
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.keep)
        await world.up()
        ends = sorted(rng.uniform(0.02, days) for _ in range(max(1, round(days * ends_a_day))))
        for number, end in enumerate(ends):
            moment = 60.0 * (end * DAY_S // 60) + 0.25
            await trio.sleep(max(0.0, moment - trio.current_time()))
            world.away_s = AWAY_S[number // 2 % len(AWAY_S)]
            boot = world.boot
            begun = fakes.EPOCH_S + trio.current_time()  # what was due by now has been claimed
            match number % 4:
                case 0:
                    boot.kill()
                case 1:
                    world.restart()
                case 2:
                    world.away_s = 1.0  # so that what was due when it struck is the last that was
                    world.kill_at(rng.choice(POINTS))
                case 3:
                    world.away_s = 1.0
                    kill_at_write(boot, rng.choice(WRITES), after=rng.random() < 0.5)
            await boot.ended.wait()
            faults.arm(None)
            if number % 4 > 1:
                begun = fakes.EPOCH_S + trio.current_time() - STRUCK_S
            await trio.sleep(world.away_s - 1.0)
            await world.until(lambda boot=boot: world.boot is not boot, within_s=10_000, every_s=1.0)
            await world.up()
            gaps.append((begun, fakes.EPOCH_S + trio.current_time()))
        await trio.sleep(max(0.0, until - fakes.EPOCH_S - trio.current_time()))
        await trio.sleep(SETTLE_S)
        outcome = judge(world, platform, jobs, gaps, until)
        nursery.cancel_scope.cancel()
    document = json.loads(file.read_text())
    assert document["theirs"] is True
    assert all(one["somebody_elses"] == [1, {"a": None}] for one in document["jobs"])
    return outcome


def judge(
    world: World, platform: Platform, jobs: list[Planned], gaps: list[tuple[float, float]], until: float
) -> Outcome:
    """Compare what people have seen with what they should have."""
    outcome = Outcome(lives=len(world.boots), copies=platform.again)
    fired = set()
    for name, at in platform.seen.items():
        _, job_id, due, _ = name.split(":")
        fired.add((job_id, float(due)))
        if at < float(due):
            outcome.early.append((job_id, float(due)))
    wanted = {(one.id, at) for one in jobs for at in expected(one, gaps, until)}
    fired = {(job_id, due) for job_id, due in fired if due <= until}
    outcome.fired, outcome.expected = len(fired), len(wanted)
    outcome.missed, outcome.extra = sorted(wanted - fired), sorted(fired - wanted)
    rows = world._store._connection.execute(
        "SELECT run_state, delivery_state FROM cron_runs WHERE due_at <= ?", (until,)
    ).fetchall()
    outcome.states = Counter(f"{run}/{delivery}" for run, delivery in rows)
    outcome.undelivered = sum(state != "ok/delivered" for state in outcome.states.elements())
    return outcome


def main() -> int:
    """Both nights."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--night", choices=[*NIGHTS, "both"], default="both")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ends", type=float, default=1.0, help="ends of the process in a day")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    good = True
    for name, start in NIGHTS.items():
        if args.night not in (name, "both"):
            continue
        begun = time.process_time()
        with paced(), tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as home:
            clock = MockClock(autojump_threshold=0)
            outcome = trio.run(
                soak, Path(home), start, args.days, args.jobs, args.seed, args.ends, clock=clock
            )
        good = good and outcome.good
        right = outcome.expected - len(outcome.missed)
        print(
            f"{name}: {right} of {outcome.expected}, {len(outcome.missed)} missed, {len(outcome.extra)} double,"
            f" {len(outcome.early)} early; {outcome.copies} copies dropped, {outcome.undelivered} not delivered,"
            f" {outcome.lives} lives, {time.process_time() - begun:.0f} s of CPU",
            flush=True,
        )
        print(f"  {dict(outcome.states)}")
        for kind in ("missed", "extra", "early"):
            for job_id, due in getattr(outcome, kind)[:10]:
                print(f"  {kind}: {job_id} {datetime.fromtimestamp(due, UTC)}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
