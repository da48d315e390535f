"""``hermes chat`` without a gateway: names, what may be said, and the books of a conversation."""

import io
import json
import os
import threading
from types import SimpleNamespace

import pytest
from gateway_double import gateway_on

from hermes.cli import chat, link, main
from hermes.cli.conversation import Conversation
from hermes.cli.terminal import harmless, markdown
from hermes.net import clientlink
from hermes.ops.control import frames
from hermes.ops.control.client import ControlError


def run(capsys, *arguments):
    """Exit code, stdout, stderr."""
    code = main(["chat", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# --- the command ------------------------------------------------------------------------------------------------------


def test_with_no_gateway_it_exits_with_3(tmp_path, capsys):
    code, out, err = run(capsys, "-m", "hi", "--user", "ann", "--home", str(tmp_path))

    assert (code, out) == (3, "")
    assert f"no gateway runs on {tmp_path}" in err
    assert "hermes run" in err


def test_with_no_gateway_piped_input_is_not_waited_for(tmp_path, capsys, monkeypatch):
    end, writing = os.pipe()
    with os.fdopen(end) as never_ends, os.fdopen(writing, "w"):
        monkeypatch.setattr("sys.stdin", never_ends)
        code, _, _ = run(capsys, "--user", "ann", "--home", str(tmp_path))

    assert code == 3


def test_json_needs_a_message(tmp_path, capsys):
    code, out, err = run(capsys, "--json", "--home", str(tmp_path))

    assert (code, out) == (2, "")
    assert "-m TEXT" in json.loads(err)["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--user", "a b"],
        ["--user", ""],
        ["--user", "a:b"],
        ["--user", "ann", "--session", ""],
        ["--user", "ann", "--session", "agent:main:console:dm:bob"],
        ["--user", "ann", "--session", "agent:main:telegram:dm:99"],
        ["--timeout", "0"],
        ["--timeout", "soon"],
    ],
)
def test_what_is_no_name_or_no_time_is_a_usage_error(tmp_path, capsys, arguments):
    code, out, err = run(capsys, "-m", "hi", *arguments, "--home", str(tmp_path))

    assert (code, out) == (2, "")
    assert arguments[-2] in err


@pytest.mark.parametrize(
    ("session", "key"),
    [
        (None, "agent:main:console:dm:ann"),
        ("work", "agent:main:console:dm:ann:work"),
        ("agent:main:console:dm:ann", "agent:main:console:dm:ann"),
        ("agent:main:console:dm:ann:work", "agent:main:console:dm:ann:work"),
    ],
)
def test_a_conversation_is_named_by_a_word_or_by_its_key(session, key):
    from hermes.cli.chat import whom

    assert whom("ann", session).session_key == key


def test_a_message_that_is_too_long_is_refused_before_anything_is_sent(tmp_path, capsys):
    code, out, err = run(capsys, "-m", "x" * 100_001, "--user", "ann", "--json", "--home", str(tmp_path))

    assert (code, out) == (1, "")
    error = json.loads(err)["error"]
    assert (error["type"], "100,000" in error["message"]) == ("too_large", True)


@pytest.mark.parametrize("empty", ["", " \n"])
def test_an_empty_message_is_a_usage_error(tmp_path, capsys, empty):
    code, _, err = run(capsys, "-m", empty, "--user", "ann", "--home", str(tmp_path))

    assert (code, "nothing to send" in err) == (2, True)


# --- with a gateway that does not answer, or not with an answer -----------------------------------------------------------

WELL = {"state": "running", "store": None, "adapters": []}
FULL = WELL | {"state": "degraded", "store": "store_degraded: database or disk is full"}
PAUSED = frames.error(1, "paused", "console:default is paused", "`hermes adapter resume console`")
ASKED = ("-m", "hi", "--user", "ann")


def speaks(*said: clientlink.ServerFrame) -> bytes:
    return b"".join(frames.encode({"text": clientlink.encode(frame)}) for frame in said)


class Room:
    """The gateway's end of a chat. ``refusal``: why a message has no answer, None to answer it; ``kept``: it is never taken;
    ``said`` comes before the answer, which is ``words`` and ``files``.
    """

    def __init__(
        self, refusal=None, *, kept=False, before_it_is_taken=lambda: None, said=(), words="words", files=()
    ):
        self._refusal, self._kept, self._before, self._said = refusal, kept, before_it_is_taken, said
        self._words, self._files = words, files
        self.verbs = {"console": {"ok": True}, "texts": self.hear, "status": WELL}

    def hear(self, text):
        match clientlink.decode_client(text):
            case clientlink.Hello():
                return speaks(clientlink.Welcome("boot", None, ()))
            case clientlink.Send(id) if not self._kept:
                self._before()
                item = clientlink.Item(
                    "d1", "agent", self._words, 1.5, None, id, None, (id,), self._refusal, self._files
                )
                return speaks(
                    clientlink.Accepted(id), *map(clientlink.Message, self._said), clientlink.Message(item)
                )
            case _:
                return b""


