"""Private files."""

import os
import stat

import pytest

from hermes.ops.files import open_private, write_durable, write_private


@pytest.fixture(autouse=True)
def umask_000():
    before = os.umask(0)
    yield
    os.umask(before)


def test_S41_what_is_written_is_private_and_complete(tmp_path):
    path = tmp_path / "tree.json"
    path.write_bytes(b"a longer old text")
    write_private(path, b"new")

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["tree.json"]


def test_S44_a_planted_symlink_is_neither_followed_nor_kept(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "tree.json").symlink_to(victim)
    write_private(tmp_path / "tree.json", b"new")

    assert victim.read_bytes() == b"precious"
    assert (tmp_path / "tree.json").read_bytes() == b"new"

    (tmp_path / "link").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        open_private(tmp_path / "link", os.O_RDONLY)


@pytest.mark.parametrize("write", [write_private, write_durable])
def test_what_cannot_take_its_place_leaves_nothing_beside_it(tmp_path, write):
    (tmp_path / "tree.json").mkdir()
    with pytest.raises(IsADirectoryError):
        write(tmp_path / "tree.json", b"new")

    assert [file.name for file in tmp_path.iterdir()] == ["tree.json"]


def test_children_do_not_inherit_it(tmp_path):
    descriptor = open_private(tmp_path / "file", os.O_WRONLY | os.O_CREAT)

    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
