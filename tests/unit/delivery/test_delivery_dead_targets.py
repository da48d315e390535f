"""The original's list of dead chats, and what of it we take over."""

from pathlib import Path

import pytest

from hermes.delivery.dead_targets import DeadTarget, read_document
from hermes.ops.dead_target_file import FILE, read_dead_targets


def test_what_is_an_entry_is_read_and_the_rest_left_out() -> None:
    found = read_document(
        {
            "telegram:-100": {"reason": "forbidden", "ts": 1},
            "Matrix:!r:server.org": {},
            "telegram:": {},
            "nonsense": {},
            "discord:5": "dead",
        }
    )
    assert found == (
        DeadTarget("telegram", "default", "-100", "forbidden"),
        DeadTarget("matrix", "default", "!r:server.org", "forbidden"),
    )
    with pytest.raises(ValueError, match="it holds no"):
        read_document([])


def test_the_file_of_a_home(tmp_path: Path) -> None:
    assert read_dead_targets(tmp_path) == ((), ())
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text('{"telegram:5": {"reason": "chat not found"}}')
    assert read_dead_targets(tmp_path) == ((DeadTarget("telegram", "default", "5", "chat not found"),), ())
    (tmp_path / FILE).write_text("[" * 100_000)
    targets, (fault,) = read_dead_targets(tmp_path)
    assert (targets, str(tmp_path / FILE) in fault) == ((), True)
