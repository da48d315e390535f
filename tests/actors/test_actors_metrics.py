"""``/metrics`` of a gateway that works: it is what ``hermes status`` says, in Prometheus' format, and names nobody."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from world import ADAPTER, Figures, World

from actors.ports.metrics import Metrics
from actors.ports.tally import Tally, kind_of
from hermes.ops.metrics import Tallies
from hermes.store.writer import Degraded
from hermes.testing.fakes import FakeAgent, Hang, Reply
from hermes.types.agent import AgentIO, Final, Turn, Usage
from hermes.types.errors import Failure, GatewayError
from supervisors.introspect import suspend
from supervisors.watchdog import Watchdog

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by name and labels, by the grammar of the format; raises on what breaks it."""
    assert text.endswith("\n")
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    ended: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helped, f"{name} has two HELP lines"
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helped, f"{name} has no HELP before its TYPE"
            assert name not in kinds, f"{name} has two TYPE lines"
            kinds[name] = kind
            ended.append(name)
        else:
            match = SAMPLE.match(line)
            assert match, line
            name, labels, value = match[1], frozenset(LABEL.findall(match[2] or "")), float(match[3])
            family = re.sub("_(bucket|sum|count)$", "", name)
            family = family if kinds.get(family) == "histogram" else name
            assert ended[-1] == family, f"{line} stands under {ended[-1]}"
            assert (kinds[family] == "counter") == name.endswith("_total")
            assert (name, labels) not in samples, f"{line} is there twice"
            samples[name, labels] = value
    return samples


class Scraper:
    """Metrics of a world, made as ``hermes.app`` makes them."""

    def __init__(self, world: World) -> None:
        boot = world.boot
        figures = cast("Any", boot.figures)
        figures.stalled_s, figures.pending = 0.0, 0
        figures.commit_s, figures.commit_size = Tallies(0.1, 1), Tallies(1, 8)
        self.tally = Tally(boot.system)
        boot.system.events.listen(self.tally.note)
        self._metrics = Metrics(boot.system, boot.services, figures, Watchdog(), self.tally)

    async def text(self) -> str:
        return await self._metrics.document()

    async def __call__(self) -> "Scraped":
        return Scraped(parsed(await self.text()))


class Scraped:
    def __init__(self, samples: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> None:
        self.samples = samples

    def of(self, name: str, **labels: str) -> float:
        return self.samples[name, frozenset(labels.items())]


async def test_the_metrics_say_what_the_status_says(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(), Hang()))
    scrape = Scraper(world)
    await world.say("one", "a")
    await world.settle()
    await world.say("two", "b")
    await trio.sleep(5)

    status, now = await world.services.overview.status(), await scrape()

    counts = status["counts"]
    assert now.of("hermes_messages_received_total") == counts["received"] == 2
    assert now.of("hermes_messages_pending") == counts["pending"] == 1
    assert now.of("hermes_messages_unaccounted") == counts["unaccounted"] == 0
    for end in ("answered", "merged", "refused", "denied", "ignored", "stopped", "failed"):
        assert now.of("hermes_messages_ended_total", end=end) == counts[end]
    for state, count in status["outbox"].items():
        assert now.of("hermes_outbox_messages", state=state) == count
    assert now.of("hermes_sessions_known") == status["sessions"]["known"]
    assert now.of("hermes_turns_running") == status["sessions"]["busy"] == 1
    assert now.of("hermes_messages_oldest_pending_seconds") == pytest.approx(5, abs=0.5)
    assert now.of("hermes_turn_seconds_count") == 1
    assert now.of("hermes_actors", kind="session", state="running") == status["sessions"]["active"] == 2
    assert now.of("hermes_ready") == 1

    ways = {"platform": "fake", "account": "default"}
    assert now.of("hermes_adapter_receive_age_seconds", **ways) == status["adapters"][0]["receive_age_s"]
    states = {
        dict(labels)["state"]: v for (n, labels), v in now.samples.items() if n == "hermes_adapter_state"
    }
    assert states.pop(status["adapters"][0]["state"]) == 1
    assert set(states.values()) == {0}
    assert {"connected", "stale", "backoff", "disabled"} <= states.keys()


async def test_nothing_in_the_metrics_names_a_session_a_chat_or_a_person(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(), Hang()))
    scrape = Scraper(world)
    await world.say("one", "chat-of-4711")
    await world.settle()
    series = len((await scrape()).samples)
    for number in range(20):
        await world.say("two", f"chat-of-{number}")
    await trio.sleep(1)

    text = await scrape.text()

    assert "chat-of" not in text
    assert "u1" not in text
    assert (
        len(parsed(text)) - series < 10
    )  # kinds and states that were not there yet, and no series for each of twenty


