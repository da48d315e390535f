"""Hooks as data: who hears what, what a manifest says, what an answer means, what is told."""

import json
from pathlib import Path

import pytest

from hermes.config.load import read_yaml
from hermes.hooks import events, payloads
from hermes.hooks.answers import BLOCKED, command_verdict, dispatch_verdict, tool_verdict
from hermes.hooks.manifest import Manifest, read_manifest
from hermes.hooks.programs import Program, approvals, read_programs, with_approval, without_approvals
from hermes.types.errors import GatewayError
from hermes.types.events import InboundEvent
from hermes.types.hooks import Allow, Block, Deny, Handled, Rephrase, Rewrite, Skip, ToolUse
from hermes.types.ids import TraceId
from hermes.types.origin import Origin


class Sub:
    def __init__(self, name: str, *heard: str) -> None:
        self.name, self.events = name, heard


def hearing(event: str, *subs: Sub) -> list[str]:
    return [sub.name for sub in events.hearing(subs, event)]


def test_exact_before_wide_each_in_its_order_and_nobody_twice() -> None:
    subs = (
        Sub("w1", "a:*"),
        Sub("e1", "a:b"),
        Sub("both", "a:*", "a:b"),
        Sub("w2", "a:*"),
        Sub("no", "b:*", "a"),
    )
    assert hearing("a:b", *subs) == ["e1", "both", "w1", "w2"]
    assert hearing("a:c", *subs) == ["w1", "both", "w2"]


@pytest.mark.parametrize(
    ("pattern", "does"),
    [
        ("agent:end", True),
        ("agent:*", True),
        ("command:status", True),
        ("command:*", True),
        ("pre_gateway_dispatch", True),
        ("agent:ends", False),
        ("*", False),
        ("command", False),
        ("pre_tool_call", True),
        ("pre_verify", False),
    ],
)
def test_what_happens_here(pattern: str, does: bool) -> None:
    assert events.happens(pattern) is does


def manifest(tmp_path: Path, text: str) -> Manifest:
    path = tmp_path / "HOOK.yaml"
    path.write_text(text)
    return read_manifest(read_yaml(path), "dir")


def test_a_manifest_as_the_original_writes_it(tmp_path: Path) -> None:
    read = manifest(
        tmp_path, "name: Notes\ndescription: Writes\nevents: [agent:start, command:*]\nversion: 3\n"
    )
    assert read == Manifest("Notes", "Writes", ("agent:start", "command:*"))
    assert manifest(tmp_path, "events: [a]").name == "dir"


def test_a_manifest_may_say_how_it_is_called(tmp_path: Path) -> None:
    read = manifest(tmp_path, "events: a\nenabled: no\nruntime: trio\ntimeout: 2.5")
    assert (read.enabled, read.runtime, read.timeout_s, read.events) == (False, "trio", 2.5, ("a",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x", "names none"),
        ("events: []", "names none"),
        ("events: [a]\nruntime: curio", "line 2: runtime: one of asyncio, trio"),
        ("events: [a]\ntimeout: 0", "line 2: timeout: seconds"),
        ("events: [a]\ntimeout: 1e9", "timeout: seconds"),
        ("events: [a]\ntimeout: soon", "timeout: seconds"),
        ("events: [a]\nenabled: perhaps", "enabled: true or false"),
        ("events: {a: b}", "events: a value or a plain list"),
        ("events: [[a]]", "events: a value or a plain list"),
    ],
)
def test_a_manifest_that_cannot_be_names_the_place(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"HOOK\.yaml, line") as wrong:
        manifest(tmp_path, text)
    assert words in str(wrong.value)


def test_S45_a_manifest_is_data(tmp_path: Path) -> None:
    for text in ("events: !!python/object:os.system x", "a: 1\na: 2", "\tevents: [a]", "- a"):
        with pytest.raises((ValueError, GatewayError)):
            manifest(tmp_path, text)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, None),
        ({}, None),
        ({"other": 1}, None),
        ({"action": "allow"}, Allow()),
        ({"action": " Skip ", "reason": "spam"}, Skip()),
        ({"action": "rewrite", "text": "x"}, Rewrite("x")),
    ],
)
def test_what_is_said_about_a_message(answer: object, verdict: object) -> None:
    assert dispatch_verdict(answer) == verdict


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, None),
        ({"decision": "allow"}, None),
        ({"decision": "deny"}, Deny()),
        ({"decision": "deny", "message": "no"}, Deny("no")),
        ({"decision": "handled", "message": None}, Handled()),
        ({"decision": "rewrite", "command_name": "/new", "raw_args": "x"}, Rephrase("new", "x")),
    ],
)
def test_what_is_said_about_a_command(answer: object, verdict: object) -> None:
    assert command_verdict(answer) == verdict


