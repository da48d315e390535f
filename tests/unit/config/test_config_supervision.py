"""Restart policies as they are written: what is understood, and faults that name their place."""

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from hermes.config.globs import matches
from hermes.config.load import load as read
from hermes.config.model import Config
from hermes.config.paths import shipped_conf
from hermes.config.supervision import KEYS, Policy, Rule, read_option
from hermes.types.errors import CONFIG_INVALID, GatewayError


def load(*args: Any, **flags: Any) -> Config:
    return read(*args, **flags).config


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "config.yaml"


def faults(home: Path) -> list[str]:
    with pytest.raises(GatewayError) as invalid:
        load(home, {})
    assert invalid.value.failure.code == CONFIG_INVALID
    return invalid.value.failure.detail.splitlines()


def test_every_key_of_a_policy_can_be_written():
    assert tuple(KEYS) == tuple(key.name for key in fields(Policy))


def test_the_shipped_example_can_be_copied(tmp_path, file):
    example = (shipped_conf() / "default.yaml").read_text().partition("# supervision: {}\n")[2]
    file.write_text("supervision:\n" + example.replace("# # ", ""))

    (rule,) = load(tmp_path, {}).supervision
    assert rule.glob == "root/gateway/adapters/*"
    assert rule.policy == Policy("permanent", (5, 60.0), (0.1, 30.0), 2.0, 60.0, "disable", 5.0, "abandon")


def test_the_examples_of_the_operators_page_are_in_order(tmp_path, file):
    page = (Path(__file__).parents[3] / "docs" / "restarts.md").read_text()
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    options = shlex.split(page.partition("```sh\n")[2].partition("```")[0])[3::2]

    rules = load(tmp_path, {}, restart=[read_option(option) for option in options]).supervision
    assert [rule.flag for rule in rules] == [False, False, False, True, True]


# --- globs --------------------------------------------------------------------------------------------------------------

ADAPTER = "root/gateway/adapters/telegram:default"
SESSION = "root/gateway/sessions/agent:main:telegram:dm:99"


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        (ADAPTER, ADAPTER, True),
        ("root/gateway/adapters/*", ADAPTER, True),
        ("root/gateway/adapters/telegram:*", ADAPTER, True),
        ("root/*/adapters/*", ADAPTER, True),
        ("root/gateway/*", ADAPTER, False),
        ("root/*", ADAPTER, False),
        ("root/gateway/adapters", ADAPTER, False),
        ("root/gateway/adapters/*/x", ADAPTER, False),
        ("root/gateway/sessions/*:telegram:*", SESSION, True),
        ("root/gateway/sessions/*:slack:*", SESSION, False),
        ("**", ADAPTER, True),
        ("root/**", ADAPTER, True),
        ("**/adapters/*", ADAPTER, True),
        ("root/**/telegram:default", ADAPTER, True),
        ("root/gateway/adapters/**", ADAPTER, True),
        ("root/gateway/adapters/**", "root/gateway/adapters", False),
        ("root/**/gateway", "root/gateway", False),
        ("root/gateway/we?", "root/gateway/web", False),
        ("root/gateway/we[b]", "root/gateway/web", False),
        ("root/gateway/x[1]?*", "root/gateway/x[1]?*", True),
        ("ROOT/gateway", "root/gateway", False),
    ],
)
def test_a_star_stays_within_its_segment_and_two_take_whole_segments(glob, path, expected):
    assert matches(glob, path) is expected


def test_a_glob_of_many_stars_takes_no_time():
    assert not matches(f"root/{'*a' * 200}", f"root/{'a' * 5_000}b")


# --- in the file ----------------------------------------------------------------------------------------------------------


def test_the_rules_of_the_file_come_in_its_order_with_their_lines(tmp_path, file):
    file.write_text(
        "supervision:\n"
        "  root/gateway/web:\n"
        "    restart: transient\n"
        "    intensity: 3/30.5\n"
        "    backoff: 0..2.5\n"
        "    factor: 3\n"
        "    reset_after: 90\n"
        "    on_exceeded: escalate\n"
        "    shutdown: 0\n"
        "    on_stuck: escalate\n"
        '  "**":\n'
        "    shutdown: '7'\n"
        "    restart:\n"
    )

    assert load(tmp_path, {}).supervision == (
        Rule(
            "root/gateway/web",
            Policy("transient", (3, 30.5), (0.0, 2.5), 3.0, 90.0, "escalate", 0.0, "escalate"),
            f"{file}, line 2",
        ),
        Rule("**", Policy(shutdown=7.0), f"{file}, line 11"),
    )


