"""AC-08: whatever an adapter's code raises, wherever it does, concerns that adapter alone."""

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

import harness
import pytest
import trio
from client import WebChatClient
from harness import Gateway, lives_in
from run_sabotaged import PLACES, VARIABLE

from hermes.ops.control import client
from hermes.testing.platform import PLATFORM, FakePlatform
from hermes.testing.telegram import TOKEN, FakeTelegram, Person
from hermes.types import texts

ADAPTERS = "root/gateway/adapters"
LANES = "root/gateway/delivery/lanes"
WITHIN_S = 20.0
LOOK_S = 0.01
STEP_S = 2
ENOUGH_RUNS = 4
FAILURES = (
    *((place, "ValueError") for place in PLACES),
    ("receive", "ExceptionGroup"),
    ("send", "SystemExit"),
    ("receive", "RecursionError"),
    ("callback", "MemoryError"),
)
"""Those that AC-08 names, for each adapter."""

CONFIG = f"""\
platforms:
  telegram: {{extra: {{base_url: URL/bot}}}}
supervision:
  {ADAPTERS}/*: {{intensity: 1000/60, backoff: 0.01..0.02}}
  {LANES}/*: {{intensity: 1000/60, backoff: 0.01..0.02}}
"""


class Chat:
    """A chat on one platform: ``write`` says a text, ``seen`` is what was said back, without marks."""

    def __init__(self, name: str, write: Callable[[str], object], seen: Callable[[], list[str]]) -> None:
        self.name = name
        self._write = write
        self._seen = seen
        self.said: list[str] = []

    def say(self) -> str:
        # Long enough for somebody to be seen typing.
        self.said.append(f"{len(self.said)} slow slow slow")
        self._write(f"echo {self.said[-1]}")
        return self.said[-1]

    async def answered(self) -> None:
        with trio.fail_after(WITHIN_S):
            while self.said[-1] not in self.seen:
                await trio.sleep(LOOK_S)

    @property
    def seen(self) -> list[str]:
        return [text.removeprefix(texts.RESENT_MARK) for text in self._seen()]

    def account(self) -> tuple[list[str], list[str]]:
        """What was said and has no answer, and what has two without a mark."""
        unmarked = Counter(self._seen())
        return (
            [text for text in self.said if text not in self.seen],
            [text for text, times in unmarked.items() if times > 1],
        )


class Gathering:
    """A gateway with the three, and one who talks on each."""

    def __init__(self, gateway: Gateway, orders: Path, chats: dict[str, Chat]) -> None:
        self.chats = chats
        self._gateway = gateway
        self._orders = orders

    async def lives(self) -> dict[str, tuple[int, str]]:
        tree = await trio.to_thread.run_sync(client.ask, self._gateway.home, "tree")
        return {path: life for path, life in lives_in(tree["root"]).items() if path.startswith(ADAPTERS)}

    async def _restart(self, path: str) -> None:
        await trio.to_thread.run_sync(partial(client.ask, self._gateway.home, "restart", {"path": path}))

    async def talk(self) -> None:
        """All three say something and are answered."""
        for chat in self.chats.values():
            chat.say()
        for chat in self.chats.values():
            await chat.answered()

    async def fail(self, platform: str, place: str, error: str) -> None:
        """Have it happen while all three talk; return when all have their answers and the adapter is up again."""
        path, order = f"{ADAPTERS}/{platform}:default", self._orders / platform
        pid, before = self._gateway.pid, await self.lives()
        order.write_text(f"{place} {error}")
        match place:
            case "connect" | "close":
                with suppress(client.ControlError):  # it does not come up at once, as it is to be
                    await self._restart(path)
            case "callback":  # a lane shows typing no oftener than every few seconds; a new one knows of none
                await self._restart(f"{LANES}/{platform}:default:{self.chats[platform].name}")
        await self.talk()
        assert not order.exists(), f"no {error} in {place} of {platform}"
        with trio.fail_after(WITHIN_S):
            while (after := await self.lives())[path][1] != "running":
                await trio.sleep(LOOK_S)
        others = {other for other in before if other != path}
        assert {other: after[other] for other in others} == {other: before[other] for other in others}
        assert self._gateway.pid == pid
        assert {name: chat.account() for name, chat in self.chats.items()} == dict.fromkeys(
            self.chats, ([], [])
        )


def talking_to(telegram: FakeTelegram, person: Person) -> Chat:
    say = partial(telegram.say, person)
    return Chat(str(person.id), say, lambda: [one.text for one in telegram.seen(person)])


def write_job(home: Path) -> None:
    """One that speaks every other second, and does not make up for what it has missed."""
    job = {
        "id": "tick",
        "name": "tick",
        "schedule": {"kind": "cron", "expr": f"* * * * * */{STEP_S}"},
        "misfire": "skip",
        "tz": "UTC",
        "message": "tick",
        "deliver": f"{PLATFORM}:jobs",
    }
    (home / "cron").mkdir()
    (home / "cron" / "jobs.json").write_text(json.dumps({"jobs": [job]}))


def runs_of_job(home: Path) -> list[tuple[float, float | None]]:
    with closing(sqlite3.connect(home / "gateway.db")) as database:
        return database.execute("SELECT due_at, started_at FROM cron_runs ORDER BY due_at").fetchall()


async def check_job(home: Path) -> None:
    """Every instant since the first had its run, at its time; the newest may be about to."""
    with trio.fail_after(5 * STEP_S):
        while len(runs := runs_of_job(home)) < ENOUGH_RUNS:
            await trio.sleep(0.1)
    assert {later - earlier for (earlier, _), (later, _) in pairwise(runs)} == {STEP_S}
    assert max((started or math.inf) - due for due, started in runs[:-1]) < STEP_S


async def test_AC08_what_an_adapter_raises_concerns_that_adapter_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setenv(VARIABLE, str(orders))
    monkeypatch.setattr(harness, "_FAULTY", (str(Path(__file__).with_name("run_sabotaged.py")),))
    async with FakeTelegram().listening() as telegram, FakePlatform().listening() as platform:
        # One for each adapter that fails: who writes more than twenty times at once is answered once a second.
        people = [telegram.person(name) for name in ("Ann", "Bob", "Cid")]
        gateway = Gateway(tmp_path / "home", platform=str(platform.port))
        gateway.home.mkdir(mode=0o700)
        (gateway.home / "config.yaml").write_text(CONFIG.replace("URL", telegram.url))
        write_job(gateway.home)
        env = gateway.home / ".env"
        allowed = ",".join(str(person.id) for person in people)
        env.write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_ALLOWED_USERS={allowed}\n")
        env.chmod(0o600)
        with closing(gateway):
            await gateway.start()
            web = WebChatClient(gateway.url, await gateway.log_in())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(web.run)
                chats = {
                    "webchat": Chat("main", web.send, lambda: [answer.text for answer in web.answers]),
                    PLATFORM: Chat("c", partial(platform.write, "c"), lambda: platform.read("c")),
                }
                for broken, person in zip(("telegram", "webchat", PLATFORM), people, strict=True):
                    gathering = Gathering(
                        gateway, orders, {"telegram": talking_to(telegram, person), **chats}
                    )
                    await gathering.talk()
                    for place, error in FAILURES:
                        await gathering.fail(broken, place, error)
                assert not web.problems
                await check_job(gateway.home)
                nursery.cancel_scope.cancel()
            assert await gateway.stop() == 0