@pytest.mark.parametrize(
    "answer", [True, "skip", ["skip"], {"action": "no"}, {"action": "rewrite", "text": 1}]
)
def test_no_answer_about_a_message(answer: object) -> None:
    with pytest.raises(ValueError, match="action"):
        dispatch_verdict(answer)


@pytest.mark.parametrize(
    "answer", [1, {"decision": "maybe"}, {"decision": "rewrite"}, {"decision": "deny", "message": 3}]
)
def test_no_answer_about_a_command(answer: object) -> None:
    with pytest.raises(ValueError, match=r"decision|message"):
        command_verdict(answer)


ORIGIN = Origin("telegram", "c", user_id="u", thread_id="t")


def test_what_is_told() -> None:
    start = payloads.agent(ORIGIN, "s", "m" * 600)
    where = {"platform": "telegram", "user_id": "u", "chat_id": "c", "thread_id": "t", "chat_type": "dm"}
    assert start == where | {"session_id": "s", "message": "m" * 500}
    assert payloads.agent(ORIGIN, "s", "m", "r" * 501)["response"] == "r" * 500
    assert payloads.session(ORIGIN, "k") == {"platform": "telegram", "user_id": "u", "session_key": "k"}
    assert payloads.session(ORIGIN, "k", "i")["session_id"] == "i"
    step = payloads.step(ORIGIN, "s", 2, [("web", "found")])
    assert (step["iteration"], step["tool_names"]) == (2, ["web"])


def test_a_program_is_told_the_same_as_json() -> None:
    event = InboundEvent("e", ORIGIN, "hi\n\u2028", 1.0, TraceId("t"))
    seen = payloads.before_dispatch(event, payloads.GatewayView(("a",)), payloads.SessionView("k", busy=True))
    told = json.loads(payloads.as_json("pre_gateway_dispatch", seen, "/home"))
    assert told["hook_event_name"] == "pre_gateway_dispatch"
    assert told["extra"]["event"]["text"] == "hi\n\u2028"
    assert told["extra"]["gateway"] == {"platforms": ["a"]}


def test_shell_hooks_as_the_original_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "hooks:\n"
        "  agent:end:\n    - {command: ~/a.sh, timeout: 3}\n    - command: b c\n"
        "  outbound: {x: 1}\n"
        "  agent:start: b\n"
        "  agent:step: [{matcher: x}]\n"
    )
    programs, faults = read_programs(read_yaml(path))
    assert [(one.event, one.command, one.timeout_s) for one in programs] == [
        ("agent:end", "~/a.sh", 3.0),
        ("agent:end", "b c", 10.0),
    ]
    assert "line 6: hooks.agent:start: a list" in faults[0]
    assert "hooks.agent:step" in faults[1]


def test_consent_is_by_event_and_command() -> None:
    said = {"approvals": [{"event": "a", "command": "b", "approved_at": "x"}, {"event": 1}, "?"], "other": 1}
    assert approvals(said) == {("a", "b")}
    assert with_approval(said, "a", "c", "now")["other"] == 1
    assert approvals(with_approval(said, "a", "c", "now")) == {("a", "b"), ("a", "c")}
    for wrong in ([], {}, {"approvals": {}}):
        with pytest.raises(ValueError, match="approvals"):
            approvals(wrong)


# --- tools ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, None),
        ({}, None),
        ({"action": "allow"}, None),
        ({"action": ["block"]}, None),
        ({"action": "block", "message": "no"}, Block("no")),
        ({"decision": "block", "reason": "no"}, Block("no")),
        ({"action": "block"}, Block(BLOCKED)),
        ({"action": "approve", "message": "ask first"}, Block("ask first")),
    ],
)
def test_what_is_said_about_a_tool(answer: object, verdict: object) -> None:
    assert tool_verdict(answer) == verdict


@pytest.mark.parametrize("answer", ["block", 7, {"action": "block", "message": 7}])
def test_what_is_no_answer_about_a_tool(answer: object) -> None:
    with pytest.raises(ValueError, match=r"is no answer|is a text"):
        tool_verdict(answer)


