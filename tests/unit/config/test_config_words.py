"""Every key with every wrong value: file, line, key, what was expected and what was found, in our own words."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from hermes.config.load import ENVIRONMENT, load
from hermes.config.model import Config
from hermes.config.words import shown
from hermes.types.errors import CONFIG_INVALID, GatewayError

ENTRY = "dm"
"""A name that may stand in every mapping of names."""


def keys(model: type, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key with what the model says of it, sections and entries included."""
    for key in fields(model):
        path = (*above, key.name)
        if get_origin(key.type) is tuple and get_args(key.type)[0] is not str:
            continue  # read by a notation of its own, with words of its own: supervision, …
        yield path, key.type
        inner = key.type
        if get_origin(inner) is Mapping:
            path, inner = (*path, ENTRY), get_args(inner)[1]
            yield path, inner
        if is_dataclass(inner):
            yield from keys(inner, path)


KEYS = {".".join(path): kind for path, kind in keys(Config)}

WRONG = {
    "two": "'two'",
    "''": "''",
    "yes": "true",
    "-1": "-1",
    "1.0e+30": "1e+30",
    "1.5": "1.5",
    ".inf": "inf",
    ".nan": "nan",
    "[a]": "a list",
    "[[a]]": "a list",
    "{1: a}": "keys and values",
    "2026-01-02": "'2026-01-02'",
    "2026-01-02 03:04:05": "'2026-01-02 03:04:05'",
    "!!binary NQ==": "binary data",
    "!!set {a}": "a list",
    "0x" + "f" * 5_000: "a number of more digits than can be shown",
    '"\\0"': "'\\x00'",
    "x" * 100_000: f"'{'x' * 80}'…",
}


def right(kind: Any, key: str, text: str) -> bool:
    """Whether ``text`` may stand there after all."""
    match key.rpartition(".")[2], text:
        case "host" | "timezone", _:  # whoever looks for it says what it is not
            return text in ("two", "x" * 100_000) or (key == "timezone" and text == "''")
        case ("cursor", "two" | "''") | ("streaming", "yes") | ("api_key", "-1"):
            return True
        case (("model" | "provider" | "base_url" | "api_key" | "default" | "name"), "two" | "''" | '"\\0"'):
            return True
        case (("model" | "provider" | "base_url" | "api_key" | "default" | "name"), _) if (
            len(text) == 100_000
        ):
            return True
        case (("busy_collect_s" | "max_size_mb"), "1.5"):
            return True
        case (("notify_exclude_platforms" | "disabled" | "allow_dirs"), "[a]" | "!!set {a}"):
            return True
        case "enabled", "[a]" | "!!set {a}":
            return key == "tools.enabled"
    if bool in (kind, *get_args(kind)) and text == "yes":
        return True
    if float in (kind, *get_args(kind)):
        return text == "1.5"
    return text == "{1: a}" and (is_dataclass(kind) or get_origin(kind) is Mapping)  # 1 is no key of ours


def write(file: Path, key: str, text: str) -> int:
    """``key: text`` in a file with a comment above each line; the line of the last key."""
    lines = []
    for depth, name in enumerate(parts := key.split(".")):
        lines += [f"{'  ' * depth}# {name}", f"{'  ' * depth}{name}:"]
    lines[-1] += f" {text}"
    file.write_text("\n".join(lines))
    return 2 * len(parts)


def faults(home: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(GatewayError) as invalid:
        load(home, environ or {})
    assert invalid.value.failure.code == CONFIG_INVALID
    return invalid.value.failure.detail.splitlines()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20])
