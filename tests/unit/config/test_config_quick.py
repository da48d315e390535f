"""quick_commands: as people write them, and what is wrong with them, with the line."""

import pytest

from hermes.config.load import load
from hermes.config.quick import Program, Shortcut
from hermes.types.errors import CONFIG_INVALID, GatewayError


def read(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    return load(tmp_path, {}).config.quick_commands


def faults(tmp_path, text):
    with pytest.raises(GatewayError) as invalid:
        read(tmp_path, text)
    assert invalid.value.failure.code == CONFIG_INVALID
    return invalid.value.failure.detail.splitlines()


def test_programs_and_shortcuts_with_their_places_and_defaults(tmp_path):
    file = tmp_path / "config.yaml"
    text = (
        "quick_commands:\n"
        "  Disk: {type: exec, command: 'df -h \"$@\"', timeout_s: 5, role: user}\n"
        "  up:\n    type: exec\n    command: uptime\n"
        "  /st: {type: alias, target: /status}\n"
        "  m: {type: alias, target: model gpt}\n"
    )

    assert read(tmp_path, text) == (
        Program("disk", f"{file}, line 2", 'df -h "$@"', 5.0, "user", firm=True),
        Program("up", f"{file}, line 3", "uptime", 30.0, "admin"),
        Shortcut("st", f"{file}, line 6", "status"),
        Shortcut("m", f"{file}, line 7", "model gpt"),
    )


@pytest.mark.parametrize("text", ["", "quick_commands:", "quick_commands: {}", "# quick_commands: {a: 1}"])
def test_there_need_be_none(tmp_path, text):
    assert read(tmp_path, text) == ()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("d: {type: exec}", "d: command: the text of a command, not nothing"),
        ("d: {type: exec, command: ''}", "d: command: the text of a command, not ''"),
        ('d: {type: exec, command: "a\\0b"}', "d: command: the text of a command"),
        ("d: {type: exec, command: [a]}", "d: command: the text of a command, not a list"),
        ("d: {type: exec, command: 5}", "d: command: the text of a command, not 5"),
        ("d: {type: alias}", "d: target: the text of a command"),
        ("d: {type: alias, target: /}", "d: target: the text of a command, not '/'"),
        (
            "d: {type: alias, target: /status, command: x}",
            "d: command says nothing about a command of type alias",
        ),
        ("d: {type: shell, command: x}", "d: type: exec or alias, not 'shell'"),
        ("d: {command: x}", "d: type: exec or alias, not nothing"),
        ("d: {type: [exec], command: x}", "d: type: exec or alias, not a list"),
        (
            "d: {type: exec, command: x, timeout_s: 0}",
            "d: timeout_s: seconds, more than 0 and at most 3600, not 0",
        ),
        ("d: {type: exec, command: x, timeout_s: .nan}", "d: timeout_s: seconds"),
        ("d: {type: exec, command: x, timeout_s: true}", "d: timeout_s: seconds"),
        ("d: {type: exec, command: x, timeout_s: '5'}", "d: timeout_s: seconds"),
        ("d: {type: exec, command: x, role: guest}", "d: role: one of user, admin, owner, not 'guest'"),
        ("d: {type: exec, comand: x}", "d: unknown key comand; did you mean command?"),
        ("d: {type: exec, command: x, zzz: 1}", "d: unknown key zzz; there are type, command"),
        ("d: df -h", "d holds keys and values, not 'df -h'"),
        ("'a b': {type: exec, command: x}", "'a b' is no name"),
        ("'': {type: exec, command: x}", "'' is no name"),
        ("ｄ: {type: exec, command: x}\n  D: {type: exec, command: y}", "/d stands in "),
    ],
)
def test_every_fault_names_its_line_and_what_was_expected(tmp_path, written, words):
    file = tmp_path / "config.yaml"
    found = faults(tmp_path, f"# mine\nquick_commands:\n  {written}\n")

    assert any(words in one for one in found)
    line = 4 if "stands in" in words else 3
    assert all(one.startswith(f"{file}, line {line}: quick_commands: ") for one in found)


def test_all_faults_are_named_at_once(tmp_path):
    text = "quick_commands:\n  a: {type: exec}\n  b: {type: alias, targt: x}\nweb: {port: x}\n"

    assert len(faults(tmp_path, text)) == 4


@pytest.mark.parametrize("text", ["quick_commands: 5", "quick_commands: [a]", "quick_commands: df"])
def test_the_section_holds_names(tmp_path, text):
    (fault,) = faults(tmp_path, text)

    assert fault.startswith(
        f"{tmp_path}/config.yaml, line 1: quick_commands: expected a command for each name, not "
    )
