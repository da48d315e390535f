"""A home of the original after a day of ours, byte for byte: ``python tests/e2e/golden_homes.py``.

A copy of each golden home gets what people have beside it: settings with remarks, a state.db with an open write-ahead log, hooks,
notes, other profiles, files that are nobody's business. ``hermes import --check`` looks at it, then it is imported. A gateway
runs on it, between Telegram (the fake), web chat and a model: people whom the original let in write, a stranger is paired,
``/new``, ``/sethome``, a job is fired, the gateway is restarted and ended by SIGTERM. Every entry is then compared with what it
was: bytes, mode, existence.

Then files of such a home are damaged, all at once, in one way after the other: the gateway starts, names each of them, answers,
and leaves them as they are.

Prints a table for each, and exits 1 if anything has changed that may not, or is in a shape that the original does not know.
"""

import json
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import trio
from client import WebChatClient
from harness import Gateway, hermes
from harness_golden import GENERATIONS, GOLDEN, RULES, Report, Rule, compare, look, settle
from harness_telegram import Model, connected, own_locks

from hermes.pairing.codes import ALPHABET
from hermes.testing.telegram import FakeTelegram, Person

WITHIN_S = 20.0

ALICE = 111
"""Whom both golden homes have paired on Telegram."""

CONFIG = """\
# my settings
_config_version: 33
model: {{provider: custom, base_url: "{model}", default: fake-model, context_length: 200000}}   # mine
gateway:
  streaming: {{enabled: false}}
platforms:
  telegram:
    extra:
      base_url: {telegram}/bot
x-mine: [1, 2]   # somebody else's
"""

# --- a day on it ---------------------------------------------------------------------------------------------------------


def alice_of(telegram: FakeTelegram) -> Person:
    """Whom the original knows."""
    alice = Person(ALICE, "Alice")
    telegram.world.people[ALICE] = alice
    telegram.world.direct(telegram.bot.id, alice)
    return alice


async def day(home: Path, telegram: FakeTelegram) -> None:
    """Everything that people and the operator do. Raises ``GatewayFailed`` or ``trio.TooSlowError`` where one of it fails."""
    alice = alice_of(telegram)
    bob = telegram.person("Bob")
    talk = Talk(telegram)
    with closing(Gateway(home)) as gateway:
        await gateway.start()
        await connected(gateway)
        await talk.ask(alice, "hello", "hello")
        words = await talk.ask(bob, "may I?", "hermes pairing approve")
        found = re.search(rf"approve telegram ([{ALPHABET}]{{8}})", words)
        assert found is not None, words
        await gateway.cli("pairing", "approve", "telegram", found[1])
        await talk.ask(bob, "hello from Bob", "hello from Bob")
        await talk.ask(alice, "/sethome", "")
        await talk.ask(alice, "/new", "")
        job = json.loads((home / "cron/jobs.json").read_text())["jobs"][0]["id"]
        before = len(telegram.seen(alice))

        async def free() -> bool:
            return (await gateway.ask("cron", "run", job)).code == 0

        await gateway.until(free)
        await talk.seen(alice, before, "say hi")
        async with web_chat(gateway) as client:
            assert "hello" in await client.ask("hello")

        async def ran() -> bool:
            return json.loads((home / "cron/jobs.json").read_text())["jobs"][0]["last_run_at"] is not None

        await gateway.until(ran)
        boot = (await gateway.json("status"))["boot_id"]
        await gateway.cli("restart")

        async def back() -> bool:
            return bool((await gateway.json("status"))["boot_id"] != boot)

        await gateway.until(back)
        await gateway.ready()
        await connected(gateway)
        await talk.ask(alice, "still there?", "still there?")
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == 1


@asynccontextmanager
async def web_chat(gateway: Gateway) -> AsyncIterator[WebChatClient]:
    """A tab that is open."""
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        yield client
        nursery.cancel_scope.cancel()


class Talk:
    """What people say to the bot and hear from it."""

    def __init__(self, telegram: FakeTelegram) -> None:
        self._telegram = telegram

    async def ask(self, person: Person, text: str, expected: str) -> str:
        """Say it, and return the next answer that holds ``expected``."""
        before = len(self._telegram.seen(person))
        self._telegram.say(person, text)
        return await self.seen(person, before, expected)

    async def seen(self, person: Person, before: int, expected: str) -> str:
        """The first of their messages after so many that holds ``expected``."""
        with trio.fail_after(WITHIN_S):
            while True:
                for one in self._telegram.seen(person)[before:]:
                    if expected in one.text:
                        return one.text
                await trio.sleep(0.02)