def test_a_refusal_in_words_is_no_answer(tmp_path, capsys):
    with gateway_on(tmp_path, Room("refused:turns").verbs):
        plain = run(capsys, *ASKED, "--home", str(tmp_path))
        code, out, err = run(capsys, *ASKED, "--json", "--home", str(tmp_path))

    assert plain == (1, "", "hermes: words\n")
    assert (code, out) == (1, "")
    assert json.loads(err)["error"] == {"type": "refused:turns", "message": "words", "hint": ""}


def test_files_are_named_with_their_places(tmp_path, capsys):
    files = (clientlink.File("cat\x1b.png", "image", "/home/cat.png", 4),)
    with gateway_on(tmp_path, Room(files=files).verbs):
        plain = run(capsys, *ASKED, "--home", str(tmp_path))
        _, out, _ = run(capsys, *ASKED, "--json", "--home", str(tmp_path))

    assert plain == (0, "words\ncat\ufffd.png: /home/cat.png\n", "")
    assert json.loads(out)["files"] == [
        {"name": "cat\x1b.png", "kind": "image", "path": "/home/cat.png", "size_bytes": 4}
    ]


def test_AC56_an_answer_of_silence_is_the_end_and_prints_nothing(tmp_path, capsys):
    with gateway_on(tmp_path, Room(words="").verbs):
        plain = run(capsys, *ASKED, "--home", str(tmp_path))
        code, out, _ = run(capsys, *ASKED, "--json", "--home", str(tmp_path))

    assert plain == (0, "", "")
    assert (code, json.loads(out)["reply"], json.loads(out)["files"]) == (0, "", [])


def test_a_notice_is_no_answer_to_an_earlier_message(tmp_path, capsys):
    notice = clientlink.Item("n1", "agent", "a place in line", 1.0)
    earlier = clientlink.Item("d0", "agent", "old words", 1.0, answers=("before",))
    with gateway_on(tmp_path, Room(said=(notice, earlier)).verbs):
        done = run(capsys, *ASKED, "--home", str(tmp_path))

    assert done == (0, "words\n", "hermes: a place in line\n[to an earlier message] old words\n")


def test_a_refused_line_of_input_costs_the_exit_code(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("hi\n"))
    with gateway_on(tmp_path, Room("agent_crashed").verbs):
        assert run(capsys, "--user", "ann", "--home", str(tmp_path)) == (1, "", "hermes: words\n")


def test_a_paused_console_is_told_at_once_with_what_to_do(tmp_path, capsys):
    with gateway_on(tmp_path, {"console": lambda _: PAUSED}):
        code, out, err = run(capsys, *ASKED, "--home", str(tmp_path))

    assert (code, out) == (1, "")
    assert err == "hermes: console:default is paused\n  `hermes adapter resume console`\n"


def test_a_console_that_is_paused_with_the_message_in_work_says_that_it_is_safe(tmp_path, capsys):
    answers = iter([frames.ok(1, {"ok": True}), PAUSED])

    def hear(text):
        match clientlink.decode_client(text):
            case clientlink.Hello():
                return speaks(clientlink.Welcome("boot", None, ()))
            case clientlink.Send(id):
                return speaks(clientlink.Accepted(id)) + frames.encode({"close": 1001, "reason": "bye"})

    with gateway_on(tmp_path, {"console": lambda _: next(answers), "texts": hear}):
        code, out, err = run(capsys, *ASKED, "--json", "--home", str(tmp_path))

    error = json.loads(err)["error"]
    assert (code, out, error["type"]) == (1, "", "paused")
    assert "it has the message" in error["hint"]


def test_a_message_that_is_not_taken_is_waited_for_with_a_word_on_stderr(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(link, "AWAY_S", 0.01)
    looked = threading.Event()
    room = Room(before_it_is_taken=lambda: looked.wait(20))

    def status(_):
        looked.set()
        return frames.ok(1, FULL)

    with gateway_on(tmp_path, room.verbs | {"status": status}):
        code, out, err = run(capsys, *ASKED, "--home", str(tmp_path))

    assert (code, out) == (0, "words\n")
    assert err == (
        "hermes: waiting: the gateway's disk takes no writes (store_degraded: database or disk is full)\n"
    )


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (WELL, ""),
        (FULL, ": the gateway's disk takes no writes (store_degraded: database or disk is full)"),
        (WELL | {"state": "draining"}, ": the gateway is stopping"),
        (
            WELL | {"adapters": [{"platform": "console", "account": "default", "state": "backoff"}]},
            ": console:default is backoff",
        ),
    ],
)
def test_a_timeout_says_what_the_gateway_lacks(tmp_path, capsys, status, why):
    with gateway_on(tmp_path, Room(kept=True).verbs | {"status": status}):
        done = run(capsys, *ASKED, "--timeout", "0.1", "--json", "--home", str(tmp_path))

    error = json.loads(done[2])["error"]
    assert (done[0], error["type"]) == (1, "timeout")
    assert error["message"] == f"the gateway has not taken the message in time{why}"


