"""The page in a real browser: what a person sees, over reloads, tabs and a killed gateway."""

import base64

import pytest
from harness import Gateway
from harness_browser import ANSWERS, CHROMIUM, Page, another_tab, browser, converse

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

QUESTIONS = ("help", "note buy bread", "search bread")
LOG = "[...document.querySelectorAll('#log > li')].map(row => row.querySelector('.body').innerText)"
ANSWERS_ONLY = "[...document.querySelectorAll('#log > li.agent .body')].map(body => body.innerText)"
STATES = "[...document.querySelectorAll('#log > li.user')].map(row => row.dataset.state)"
ONLINE = "document.getElementById('link').dataset.state === 'online'"
OVERFLOW_PX = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PASTE = """text => {
  const clipboardData = new DataTransfer();
  clipboardData.setData('text', text);
  const paste = new ClipboardEvent('paste', {clipboardData, cancelable: true});
  if (document.getElementById('text').dispatchEvent(paste)) document.getElementById('text').value = text;
}"""
PHONE = (390, 844)
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one pixel."""


async def test_a_conversation_streams_and_is_there_after_a_reload_in_every_tab_and_on_a_phone(
    gateway: Gateway,
) -> None:
    await gateway.start()
    link = (await gateway.cli("web", "link")).strip()
    async with browser() as page:
        heard = await converse(page, link, QUESTIONS)

        assert [drafts > 0 for _, drafts in heard] == [True, True, True]
        assert "bread" in heard[2][0]
        assert "#" not in await page.script("location.href"), "the code leaves the address bar"
        said = await page.script(LOG)
        assert len(said) == 6

        await _reload(page)
        assert await page.script(LOG) == said

        async with another_tab(page) as second:
            await second.open(f"{gateway.url}/")
            await second.until(f"({LOG}).length === 6")
            assert await second.script(LOG) == said

            await second.say("echo from the second tab")
            for tab in (page, second):
                await tab.until(f"({ANSWERS}).length === 4")
            assert await page.script(LOG) == await second.script(LOG)
            assert (await page.script(LOG))[6:] == ["echo from the second tab", "from the second tab"]

        await page.size(*PHONE, phone=True)
        await page.say(f"echo {'x' * 300} `{'y' * 300}`")
        await page.until(f"({ANSWERS}).length === 5")
        assert await page.script(OVERFLOW_PX) == 0
        picture = gateway.home / "cache" / "dot.png"
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes(DOT)
        await page.say(f"echo a picture\nMEDIA:{picture}")
        await page.until("document.querySelector('#log .file img')?.naturalWidth === 1")
        await page.say("echo NO_REPLY")
        await page.until(f"({STATES}).at(-1) === 'answered'")
        assert (await page.script(LOG))[-2:] == ["a picture", "echo NO_REPLY"]

        await page.script("document.getElementById('actors-toggle').click()")
        assert await page.script(OVERFLOW_PX) == 0


async def test_the_page_recovers_by_itself_from_kill_9(gateway: Gateway) -> None:
    await gateway.start()
    link = (await gateway.cli("web", "link")).strip()
    async with browser() as page:
        await converse(page, link, ("echo before",))
        await page.say("help")
        await page.until("document.getElementById('drafts').textContent.trim()")

        await gateway.kill9()

        await page.until("document.getElementById('link').dataset.state === 'offline'")
        await page.say("echo typed while it was down")
        assert (await page.script(STATES))[-1] == "sending"

        await gateway.start()

        await page.until(f"({ANSWERS}).length === 3")
        await page.until(ONLINE)
        said = await page.script(LOG)
        answers = await page.script(ANSWERS_ONLY)
        assert [text for text in said if text not in answers] == [
            "echo before",
            "help",
            "echo typed while it was down",
        ]
        assert answers[0] == "before"
        assert "search" in answers[1]
        assert answers[2] == "typed while it was down"
        assert await page.script(STATES) == ["answered"] * 3
        assert await page.script("document.getElementById('banner').hidden")

        await _reload(page)
        assert sorted(await page.script(LOG)) == sorted(said)
        assert await page.script(ANSWERS_ONLY) == answers
        counts = (await gateway.status())["counts"]
        assert (counts["received"], counts["answered"]) == (3, 3)


async def test_logging_out_in_one_tab_closes_the_chat_in_every_tab(gateway: Gateway) -> None:
    await gateway.start()
    async with browser() as page:
        await page.open((await gateway.cli("web", "link")).strip())
        await page.until(ONLINE)
        async with another_tab(page) as second:
            await second.open(f"{gateway.url}/")
            await second.until(ONLINE)

            await second.script("document.getElementById('logout').click()")

            for tab in (page, second):
                await tab.until("document.getElementById('login')?.hidden === false")
                assert await tab.script("document.getElementById('chat').hidden")


async def test_a_paste_longer_than_a_message_may_be_is_refused_in_words(gateway: Gateway) -> None:
    await gateway.start()
    async with browser() as page:
        await page.open((await gateway.cli("web", "link")).strip())
        await page.until(ONLINE)

        await page.script(f"({PASTE})('x'.repeat(10_000_000))")

        assert "10,000,000 characters" in await page.script(
            "document.getElementById('composer-note').textContent"
        )
        assert await page.script("document.getElementById('text').value") == ""


async def _reload(page: Page) -> None:
    """As by F5; returns when the page is online again."""
    await page.script("window.old = true")
    await page.call("Page.reload")
    await page.until("!window.old && document.readyState === 'complete'")
    await page.until(ONLINE)