@pytest.mark.parametrize("text", ["supervision:", "supervision: {}", "supervision:\n  root/gateway/web:\n"])
def test_a_section_that_says_nothing_is_none(tmp_path, file, text):
    file.write_text(text)

    assert load(tmp_path, {}).supervision == ()


def test_the_command_line_comes_after_the_file(tmp_path, file):
    file.write_text("supervision: {root/gateway/web: {shutdown: 1}}")
    flag = read_option("root/gateway/web=permanent,shutdown=2")

    assert [rule.policy.shutdown for rule in load(tmp_path, {}, restart=[flag]).supervision] == [1.0, 2.0]
    file.unlink()
    assert load(tmp_path, {}, restart=[flag]).supervision == (flag,)


def test_a_policy_can_be_shared_by_an_anchor(tmp_path, file):
    file.write_text(
        "supervision:\n"
        "  root/gateway/web: &calm {restart: transient, shutdown: 1}\n"
        "  root/gateway/inbound: {<<: *calm, shutdown: 2}\n"
        "  root/store: *calm\n"
    )

    assert [(rule.policy.restart, rule.policy.shutdown) for rule in load(tmp_path, {}).supervision] == [
        ("transient", 1.0),
        ("transient", 2.0),
        ("transient", 1.0),
    ]


BAD_VALUES = {
    "restart: permanant": "restart: 'permanant' is none of permanent, transient, temporary; did you mean permanent?",
    "restart: always": "restart: 'always' is none of permanent, transient, temporary",
    "restart: [permanent]": "restart: a list is none of permanent, transient, temporary",
    "on_exceeded: disabled": "on_exceeded: 'disabled' is none of disable, escalate; did you mean disable?",
    "on_stuck: no": "on_stuck: false is none of abandon, escalate",
    "intensty: 5/60": "unknown key 'intensty'; did you mean intensity?",
    "xyz: 5": f"unknown key 'xyz'; there are {', '.join(KEYS)}",
    "stall_s: 5": f"unknown key 'stall_s'; there are {', '.join(KEYS)}",
    "intensity: 5": "intensity: 5 is not N/S, restarts within seconds, like 5/60",
    "intensity: 5/60s": "intensity: '5/60s' is not N/S, restarts within seconds, like 5/60",
    "intensity: -1/60": "intensity: '-1/60' is not N/S, restarts within seconds, like 5/60",
    "intensity: 1.5/60": "intensity: '1.5/60' is not N/S, restarts within seconds, like 5/60",
    "intensity: 5/0": "intensity: '5/0': more than 0 seconds, and at most 86400",
    "intensity: 5/86401": "intensity: '5/86401': more than 0 seconds, and at most 86400",
    "backoff: 30": "backoff: 30 is not MIN..MAX, in seconds, like 0.5..30",
    "backoff: 1...2": "backoff: '1...2' is not MIN..MAX, in seconds, like 0.5..30",
    "backoff: 30..1": "backoff: '30..1': the minimum is above the maximum",
    "backoff: 1..1e9": "backoff: '1..1e9' is not MIN..MAX, in seconds, like 0.5..30",
    "backoff: 1..99999999": "backoff: '1..99999999': at most 86400 seconds",
    "factor: 0.5": "factor: 0.5 is not a number from 1 to 1000",
    "reset_after: -1": "reset_after: -1 is not a number from 0 to 86400",
    "shutdown: .inf": "shutdown: inf is not a number from 0 to 86400",
    "shutdown: .nan": "shutdown: nan is not a number from 0 to 86400",
    "shutdown: yes": "shutdown: true is not a number from 0 to 86400",
    "shutdown: soon": "shutdown: 'soon' is not a number from 0 to 86400",
    "shutdown: {a: b}": "shutdown: keys and values is not a number from 0 to 86400",
}


@pytest.mark.parametrize("line", BAD_VALUES)
def test_a_bad_value_is_named_with_its_line_and_what_was_meant(tmp_path, file, line):
    file.write_text(f"supervision:\n  root/gateway/web:\n    # here\n    {line}\n")

    assert faults(tmp_path) == [f"{file}, line 4: supervision: 'root/gateway/web': {BAD_VALUES[line]}"]