async def play(golden: Path, home: Path) -> Report:
    """Settle a home, live on it for a day, compare."""
    model = Model()
    with own_locks(home.with_name(f"{home.name}.locks")), closing(model):
        async with FakeTelegram(poll_s=1.0).listening() as telegram:
            await model.start()
            settle(golden, home, CONFIG.format(model=model.base_url, telegram=telegram.url))
            before = look(home)
            checked = await hermes("import", "--check", "--home", str(home))
            report = compare(f"{golden.name}, import --check", before, look(home))
            if not checked.out:
                report.wrong.append(f"it says nothing: exit {checked.code}, {checked.err}")
            if report.wrong:
                return report
            imported = await hermes("import", "--home", str(home))
            await day(home, telegram)
            report = compare(golden.name, before, look(home), RULES)
            report.wrong += [f"the bot called Telegram wrongly: {one}" for one in telegram.wrongs]
            if imported.code:
                report.wrong.append(f"hermes import: exit {imported.code}: {imported.err}")
            return report


# --- damage --------------------------------------------------------------------------------------------------------------

SPOILT = (
    *("cron/jobs.json", "platforms/pairing/telegram-approved.json", "platforms/pairing/discord-pending.json"),
    *("platforms/pairing/_rate_limits.json", "pairing/discord-approved.json", "channel_directory.json"),
    *(
        "channel_aliases.json",
        "gateway/dead_targets.json",
        "hooks/audit/HOOK.yaml",
        "shell-hooks-allowlist.json",
    ),
    *("gateway.pid", "gateway_state.json", ".gateway-takeover.json", "state.db", "sessions/sessions.json"),
)
REPLACED = {"gateway.pid", "gateway_state.json", "channel_directory.json"}
"""Written anew in any case; of the last a copy is kept."""

HOOK = "hooks/audit"
"""Where its file is none, the directory is what can be named."""

AFTER_DAMAGE = (
    *(replace(rule, check=None) for rule in RULES),
    Rule(r"channel_directory\.json\.damaged", "kept"),
)

TAKEN = {
    "shell-hooks-allowlist.json",
    ".gateway-takeover.json",
    "gateway.pid",
    "gateway_state.json",
    "hooks/audit/HOOK.yaml",
}
"""What nobody has to name: it is not read, or not now."""


def _directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "kept").write_text("mine")


Damage = bytes | Callable[[Path], None]

DAMAGE: dict[str, Damage] = {
    "cut off": b'{"jobs": [{"id": "a", "111": {"user',
    "empty": b"",
    "a text": b'"text"',
    "no UTF-8": b'{"a": "\xe4\xff"}',
    "NUL bytes": b'{"a": "\0\0"}\0\0',
    "deep": b"[" * 100_000,
    "a directory": _directory,
}
HARMLESS: dict[str, Damage] = {
    "rows that are none": b'{"_README": "words", "jobs": [1, null], "platforms": {"telegram": [1, {"id": 7}]}, "111": "x"}',
    "a byte order mark": b'\xef\xbb\xbf{"jobs": [], "platforms": {}}',
}
"""What is understood as far as it goes; HOOK.yaml alone then is none."""


async def spoil(golden: Path, home: Path, how: str) -> Report:
    """Damage the files of a home, all in one way, and see what a gateway makes of it."""
    settle(golden, home)
    (home / ".env").write_text("A=1\n")
    damage = (DAMAGE | HARMLESS)[how]
    named = [HOOK, *(sorted(set(SPOILT) - TAKEN) if how in DAMAGE else ())]
    for path in (home / name for name in SPOILT):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if isinstance(damage, bytes):
            path.write_bytes(damage)
        else:
            damage(path)
    before = look(home)
    with closing(Gateway(home)) as gateway:
        ready_s = await gateway.start()

        async def all_named() -> bool:
            return all(str(home / name) in gateway.printed for name in named)

        with trio.move_on_after(WITHIN_S):
            await gateway.until(all_named)
        async with web_chat(gateway) as client:
            assert await client.ask("help")
        code = await gateway.stop()
        silent = [name for name in named if str(home / name) not in gateway.printed]
        report = compare(f"{how}: ready after {ready_s:.1f} s", before, look(home), AFTER_DAMAGE)
        if "Traceback" in gateway.printed or code:
            report.wrong.append(f"it ended with {code}, and has printed: {gateway.printed[-2000:]}")
    after = look(home)
    lost = [name for name in SPOILT if name not in REPLACED and after.get(name) != before[name]]
    report.wrong += [f"{name} is not named" for name in silent] + [f"{name} is written over" for name in lost]
    return report


async def main(directory: Path) -> int:
    """Both homes, then the damage; returns the exit code."""
    wrong = 0
    for name in GENERATIONS:
        report = await play(GOLDEN / name, directory / name)
        print(report, flush=True)
        wrong += len(report.wrong)
    for how in (*DAMAGE, *HARMLESS):
        report = await spoil(GOLDEN / GENERATIONS[-1], directory / how.replace(" ", "-"), how)
        print(report.name, *(f"  WRONG: {one}" for one in report.wrong), sep="\n", flush=True)
        wrong += len(report.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    if not GOLDEN.is_dir():
        sys.exit(print("the golden homes are not here"))
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(trio.run(main, Path(scratch)))
