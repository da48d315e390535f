"""The pairing files: places of both generations, private and durable writing, damage that is never written over."""

import json
import os
import shutil
import stat
from functools import partial
from pathlib import Path

import pytest

from actors.ports.access import canonical_form
from hermes.ops.pairing_files import LIMITS, PairingFiles
from hermes.pairing.book import Approved, Asker, Issued, Known, Locked, Silent, Wrong
from hermes.pairing.codes import fresh_code
from hermes.pairing.orders import Approve, ClearPending, Grant, Request, Revoke
from hermes.testing.fakes import FakeIds
from hermes.types.errors import GatewayError

SHARED = Path(__file__).parents[4] / "shared" / "reference"
NOW = 1_795_300_000.0
OLD, NEW = Path("pairing"), Path("platforms/pairing")

ids = FakeIds(7)


def open_files(home):
    return PairingFiles(home, partial(canonical_form, aliases={}))


@pytest.fixture
def files(tmp_path):
    return open_files(tmp_path)


def ask(user, event="t1"):
    return Request(Asker(user, "Ann", event, "77"), fresh_code(ids))


def do(files, order, name="telegram", now=NOW):
    return files.carry_out(name, order, now)[0]


def rows(home, file, place=NEW):
    return json.loads((home / place / file).read_text())


def put(home, file, content, place=NEW):
    path = home / place / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_S05_a_code_is_on_disk_as_a_hash_only_and_private(files, tmp_path):
    before = os.umask(0)
    try:
        issued = do(files, ask("111"))
    finally:
        os.umask(before)

    assert isinstance(issued, Issued)
    written = sorted(path.name for path in (tmp_path / NEW).iterdir())
    assert written == [LIMITS, "telegram-pending.json"]
    for path in (tmp_path / NEW).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert issued.code not in path.read_text()
    for directory in (tmp_path / NEW, (tmp_path / NEW).parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    ((entry, row),) = rows(tmp_path, "telegram-pending.json").items()
    assert (len(entry), len(row["hash"]), len(row["salt"])) == (16, 64, 32)
    assert rows(tmp_path, LIMITS) == {"telegram:111": NOW}


def test_S01_failures_and_lockout_are_in_the_files_before_the_answer_is(files, tmp_path):
    for n in range(1, 5):
        assert do(files, Approve("AAAAAAAA")) == Wrong(n)
        assert rows(tmp_path, LIMITS) == {"_failures:telegram": n}
    assert do(open_files(tmp_path), Approve("AAAAAAAA")) == Locked(NOW + 3600)
    assert rows(tmp_path, LIMITS) == {"_lockout:telegram": NOW + 3600}
    assert do(open_files(tmp_path), Approve("AAAAAAAA")) == Locked(NOW + 3600)


def test_S03_every_way_in_counts_on_one_checker(files, tmp_path):
    """The gateway and the command line have objects of their own and the same files."""
    one, other = files, open_files(tmp_path)
    assert [do(who, Approve("AAAAAAAA")) for who in (one, other, one, other)] == [
        Wrong(1),
        Wrong(2),
        Wrong(3),
        Wrong(4),
    ]


def test_an_approval_moves_the_row(files, tmp_path):
    code = do(files, ask("111")).code
    assert do(files, Approve(code.lower())) == Approved("111", "Ann", "t1", "77")
    assert rows(tmp_path, "telegram-pending.json") == {}
    assert rows(tmp_path, "telegram-approved.json") == {"111": {"user_name": "Ann", "approved_at": NOW}}


def test_silence_and_known_write_nothing(files, tmp_path):
    do(files, ask("111"))
    do(files, Grant("222"))
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / NEW).iterdir()}
    assert do(files, ask("111", "t2")) == Silent()
    assert do(files, ask("222", "t3")) == Known()
    assert do(files, Revoke("nobody")) is False
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / NEW).iterdir()} == stamps


# --- both places ----------------------------------------------------------------------------------------------------------


def test_both_places_are_read_and_the_older_wins_and_is_written(files, tmp_path):
    put(tmp_path, "telegram-approved.json", {"1": {"user_name": "old"}, "2": {"user_name": "old"}}, OLD)
    put(tmp_path, "telegram-approved.json", {"2": {"user_name": "new"}, "3": {"user_name": "new"}})
    seen = files.look()
    assert {user: grant.user_name for user, grant in seen.books["telegram"].approved.items()} == {
        "1": "old", "2": "old", "3": "new",
    }  # fmt: skip

    do(files, Grant("4"))
    assert rows(tmp_path, "telegram-approved.json", OLD).keys() == {"1", "2", "3", "4"}
    assert rows(tmp_path, "telegram-approved.json").keys() == {"2", "3"}


