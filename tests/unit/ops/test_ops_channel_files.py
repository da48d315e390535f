"""The two files of the channel directory: ours is written whole and private, the user's is only read."""

import json
import os
import stat

import pytest

from hermes.ops.channel_files import ALIASES, DIRECTORY, read_aliases_of, read_channels, write_directory
from hermes.types.channels import Channel

ANN = {"telegram": (Channel("111", "Alice", "dm"),)}


def test_what_is_written_is_read_back_and_private(tmp_path):
    write_directory(tmp_path, ANN, 5.0)
    assert read_channels(tmp_path).directory == ANN
    assert stat.S_IMODE((tmp_path / DIRECTORY).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [DIRECTORY]


def test_files_that_are_not_there_hold_nothing_and_are_no_fault(tmp_path):
    found = read_channels(tmp_path)
    assert (found.directory, found.aliases, found.faults) == ({}, {}, ())


def test_a_directory_of_the_original_is_read(tmp_path):
    entries = [{"id": "-100:7", "name": "Team / topic 7", "type": "group", "thread_id": "7"}]
    text = json.dumps({"updated_at": "2026-11-21T20:26:15.458297", "platforms": {"telegram": entries}})
    (tmp_path / DIRECTORY).write_text("\ufeff" + text)
    assert read_channels(tmp_path).directory == {
        "telegram": (Channel("-100", "Team / topic 7", "group", "7"),)
    }


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"platforms": 3}', "[" * 100_000, "\udcff"])
def test_a_file_that_cannot_be_read_is_named_and_the_other_one_is_read(tmp_path, broken):
    (tmp_path / DIRECTORY).write_bytes(broken.encode(errors="surrogateescape"))
    (tmp_path / ALIASES).write_text('{"telegram": {"1": "crew"}}')
    found = read_channels(tmp_path)
    assert (found.directory, found.aliases) == ({}, {"telegram": {"1": "crew"}})
    (fault,) = found.faults
    assert fault.startswith(f"{tmp_path / DIRECTORY}: ")


def test_aliases_that_cannot_be_read_are_not_taken_for_none(tmp_path):
    (tmp_path / ALIASES).write_text("{")
    assert read_channels(tmp_path).aliases is None
    assert read_aliases_of(tmp_path, {"x": {"1": "kept"}}) == {"x": {"1": "kept"}}
    assert (tmp_path / ALIASES).read_text() == "{"


def test_a_pipe_in_its_place_does_not_hold_up_anybody(tmp_path):
    os.mkfifo(tmp_path / ALIASES)
    assert "not a regular file" in read_channels(tmp_path).faults[0]


def test_a_directory_that_cannot_be_read_is_kept_when_it_is_made_anew(tmp_path):
    (tmp_path / DIRECTORY).write_text('{"platforms": {"telegram": [{"id": "7"')
    for _ in range(2):
        write_directory(tmp_path, {}, 0.0)

    assert (tmp_path / f"{DIRECTORY}.damaged").read_text() == '{"platforms": {"telegram": [{"id": "7"'
    assert read_channels(tmp_path).faults == ()