def test_no_answer_in_time_says_that_the_message_is_safe(tmp_path):
    exchange = chat.Exchange(print, print, print)
    with gateway_on(tmp_path, {"status": FULL}), pytest.raises(ControlError) as late:
        exchange._next(tmp_path, SimpleNamespace(unsafe=0), 0.0)

    assert late.value.failure.code == "timeout"
    assert late.value.failure.detail.startswith("no answer in time: the gateway's disk takes no writes")
    assert "the answer comes with the next `hermes chat`" in late.value.hint


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_what_a_terminal_would_act_on_is_not_printed():
    assert harmless("a\x1b[31mb\x07\u202ec\n\td\x9b") == "a\ufffd[31mb\ufffd\ufffdc\n\td\ufffd"
    assert harmless("👩\u200d💻 é") == "👩\u200d💻 é"


def test_a_link_shows_where_it_leads():
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, force_terminal=True, width=80).print(markdown("[bank](https://evil.example)"))

    assert "https://evil.example" in out.getvalue()
    assert "\x1b]8" not in out.getvalue()


# --- the books of a conversation --------------------------------------------------------------------------------------


def answer(n: int, reply_to: str | None) -> clientlink.Item:
    answers = () if reply_to is None else (reply_to,)
    return clientlink.Item(f"d{n}", "agent", "yes", 0.0, reply_to=reply_to, answers=answers)


def test_a_message_is_kept_until_it_is_safe_and_waits_until_it_is_answered():
    books = Conversation("c")
    first, second = books.say("one"), books.say("two")
    assert [first.id, second.id] == ["c.1", "c.2"]

    books.accepted("c.1")
    assert books.again(unanswered=False) == [second]
    assert books.again(unanswered=True) == [first, second]

    assert books.asked(answer(1, "c.1"))
    assert books.see(answer(1, "c.1"))
    assert (books.waiting, books.unaccepted) == (("c.2",), ("c.2",))


def test_an_answer_is_seen_once():
    books = Conversation("c")

    assert [books.see(answer(1, None)), books.see(answer(1, None)), books.see(answer(2, None))] == [
        True,
        False,
        True,
    ]


def test_an_answer_settles_what_was_said_before_it():
    books = Conversation("c")
    for text in ("one", "two", "/status", "three"):
        books.say(text)

    books.see(answer(1, "c.2"))

    assert books.waiting == ("c.3", "c.4")


def test_a_command_that_is_answered_at_once_settles_itself_alone():
    books = Conversation("c")
    for text in ("one", "/status"):
        books.say(text)

    books.see(answer(1, "c.2"))

    assert books.waiting == ("c.1",)


@pytest.mark.parametrize("stop", ["/stop", "/new", "/reset"])
def test_a_stop_settles_what_was_worked_on_and_what_waited_behind_it(stop):
    books = Conversation("c")
    for text in ("/status", "one", "two", stop):
        books.say(text)

    books.see(answer(1, "c.4"))

    assert books.waiting == ("c.1",)


def test_what_is_answered_together_with_another_clients_message_waits_no_longer():
    books = Conversation("c")
    books.say("one")
    both = clientlink.Item("d1", "agent", "yes", 0.0, reply_to="other.1", answers=("c.1", "other.1"))

    assert books.asked(both)
    books.see(both)

    assert books.waiting == ()


def test_a_notice_about_a_message_is_no_answer_to_it():
    books = Conversation("c")
    books.say("one")
    notice = clientlink.Item("d1", "agent", "You are number 1 in line.", 0.0, reply_to="c.1")

    assert not books.asked(notice)
    books.see(notice)

    assert books.waiting == ("c.1",)


def test_a_refused_message_waits_for_nothing():
    books = Conversation("c")
    books.say("one")

    assert (books.refused("c.1"), books.refused("c.1"), books.refused("x")) == (True, False, False)
    assert (books.waiting, books.unaccepted) == ((), ())


def test_ones_own_messages_are_known():
    books = Conversation("c")

    said = [clientlink.Item(name, "user", "one", 0.0) for name in ("c.1", "cc.1", "x.1")]
    assert [books.mine(item) for item in said] == [True, False, False]