def test_who_is_revoked_is_gone_from_both_places(files, tmp_path):
    for place in (OLD, NEW):
        put(tmp_path, "telegram-approved.json", {"1": {}, place.name + str(len(place.parts)): {}}, place)
    assert do(files, Revoke("1")) is True
    assert "1" not in rows(tmp_path, "telegram-approved.json", OLD)
    assert "1" not in rows(tmp_path, "telegram-approved.json")
    assert "1" not in open_files(tmp_path).look().grants["telegram"]


def test_failures_in_the_other_place_do_not_come_back(files, tmp_path):
    (tmp_path / OLD).mkdir()
    put(tmp_path, LIMITS, {"_failures:telegram": 4, "_failures:discord": 1})
    do(files, Grant("1"))
    code = do(files, ask("2")).code
    do(files, Approve(code))
    assert do(files, Approve("AAAAAAAA")) == Wrong(1)
    assert rows(tmp_path, LIMITS) == {"_failures:discord": 1}


def test_accounts_have_files_of_their_own_whatever_they_are_called(files, tmp_path):
    for name in ("telegram", "telegram@work", "telegram@../../x", "telegram@a b/c\0"):
        do(files, Grant("1"), name)
    names = {path.name for path in (tmp_path / NEW).iterdir()}
    assert names == {
        "telegram-approved.json", "telegram@work-approved.json", "telegram@..%2F..%2Fx-approved.json",
        "telegram@a%20b%2Fc%00-approved.json",
    }  # fmt: skip
    assert open_files(tmp_path).look().grants == dict.fromkeys(
        ("telegram", "telegram@work", "telegram@../../x", "telegram@a b/c\0"), frozenset({"1"})
    )


def test_what_others_wrote_meanwhile_is_read_first(files, tmp_path):
    do(files, Grant("1"))
    put(tmp_path, "telegram-approved.json", {"2": {"user_name": "by hand", "approved_at": 1}})
    do(files, Grant("3"))
    assert rows(tmp_path, "telegram-approved.json").keys() == {"2", "3"}


# --- damage ---------------------------------------------------------------------------------------------------------------

DAMAGE = {
    "cut": '{"111": {"user_na',
    "empty": "",
    "a list": "[]",
    "deep": "[" * 200_000,
    "no text": b"\xff\xfe\x00",
    "lone": '{"a": ',
}


