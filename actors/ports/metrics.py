"""``/metrics``: the gateway in figures, for a monitor that asks every few seconds.

    census of the tree, adapters, tallies (loop) ─┐
    figures of the store (a reader's thread) ─────┴─▶ text (a thread)

Labels are kinds of actors, states, platforms and accounts; never a session, a chat or a person. What is not known, because the
store does not answer, is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import trio

from actors.ports.health import State
from actors.ports.overview import FIGURES_DEADLINE_S
from actors.ports.services import Services
from actors.ports.store import StorePort
from actors.ports.tally import Tally, kind_of
from hermes.ops.metrics import Family, Labels, render
from hermes.ops.usage import Usage, usage
from hermes.store.figures import Figures, figures
from supervisors.census import Group, census
from supervisors.system import System
from supervisors.watchdog import Watchdog

ENDS = ("answered", "merged", "refused", "denied", "ignored", "stopped", "failed")


class Metrics:
    """One document a call."""

    def __init__(
        self, system: System, services: Services, store: StorePort, watchdog: Watchdog, tally: Tally
    ) -> None:
        self._system = system
        self._overview = services.overview
        self._adapters = services.adapters
        self._turns = services.turns
        self._store = store
        self._watchdog = watchdog
        self._tally = tally
        self._began_at = services.overview.clock.wall()

    async def document(self) -> str:
        """In Prometheus' text format."""
        found: Figures | None = None
        now = self._overview.clock.wall()
        with trio.move_on_after(FIGURES_DEADLINE_S):
            found = await self._store.read(figures, now)
        families = [*self._process(), *self._tree(), *self._ways(), *self._work(), *_stored(found, now)]
        return await trio.to_thread.run_sync(lambda: render([*_used(usage()), *families]))

    def _process(self) -> Iterator[Family]:
        overview, watchdog = self._overview, self._watchdog
        yield _gauge("hermes_build_info", "The version that runs.", 1, version=overview.version)
        yield _gauge("process_start_time_seconds", "When it was started.", round(self._began_at, 3))
        yield _gauge("hermes_ready", "1 if messages are taken, as /ready says.", int(not overview.waiting()))
        draining = self._system.stopping is not None
        yield _gauge("hermes_draining", "1 while the gateway stops.", int(draining))
        yield _gauge("hermes_loop_lag_seconds", "How late the event loop is.", watchdog.lag_s)
        yield _gauge("hermes_loop_lag_worst_seconds", "The most that it has been late.", watchdog.worst_lag_s)

    def _tree(self) -> Iterator[Family]:
        groups = census(self._system, kind_of)
        states = [
            ({"kind": kind, "state": state}, float(count))
            for kind, group in groups.items()
            for state, count in group.states.items()
        ]
        yield Family("hermes_actors", "gauge", "Actors, by what they do and how they are.", states)
        yield _by_kind("hermes_mailbox_messages", "Messages that wait.", groups, lambda group: group.waiting)
        yield _by_kind(
            "hermes_mailbox_fullest_ratio",
            "Of the fullest mailbox, how much is used.",
            groups,
            lambda group: group.fullest,
        )
        yield _by_kind(
            "hermes_mailbox_oldest_seconds",
            "Of the message that has waited longest, for how long.",
            groups,
            lambda group: group.oldest_s,
        )
        yield _by_kind(
            "hermes_message_in_work_seconds",
            "For how long the message is in work that has been longest.",
            groups,
            lambda group: group.in_work_s,
        )
        for name, words, counted in (
            ("hermes_actor_restarts_total", "Starts after an end that nobody ordered.", self._tally.restarts),
            ("hermes_actor_failures_total", "Ends that were no good ones.", self._tally.failures),
        ):
            kinds = sorted({*groups, *counted})
            yield Family(name, "counter", words, [({"kind": kind}, counted[kind]) for kind in kinds])

    def _ways(self) -> Iterator[Family]:
        rows = self._overview.adapter_rows()
        named: list[tuple[Labels, Mapping[str, Any]]] = [
            ({"platform": row["platform"], "account": row["account"]}, row) for row in rows
        ]
        states = [
            ({**labels, "state": state}, int(row["state"] == state))
            for labels, row in named
            for state in get_args(State)
        ]
        yield Family("hermes_adapter_state", "gauge", "1 for the state that an adapter is in.", states)
        yield Family(
            "hermes_adapter_receive_age_seconds",
            "gauge",
            "Since the last receive, with a message or without; of no adapter that has had none.",
            [(labels, row["receive_age_s"]) for labels, row in named],
        )
        yield Family(
            "hermes_adapter_incarnation",
            "gauge",
            "Which life of the adapter this is.",
            [(labels, row["incarnation"]) for labels, row in named],
        )
        yield Family(
            "hermes_duplicates_total",
            "counter",
            "Messages that a platform has delivered again; they are dropped.",
            [(labels, self._adapters.duplicates(row["platform"], row["account"])) for labels, row in named],
        )

    def _work(self) -> Iterator[Family]:
        store = self._store
        degraded = int(store.degraded is not None)
        yield _gauge("hermes_turns_running", "Answers that are worked on.", self._turns.borrowed_tokens)
        words = "How long turns took, from the first to the last word."
        yield Family("hermes_turn_seconds", "histogram", words, [({}, self._tally.turns.seen())])
        spent = self._overview.spent
        tokens = (
            ("input", spent.input_tokens),
            ("output", spent.output_tokens),
            ("cache_read", spent.cache_read_tokens),
            ("cache_write", spent.cache_write_tokens),
        )
        words = (
            "What the answers have cost of which the agent has counted it; input leaves out what was cached."
        )
        yield Family(
            "hermes_model_tokens_total", "counter", words, [({"kind": kind}, count) for kind, count in tokens]
        )
        yield _gauge("hermes_store_degraded", "1 while the disk takes no writes.", degraded)
        yield _gauge(
            "hermes_store_stalled_seconds", "How long the disk has one write in hand.", store.stalled_s
        )
        yield _gauge("hermes_store_pending_operations", "Writes without their commit.", store.pending)
        words = "How long commits took."
        yield Family("hermes_store_commit_seconds", "histogram", words, [({}, store.commit_s.seen())])
        words = "Of how many writes commits were."
        yield Family("hermes_store_commit_operations", "histogram", words, [({}, store.commit_size.seen())])


