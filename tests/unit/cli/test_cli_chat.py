"""``hermes chat`` without a gateway: names, what may be said, and the books of a conversation."""

import json
import os

import pytest

from hermes.cli import main
from hermes.cli.conversation import Conversation
from hermes.cli.terminal import harmless, markdown
from hermes.net import clientlink


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


def test_an_empty_message_is_refused(tmp_path, capsys):
    code, _, err = run(capsys, "-m", " \n", "--user", "ann", "--home", str(tmp_path))

    assert (code, "nothing to send" in err) == (1, True)


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