def test_a_program_reads_of_a_tool_what_the_original_tells() -> None:
    use = ToolUse("terminal", {"command": "ls"}, "telegram", "7", "s", "t", "c")
    told = json.loads(payloads.as_json("pre_tool_call", payloads.tool(use), "/home"))
    extra = {"platform": "telegram", "user_id": "7", "turn_id": "t", "tool_call_id": "c"}
    assert told == {
        "hook_event_name": "pre_tool_call",
        "tool_name": "terminal",
        "tool_input": {"command": "ls"},
        "session_id": "s",
        "cwd": "/home",
        "extra": extra,
    }
    done = payloads.tool_done(use, "x" * 900, "error", 0.0421, error_type="OSError", error_message="no")
    assert (len(done["result"]), done["status"], done["duration_ms"]) == (500, "error", 42)
    of_a_command = json.loads(payloads.as_json("command:new", {"args": "a b"}, "/"))
    assert (of_a_command["tool_input"], of_a_command["extra"]) == (None, {"args": "a b"})


# --- programs -------------------------------------------------------------------------------------------------------------


def programs(tmp_path: Path, text: str) -> tuple[list[Program], list[str]]:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return read_programs(read_yaml(path))


def test_a_program_as_the_original_has_it(tmp_path: Path) -> None:
    said = "hooks:\n  pre_tool_call:\n    - {command: a b, matcher: terminal|write_.*, timeout: 5, fail_closed: true}\n"
    ((program,), faults) = programs(tmp_path, said)
    assert not faults
    assert (program.command, program.timeout_s, program.fail_closed) == ("a b", 5.0, True)
    assert program.matcher is not None
    assert [bool(program.matcher.fullmatch(tool)) for tool in ("terminal", "write_file", "terminals")] == [
        True,
        True,
        False,
    ]
    assert program.description == "about terminal|write_.*, fail_closed"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{command: a, matcher: '('}", "line 4: hooks.pre_tool_call.0.matcher: '(' is no regular expression"),
        ("{command: a, matcher: [a, [b]]}", "matcher: a value or a plain list"),
        ("{command: a, fail_closed: perhaps}", "line 4: hooks.pre_tool_call.0.fail_closed: true or false"),
        ("{command: a, timeout: never}", "line 4: hooks.pre_tool_call.0.timeout: seconds"),
        ("{matcher: a}", "line 4: hooks.pre_tool_call.0.command: each holds a command"),
    ],
)
def test_a_program_that_cannot_be_names_file_and_line_and_is_no_trouble_of_the_next(
    entry: str, words: str, tmp_path: Path
) -> None:
    found, faults = programs(
        tmp_path, f"hooks:\n  pre_tool_call:\n\n    - {entry}\n    - {{command: well}}\n"
    )
    assert [one.command for one in found] == ["well"]
    (fault,) = faults
    assert fault.startswith(f"{tmp_path / 'config.yaml'}, ")
    assert words in fault


@pytest.mark.parametrize("key", ["matcher: a", "fail_closed: true"])
def test_what_only_tools_have_is_refused_elsewhere(key: str, tmp_path: Path) -> None:
    found, faults = programs(tmp_path, f"hooks:\n  agent:end:\n    - {{command: a, {key}}}\n")
    assert not found
    assert "only" in faults[0]


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ("~/a.sh x", ["e ~/b.sh"]),
        ("e ~/a.sh x", ["f ~/a.sh x", "e ~/b.sh"]),
        ("~/a.sh", ["e ~/b.sh"]),
        (str(Path("~/b.sh").expanduser()), ["e ~/a.sh x", "f ~/a.sh x"]),
        ("x", ["e ~/a.sh x", "f ~/a.sh x", "e ~/b.sh"]),
    ],
)
def test_a_yes_is_taken_back_by_command_name_or_path(named: str, left: list[str]) -> None:
    pairs = [("e", "~/a.sh x"), ("f", "~/a.sh x"), ("e", "~/b.sh")]
    other = {"event": "e"}
    said = {"version": 1, "approvals": [other, *({"event": e, "command": c, "more": 1} for e, c in pairs)]}
    kept, revoked = without_approvals(said, named)
    assert kept["version"] == 1
    assert kept["approvals"][0] == other
    assert [f"{one['event']} {one['command']}" for one in kept["approvals"][1:]] == left
    assert sorted([*left, *revoked]) == sorted(f"{event} {command}" for event, command in pairs)
