"""Three real minutes of jobs that speak on Telegram, which fails in the middle: ``python tests/e2e/cron_telegram.py``.

Three jobs are due each minute: a text for one person, an answer of the agent for another, and a text for somebody who has
blocked the bot. Fifty seconds after the first minute Telegram is ill for 80 seconds: one answer of a proxy (502), then 503,
then nobody is there, then 429; then it is well again.

Prints the runs as ``hermes cron runs`` shows them, during each of them and in the end. Exits 1 unless every run is ``ok``;
each answer is seen once and was ``delivered`` only after that; some were seen waiting in between; and what cannot arrive is
``failed``, which its failure target is told.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio
from harness_telegram import Stage, connected, stage

from hermes.ops.control import client
from hermes.testing.telegram import Html, Status
from hermes.types import texts

MINUTE_S = 60.0
FIRINGS = 4
WELL_S = 50.0
ILL_S = {"502, then 503": 30.0, "a dead socket": 25.0, "429": 25.0}
SHOW_S = 5.0
LOOK_S = 0.5
SETTLE_S = 60.0
ASK_S = 10.0
LAST_RUNS = 100

WORDS, ASKED, LOST = "words", "asked", "lost"


class Watch:
    """What was seen of the runs while they went on."""

    def __init__(self, on: Stage) -> None:
        self._on = on
        self.waited: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.runs: list[Mapping[str, Any]] = []

    async def look(self) -> None:
        """Once. What is called delivered by now must have been seen by now."""
        ask = lambda: client.ask(self._on.gateway.home, "cron_runs", {"job": None, "limit": LAST_RUNS}, ASK_S)  # noqa: E731
        self.runs = (await trio.to_thread.run_sync(ask))["runs"]
        for place, name in enumerate((WORDS, ASKED)):
            own = [one for one in self.runs if one["job_id"] == name]
            delivered = sum(one["delivery_state"] == "delivered" for one in own)
            if delivered > len(self._on.seen(place)):
                self.wrong.append(
                    f"{name}: {delivered} are called delivered, {len(self._on.seen(place))} were seen"
                )
            self.waited[name] += any(
                one["run_state"] == "ok" and part["state"] in ("retry", "unknown")
                for one in own
                for part in one["underway"]
            )
        if any(one["delivery_state"] == "delivered" for one in self.runs if one["job_id"] == LOST):
            self.wrong.append(f"{LOST}: what nobody could get is called delivered")

    async def go_on(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await trio.sleep(LOOK_S)


def job(name: str, to: int, **more: object) -> dict[str, object]:
    return {
        "id": name,
        "name": name,
        "schedule": {"kind": "cron", "expr": "* * * * *"},
        "next_run_at": datetime.fromtimestamp((time.time() // MINUTE_S + 1) * MINUTE_S, UTC).isoformat(),
        "tz": "UTC",
        "repeat": {"times": FIRINGS, "completed": 0},
        "deliver": f"telegram:{to}",
    } | more


def furnish(on: Stage) -> None:
    """The jobs, beginning with the next minute."""
    first, second, third = (person.id for person in on.people)
    jobs = [
        job(WORDS, first, message="tick"),
        job(ASKED, second, prompt="what is new?"),
        job(LOST, third, message="nobody reads this", failure_target=f"telegram:{first}"),
    ]
    (on.gateway.home / "cron").mkdir(exist_ok=True)
    (on.gateway.home / "cron" / "jobs.json").write_text(json.dumps({"jobs": jobs}))


async def act(on: Stage, watch: Watch) -> None:
    """The minutes, with the faults in the middle."""
    bot = next(iter(on.telegram.bots.values()))
    on.people[2].blocked.add(bot.user["id"])
    await trio.sleep(MINUTE_S - time.time() % MINUTE_S + WELL_S)
    # One 502 only: what may have arrived is sent once more, and a second doubt would be its end.
    on.telegram.plan("sendMessage", Html(502))
    on.telegram.plan_for(sum(ILL_S.values()), "sendMessage", Status(503))
    for name, seconds in ILL_S.items():
        if name == "a dead socket":
            await on.telegram.server.plug("refused")
        elif name == "429":
            await on.telegram.heal()
            on.telegram.plan_for(seconds, "sendMessage", Status(429, retry_after=4))
        await trio.sleep(seconds - SHOW_S)
        print(f"--- {name} ---\n{await on.gateway.cli('cron', 'runs')}", flush=True)
        await trio.sleep(SHOW_S)
    await trio.sleep(FIRINGS * MINUTE_S - WELL_S - sum(ILL_S.values()) - MINUTE_S / 2)
    with trio.move_on_after(SETTLE_S):
        while len(watch.runs) < 3 * FIRINGS or any(one["delivery_state"] == "pending" for one in watch.runs):
            await trio.sleep(LOOK_S)


def judge(on: Stage, watch: Watch) -> list[str]:
    """What is wrong, in sentences."""
    wrong = list(dict.fromkeys(watch.wrong))
    ends = Counter((one["job_id"], one["run_state"], one["delivery_state"]) for one in watch.runs)
    due = {
        (WORDS, "ok", "delivered"): FIRINGS,
        (ASKED, "ok", "delivered"): FIRINGS,
        (LOST, "ok", "failed"): FIRINGS,
    }
    if ends != Counter(due):
        wrong.append(f"the runs have ended so: {dict(ends)}")
    seen = [text.removeprefix(texts.RESENT_MARK) for text in on.seen(0)]
    told = texts.CRON_NOT_DELIVERED.partition("{")[0]
    if seen.count("tick") != FIRINGS:
        wrong.append(f"{WORDS}: seen {seen.count('tick')} times, not {FIRINGS}")
    if sum(text.startswith(told) for text in seen) != FIRINGS:
        wrong.append(
            f"{LOST}: its failure target was told {sum(text.startswith(told) for text in seen)} times"
        )
    if len(on.seen(1)) != FIRINGS:
        wrong.append(f"{ASKED}: seen {len(on.seen(1))} times, not {FIRINGS}")
    wrong += [f"{name}: was never seen to wait" for name in (WORDS, ASKED) if not watch.waited[name]]
    return wrong + [f"the bot called Telegram wrongly: {one}" for one in on.telegram.wrongs]


async def play(home: Path) -> int:
    """The whole of it."""
    async with stage(home, 3) as on:
        await on.gateway.start()
        await connected(on.gateway)
        furnish(on)
        watch = Watch(on)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.go_on)
            await act(on, watch)
            nursery.cancel_scope.cancel()
        print(f"--- in the end ---\n{await on.gateway.cli('cron', 'runs')}", flush=True)
        wrong = judge(on, watch)
        await on.gateway.stop()
    arrived = len(on.seen(1)) + sum(text.endswith("tick") for text in on.seen(0))
    print(f"{arrived} of {2 * FIRINGS} answers seen, each once" if not wrong else "\n".join(wrong))
    return 1 if wrong else 0


def main() -> int:
    """One play."""
    with tempfile.TemporaryDirectory(prefix="hermes-cron-telegram-") as directory:
        return trio.run(play, Path(directory, "home"))


if __name__ == "__main__":
    sys.exit(main())