async def test_restarts_and_failures_are_counted_by_kind_and_outlive_the_actor(open_world, autojump_clock):
    world = await open_world()
    scrape = Scraper(world)
    before = await scrape()
    world.platform.crash(GatewayError(Failure("unreachable")))
    await world.until(lambda: world.tree()[ADAPTER].incarnation == 2 and world.state(ADAPTER) == "running")

    now = await scrape()

    assert before.of("hermes_actor_restarts_total", kind="adapter") == 0
    assert now.of("hermes_actor_restarts_total", kind="adapter") == 1
    assert now.of("hermes_actor_failures_total", kind="adapter") == 1
    assert now.of("hermes_adapter_incarnation", platform="fake", account="default") == 2


async def test_a_message_that_nobody_reads_shows_its_age_by_kind(open_world, autojump_clock):
    world = await open_world()
    scrape = Scraper(world)
    assert (await scrape()).of("hermes_mailbox_oldest_seconds", kind="inbound") == 0
    suspend(world.boot.system, "root/gateway/inbound")
    await world.say("one")
    await trio.sleep(40)

    now = await scrape()

    assert now.of("hermes_mailbox_oldest_seconds", kind="inbound") == pytest.approx(40, abs=1)
    assert now.of("hermes_mailbox_oldest_seconds", kind="session") == 0


async def test_what_answers_cost_is_summed_and_an_agent_that_counts_nothing_adds_nothing(
    open_world, autojump_clock
):
    bills = iter((Usage(100, 20, 3, 4), None, Usage(100, 20, 3, 4)))

    class Costly(FakeAgent):
        """Its second answer has no bill."""

        async def run(self, turn: Turn, io: AgentIO) -> Final:
            return Final("hi", next(bills))

    world = await open_world(Costly())
    scrape = Scraper(world)
    assert (await scrape()).of("hermes_model_tokens_total", kind="input") == 0
    for text in ("one", "two", "three"):
        await world.say(text)
        await world.settle()

    now = await scrape()

    spent = [
        now.of("hermes_model_tokens_total", kind=kind)
        for kind in ("input", "output", "cache_read", "cache_write")
    ]
    assert spent == [200, 40, 6, 8]


async def test_what_a_platform_delivers_twice_is_counted(open_world, autojump_clock):
    world = await open_world()
    scrape = Scraper(world)
    await world.say("one", event_id="e1")
    await world.say("one", event_id="e1")
    await world.settle()
    ways = {"platform": "fake", "account": "default"}
    assert (await scrape()).of("hermes_duplicates_total", **ways) == 1

    world.platform.crash(GatewayError(Failure("unreachable")))
    await world.until(lambda: world.tree()[ADAPTER].incarnation == 2 and world.state(ADAPTER) == "running")
    assert (await scrape()).of("hermes_duplicates_total", **ways) == 1  # a counter survives its adapter


async def test_a_store_that_does_not_answer_leaves_its_figures_out(open_world, autojump_clock, monkeypatch):
    world = await open_world()
    scrape = Scraper(world)

    async def hangs(*_: Any) -> None:
        await trio.sleep_forever()

    figures: Figures = world.boot.figures
    monkeypatch.setattr(figures, "read", hangs)
    figures.degraded = Degraded(Failure("store_degraded")).failure

    now = await scrape()

    assert now.of("hermes_store_degraded") == 1
    assert now.of("hermes_ready") == 0
    assert not any(name == "hermes_messages_received_total" for name, _ in now.samples)


def test_a_kind_comes_from_the_code_alone():
    from actors import delivery, session, turn
    from supervisors.supervisor import supervisor

    assert [kind_of(start) for start in (session.run, turn.run, delivery.run_lane)] == [
        "session",
        "turn",
        "delivery.lane",
    ]
    assert kind_of(supervisor("a person's id", []).start) == "supervisor"


async def test_the_page_names_every_metric_and_no_other(open_world, autojump_clock):
    page = (Path(__file__).parents[2] / "docs" / "health.md").read_text()
    world = await open_world()
    scrape = Scraper(world)
    text = await scrape.text()

    named = set(
        re.findall(r"\b(?:hermes|process)_[a-z_]+", page.split("## /metrics")[1].split("What to be woken")[0])
    )
    there = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    by_account = {
        "hermes_outbox_open",
        "hermes_outbox_oldest_seconds",
        "hermes_outbox_dead",
    }  # nothing is on its way
    assert there <= named
    assert named - there <= by_account | {"hermes_adapter_receive_age_seconds"}