def spoil(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("place", [OLD, NEW])
@pytest.mark.parametrize("kind", ["telegram-approved.json", "telegram-pending.json", LIMITS])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_by_name_and_never_written(files, tmp_path, place, kind, damage):
    path = tmp_path / place / kind
    spoil(path, DAMAGE[damage])
    content = path.read_bytes()

    for order in (ask("1"), Approve("AAAAAAAA")):
        with pytest.raises(GatewayError) as refused:
            do(files, order)
        assert refused.value.failure.code == "pairing_unreadable"
        assert str(path) in refused.value.failure.detail
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_only_what_is_damaged_refuses(files, tmp_path):
    spoil(tmp_path / NEW / "telegram-approved.json", "{")
    assert isinstance(do(files, ask("1"), "discord"), Issued)
    assert files.look().grants == {"discord": frozenset()}
    spoil(tmp_path / NEW / LIMITS, "{")
    with pytest.raises(GatewayError):
        do(files, ask("2"), "discord")
    assert isinstance(do(files, Grant("2"), "discord"), Approved)  # the owner can always let somebody in
    assert do(files, Revoke("2"), "discord") is True
    assert do(files, ClearPending(), "discord") == 1


@pytest.mark.parametrize("what", ["link", "directory", "pipe", "unreadable place"])
def test_what_is_no_file_is_refused(files, tmp_path, what):
    place = tmp_path / NEW
    place.mkdir(parents=True)
    path = place / "telegram-approved.json"
    match what:
        case "link":
            target = tmp_path / "elsewhere"
            target.write_text('{"1": {}}')
            path.symlink_to(target)
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "unreadable place":
            place.rmdir()
            place.write_text("a file")
    assert files.look().grants == {}
    with pytest.raises(GatewayError, match="Nothing was changed"):
        do(files, Grant("1"))


def test_a_byte_order_mark_is_no_damage(files, tmp_path):
    put(
        tmp_path,
        "telegram-approved.json",
        '\ufeff{"_README": "x", "1": {"user_name": "Ann", "approved_at": 1.0}}',
    )
    do(files, Grant("2"))
    assert rows(tmp_path, "telegram-approved.json").keys() == {"_README", "1", "2"}


@pytest.mark.parametrize("broken", ["os.fsync", "os.fchmod"])
def test_a_full_disk_changes_nothing_and_leaves_nothing(files, tmp_path, monkeypatch, broken):
    code = do(files, ask("1")).code
    before = {path: path.read_bytes() for path in (tmp_path / NEW).iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(broken, full)
        with pytest.raises(GatewayError, match=r"json.*: No space left on device") as refused:
            do(files, Approve(code))
    assert refused.value.failure.code == "pairing_unwritable"
    assert {path: path.read_bytes() for path in (tmp_path / NEW).iterdir()} == before
    assert isinstance(do(files, Approve(code)), Approved)


def test_nothing_is_changed_for_whoever_has_left(files, tmp_path):
    with pytest.raises(GatewayError, match="took too long"):
        files.carry_out("telegram", Grant("1"), NOW, wanted=lambda: False)
    assert list((tmp_path / NEW).iterdir()) == []


def test_a_home_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(GatewayError, match="No such file"):
        do(open_files(tmp_path / "gone"), Grant("1"))
    assert not (tmp_path / "gone").exists()


def test_writing_is_synced_before_it_takes_the_place(files, tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        "os.fsync",
        lambda fd: (steps.append(("sync", Path(f"/proc/self/fd/{fd}").readlink().name)), fsync(fd)),
    )
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (steps.append(("replace", Path(to).name)), replace(self, to))[1]
    )
    (tmp_path / NEW).mkdir(parents=True)

    do(files, ask("1"))

    assert steps == [
        ("sync", "telegram-pending.json.new"), ("sync", f"{LIMITS}.new"),
        ("replace", "telegram-pending.json"), ("replace", LIMITS), ("sync", "pairing"),
    ]  # fmt: skip


# --- homes that the original made -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="the sample homes are not here")
@pytest.mark.parametrize("version", ["0_13", "0_19"])
@pytest.mark.parametrize("place", [OLD, NEW])
def test_homes_of_the_original_are_read_and_written_in_its_shape(tmp_path, version, place):
    shutil.copytree(SHARED / f"golden_home_{version}" / NEW, tmp_path / place)
    before = {path.name: json.loads(path.read_text()) for path in (tmp_path / place).iterdir()}
    files = open_files(tmp_path)

    assert files.look().grants == {"telegram": {"111"}, "discord": frozenset()}
    assert files.look().faults == {}
    now = before["discord-pending.json"].popitem()[1]["created_at"] + 60
    assert do(files, Approve("FNCJV5EC"), "discord", now) == Wrong(
        2 if version == "0_19" else 1
    )  # kept in clear: never
    issued = do(files, ask("333"), "discord", now)
    assert do(files, Approve(issued.code), "discord", now) == Approved("333", "Ann", "t1", "77")
    do(files, ask("444", "t2"), "discord", now)
    do(files, Grant("222", "Kim"), now=now)

    after = {path.name: json.loads(path.read_text()) for path in (tmp_path / place).iterdir()}
    assert after["telegram-approved.json"]["111"] == before["telegram-approved.json"]["111"]
    assert after["discord-approved.json"] == {"333": {"user_name": "Ann", "approved_at": now}}
    assert after[LIMITS] == {"telegram:111": before[LIMITS]["telegram:111"], "discord:222": before[LIMITS]["discord:222"],
                             "discord:333": now, "discord:444": now}  # fmt: skip
    for row in after["discord-pending.json"].values():  # what the original asks of a row
        assert isinstance(row["created_at"], float)
        assert isinstance(row["user_id"], str)
    hashed = [row for row in after["discord-pending.json"].values() if "hash" in row]
    assert [row["user_id"] for row in hashed] == (["222", "444"] if version == "0_19" else ["444"])
    assert all(path.read_text().startswith("{") for path in (tmp_path / place).iterdir())
