"""The operator's settings on disk: what they look like from outside, and how they are replaced."""

import stat

import pytest

from hermes.ops.settings_files import write_settings, write_variables
from hermes.ops.stamps import settings_stamps


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_each_of_the_files_that_changes_comes_or_goes_shows(tmp_path):
    seen = [settings_stamps(tmp_path, tmp_path / "config.yaml")]
    for name in ("config.yaml", ".env", "gateway.json"):
        (tmp_path / name).write_text("{}")
        seen.append(settings_stamps(tmp_path, tmp_path / "config.yaml"))
    (tmp_path / "config.yaml").unlink()
    seen.append(settings_stamps(tmp_path, tmp_path / "config.yaml"))
    (tmp_path / "other.yaml").write_text("{}")

    assert len(set(seen)) == len(seen)
    assert settings_stamps(tmp_path, tmp_path / "config.yaml") == seen[-1]


def test_a_file_keeps_its_permissions_and_what_a_link_leads_to_is_replaced(tmp_path):
    real, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    real.write_text("a: 1\n")
    real.chmod(0o644)
    link.symlink_to(real)

    write_settings(link, "a: 2\n")

    assert (link.is_symlink(), real.read_text(), mode(real)) == (True, "a: 2\n", 0o644)
    write_settings(tmp_path / "new.yaml", "")
    assert mode(tmp_path / "new.yaml") == 0o600


def test_variables_are_for_nobody_else_and_nothing_is_written_twice(tmp_path):
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / ".env").chmod(0o644)

    write_variables(tmp_path, {"A": None, "B": "2"})
    before = (tmp_path / ".env").stat()
    write_variables(tmp_path, {"B": "2"})

    assert ((tmp_path / ".env").read_text(), mode(tmp_path / ".env")) == ("B=2\n", 0o600)
    assert (tmp_path / ".env").stat().st_ino == before.st_ino
    with pytest.raises(ValueError, match="one line"):
        write_variables(tmp_path, {"B": "2\nC=3"})


def test_what_another_program_wrote_stays_to_the_byte(tmp_path):
    theirs = '\ufeff# mine\r\nexport TOKEN=abc\r\n\r\nMULTI="one\r\ntwo"\r\nodd line\r\nLAST=1'.encode()
    (tmp_path / ".env").write_bytes(theirs)

    write_variables(tmp_path, {"TELEGRAM_HOME_CHANNEL": "111", "TELEGRAM_HOME_CHANNEL_NAME": None})

    assert (tmp_path / ".env").read_bytes() == theirs + b"\nTELEGRAM_HOME_CHANNEL=111\n"
