"""Files of what was sent: private, in their place, never one over another."""

import stat

from hermes.delivery.results import Prepared
from hermes.delivery.router import File, Order, Post, Refused
from hermes.delivery.targets import Place
from hermes.ops.outputs import prepare
from hermes.types.content import Capabilities

PLACE = Place("sms", "default", "123")
SMS = Capabilities(splits=False, max_length=160)
NOON = 1_772_618_400.0


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def files(home):
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_a_local_target_is_a_private_page_under_its_job(tmp_path):
    order = Order("n", "report", NOON, job_id="a1b2")
    results = prepare(tmp_path, order, [File("local")])
    (name,) = files(tmp_path)
    assert name.startswith("cron/output/a1b2/2026")
    assert name.endswith(".md")
    assert results[0].path == str(tmp_path / name)
    assert (tmp_path / name).read_text().endswith("---\n\nreport\n")
    assert mode(tmp_path / name) == 0o600
    assert mode(tmp_path / "cron" / "output" / "a1b2") == 0o700


def test_without_a_job_it_is_misc_and_the_second_of_one_second_has_a_number(tmp_path):
    for _ in range(3):
        assert prepare(tmp_path, Order("n", "x", NOON), [File("local")])[0].success
    names = files(tmp_path)
    assert len(names) == 3
    assert all(name.startswith("cron/output/misc/2026") for name in names)
    assert [name.endswith(f"_{number}.md") for name, number in zip(names[1:], (2, 3), strict=True)] == [
        True,
        True,
    ]


def test_a_text_over_the_limit_is_kept_whole_and_cut_with_a_notice(tmp_path):
    order = Order("n", "y" * 500, NOON, job_id="job")
    (ready,) = prepare(tmp_path, order, [Post("sms:123", PLACE, SMS)])
    assert isinstance(ready, Prepared)
    (name,) = files(tmp_path)
    assert name.startswith("cron/output/job_2026")
    assert (tmp_path / name).read_text() == order.content
    assert len(ready.message.text) <= 160
    assert (ready.path, mode(tmp_path / name)) == (str(tmp_path / name), 0o600)


def test_a_platform_that_splits_gets_all_and_no_file_is_made(tmp_path):
    (ready,) = prepare(tmp_path, Order("n", "y" * 50_000, NOON), [Post("x:1", PLACE, Capabilities())])
    assert (len(ready.message.text), ready.path, files(tmp_path)) == (50_000, None, [])


def test_a_disk_that_takes_no_file_fails_that_target_alone(tmp_path):
    (tmp_path / "cron").write_text("in the way")
    steps = [File("local"), Post("x:1", PLACE, Capabilities()), Refused("y", "no")]
    local, post, refused = prepare(tmp_path, Order("n", "x", NOON), steps)
    assert str(tmp_path / "cron") in local.error
    assert isinstance(post, Prepared)
    assert refused.error == "no"


def test_a_planted_link_is_not_followed(tmp_path):
    order, victim = Order("n", "x", NOON), tmp_path / "victim"
    (path,) = (one.path for one in prepare(tmp_path, order, [File("local")]))
    victim.write_text("mine")
    (tmp_path / "cron" / "output" / "misc").joinpath(path).unlink()
    (tmp_path / "cron" / "output" / "misc").joinpath(path).symlink_to(victim)
    (again,) = prepare(tmp_path, order, [File("local")])
    assert again.path.endswith("_2.md")
    assert victim.read_text() == "mine"
