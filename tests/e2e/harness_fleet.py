"""Several web chat clients that talk to one gateway, and the check that nothing was lost, doubled or put out of order."""

import random
import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import trio
from client import WebChatClient
from harness import Gateway

AHEAD = 4
"""How many messages without an answer a client may have: so the load lasts as long as the campaign."""

DRAWL = " slow" * 8
"""Ends an echo where messages share answers: its turn is still at work when the next message comes."""

NOTE_EVERY = 3
MAX_PAUSE_S = 0.1
ANSWERS_DEADLINE_S = 120.0

_ECHO = re.compile(r"\bc(\d+)-(\d+)\b")
_NOTED = re.compile(r"Noted as number (\d+)")
_NOTE = re.compile(r"\bm(\d+)x(\d+)\b")


class Fleet:
    """``clients`` clients, each in a chat of its own, that send ``messages`` messages in all.

    Message n of client i is ``echo c<i>-<n>`` or, with ``notes``, every third time ``note m<i>x<n>``: a side effect that must
    happen once. Clients run up to ``AHEAD`` messages ahead of the answers and pause for a random moment between two.
    In every mode each message is named by one answer, and its words stand there; but in ``queue`` each has one of its own.
    """

    def __init__(
        self, gateway: Gateway, cookie: str, *, clients: int, messages: int, seed: int, notes: bool = False
    ) -> None:
        self.clients = [WebChatClient(gateway.url, cookie, f"c{number}") for number in range(clients)]
        self._tallies = [_Tally(client) for client in self.clients]
        self._gateway = gateway
        self._cookie = cookie
        self._random = random.Random(seed)
        self._plan = [
            [self._text(number, n, notes) for n in range(messages // clients + (number < messages % clients))]
            for number in range(clients)
        ]
        self.messages = sum(map(len, self._plan))

    def _text(self, number: int, n: int, notes: bool) -> str:
        if notes and n % NOTE_EVERY == 1:
            return f"note m{number}x{n}"
        return f"echo c{number}-{n}" + (DRAWL if self._gateway.mode != "queue" else "")

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """All clients are connected and send, until the block is left."""
        async with trio.open_nursery() as nursery:
            for tally, texts in zip(self._tallies, self._plan, strict=True):
                nursery.start_soon(tally.client.run)
                nursery.start_soon(self._send, tally, texts)
            yield
            nursery.cancel_scope.cancel()

    async def _send(self, tally: "_Tally", texts: Sequence[str]) -> None:
        for n, text in enumerate(texts):
            await tally.client.until(partial(tally.reaches, n - AHEAD + 1))
            tally.client.send(text)
            await trio.sleep(self._random.uniform(0, MAX_PAUSE_S))

    @property
    def answered(self) -> int:
        """How many messages have an answer on their client's page."""
        return sum(tally.count() for tally in self._tallies)

    @property
    def together(self) -> int:
        """How many messages share an answer with another one, as far as the clients have seen."""
        answers = [len(answer.answers) for client in self.clients for answer in client.answers]
        return sum(count for count in answers if count > 1)

    async def until_answered(self, count: int) -> None:
        """Return when that many messages are answered; raises ``GatewayFailed`` past the deadline."""
        with trio.move_on_after(ANSWERS_DEADLINE_S):
            while self.answered < count:
                await trio.sleep(0.005)
            return
        troubles = {client.last_trouble for client in self.clients}
        raise self._gateway.failed(
            f"answered {self.answered} messages instead of {count}; clients: {troubles}; {left(self._gateway.home)}"
        )

    async def none_is_at_its_last(self) -> None:
        """Return when no message is in a turn that two boots have found already, or is about to be found by the second one: a
        third would set it aside, in words, as it should (``hermes.sessions.stuck``), and nobody could tell that from a loss.
        """
        boot_id = (await self._gateway.status())["boot_id"]
        with trio.fail_after(ANSWERS_DEADLINE_S), closing(_open(self._gateway.home)) as database:
            while database.execute(
                "SELECT 1 FROM inbox WHERE state = 'in_turn' AND boots + (boot_id <> ?) >= 2 LIMIT 1",
                (boot_id,),
            ).fetchall():
                await trio.sleep(0.01)

    async def violations(self) -> list[str]:
        """What went wrong, as sentences; ask while the gateway runs and the fleet is quiet."""
        found: list[str] = []
        await self._settled(found)
        confirmed: Counter[int] = Counter()
        for client, texts in zip(self.clients, self._plan, strict=True):
            expected = [n for n, text in enumerate(texts) if text.startswith("echo")]
            found += [f"{client.chat}: {problem}" for problem in client.problems]
            found += [f"{client.chat}: {name} was refused: {why}" for name, why in client.refused.items()]
            found += [f"{client.chat}: {name} was never accepted" for name in client.unaccepted]
            reload = await self._reload(client.chat)
            for page, seen in (("live", client), ("after a reload", reload)):
                found += _differences(f"{client.chat} {page}", expected, _echoes(seen))
                every = list(range(len(texts)))
                found += _differences(f"{client.chat} answers named {page}", every, _named(seen))
            found += _differences(
                f"{client.chat} own messages after a reload",
                list(range(len(texts))),
                [_number(name) for name in reload.user_items],
            )
            confirmed.update(_noted(client))
            missing = len(texts) - len(expected) - len(_noted(client))
            if missing:
                found.append(f"{client.chat}: {missing} notes too few were confirmed")
        found += [
            f"note {number} was confirmed {times} times" for number, times in confirmed.items() if times > 1
        ]
        found += await self._kept_notes()
        found += _account(self.messages, await self._gateway.status())
        return found

    async def _settled(self, found: list[str]) -> None:
        """An answer is on the page before its receipt is on the disk."""
        with trio.move_on_after(ANSWERS_DEADLINE_S):
            while True:
                outbox = (await self._gateway.status())["outbox"]
                if not any(outbox[state] for state in ("prepared", "sending", "retry", "unknown")):
                    return
                await trio.sleep(0.2)
        found.append(f"the outbox did not empty: {outbox}")

    async def _reload(self, chat: str) -> WebChatClient:
        """What a page that is opened anew shows."""
        page = WebChatClient(self._gateway.url, self._cookie, chat)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(page.run)
            with trio.fail_after(10):
                await page.until(lambda: bool(page.boots))
            nursery.cancel_scope.cancel()
        return page

    async def _kept_notes(self) -> list[str]:
        expected = sorted(
            (number, n)
            for number, texts in enumerate(self._plan)
            for n, text in enumerate(texts)
            if text.startswith("note")
        )
        with closing(_open(self._gateway.home)) as database:
            rows = database.execute("SELECT text FROM notes").fetchall()
        kept = sorted((int(found[1]), int(found[2])) for (text,) in rows if (found := _NOTE.search(text)))
        return [] if kept == expected else [f"notes kept: {kept}, asked for: {expected}"]


class _Tally:
    """Which messages of one client are answered; reads each answer once."""

    def __init__(self, client: WebChatClient) -> None:
        self.client = client
        self._read = 0
        self._answered: set[str] = set()

    def count(self) -> int:
        for answer in self.client.answers[self._read :]:
            self._answered.update(found[0] for found in _ECHO.finditer(answer.text))
            self._answered.update(found[0] for found in _NOTED.finditer(answer.text))
        self._read = len(self.client.answers)
        return len(self._answered)

    def reaches(self, count: int) -> bool:
        return self.count() >= count


def check_store(home: Path, messages: int) -> list[str]:
    """What the database of a gateway that has stopped says against "every message once, all of them sent"."""
    with closing(_open(home)) as database:
        states = dict(database.execute("SELECT state, count(*) FROM inbox GROUP BY state"))
        events, distinct = database.execute("SELECT count(*), count(DISTINCT event_id) FROM inbox").fetchone()
        unsent = database.execute("SELECT state, count(*) FROM outbox WHERE state <> 'sent' GROUP BY state")
        found = [f"outbox: {count} rows are {state}" for state, count in unsent]
        damage = database.execute("PRAGMA integrity_check").fetchone()[0]
    if (events, distinct) != (messages, messages):
        found.append(f"inbox: {events} rows, {distinct} distinct events, {messages} messages were sent")
    if set(states) - {"answered", "merged"}:
        found.append(f"inbox: {states}")
    if damage != "ok":
        found.append(f"gateway.db: {damage}")
    return found


def left(home: Path) -> str:
    """What the database knows of the messages that are not answered, and of the answers that have not arrived."""
    inbox = "SELECT chat_id, event_id, state, rule, crashes, boots FROM inbox WHERE state NOT IN ('answered', 'merged')"
    outbox = "SELECT chat_id, delivery_id, state, failure, attempts FROM outbox WHERE state <> 'sent'"
    with closing(_open(home)) as database:
        return f"inbox: {database.execute(inbox).fetchall()}; outbox: {database.execute(outbox).fetchall()}"


def _open(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{home / 'gateway.db'}?mode=ro", uri=True)


def _echoes(client: WebChatClient) -> list[int]:
    return [int(n) for answer in client.answers for _, n in _ECHO.findall(answer.text)]


def _noted(client: WebChatClient) -> list[int]:
    return [int(number) for answer in client.answers for number in _NOTED.findall(answer.text)]


def _named(client: WebChatClient) -> list[int]:
    return [_number(name) for answer in client.answers for name in answer.answers]


def _number(message_id: str) -> int:
    """Which message of its client that is, from 0."""
    return int(message_id.rpartition(".")[2]) - 1


def _differences(where: str, expected: list[int], seen: list[int]) -> list[str]:
    counts = Counter(seen)
    found = [f"{where}: {n} is lost" for n in expected if not counts[n]]
    found += [f"{where}: {n} came {times} times" for n, times in counts.items() if times > 1]
    if not found and seen != expected:
        found.append(f"{where}: out of order: {seen}")
    return found


def _account(messages: int, status: dict[str, Any]) -> list[str]:
    counts = status["counts"]
    ended = counts["answered"] + counts["merged"]
    found = []
    if (counts["received"], ended) != (messages, messages):
        found.append(f"status: {messages} were sent, counts are {counts}")
    if counts["unaccounted"] or counts["pending"]:
        found.append(f"status: something is left over: {counts}")
    if status["outbox"]["dead"]:
        found.append(f"status: dead letters: {status['outbox']}")
    return found