BAD_GLOBS = {
    "adapters/*": "every path begins with root/, as in `hermes tree`, not with adapters/",
    "root": "root itself has no policy, for nobody restarts it",
    "'*'": "root itself has no policy, for nobody restarts it",
    "root/": "a glob is segments joined by '/', none of them empty",
    "root//web": "a glob is segments joined by '/', none of them empty",
    "root/gateway**": "'**' stands alone between slashes",
}


@pytest.mark.parametrize("glob", BAD_GLOBS)
def test_a_bad_glob_is_named_with_its_line(tmp_path, file, glob):
    file.write_text(f"supervision:\n  {glob}: {{shutdown: 1}}\n")

    assert faults(tmp_path) == [f"{file}, line 2: supervision: '{glob.strip(chr(39))}': {BAD_GLOBS[glob]}"]


def test_all_faults_are_told_at_once(tmp_path, file):
    file.write_text(
        "web: {port: x}\nsupervision:\n  root/x: {restart: never, shutdown: -1}\n  root/y: 5\nwebb: {}\n"
    )

    assert [fault.removeprefix(f"{file}, ").partition(":")[0] for fault in faults(tmp_path)] == [
        "line 3",
        "line 3",
        "line 4",
        "line 1",
    ]


@pytest.mark.parametrize(("value", "shown"), [("5", "5"), ("[a]", "a list"), ("permanent", "'permanent'")])
def test_a_section_of_another_kind_is_a_fault(tmp_path, file, value, shown):
    file.write_text(f"\nsupervision: {value}\n")

    assert faults(tmp_path) == [f"{file}, line 2: supervision holds a policy for each glob, not {shown}"]


def test_a_glob_twice_is_a_fault(tmp_path, file):
    file.write_text("supervision:\n  root/a: {shutdown: 1}\n  root/a: {shutdown: 2}\n")
    assert faults(tmp_path) == [f"{file}: key 'root/a' stands in line 2 and again in line 3"]


# --- on the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "glob", "policy"),
    [
        ("root/gateway/web=temporary", "root/gateway/web", Policy("temporary")),
        (
            "root/gateway/adapters/*=permanent,intensity=5/300,backoff=1..300,on_exceeded=disable",
            "root/gateway/adapters/*",
            Policy("permanent", (5, 300.0), (1.0, 300.0), on_exceeded="disable"),
        ),
        (
            "root/a=transient, shutdown=3 ,on_stuck=escalate",
            "root/a",
            Policy("transient", shutdown=3.0, on_stuck="escalate"),
        ),
        ("root/s/signal:group:ab==:*=permanent", "root/s/signal:group:ab==:*", Policy("permanent")),
    ],
)
def test_an_option_is_understood(text, glob, policy):
    assert read_option(text) == Rule(glob, policy, f"--restart {text!r}", flag=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is not GLOB=POLICY, like"),
        ("root/gateway/web", "it is not GLOB=POLICY, like"),
        (
            "root/a=permanant",
            "restart: 'permanant' is none of permanent, transient, temporary; did you mean permanent?",
        ),
        ("root/a=", "restart: '' is none of permanent"),
        ("root/a=intensity=5/60", "restart: 'intensity=5/60' is none of permanent"),
        ("root/a=permanent,", "'' is not KEY=VALUE"),
        ("root/a=permanent,transient", "'transient' is not KEY=VALUE"),
        ("root/a=permanent,intensty=5/60", "unknown key 'intensty'; did you mean intensity?"),
        ("root/a=permanent,intensity=5", "intensity: '5' is not N/S"),
        ("root/a=permanent,backoff=9..1", "backoff: '9..1': the minimum is above the maximum"),
        ("root/a=permanent,backoff=1..2,backoff=1..3", "backoff is given twice"),
        ("root/a=permanent,restart=transient", "restart is given twice"),
        ("=permanent", "a glob is segments joined by"),
        ("web=permanent", "every path begins with root/"),
        ("root=permanent", "root itself has no policy"),
    ],
)
def test_a_bad_option_is_refused_in_words(text, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        read_option(text)


def test_all_faults_of_an_option_are_told_at_once():
    with pytest.raises(
        ValueError, match=r"'x' is not KEY=VALUE; restart: 'never' .*; shutdown: 'y' is not a number"
    ):
        read_option("root/a=never,x,shutdown=y")
