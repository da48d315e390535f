"""Chats whose every message is counted by its id: one answer or one other end, in the order they were sent.

A chat sends ``echo <chat>-<n>``; an answer names the messages it answers. Unlike ``harness_fleet``, this needs no answer to
know that a message has come to its end: the database says how each of them ended.
"""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import trio
from client import Answer, WebChatClient
from harness import Gateway

QUIET_DEADLINE_S = 120.0
QUIET_POLL_S = 0.5
SHOWN_DEADLINE_S = 20.0
ENDS = ("answered", "merged", "refused", "denied", "ignored", "stopped", "failed")
ANSWERED = ("answered", "merged")
"""Ends of a message that an answer names: an interrupted turn answers what it had together with what interrupted it."""

OPEN_OUTBOX = ("prepared", "sending", "retry", "unknown")


class Chat:
    """One web chat with one client, and what was sent in it, by id and in order."""

    def __init__(self, gateway: Gateway, cookie: str, name: str) -> None:
        self.name = name
        self.client = WebChatClient(gateway.url, cookie, name)
        self.sent: dict[str, str] = {}

    def say(self, words: str = "") -> str:
        """Send the next message, an echo that names itself unless ``words`` are given; returns its id."""
        text = words or f"echo {self.name}-{len(self.sent)}"
        message_id = self.client.send(text)
        self.sent[message_id] = text
        return message_id

    @property
    def replied(self) -> set[str]:
        """Ids of the messages that have an answer on the page."""
        return {name for answer in self.client.answers for name in answer.answers}

    async def welcomed(self) -> None:
        """Wait for the gateway's welcome. Raises ``trio.TooSlowError``."""
        with trio.fail_after(SHOWN_DEADLINE_S):
            await self.client.until(lambda: bool(self.client.boots))

    async def shown(self, answered: Sequence[str]) -> None:
        """Wait a while until the page shows an answer to each of ``answered``; what is missing then is a violation."""
        with trio.move_on_after(SHOWN_DEADLINE_S):
            await self.client.until(lambda: self.replied.issuperset(answered))


@asynccontextmanager
async def connected(chats: Sequence[Chat]) -> AsyncIterator[trio.Nursery]:
    """All chats are connected until the block is left; the nursery is for those who talk in them."""
    async with trio.open_nursery() as nursery:
        for chat in chats:
            # One after the other: a thousand handshakes at once would run into their own deadline.
            nursery.start_soon(chat.client.run)
            await chat.welcomed()
        yield nursery
        nursery.cancel_scope.cancel()


async def quiet(gateway: Gateway, messages: int) -> list[str]:
    """Wait until ``messages`` were received, none is pending and every answer has its receipt; or say what is still open."""
    status: dict[str, Any] = {}
    with trio.move_on_after(QUIET_DEADLINE_S):
        while True:
            status = await gateway.status()
            counts, outbox = status["counts"], status["outbox"]
            # None of both while the store starts.
            ended = counts is not None and counts["received"] >= messages and not counts["pending"]
            if ended and outbox is not None and not any(outbox[state] for state in OPEN_OUTBOX):
                return _account(messages, status)
            await trio.sleep(QUIET_POLL_S)
    return [f"not at rest after {QUIET_DEADLINE_S:.0f} s: {status['counts']}, outbox {status['outbox']}"]


def _account(messages: int, status: Mapping[str, Any]) -> list[str]:
    counts, found = status["counts"], []
    ended = sum(counts[end] for end in ENDS)
    if counts["received"] != messages:
        found.append(f"status: {messages} were sent, {counts['received']} received")
    if counts["received"] != ended + counts["pending"] or counts["unaccounted"]:
        found.append(f"status: received = terminal + pending does not hold: {counts}")
    if status["outbox"]["dead"]:
        found.append(f"status: dead letters: {status['outbox']}")
    return found


def ends(home: Path) -> dict[str, str]:
    """The state of every message in the database, by its id."""
    with closing(sqlite3.connect(f"file:{home / 'gateway.db'}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT event_id, state FROM inbox").fetchall()
    return {event_id.partition("/")[2]: state for event_id, state in rows}


def transcripts(home: Path) -> dict[str, list[str]]:
    """What the people of each chat said, in the transcript's order, by the chat's name."""
    with closing(sqlite3.connect(f"file:{home / 'gateway.db'}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT sessions.chat_id, transcript.text FROM transcript JOIN sessions USING (session_key)"
            " WHERE role = 'user' ORDER BY line_id"
        ).fetchall()
    found: dict[str, list[str]] = {}
    for chat, text in rows:
        found.setdefault(chat, []).append(text)
    return found


async def violations(chats: Sequence[Chat], home: Path) -> list[str]:
    """What went wrong in ``chats``, each sentence with the message concerned; ask once the gateway is ``quiet``."""
    states, said = ends(home), transcripts(home)
    found: list[str] = []
    for chat in chats:
        answered = [name for name in chat.sent if states.get(name) in ANSWERED]
        await chat.shown(answered)
        found += [f"{chat.name}: {problem}" for problem in chat.client.problems]
        found += [f"{name} was refused at the door: {why}" for name, why in chat.client.refused.items()]
        found += [f"{name} was never accepted" for name in chat.client.unaccepted]
        found += _replies(chat, states)
        # A message that was not answered may stand in the transcript or not; those that did stand there in order.
        texts = [text for name, text in chat.sent.items() if name in answered]
        told = [text for text in said.get(chat.name, []) if text in texts]
        if told != texts:
            found.append(f"{chat.name}: the transcript is {told}, what was answered is {texts}")
    return found


def _replies(chat: Chat, states: Mapping[str, str]) -> list[str]:
    found = []
    order = list(chat.sent)
    counts = Counter(name for answer in chat.client.answers for name in answer.answers)
    for name in order:
        state = states.get(name)
        if state is None:
            found.append(f"{name} is lost: it is in no row")
        elif state not in ENDS:
            found.append(f"{name} has no end: {state}")
        elif state in ANSWERED and not counts[name]:
            found.append(f"{name} is {state}, and no answer on the page names it")
        if counts[name] > 1:
            found.append(f"{name} was answered {counts[name]} times")
    for answer in chat.client.answers:
        found += [
            f"{chat.name}: {answer.text!r} answers {name}, which was never sent"
            for name in answer.answers or ("nothing",)
            if name not in chat.sent
        ]
        found += _words(chat, states, answer)
    names = [name for answer in chat.client.answers for name in answer.answers]
    seen = [order.index(name) for name in names if name in chat.sent]
    found += [
        f"{order[this]} was answered after {order[before]}"
        for before, this in pairwise(seen)
        if this < before
    ]
    return found


def _words(chat: Chat, states: Mapping[str, str], answer: Answer) -> list[str]:
    """The built-in agent has a section for each message; that of an echo is its words."""
    if any(states.get(name) not in ANSWERED for name in answer.answers):
        return []
    sections = answer.text.split("\n\n")
    if len(sections) != len(answer.answers):
        return [f"{chat.name}: {answer.text!r} is to answer {answer.answers}"]
    return [
        f"{name} was answered {section!r}, not {text!r}"
        for name, section in zip(answer.answers, sections, strict=True)
        if (text := chat.sent.get(name, "")).startswith("echo ") and section != text.removeprefix("echo ")
    ]
