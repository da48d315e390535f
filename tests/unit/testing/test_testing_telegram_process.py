"""The fake Telegram as a process: its people are moved by orders."""

import subprocess
import sys
from base64 import b64encode
from functools import partial

import pytest
import trio

from hermes.net.http.client import open_client
from hermes.testing.conformance.subject import PNG
from hermes.testing.telegram import TOKEN, FakeTelegram
from hermes.testing.telegram.control import Control, RemoteTelegram


async def test_orders_do_what_the_fake_does() -> None:
    async with FakeTelegram(poll_s=0.01).listening() as fake, trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, Control(fake).serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream, open_client(proxy="") as http:
            remote, bot = RemoteTelegram(stream), f"{fake.url}/bot{TOKEN}"
            other = fake.add_bot("8:b", "other_bot")
            ann = (await remote("person", name="Ann"))["id"]
            forum = await remote("group", title="Friends", members=[ann], topics=["News"])
            group = (await remote("group", title="Others", members=[ann]))["id"]
            said = await remote("say", person=ann, text="hello")
            await remote("say", person=ann, text="hello, other one", bot="8:b")
            assert len(other.updates.waiting) == 1
            await remote("say", person=ann, text="news", chat=forum["id"], thread=forum["topics"]["News"])
            await remote("say", person=ann, files={"photo": b64encode(PNG).decode()})
            await remote("edit", person=ann, message_id=said, text="hello again")
            assert (await remote("migrate", chat=group))["id"] < group
            assert (await remote("counts"))["waiting"] == 6
            await remote(
                "plan", method="sendMessage", faults=[{"kind": "Status", "code": 429, "retry_after": 3}, None]
            )
            answers = [
                await http.request("POST", f"{bot}/sendMessage", json={"chat_id": ann, "text": text})
                for text in ("one", "two")
            ]
            assert [answer.status for answer in answers] == [429, 200]
            await remote("always", method="getMe", fault={"kind": "Html", "code": 502})
            assert (await http.request("GET", f"{bot}/getMe")).status == 502
            await remote("heal")
            first, *rest = await remote("seen", place=ann)
            assert (first["text"], rest) == ("two", [])
            assert [method for _, method in await remote("calls", after=2)] == ["getMe"]
            assert await remote("wrongs") == []
            await remote("revoke")
            assert (await http.request("GET", f"{bot}/getMe")).status == 401
            with pytest.raises(RuntimeError, match="KeyError"):
                await remote("say", person=1, text="nobody")
            with pytest.raises(RuntimeError, match="there is no dance"):
                await remote("dance")
        nursery.cancel_scope.cancel()


def test_it_says_where_it_listens() -> None:
    command = [sys.executable, "-m", "hermes.testing.telegram", "--token", "7:a", "--token", "8:b"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url, control = process.stdout.readline().split()
        finally:
            process.terminate()
    assert url.startswith("http://127.0.0.1:")
    assert int(control) > 0
