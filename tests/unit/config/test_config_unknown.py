"""Keys that nobody reads: said when somebody asks, with the nearest one; never at run."""

import pytest

from hermes.config.load import load
from hermes.config.model import Config
from hermes.config.unknown import unknown_keys


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("web:\n  prot: 80\n", 2, "web.prot; did you mean web.port?"),
        ("\nagents: {}\n", 2, "agents; did you mean agent?"),
        ("drain_timeout: 3\n", 1, "drain_timeout; did you mean drain_timeout_s?"),
        ("supervison: {}", 1, "supervison; did you mean supervision?"),
        ("role: {owner: [telegram:1]}", 1, "role; did you mean roles?"),
        ("model: {base_ur: x}", 1, "model.base_ur; did you mean model.base_url?"),
        (
            "display:\n  busy_input_mod: queue\n",
            2,
            "display.busy_input_mod; did you mean display.busy_input_mode?",
        ),
        ("display:\n  wallpaper: blue\n", 2, "display.wallpaper"),
        (
            "reset_by_platform:\n\n  p: {idle_minute: 3}\n",
            3,
            "reset_by_platform.p.idle_minute; did you mean reset_by_platform.p.idle_minutes?",
        ),
        (
            "display: {platforms: {telegram: {streamin: yes}}}",
            1,
            "display.platforms.telegram.streamin; did you mean display.platforms.telegram.streaming?",
        ),
    ],
)
def test_a_key_that_nobody_reads_is_no_fault_and_is_said_with_the_nearest_one(tmp_path, text, line, words):
    file = tmp_path / "config.yaml"
    file.write_text(text)

    settings = load(tmp_path, {})

    assert list(unknown_keys(settings.written)) == [f"{file}, line {line}: nobody reads {words}"]


ORIGINAL_KEYS = (
    "platforms default_reset_policy reset_triggers sessions_dir sessions write_sessions_json"
    " always_log_local filter_silence_narration stt_enabled stt stt_echo_transcripts max_concurrent_sessions"
    " multiplex_profiles systemd_watchdog_seconds streaming session_store_max_age_days"
    " profile_routes gateway display voice approvals cron hooks tts security model telegram discord slack"
)


@pytest.mark.parametrize("key", ORIGINAL_KEYS.split())
def test_keys_of_the_original_are_not_taken_for_misspelt_ones(tmp_path, key):
    (tmp_path / "config.yaml").write_text(
        f"{key}: {{mode: auto}}\n" if key == "streaming" else f"{key}: {{}}\n"
    )

    settings = load(tmp_path, {})

    assert settings.config == Config() or key == "streaming"
    assert not list(unknown_keys(settings.written))
