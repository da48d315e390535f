"""A headless Chromium, driven over its DevTools socket: what a person does with the page, and what they see.

python tests/e2e/harness_browser.py docs/webchat.png       three messages, three answers, and a picture of it
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio
from harness import Gateway
from trio_websocket import WebSocketConnection, open_websocket_url

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--remote-debugging-address=127.0.0.1",
)
START_DEADLINE_S = 30.0
WAIT_DEADLINE_S = 20.0
POLL_S = 0.03
FRAME_BYTES = 64 << 20

QUESTIONS = ("help", "note buy bread", "search bread")


class ScriptError(Exception):
    """An expression raised in the page."""


class Page:
    """One tab."""

    def __init__(self, socket: WebSocketConnection, url: str) -> None:
        self.url = url
        """Of its DevTools."""
        self._socket = socket
        self._id = 0

    async def call(self, method: str, **parameters: Any) -> Any:
        """One DevTools command; events in between are passed over."""
        self._id += 1
        await self._socket.send_message(json.dumps({"id": self._id, "method": method, "params": parameters}))
        with trio.fail_after(WAIT_DEADLINE_S):
            while True:
                reply = json.loads(await self._socket.get_message())
                if reply.get("id") == self._id:
                    assert "error" not in reply, (method, reply)
                    return reply["result"]

    async def script(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise ScriptError(f"{expression}: {answer}")
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until ``expression`` is truthy; returns it."""
        with trio.move_on_after(WAIT_DEADLINE_S):
            while True:
                with suppress(ScriptError):  # the document is being replaced: its elements are not there yet
                    if value := await self.script(expression):
                        return value
                await trio.sleep(POLL_S)
        raise AssertionError(f"never came true: {expression}\n{await self.script('document.body.innerText')}")

    async def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Lay the page out for a screen of that size."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    async def open(self, url: str) -> None:
        """Go to ``url``."""
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def say(self, text: str) -> None:
        """Type a message and press Enter."""
        await self.script("document.getElementById('text').focus()")
        await self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                code="Enter",
                windowsVirtualKeyCode=13,
                text="\r",
            )

    async def picture(self, path: Path) -> None:
        """A PNG of what is on the screen."""
        shot = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """A fresh browser with one empty tab; ends with the block, by its own process group."""
    assert CHROMIUM, "needs chromium"
    # Its helper processes write into the profile a moment longer than it lives.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with _attached(await _target(port)) as page:
                yield page
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await trio.to_thread.run_sync(process.wait)


@asynccontextmanager
async def another_tab(page: Page) -> AsyncIterator[Page]:
    """A second tab of the same browser, with the same cookies."""
    made = await page.call("Target.createTarget", url="about:blank")
    async with _attached(page.url.rpartition("/")[0] + "/" + made["targetId"]) as tab:
        yield tab


@asynccontextmanager
async def _attached(url: str) -> AsyncIterator[Page]:
    async with open_websocket_url(url, max_message_size=FRAME_BYTES) as socket:
        page = Page(socket, url)
        await page.call("Page.enable")
        yield page


async def _port(file: Path) -> int:
    with trio.fail_after(START_DEADLINE_S):
        while not file.exists() or not file.read_text():
            await trio.sleep(POLL_S)
    return int(file.read_text().splitlines()[0])


async def _target(port: int) -> str:
    import httpx

    async with httpx.AsyncClient(trust_env=False, timeout=WAIT_DEADLINE_S) as http:
        tabs = (await http.get(f"http://127.0.0.1:{port}/json/list")).json()
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))


WATCH_DRAFTS = """
window.draftsSeen = 0;
new MutationObserver(() => { if (document.getElementById('drafts').textContent.trim()) window.draftsSeen += 1; })
  .observe(document.getElementById('drafts'), {childList: true, subtree: true, characterData: true});
true
"""
ANSWERS = "[...document.querySelectorAll('#log > li.agent')].map(item => item.innerText)"


async def converse(page: Page, link: str, questions: tuple[str, ...] = QUESTIONS) -> list[tuple[str, int]]:
    """Log in by ``link``, ask, wait for each answer; returns each answer with how often its draft was seen to change."""
    await page.open(link)
    await page.until("!document.getElementById('chat').hidden")
    await page.script(WATCH_DRAFTS)
    heard = []
    for number, question in enumerate(questions, 1):
        before = await page.script("window.draftsSeen")
        await page.say(question)
        await page.until(f"({ANSWERS}).length >= {number}")
        answers = await page.script(ANSWERS)
        heard.append((answers[-1], await page.script("window.draftsSeen") - before))
    return heard


async def main(target: Path) -> None:
    """Make the README's picture."""
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder) / "home")
        try:
            await gateway.start()
            async with browser() as page:
                await page.size(1280, 800)
                link = (await gateway.cli("web", "link")).strip()
                for answer, drafts in await converse(page, link):
                    print(f"{drafts:3} draft changes, then: {answer.splitlines()[0][:70]}")
                await page.script(
                    "document.getElementById('actors').hidden && document.getElementById('actors-toggle').click()"
                )
                await page.until(
                    "document.getElementById('tree').innerText.includes('agent:main:webchat:dm:main')"
                )
                await page.picture(target)
                await page.size(390, 844, phone=True)
                await page.script("document.getElementById('actors-close').click()")
                await page.picture(target.with_stem(target.stem + "-phone"))
            await gateway.stop()
        finally:
            gateway.close()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
