"""An older home in today's keys: what is moved, what stays, and that it all means the same."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.config.edit import move_key
from hermes.config.load import load
from hermes.config.migrate import meaning, migrate
from hermes.types.errors import GatewayError

FILE = Path("config.yaml")
GOLDEN = Path(__file__).parents[4] / "shared/reference"

OLD = """\
# my settings
_config_version: 21
gateway:
  # how it is shown
  streaming:          # yes
    enabled: true
    cursor: "x"   # c
  session_reset: {mode: idle}
  max_inbound_media_bytes: 5
  platforms:
    # the bot
    telegram:
      enabled: true
      extra:
        base_url: http://x   # there
    discord: {enabled: false}
session_reset:
  mode: daily
# last
platforms:
  discord:
    enabled: true
# end
"""
TODAY = """\
# my settings
_config_version: 21
gateway:
  max_inbound_media_bytes: 5
  platforms:
    discord: {enabled: false}
session_reset:
  mode: daily
# last
platforms:
  discord:
    enabled: true
  # the bot
  telegram:
    enabled: true
    extra:
      base_url: http://x   # there
# how it is shown
streaming:          # yes
  enabled: true
  cursor: "x"   # c
# end
"""


def migrated(home, text=None, legacy=None):
    """What comes of a home, whose files are left as they are."""
    if text is not None:
        (home / "config.yaml").write_text(text)
    if legacy is not None:
        (home / "gateway.json").write_text(legacy if isinstance(legacy, str) else json.dumps(legacy))
    return migrate(home, {})


def test_what_stands_below_gateway_comes_to_the_top_with_its_remarks_and_dead_copies_go(tmp_path):
    found = migrated(tmp_path, OLD)

    assert found.text == TODAY
    assert found.moved == (
        "gateway.streaming -> streaming",
        "gateway.session_reset -> nothing, for it counts nowhere",
        "gateway.platforms.telegram -> platforms.telegram",
    )
    assert found.left == ()
    assert (tmp_path / "config.yaml").read_text() == OLD
    assert migrated(tmp_path, TODAY).moved == ()


def test_a_section_that_everything_has_left_goes(tmp_path):
    text = "a: 1\ngateway:\n  platforms:\n    telegram: {enabled: true}\n  streaming: false\nb: 2\n"
    found = migrated(tmp_path, text)

    assert found.text == "a: 1\nb: 2\nplatforms:\n  telegram: {enabled: true}\nstreaming: false\n"


def test_gateway_json_is_said_in_config_yaml_letter_by_letter_and_its_secrets_stay(tmp_path):
    legacy = """{
      "default_reset_policy": {"mode": "daily",
         "at_hour": 3},
      "always_log_local": true,
      "platforms": {"telegram": {"token": "123456:abcdefgh", "home_channel": {"chat_id": "-0100", "platform": "telegram"}}}
    }"""
    found = migrated(tmp_path, "# mine\n", legacy)

    assert found.text == (
        '# mine\nsession_reset: {"mode": "daily", "at_hour": 3}\n'
        'platforms:\n  telegram:\n    home_channel: {"chat_id": "-0100", "platform": "telegram"}\n'
    )
    (left,) = found.left
    assert left.startswith("gateway.json: platforms.telegram.token: ")
    assert "abcdefgh" not in found.text + "".join(found.left)
    assert (tmp_path / "gateway.json").read_text() == legacy
    assert migrated(tmp_path, found.text).moved == ()


def test_what_cannot_be_moved_without_changing_the_meaning_stays_and_says_so(tmp_path):
    text = "gateway: {streaming: {enabled: true,\n  cursor: x}}\n"
    found = migrated(tmp_path, text)

    assert (found.text, found.moved) == (text, ())
    (left,) = found.left
    assert left.startswith("gateway.streaming -> streaming: ")
    assert "several lines within braces" in left


def test_what_would_win_over_what_it_stood_below_stays(tmp_path):
    text = "gateway:\n  platforms:\n    telegram:\n      base_url: http://mine\nplatforms:\n  telegram: {enabled: true}\n"
    found = migrated(tmp_path, text, {"platforms": {"telegram": {"extra": {"base_url": "http://theirs"}}}})

    assert (found.text, found.moved) == (text, ())
    assert found.left == (
        "gateway.json: platforms.telegram.extra -> platforms.telegram.extra: the settings would be read otherwise",
    )


def test_settings_that_cannot_be_used_are_refused_as_ever(tmp_path):
    with pytest.raises(GatewayError, match=r"line 2: streaming\.edit_interval"):
        migrated(tmp_path, "gateway:\n  streaming: {edit_interval: -1}\n")


@pytest.mark.parametrize(
    ("before", "key", "to", "after"),
    [
        ("g:\n  a: 1\n  b: 2\n", "g.a", "a", "g:\n  b: 2\na: 1\n"),
        ("g:\n    a:\n        x: 1\nz: 1", "g.a", "a", "g:\nz: 1\na:\n    x: 1\n"),
        (
            "p:\n  q: 1\ng:\n  a: |\n    one\n\n    two\n",
            "g.a",
            "p.a",
            "p:\n  q: 1\n  a: |\n    one\n\n    two\ng:\n",
        ),
        ("g: {a: 1, b: [2, 3]}\n", "g.b", "b", "g: {a: 1}\nb: [2, 3]\n"),
        ("g:\n  a: 1\np: {x: 2}\n", "g.a", "p.a", "g:\np: {x: 2, a: 1}\n"),
        ("g:\r\n  # r\r\n  a: 1\r\nz: 2\r\n", "g.a", "a", "g:\r\nz: 2\r\n# r\r\na: 1\r\n"),
        ("g:\n# not of a\n  a: 1\n", "g.a", "a", "g:\n# not of a\na: 1\n"),
    ],
)
def test_a_key_is_moved_with_its_remarks(before, key, to, after):
    assert move_key(FILE, before, tuple(key.split(".")), tuple(to.split("."))) == after


# --- the meaning ------------------------------------------------------------------------------------------------------------

SECTIONS = {
    "session_reset": st.fixed_dictionaries(
        {"mode": st.sampled_from(["none", "idle", "daily"])}, optional={"at_hour": st.integers(0, 23)}
    ),
    "reset_by_type": st.fixed_dictionaries({"dm": st.just({"mode": "idle", "idle_minutes": 5})}),
    "streaming": st.booleans()
    | st.fixed_dictionaries({"enabled": st.booleans(), "cursor": st.text("ab #", max_size=3)}),
    "group_sessions_per_user": st.booleans(),
    "quick_commands": st.just({"up": {"type": "exec", "command": "uptime"}}),
}
BLOCK = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "reply_to_mode": st.sampled_from(["off", "all"]),
        "require_mention": st.booleans(),
        "allow_from": st.lists(st.sampled_from(["1", "2"]), max_size=2),
        "home_channel": st.sampled_from([{"chat_id": "7"}, {"chat_id": "8", "name": "Team"}]),
        "extra": st.dictionaries(st.sampled_from(["base_url", "poll_timeout"]), st.just("5"), max_size=2),
    },
)
PLATFORMS = st.dictionaries(st.sampled_from(["telegram", "Discord", "api-server"]), BLOCK, max_size=3)
PART = st.fixed_dictionaries({}, optional={**SECTIONS, "platforms": PLATFORMS, "theirs": st.just([1, 2])})
LEGACY = st.fixed_dictionaries(
    {}, optional={**SECTIONS, "default_reset_policy": SECTIONS["session_reset"], "platforms": PLATFORMS}
)


@settings(max_examples=40, deadline=None)
@given(top=PART, gateway=PART, legacy=LEGACY, telegram=BLOCK, flow=st.sampled_from([None, False]))
def test_every_home_means_the_same_before_and_after(tmp_path_factory, top, gateway, legacy, telegram, flow):
    home = tmp_path_factory.mktemp("home")
    document = top | ({"gateway": gateway} if gateway else {}) | ({"telegram": telegram} if telegram else {})
    (home / "gateway.json").write_text(json.dumps(legacy))
    (home / "config.yaml").write_text(yaml.safe_dump(document, default_flow_style=flow))
    before = load(home, {})
    found = migrate(home, {})

    (home / "config.yaml").write_text(found.text)
    after = load(home, {})
    assert meaning(after) == meaning(before)
    assert _words(after) == _words(before)
    assert migrate(home, {}).moved == ()


def _words(settings):
    """Of the configuration, but for quick commands, which know their line."""
    return replace(settings.config, quick_commands=()), settings.homes, settings.restart_notices


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden homes are not here")
@pytest.mark.parametrize("generation", ["golden_home_0_13", "golden_home_0_19"])
def test_a_golden_home_has_nothing_to_migrate(tmp_path, generation):
    home = shutil.copytree(GOLDEN / generation, tmp_path / "home")

    assert (migrate(home, {}).moved, migrate(home, {}).left) == ((), ())