def _used(used: Usage) -> Iterator[Family]:
    words = "Processor time, user and system."
    yield Family("process_cpu_seconds_total", "counter", words, [({}, round(used.cpu_s, 3))])
    yield _gauge("process_resident_memory_bytes", "Memory in use.", used.resident)
    yield _gauge("process_open_fds", "Open files and connections.", used.open_files)
    yield _gauge("process_max_fds", "How many there may be.", used.most_files)


def _stored(found: Figures | None, now: float) -> Iterator[Family]:
    if found is None:
        return
    counts = found.counts
    yield _counter(
        "hermes_messages_received_total", "Messages, over the store's whole life.", counts.received
    )
    ends = [({"end": end}, getattr(counts, end)) for end in ENDS]
    yield Family("hermes_messages_ended_total", "counter", "Those of them that have an end, by which.", ends)
    yield _gauge("hermes_messages_pending", "Those that have none yet.", counts.pending)
    yield _gauge("hermes_messages_unaccounted", "Those that are neither; 0, or a bug.", counts.unaccounted)
    age_s = 0.0 if found.oldest_pending_at is None else max(0.0, now - found.oldest_pending_at)
    yield _gauge("hermes_messages_oldest_pending_seconds", "How long the oldest waits for its end.", age_s)
    words = "What came of turns that were over, and was dropped."
    yield _counter("hermes_late_results_total", words, found.late_results)
    states = [({"state": state}, count) for state, count in found.outbox.items()]
    yield Family("hermes_outbox_messages", "gauge", "Answers that have not arrived, by state.", states)
    accounts: list[tuple[Labels, Any]] = [
        ({"platform": one.platform, "account": one.account}, one) for one in found.standings
    ]
    yield Family(
        "hermes_outbox_open",
        "gauge",
        "Answers on their way, by account.",
        [(labels, one.open) for labels, one in accounts],
    )
    yield Family(
        "hermes_outbox_oldest_seconds",
        "gauge",
        "How long the oldest of them is on its way.",
        [
            (labels, None if one.oldest_at is None else max(0.0, now - one.oldest_at))
            for labels, one in accounts
        ],
    )
    yield Family(
        "hermes_outbox_dead",
        "gauge",
        "Answers that were given up, by account.",
        [(labels, one.dead) for labels, one in accounts],
    )
    yield _gauge("hermes_dead_targets", "Chats in which nobody is reached any more.", found.dead_targets)
    yield _gauge("hermes_sessions_known", "Conversations there ever were.", found.sessions)


def _gauge(name: str, words: str, value: float, **labels: str) -> Family:
    return Family(name, "gauge", words, [(labels, value)])


def _counter(name: str, words: str, value: float) -> Family:
    return Family(name, "counter", words, [({}, value)])


def _by_kind(name: str, words: str, groups: Mapping[str, Group], value: Callable[[Group], float]) -> Family:
    return Family(name, "gauge", words, [({"kind": kind}, value(group)) for kind, group in groups.items()])
