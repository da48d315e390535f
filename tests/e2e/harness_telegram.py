"""A gateway between Telegram and a model: a home as the original writes it, and what the people of its chats see.

Telegram is ``hermes.testing.telegram`` in this process, so it has seen what it has seen, whatever becomes of the gateway; the
gateway and the model are processes of their own. Person i writes ``i-n``, the model says it back.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from harness import Gateway
from harness_fleet import left

from hermes.testing.telegram import TOKEN, FakeTelegram, Person
from hermes.types import texts

ANSWERS_DEADLINE_S = 120.0
POLL_S = 0.01

_ANSWER = re.compile(r"You said: (\d+)-(\d+)")


class Model:
    """``python -m hermes.testing.model``, on one port over all its lives."""

    def __init__(self) -> None:
        self.base_url = ""
        self.pid = 0
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, latency_s: float = 0.0) -> None:
        """Answer, each time after ``latency_s``."""
        command = [sys.executable, "-m", "hermes.testing.model", "--port", str(self._port)]
        self._process = subprocess.Popen([*command, "--latency", str(latency_s)], stdout=subprocess.PIPE)
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self.base_url = (await trio.to_thread.run_sync(self._process.stdout.readline)).decode().strip()
        self._port = int(self.base_url.rpartition(":")[2].partition("/")[0])

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@dataclass
class Stage:
    """Everything that plays a part; ``people`` may all write to the bot. ``said``: how many messages each has written."""

    telegram: FakeTelegram
    model: Model
    gateway: Gateway
    people: Sequence[Person]
    said: Counter[int] = field(default_factory=Counter)

    def say(self, person: int) -> None:
        """Person number ``person`` writes the next message."""
        self.telegram.say(self.people[person], f"{person}-{self.said[person]}")
        self.said[person] += 1

    def seen(self, person: int) -> list[str]:
        """What the bot has written to them."""
        return [one.text for one in self.telegram.seen(self.people[person])]

    @property
    def missing(self) -> int:
        """How many messages have no answer yet."""
        return sum(count - len(set(_answered(self.seen(one)))) for one, count in self.said.items())

    async def answered(self, later_s: float = 0.0) -> None:
        """Return when no answer is missing. Raises ``GatewayFailed`` past the deadline, which is ``later_s`` later."""
        with trio.move_on_after(ANSWERS_DEADLINE_S + later_s):
            while self.missing:
                await trio.sleep(POLL_S)
            return
        raise self.gateway.failed(
            f"left {self.missing} messages without an answer: {left(self.gateway.home)}"
        )

    def account(self) -> "Account":
        """What the people see, against what they have said."""
        account = Account(said=sum(self.said.values()))
        for person, count in self.said.items():
            account.add(person, count, self.seen(person))
        account.violations += [f"the bot called Telegram wrongly: {wrong}" for wrong in self.telegram.wrongs]
        return account


@dataclass
class Account:
    """Figures and what is wrong, as sentences. ``marked``: copies that say so; they are no violation."""

    said: int
    lost: int = 0
    doubled: int = 0
    marked: int = 0
    copies: int = 0
    disordered: int = 0
    unsolicited: int = 0
    violations: list[str] = field(default_factory=list)

    def add(self, person: int, count: int, seen: Sequence[str]) -> None:
        """``count`` messages of ``person`` were said, and ``seen`` is what is to be seen of it."""
        mark = texts.RESENT_MARK
        for text in seen:
            found = _ANSWER.fullmatch(text.removeprefix(mark))
            if found is None or int(found[1]) != person or int(found[2]) >= count:
                self.unsolicited += 1
                self.violations.append(f"{person}: says {text!r:.200}")
        every = _answered(seen)
        unmarked = Counter(_answered(text for text in seen if not text.startswith(mark)))
        counts = Counter(every)
        self.marked += sum(text.startswith(mark) for text in seen)
        self.copies += sum(times - 1 for times in counts.values())
        for n in range(count):
            if not counts[n]:
                self.lost += 1
                self.violations.append(f"{person}: message {n} was never answered")
            if unmarked[n] > 1:
                self.doubled += unmarked[n] - 1
                self.violations.append(
                    f"{person}: message {n} was answered {unmarked[n]} times without a mark"
                )
        firsts = list(dict.fromkeys(every))
        if firsts != sorted(firsts):
            self.disordered += 1
            self.violations.append(f"{person}: out of order: {firsts}")

    def __str__(self) -> str:
        order = f"{self.disordered} chats out of order" if self.disordered else "order kept"
        also = f", {self.unsolicited} that nobody asked for" if self.unsolicited else ""
        return (
            f"{self.said} said: {self.lost} lost, {self.doubled} doubled, {self.copies} second copies, {self.marked} marked,"
            f" {order}{also}"
        )


def _answered(seen: Iterable[str]) -> list[int]:
    """Numbers of the messages that were answered, in the order in which the answers were first seen, copies included."""
    found = (_ANSWER.fullmatch(text.removeprefix(texts.RESENT_MARK)) for text in seen)
    return [int(one[2]) for one in found if one is not None]


def furnish(
    home: Path, telegram: FakeTelegram, model: Model, people: Sequence[Person], more: str = ""
) -> None:
    """Write a home in the original's form; ``more`` are further lines of its ``config.yaml``."""
    home.mkdir(mode=0o700)
    (home / "config.yaml").write_text(
        f"_config_version: 33\nmodel:\n  provider: custom\n  base_url: {model.base_url}\n  default: fake-model\n"
        f"  context_length: 200000\nplatforms:\n  telegram:\n    extra:\n      base_url: {telegram.url}/bot\n{more}"
    )
    env = home / ".env"
    allowed = ",".join(str(person.id) for person in people)
    env.write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_ALLOWED_USERS={allowed}\n")
    env.chmod(0o600)


@asynccontextmanager
async def stage(home: Path, people: int, *, latency_s: float = 0.0, config: str = "") -> AsyncIterator[Stage]:
    """A fresh home with ``people`` who may write; the gateway is not started yet. All is ended with the block."""
    model = Model()
    with own_locks(home.with_name(f"{home.name}.locks")), closing(model):
        async with FakeTelegram().listening() as telegram:
            await model.start(latency_s)
            crowd = [telegram.person(f"Person {number}") for number in range(people)]
            furnish(home, telegram, model, crowd, config)
            # The last to choose its port: nobody then takes it for their own.
            with closing(Gateway(home)) as gateway:
                yield Stage(telegram, model, gateway, crowd)


@contextmanager
def own_locks(directory: Path) -> Iterator[None]:
    """Tokens are locked there, and not where this machine's gateways lock theirs."""
    os.environ["HERMES_GATEWAY_LOCK_DIR"] = str(directory)
    try:
        yield
    finally:
        del os.environ["HERMES_GATEWAY_LOCK_DIR"]


def telegram_in(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The adapter in a ``hermes status --json``."""
    return next(one for one in status["adapters"] if one["platform"] == "telegram")


async def connected(gateway: Gateway) -> None:
    """Return when Telegram is. Raises ``GatewayFailed``."""

    async def telegram_connected() -> bool:
        return telegram_in(await gateway.status())["state"] == "connected"

    await gateway.until(telegram_connected)
