"""The configuration: what wins over what, and faults that name their place."""

import os
from pathlib import Path
from typing import Any

import pytest

from hermes.config.document import FILE_BYTES
from hermes.config.load import load as read
from hermes.config.model import Agent, Config, ResetPolicy, Web
from hermes.types.errors import CONFIG_INVALID, GatewayError


def load(*args: Any, **flags: Any) -> Config:
    return read(*args, **flags).config


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "config.yaml"


def fault(home: Path, environ=None, **flags) -> str:
    with pytest.raises(GatewayError) as invalid:
        load(home, environ or {}, **flags)
    failure = invalid.value.failure
    assert (failure.code, failure.severity) == (CONFIG_INVALID, "fatal")
    return failure.detail


def test_without_anything_the_defaults_hold(tmp_path):
    assert load(tmp_path, {}) == Config()


@pytest.mark.parametrize("text", ["", "\n", "# only a remark\n", "{}", "web:\n", "web:\n  port:\n  host:\n"])
def test_a_file_that_sets_nothing_changes_nothing(tmp_path, file, text):
    file.write_text(text)

    assert load(tmp_path, {}) == Config()


def test_the_file_is_read(tmp_path, file):
    file.write_text(
        "\ufeffweb: {port: 80}\nagent:\n  turn_timeout_s: 5\ndrain_timeout_s: 2.5\n", encoding="utf-8"
    )

    assert load(tmp_path, {}) == Config(
        web=Web(port=80), agent=Agent(turn_timeout_s=5.0), drain_timeout_s=2.5
    )


@pytest.mark.parametrize(
    ("environ", "flag", "expected"),
    [
        ({}, None, Web("file", 1)),
        ({"API_SERVER_PORT": "2"}, None, Web("file", 2)),
        ({"API_SERVER_PORT": "2", "API_SERVER_HOST": "env"}, 3, Web("env", 3)),
        ({"API_SERVER_PORT": ""}, None, Web("file", 1)),
        ({}, 0, Web("file", 0)),
    ],
)
def test_flags_win_over_environment_over_file(tmp_path, file, environ, flag, expected):
    file.write_text("web: {host: file, port: 1}")

    assert load(tmp_path, environ, port=flag).web == expected


def test_the_environment_alone_is_enough(tmp_path):
    assert load(tmp_path, {"API_SERVER_PORT": "9000"}).web == Web(port=9000)


def test_another_file_stands_in_for_the_home_s(tmp_path, file):
    file.write_text("web: {port: 1}")
    other = tmp_path / "other.yaml"
    other.write_text("web: {host: other}")

    assert load(tmp_path, {}, file=other).web == Web(host="other")


def test_a_file_that_was_named_must_be_there(tmp_path):
    assert fault(tmp_path, file=tmp_path / "nowhere.yaml") == f"{tmp_path}/nowhere.yaml: no such file"


def test_sections_of_an_original_home_are_left_alone(tmp_path, file):
    file.write_text(
        "_config_version: 33\nsecurity: {redact_secrets: true}\n"
        "agent: {max_turns: 90, gateway_timeout: 1800}\nsession_reset: {bg_process_max_age_hours: 24}\n"
        "logging: {level: INFO, 2: two}\nweb: {backend: z}\n1: one\n"
    )

    assert load(tmp_path, {}) == Config()


def test_every_fault_is_named_with_file_line_and_key(tmp_path, file):
    file.write_text("web:\n  host: localhost\n  port: 99999\n\nagent:\n  turn_timeout_s: soon\n")

    first, second = fault(tmp_path, {"API_SERVER_HOST": "h"}).splitlines()
    assert first.startswith(f"{file}, line 3: web.port: ")
    assert "99999" in first
    assert second.startswith(f"{file}, line 6: agent.turn_timeout_s: ")
    assert "soon" in second


def test_a_fault_of_the_environment_names_the_variable(tmp_path, file):
    file.write_text("web: {port: 80}")

    assert fault(tmp_path, {"API_SERVER_PORT": "eighty"}).startswith(
        "environment variable API_SERVER_PORT: web.port: "
    )


