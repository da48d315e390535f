"""``hermes trace``, from a gateway and from the file of one that is gone."""

import json

import pytest
from gateway_double import gateway_on

from hermes.cli import main
from hermes.store.backlog import Backlog, Cell
from hermes.store.ops import Accept, Close, Undecodable
from hermes.store.writer import WriterThread
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

STEP = {"step": "received", "actor": "root/gateway/adapters/p:default", "boot_id": None, "incarnation": None}
TRACE = {
    "trace": "t1",
    "row": 7,
    "platform": "p",
    "account": "default",
    "chat_id": "c",
    "state": "answered",
    "rule": "answered",
    "steps": [
        {**STEP, "at": 1_800_000_000.25, "detail": "event e1"},
        {
            **STEP,
            "at": 1_800_000_001.5,
            "step": "turn",
            "boot_id": "b1",
            "incarnation": 3,
            "detail": "\x1b[31mturn",
        },
    ],
}


def run(capsys, *arguments):
    code = main(["trace", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def home(tmp_path):
    """A home whose gateway has denied one message, and could not read another."""
    backlog = Backlog()
    writer = WriterThread(tmp_path / "gateway.db", backlog, lambda report: None)
    event = InboundEvent("e1", Origin("p", "c", user_id="u"), "hello", 1.0, TraceId("t1"), message_id="m1")
    for op in (
        Accept((event,)),
        Close(1, "denied", "denied:default", 2.0, keep_text=False),
        Undecodable("p", "default", "bad", b"\xff", 3.0),
    ):
        backlog.put(Cell(op))
    writer.start()
    writer.stop()
    writer._thread.join(20)
    return tmp_path


def test_a_gateway_is_asked(tmp_path, capsys):
    with gateway_on(tmp_path, {"trace": {"id": "7", "traces": [TRACE]}}) as asked:
        code, out, _ = run(capsys, "7", "--home", str(tmp_path))

    assert (code, asked[0].args) == (0, {"id": "7"})
    assert out.splitlines()[:2] == ["message 7 of p:default:c  trace t1", "answered  answered"]
    assert "+1.250 s  turn       root/gateway/adapters/p:default #3 boot b1  \ufffd[31mturn" in out


def test_the_document_is_printed_as_it_came(tmp_path, capsys):
    document = {"id": "7", "traces": [TRACE]}
    with gateway_on(tmp_path, {"trace": document}):
        code, out, _ = run(capsys, "7", "--json", "--home", str(tmp_path))

    assert (code, json.loads(out)) == (0, document)


@pytest.mark.parametrize("name", ["t1", "1", "e1", "m1"])
def test_AC_54_without_a_gateway_the_file_is_read(name, home, capsys):
    code, out, err = run(capsys, name, "--json", "--home", str(home))

    (found,) = json.loads(out)["traces"]
    assert (code, err) == (0, "")
    assert (found["state"], found["rule"], found["user_id"]) == ("denied", "denied:default", "u")
    assert [(step["step"], step["actor"]) for step in found["steps"]] == [
        ("received", "root/gateway/adapters/p:default"),
        ("decided", "root/gateway/inbound"),
        ("denied", "root/gateway/inbound"),
    ]
    assert found["steps"][1]["at"] > 1_700_000_000  # the writer's own time


def test_what_could_not_be_decoded_is_shown(home, capsys):
    code, out, _ = run(capsys, "bad", "--home", str(home))

    assert code == 0
    assert out.splitlines()[:2] == ["message 2 of p:default:  trace –", "failed  undecodable"]


@pytest.mark.parametrize("name", ["nothing", "", "\udcff", "%"])
def test_an_id_that_nothing_bears_is_an_error_in_words(name, home, capsys):
    code, out, err = run(capsys, name, "--home", str(home))

    assert (code, out) == (1, "")
    assert "no message bears the id" in err


def test_a_home_without_a_database_says_so(tmp_path, capsys):
    code, _, err = run(capsys, "7", "--home", str(tmp_path))

    assert code == 1
    assert "there is no database at" in err
