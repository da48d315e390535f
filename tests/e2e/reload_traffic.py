"""One of three adapters is configured otherwise, again and again, while people write: ``python tests/e2e/reload_traffic.py``.

People chat by Telegram (the fake) and by web chat; the console is there, too. Each ``hermes config set`` gives Telegram another
setting, and the saved file alone has its adapter begin a new life. At the end every message has been answered once and in
order, and no other actor that was there at the beginning has begun a new life. Exits 1 and says what is wrong otherwise.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import trio
from harness_fleet import Fleet
from harness_telegram import Stage, connected, stage

PEOPLE = 4
CLIENTS = 4
PAUSE_S = 0.2
RELOADED = "root/gateway/adapters/telegram:default"
PASSING = ("/lanes/", "/sessions/", "/cron/")
"""Below these, actors come and go by themselves."""


async def talk(theatre: Stage) -> None:
    """People of Telegram write, one after the other."""
    number = 0
    while True:
        theatre.say(number % PEOPLE)
        number += 1
        await trio.sleep(PAUSE_S)


async def configure(theatre: Stage, poll_timeout_s: int) -> None:
    """Have Telegram's adapter poll for another time, and wait for the life that does."""
    before = (await theatre.gateway.lives())[RELOADED][0]
    await theatre.gateway.cli("config", "set", "platforms.telegram.poll_timeout", str(poll_timeout_s))

    async def again() -> bool:
        return (await theatre.gateway.lives())[RELOADED] == (before + 1, "running")

    await theatre.gateway.until(again)


async def main(home: Path, reloads: int, messages: int) -> int:
    """Everything; returns the exit code."""
    async with stage(home, PEOPLE) as theatre:
        gateway = theatre.gateway
        await gateway.start()
        await connected(gateway)
        before = await gateway.lives()
        fleet = Fleet(gateway, await gateway.log_in(), clients=CLIENTS, messages=messages, seed=0)
        async with fleet.talking():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(talk, theatre)
                for number in range(reloads):
                    await configure(theatre, 10 + number % 20)
                nursery.cancel_scope.cancel()
            await theatre.answered()
            await fleet.until_answered(messages)
            after = await gateway.lives()
        account = theatre.account()
        others = {
            path: life
            for path, life in before.items()
            if path != RELOADED and not any(part in path for part in PASSING)
        }
        wrong = list(account.violations)
        wrong += [
            f"{path} was {life}, is {after[path]}" for path, life in others.items() if after[path] != life
        ]
        if after[RELOADED][0] != before[RELOADED][0] + reloads:
            wrong.append(f"Telegram's adapter is in life {after[RELOADED][0]} after {reloads} reloads")
        print(f"{reloads} reloads. Telegram: {account}. Web chat: {fleet.answered} of {messages} answered.")
        print(f"{len(others)} other actors, {len(wrong)} violations", *wrong, sep="\n  ")
        await gateway.stop()
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--messages", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(trio.run(main, Path(directory) / "home", options.reloads, options.messages))