def test_a_wrong_value_is_refused_in_our_own_words(tmp_path, key, text):
    file = tmp_path / "config.yaml"
    line = write(file, key, text)
    if right(KEYS[key], key, text):
        load(tmp_path, {})
        return

    (fault,) = faults(tmp_path)

    element = (
        f"{key}.0"
        if text == "[[a]]"
        and key.endswith(("platforms", "enabled", "disabled", "allow_dirs"))
        and get_origin(KEYS[key]) is tuple
        else key
    )
    assert fault.startswith(f"{file}, line {line}: {element}: expected ")
    words = fault.partition(": expected ")[2]
    assert f", not {WRONG[text]}" in words
    assert re.match(
        r"true or false|one of \w+, |a text( of at most \d+ characters)?,|a name without spaces,|a list of texts,"
        r"|keys and values,|a (whole )?number (from [\d,]+ to|above 0 and up to) [\d,]+, not ",
        words,
    )
    assert len(fault) < 400


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits: {sessions: two}", "limits.sessions: expected a whole number from 1 to 1,000,000, not 'two'"),
        ("limits: {processes: true}", "limits.processes: expected a whole number from 1 to 1,000, not true"),
        ("limits: {processes: 0}", "limits.processes: expected a whole number from 1 to 1,000, not 0"),
        ("limits: [sessions, 3]", "limits: expected keys and values, not a list"),
        ("web: {port: -1}", "web.port: expected a whole number from 0 to 65,535, not -1"),
        ("web: {host: ''}", "web.host: expected a name without spaces, not ''"),
        ("drain_timeout_s: -3.5", "drain_timeout_s: expected a number above 0 and up to 3,600, not -3.5"),
        ("display: {busy_ack: 2}", "display.busy_ack: expected true or false, not 2"),
        (
            "display: {busy_input_mode: intterrupt}",
            "display.busy_input_mode: expected one of interrupt, queue, steer, collect, not 'intterrupt'; did you mean "
            "interrupt?",
        ),
        (
            "logging: {level: warn}",
            "logging.level: expected one of debug, info, warning, error, critical, not 'warn'; did you mean warning?",
        ),
        (
            "reset_by_type: {thred: {mode: idle}}",
            "reset_by_type.thred: expected one of dm, group, channel, thread, forum, not 'thred'; did you mean thread?",
        ),
        (
            "session_reset: {notify_exclude_platforms: [irc, 5]}",
            "session_reset.notify_exclude_platforms.1: expected a text, not 5",
        ),
        (
            "display: {platforms: {x: {busy_input_mode: maybe}}}",
            "display.platforms.x.busy_input_mode: expected one of interrupt, queue, steer, collect, not 'maybe'",
        ),
        ("display: {platforms: {x: queue}}", "display.platforms.x: expected keys and values, not 'queue'"),
    ],
)  # fmt: skip
def test_the_words(tmp_path, text, words):
    (tmp_path / "config.yaml").write_text(text)

    assert faults(tmp_path) == [f"{tmp_path}/config.yaml, line 1: {words}"]


@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_a_variable_that_is_wrong_is_named_with_its_key(tmp_path, variable):
    key = ".".join(ENVIRONMENT[variable])
    if key == "web.host":
        return

    (fault,) = faults(tmp_path, {variable: "sometimes"})
    assert fault.startswith(f"environment variable {variable}: {key}: expected ")
    assert fault.endswith(", not 'sometimes'")


def test_an_element_of_a_list_has_its_own_line(tmp_path):
    (tmp_path / "config.yaml").write_text("session_reset:\n  notify_exclude_platforms:\n  - irc\n  - [a]\n")

    (fault,) = faults(tmp_path)
    assert fault.startswith(f"{tmp_path}/config.yaml, line 4: session_reset.notify_exclude_platforms.1: ")


BROKEN = {
    "web:\n  host: 'a\0b'\n": "line 2: the character '\\x00' may not stand in a YAML file",
    "web:\n\n  # \x07": "line 3: the character '\\x07' may not stand in a YAML file",
    "a: 1\nb: 2026-02-30\n": "line 2: '2026-02-30' is no timestamp",
    "a: 1\nb: !!int ''\n": "line 2: '' is no int",
    "a: 1\nb: !!int x\n": "line 2: 'x' is no int",
    "a: 1\nb: !!bool maybe\n": "line 2: 'maybe' is no bool",
    "a: 1\nb: !!timestamp soon\n": "line 2: 'soon' is no timestamp",
    "a: 1\nb: !!float ''\n": "line 2: '' is no float",
    "\nb: " + "9" * 5_000: f"line 2: '{'9' * 80}'… is no int",
    "- web": "the file must hold keys and values, not a list",
    "5": "the file must hold keys and values, not 5",
}


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:20])
def test_S45_a_file_that_cannot_be_read_names_its_line(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)

    (fault,) = faults(tmp_path)
    assert re.fullmatch(rf"{re.escape(str(tmp_path))}/config\.yaml(, |: ){re.escape(BROKEN[text])}", fault)


@pytest.mark.parametrize("text", ["a: &a [*a]\nweb: *a", "a: {<<: 5}", "? {}\n: b", "a: !!map x"])
def test_S45_shapes_that_are_none_are_refused(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)

    assert faults(tmp_path)[0].startswith(f"{tmp_path}/config.yaml")


@pytest.mark.parametrize(
    "text", ["a: &a {<<: *a}", "web: &a {b: *a}", "reset_by_platform: &a {b: *a, c: *a}"]
)
def test_S45_sections_of_themselves_do_no_harm(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)

    load(tmp_path, {})


def test_a_value_is_shown_as_it_may_have_been_written():
    assert [shown(value) for value in (None, True, 1.0, -0.5, "a'b", b"x", {"a": 1})] == [
        "nothing",
        "true",
        "1.0",
        "-0.5",
        '"a\'b"',
        "binary data",
        "keys and values",
    ]
