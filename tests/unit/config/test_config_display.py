from typing import Any

import pytest

from hermes.config.load import load as read
from hermes.config.model import Config, Display, PlatformDisplay
from hermes.types.errors import GatewayError


def load(*args: Any, **flags: Any) -> Config:
    return read(*args, **flags).config


ORIGINAL = """
display:
  busy_input_mode: queue
  busy_steer_ack_enabled: true
  interim_assistant_messages: true
  tool_progress_grouping: accumulate
  runtime_footer: {enabled: false}
  platforms:
    telegram: {streaming: true, busy_input_mode: steer}
    discord: {streaming: false}
"""


def test_the_original_s_keys_mean_what_they_meant_and_the_others_are_left_alone(tmp_path):
    (tmp_path / "config.yaml").write_text(ORIGINAL)

    assert load(tmp_path, {}).display == Display(
        busy_input_mode="queue",
        platforms={"telegram": PlatformDisplay("steer", True), "discord": PlatformDisplay(None, False)},
    )


def test_the_original_s_variables_win_over_the_file(tmp_path):
    (tmp_path / "config.yaml").write_text(ORIGINAL)
    environ = {
        "HERMES_GATEWAY_BUSY_INPUT_MODE": "collect",
        "HERMES_GATEWAY_BUSY_ACK_ENABLED": "false",
        "HERMES_GATEWAY_BUSY_TEXT_DEBOUNCE_SECONDS": "0.5",
    }

    display = load(tmp_path, environ).display

    assert (display.busy_input_mode, display.busy_ack, display.busy_collect_s) == ("collect", False, 0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("display:\n  busy_input_mode: sometimes\n", "line 2: display.busy_input_mode"),
        (
            "display:\n  platforms:\n    telegram:\n      busy_input_mode: no\n",
            "line 4: display.platforms.telegram.busy_input_mode",
        ),
        ("display:\n  busy_collect_s: -1\n", "line 2: display.busy_collect_s"),
    ],
)
def test_a_mode_that_nobody_knows_stops_the_start_and_names_its_line(text, words, tmp_path):
    (tmp_path / "config.yaml").write_text(text)

    with pytest.raises(GatewayError) as invalid:
        load(tmp_path, {})

    assert words in invalid.value.failure.detail
