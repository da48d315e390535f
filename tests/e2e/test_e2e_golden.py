"""A home of the original after our gateway has run on it. The whole of it is ``golden_homes.py``."""

import signal
from contextlib import closing
from pathlib import Path

import pytest
from golden_homes import Talk, alice_of, spoil
from harness import Gateway
from harness_golden import GENERATIONS, GOLDEN, RULES, Entry, compare, look, settle
from harness_telegram import connected, own_locks

from hermes.testing.telegram import FakeTelegram

golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden homes are not here")
SETTINGS = "_config_version: 33\nplatforms: {{telegram: {{extra: {{base_url: {url}/bot}}}}}}\n"


@golden
async def test_a_home_of_the_original_stays_what_it_was(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with own_locks(tmp_path / "locks"), closing(Gateway(home)) as gateway:
        async with FakeTelegram(poll_s=1.0).listening() as telegram:
            settle(GOLDEN / GENERATIONS[-1], home, SETTINGS.format(url=telegram.url))
            before = look(home)
            await gateway.start()
            await connected(gateway)
            alice, talk = alice_of(telegram), Talk(telegram)
            await talk.ask(alice, "note one", "Noted")
            await talk.ask(alice, "/sethome", "")
            gateway.signal(signal.SIGTERM)
            assert await gateway.ended() == 1

    report = compare("", before, look(home), RULES)
    assert report.wrong == []
    assert report.unchanged > len(before) / 2
    assert b"TELEGRAM_HOME_CHANNEL=111\n" in (home / ".env").read_bytes()


@golden
async def test_damaged_files_of_the_original_are_named_and_left_alone(tmp_path: Path) -> None:
    report = await spoil(GOLDEN / GENERATIONS[-1], tmp_path / "home", "cut off")

    assert report.wrong == []


PENDING = "platforms/pairing/telegram-pending.json"
JOB = (
    '{"id": "a", "x": %s, "repeat": {"times": null, "completed": 0}, "next_run_at": "2026-11-21T20:26:14%s",'
    ' "last_run_at": null, "created_at": null}'
)


@pytest.mark.parametrize(
    ("path", "before", "after", "wrong"),
    [
        ("SOUL.md", "a", "b", "SOUL.md is other"),
        ("SOUL.md", "a", None, "SOUL.md is gone"),
        ("state.db-shm", None, "", "state.db-shm is new"),
        ("profiles/coder/x", None, "", "profiles/coder/x is new"),
        (".env", "A=1\r\nB=2", "A=1\nB=2\n", "line"),
        (".env", "A=1\n", "A=1\nB=2\n", "B=2"),
        ("cron/jobs.json", None, None, ""),
        ("cron/jobs.json", f'{{"jobs": [{JOB % (1, "+00:00")}]}}', '{"jobs": []}', "the jobs were"),
        ("cron/jobs.json", *(f'{{"jobs": [{JOB % (n, "+00:00")}]}}' for n in (1, 2)), "x was 1, is 2"),
        ("cron/jobs.json", *(f'{{"jobs": [{JOB % (1, zone)}]}}' for zone in ("+00:00", "")), "no zone"),
        (PENDING, "{}", '{"FNCJV5EC": {"user_id": "1", "user_name": "B", "created_at": 1.0}}', "FNCJV5EC"),
        ("platforms/pairing/telegram-approved.json", '{"1": {}}', "{}", "1 was {}"),
        ("channel_directory.json", None, '{"platforms": {"x": [{"id": 7}]}}', "it holds"),
    ],
)
def test_the_comparison_sees_what_may_not_be(
    path: str, before: str | None, after: str | None, wrong: str
) -> None:
    was, now = ({path: Entry(0o600, text.encode())} if text is not None else {} for text in (before, after))

    found = compare("", was, now, RULES).wrong
    assert any(wrong in one for one in found) if wrong else not found
    assert compare("", was, was, RULES).wrong == []


def test_the_comparison_sees_modes() -> None:
    was, now = {"SOUL.md": Entry(0o644, b"")}, {"SOUL.md": Entry(0o600, b"")}

    assert compare("", was, now, RULES).wrong == ["SOUL.md is other, its mode 644 is 600"]
    assert compare("", {}, {"run/x": Entry(0o644, b"")}, RULES).wrong == ["run/x can be read by others: 644"]