def test_reset_policies_are_read_per_type_and_platform_each_on_its_own(tmp_path, file):
    file.write_text(
        "session_reset: {mode: both, idle_minutes: '30', notify: no, notify_exclude_platforms: [irc]}\n"
        "reset_by_type: {dm: {mode: idle}, forum: }\n"
        "reset_by_platform:\n  telegram: {mode: daily, at_hour: 0}\n"
        "group_sessions_per_user: false\nthread_sessions_per_user: yes\n"
    )

    assert load(tmp_path, {}) == Config(
        session_reset=ResetPolicy("both", 4, 30, False, ("irc",)),
        reset_by_type={"dm": ResetPolicy("idle", 4, 1440)},
        reset_by_platform={"telegram": ResetPolicy("daily", 0)},
        group_sessions_per_user=False,
        thread_sessions_per_user=True,
    )


def test_the_environment_sets_the_reset_times(tmp_path, file):
    file.write_text("session_reset: {mode: both, at_hour: 1}")

    config = load(tmp_path, {"SESSION_IDLE_MINUTES": "5", "SESSION_RESET_HOUR": "23"})
    assert config.session_reset == ResetPolicy("both", 23, 5)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("session_reset:\n  mode: weekly\n", 2, "session_reset.mode"),
        ("session_reset:\n  mode: off\n", 2, "session_reset.mode"),
        ("session_reset: {at_hour: 24}", 1, "session_reset.at_hour"),
        ("session_reset: {idle_minutes: 0}", 1, "session_reset.idle_minutes"),
        ("reset_by_type:\n  dm:\n    at_hour: 24\n", 3, "reset_by_type.dm.at_hour"),
        ("reset_by_type:\n  dms: {}\n", 2, "reset_by_type.dms"),
        ("reset_by_platform:\n  p:\n    idle_minutes: 0\n", 3, "reset_by_platform.p.idle_minutes"),
        ("reset_by_platform: {p: 3}\n", 1, "reset_by_platform.p"),
    ],
)
def test_a_bad_reset_policy_names_its_place(tmp_path, file, text, line, key):
    file.write_text(text)

    assert fault(tmp_path).startswith(f"{file}, line {line}: {key}")


@pytest.mark.parametrize("value", ["-1", "0", ".inf", ".nan", "1e9", "[1]", "{a: b}"])
def test_seconds_are_bounded(tmp_path, file, value):
    file.write_text(f"drain_timeout_s: {value}")

    assert "drain_timeout_s" in fault(tmp_path)


def test_S45_a_key_twice_names_both_lines(tmp_path, file):
    file.write_text("web:\n  port: 1\n  host: x\n  port: 2\n")

    assert fault(tmp_path) == f"{file}: key 'port' stands in line 2 and again in line 4"


def test_S45_a_key_twice_in_one_line_is_seen(tmp_path, file):
    file.write_text("web: {port: 1, port: 2}")

    assert fault(tmp_path) == f"{file}: key 'port' stands in line 1 and again in line 1"


HOSTILE = {
    "an object": "web: !!python/object/apply:os.system ['true']",
    "a tab": "web:\n\tport: 1",
    "no end": "web: {port: 1",
    "deep": "a: " + "[" * 100_000,
    "a key that is a list": "? [a, b]\n: c",
    "an unknown alias": "a: *nobody",
    "a list": "- web",
    "a text": "just words",
    "two documents": "web: {}\n---\nweb: {}",
    "NUL": "web: \0",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_S45_hostile_yaml_is_a_fault_of_that_file(tmp_path, file, name):
    file.write_text(HOSTILE[name])

    assert fault(tmp_path).startswith(str(file))


def test_S45_a_bomb_of_anchors_does_not_go_off(tmp_path, file):
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    file.write_text(f"a0: &a0 boom\n{levels}\nweb: *a29\n")

    assert len(fault(tmp_path)) < 2_000


def test_S45_an_endless_file_is_refused(tmp_path):
    assert f"{FILE_BYTES:,}" in fault(tmp_path, file=Path("/dev/zero"))


def test_bytes_that_are_not_text_are_a_fault(tmp_path, file):
    file.write_bytes(b"web: \xff\xfe")

    assert fault(tmp_path) == f"{file}: byte 5 is not UTF-8"


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path, file):
    os.mkdir(file)

    assert fault(tmp_path) == f"{file}: Is a directory"


def test_the_configuration_cannot_be_changed(tmp_path):
    with pytest.raises(AttributeError):
        load(tmp_path, {}).web.port = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", ["config.yaml", "gateway.json", ".env"])
def test_a_pipe_in_the_home_is_waited_for_by_nobody(tmp_path, name):
    os.mkfifo(tmp_path / name)

    assert fault(tmp_path) == f"{tmp_path / name}: is not a regular file"
