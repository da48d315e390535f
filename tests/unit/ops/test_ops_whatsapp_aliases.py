"""The bridge's files: read as they are, and none of them can do harm."""

import json
import os

import pytest

from hermes.ops import whatsapp_aliases
from hermes.ops.whatsapp_aliases import MOST_FILE_BYTES, AliasFiles, read_aliases
from hermes.sessions.keys import KeyRules, build_session_key
from hermes.types.origin import Origin


@pytest.fixture
def session(tmp_path):
    directory = tmp_path / "whatsapp" / "session"
    directory.mkdir(parents=True)
    return directory


def test_a_home_without_whatsapp_has_no_aliases(tmp_path):
    assert read_aliases(tmp_path) == AliasFiles({})


def test_both_directions_are_read_and_other_files_are_not(tmp_path, session):
    (session / "lid-mapping-15551234567.json").write_text('"999@lid"')
    (session / "lid-mapping-999_reverse.json").write_text('"15551234567"')
    (session / "creds.json").write_text("{}")

    assert read_aliases(tmp_path) == AliasFiles({"15551234567": "999@lid", "999_reverse": "15551234567"})


def test_a_person_has_one_conversation_under_both_addresses(tmp_path, session):
    (session / "lid-mapping-999999999999999.json").write_text(json.dumps("15551234567@s.whatsapp.net"))
    rules = KeyRules(whatsapp_aliases=read_aliases(tmp_path).aliases)

    keys = {
        build_session_key(Origin("whatsapp", chat_id), rules)
        for chat_id in ("999999999999999@lid", "15551234567:3@s.whatsapp.net", "+15551234567")
    }
    assert keys == {"agent:main:whatsapp:dm:15551234567"}


def test_the_older_place_counts_if_it_is_there(tmp_path):
    newer, older = tmp_path / "platforms/whatsapp/session", tmp_path / "whatsapp/session"
    newer.mkdir(parents=True)
    (newer / "lid-mapping-1.json").write_text('"2"')
    assert read_aliases(tmp_path).aliases == {"1": "2"}

    older.mkdir(parents=True)
    (older / "lid-mapping-1.json").write_text('"3"')
    assert read_aliases(tmp_path).aliases == {"1": "3"}


HOSTILE = {
    "no JSON": b"{",
    "nothing": b"",
    "no text": b'["1"]',
    "not UTF-8": b"\xff\xfe\xfd",
    "deep": b"[" * MOST_FILE_BYTES,
    "long": b'"1"' + b" " * MOST_FILE_BYTES,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_bad_file_is_skipped_and_named(tmp_path, session, what):
    (session / "lid-mapping-1.json").write_bytes(HOSTILE[what])
    (session / "lid-mapping-2.json").write_text('"1"')

    read = read_aliases(tmp_path)
    assert read.aliases == {"2": "1"}
    (fault,) = read.faults
    assert fault.startswith(f"{session}/lid-mapping-1.json: ")


@pytest.mark.parametrize(
    "name", ["lid-mapping-a b.json", "lid-mapping-\n1.json", "lid-mapping-1.json.tmp", "lid-mapping-１.json"]
)
def test_a_name_without_an_id_is_skipped_and_named_in_one_line(tmp_path, session, name):
    (session / name).write_text('"1"')

    (fault,) = read_aliases(tmp_path).faults
    assert fault.endswith("its name holds no WhatsApp id")
    assert fault.isprintable()
    assert fault.isascii()


def test_neither_links_nor_pipes_nor_directories_are_read(tmp_path, session):
    (tmp_path / "elsewhere").write_text('"1"')
    (session / "lid-mapping-1.json").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(session / "lid-mapping-2.json")
    (session / "lid-mapping-3.json").mkdir()

    read = read_aliases(tmp_path)
    assert read.aliases == {}
    assert len(read.faults) == 3


def test_too_many_files_are_cut_off_in_the_order_of_their_names(tmp_path, session, monkeypatch):
    monkeypatch.setattr(whatsapp_aliases, "MOST_FILES", 2)
    for number in (3, 1, 2):
        (session / f"lid-mapping-{number}.json").write_text('"9"')

    read = read_aliases(tmp_path)
    assert read.aliases == {"1": "9", "2": "9"}
    assert read.faults == (f"{session}: more than 2 mapping files; the others are not read",)


def test_many_faults_are_counted_not_listed(tmp_path, session):
    for number in range(whatsapp_aliases.MOST_FAULTS + 5):
        (session / f"lid-mapping-{number}.json").write_text("1")

    faults = read_aliases(tmp_path).faults
    assert len(faults) == whatsapp_aliases.MOST_FAULTS + 1
    assert faults[-1] == f"{session}: 5 more files could not be read"
