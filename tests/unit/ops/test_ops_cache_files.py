"""What goes from the cache of files that people have sent, and what never does."""

import os
from pathlib import Path

from hermes.ops import cache_files, inbound_files
from hermes.ops.cache_files import Cached, cached, drop, outlived
from hermes.types.events import Attachment

NOW = 1_000_000_000.0
DAY_S = 86_400.0
MONTH = NOW - 30 * DAY_S
A, B, C = "a" * 24, "b" * 24, "c" * 24


def one(key: str, days: float, size: int = 10, part: bool = False) -> Cached:
    return Cached(f"/{key}", key, NOW - days * DAY_S, size, part)


def keys(files: list[Cached]) -> list[str]:
    return [file.key for file in files]


def test_what_is_older_than_it_is_kept_for_goes() -> None:
    assert keys(outlived([one(A, 31), one(B, 29)], NOW, MONTH, 1_000, ())) == [A]
    assert outlived([one(A, 3_000)], NOW, 0.0, 1_000, ()) == []


def test_of_what_is_too_much_the_oldest_go_and_nothing_of_today() -> None:
    files = [one(A, 3), one(B, 2), one(C, 0.5)]
    assert keys(outlived(files, NOW, 0.0, 20, ())) == [A]
    assert keys(outlived(files, NOW, 0.0, 10, ())) == [B, A]
    assert keys(outlived(files, NOW, 0.0, 1, ())) == [B, A]


def test_what_is_still_wanted_stays_whatever_its_age() -> None:
    assert outlived([one(A, 300)], NOW, MONTH, 1, {A}) == []


def test_what_did_not_come_to_its_end_goes_after_an_hour_wanted_or_not() -> None:
    assert keys(outlived([one(A, 2 / 24, part=True), one(B, 0.5 / 24, part=True)], NOW, 0.0, 1, {A})) == [A]


def test_only_files_of_ours_are_found_and_none_behind_a_link(tmp_path: Path) -> None:
    picture = Attachment("image", "ref", "cat.png")
    part = inbound_files.begin(tmp_path, A, "01234567", picture)
    inbound_files.add(tmp_path, part, b"data")
    kept = Path(inbound_files.keep(tmp_path, part, A, picture).path)
    left_over = inbound_files.begin(tmp_path, B, "01234567", picture)
    (kept.parent / "somebody_elses.png").write_bytes(b"x")
    (kept.parent / f"{C}_link.png").symlink_to(kept)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{C}_cat.png").write_bytes(b"x")
    (tmp_path / "cache" / "voices").symlink_to(elsewhere)
    (tmp_path / "cache" / "outbound").mkdir()
    (tmp_path / "cache" / "outbound" / f"{C}_cat.png").write_bytes(b"x")
    found = {file.path: (file.key, file.size_bytes, file.part) for file in cached(tmp_path)}
    assert found == {str(kept): (A, 4, False), str(left_over): (B, 0, True)}
    assert cached(tmp_path / "not there") == []


def test_a_file_that_is_wanted_again_meanwhile_stays(tmp_path: Path) -> None:
    picture = Attachment("image", "ref", "cat.png")
    part = inbound_files.begin(tmp_path, A, "01234567", picture)
    kept = inbound_files.keep(tmp_path, part, A, picture)
    os.utime(kept.path, (NOW, NOW - 50 * DAY_S))
    found = cached(tmp_path)
    assert keys(outlived(found, NOW, MONTH, 1_000, ())) == [A]
    assert inbound_files.find(tmp_path, A, picture) == kept
    assert drop(tmp_path, found) == 0
    os.utime(kept.path, (NOW, NOW - 50 * DAY_S))
    found = cached(tmp_path)
    assert drop(tmp_path, [*found, one(B, 50)]) == 0  # it was empty
    assert not Path(kept.path).exists()
    assert cache_files.PART_S < cache_files.YOUNG_S
