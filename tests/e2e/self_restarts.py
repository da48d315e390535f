"""The gateway is asked in chat to restart, again and again: ``python tests/e2e/self_restarts.py [--restarts 20]`` (AC-39).

No service manager runs it, so it runs itself again: same process, with the lock all the while. Each time whoever asked must be
answered once, it must be back, and be told of to nobody more than once in ten minutes; what others write meanwhile is answered
once. Exits 1 and says what is wrong otherwise.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import trio
from client import WebChatClient
from harness import Gateway
from harness_chats import Chat, connected, quiet, violations

from hermes.types import texts

BACK_DEADLINE_S = 40.0
PAUSE_S = 0.2


@dataclass
class Report:
    """What the restarts have seen."""

    asked: int = 0
    back: int = 0
    replied: int = 0
    told_back: int = 0
    messages: int = 0
    slowest_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        wrong = "".join(f"\n  VIOLATION {line}" for line in self.violations)
        return (
            f"{self.asked} restarts asked for, {self.back} back as the same process, {self.replied} replies delivered, "
            f"{self.told_back} times told that it is back, {self.slowest_s:.2f} s at most; {self.messages} messages beside"
            f"{wrong or ', 0 lost, 0 doubled'}"
        )


async def restarts(home: Path, count: int) -> Report:
    """Ask ``count`` times on a fresh home."""
    report, gateway = Report(), Gateway(home)
    try:
        await gateway.start()
        cookie, pid = await gateway.log_in(), gateway.pid
        asker, other = WebChatClient(gateway.url, cookie, "asker"), Chat(gateway, cookie, "other")
        async with connected([other]) as nursery:
            talking = trio.CancelScope()
            nursery.start_soon(asker.run)
            nursery.start_soon(_talk, other, talking)
            await asker.until(lambda: bool(asker.boots))
            for _ in range(count):
                await _once(gateway, asker, pid, report)
            talking.cancel()
            report.messages = len(other.sent)
            report.violations += await quiet(gateway, report.messages + count)
            report.violations += await violations([other], home)
    finally:
        gateway.close()
    said = [answer.text for answer in asker.answers]
    report.replied, report.told_back = said.count(texts.RESTARTING), said.count(texts.BACK_AFTER_RESTART)
    if report.replied != count:
        report.violations.append(f"{count} restarts were asked for, {report.replied} replies came")
    if report.told_back != 1:
        report.violations.append(f"told {report.told_back} times within minutes that it is back")
    return report


async def _once(gateway: Gateway, asker: WebChatClient, pid: int, report: Report) -> None:
    known, began = set(asker.boots), trio.current_time()
    message = asker.send("/restart")
    report.asked += 1
    with trio.move_on_after(BACK_DEADLINE_S):
        await asker.until(lambda: any(message in answer.answers for answer in asker.answers))
        await asker.until(lambda: bool(asker.boots - known))
        await gateway.ready()
        report.slowest_s = max(report.slowest_s, trio.current_time() - began)
        if (await gateway.status())["pid"] == pid:
            report.back += 1
            return
    report.violations.append(f"restart {report.asked} did not come back as process {pid}")


async def _talk(chat: Chat, until: trio.CancelScope) -> None:
    while not until.cancel_called:
        chat.say()
        await trio.sleep(PAUSE_S)


def main() -> int:
    """Restart; 1 if one did not come back, or a message or a reply was lost or doubled."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--restarts", type=int, default=20)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = trio.run(restarts, Path(directory) / "home", given.restarts)
    print(report)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
